//! Where a message goes: into a mailbox of this partition, to another partition, or to a client that waits.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use super::record::{Delivery, DiscardReason, MailboxEntry, OutboxEntry};
use super::state::State;
use crate::address::Address;
use crate::id::{PartitionId, Sequence};
use crate::message::{ClientRequest, Envelope, Message, RequestId};

/// Gives out the numbers that the messages and timers of one record take.
pub(super) struct Placement<'a> {
    state: &'a State,
    next: Sequence,
    /// Made when the first message for another partition is numbered: most records have none.
    outbox: Option<BTreeMap<PartitionId, Sequence>>,
}

impl<'a> Placement<'a> {
    pub(super) const fn new(state: &'a State) -> Self {
        Self { state, next: state.next_sequence, outbox: None }
    }

    /// The next number for a message in a mailbox, or for a timer.
    pub(super) fn number(&mut self) -> Sequence {
        let number = self.next;
        self.next = number.next();
        number
    }

    /// Decides where a message goes.
    pub(super) fn place(
        &mut self,
        envelope: Envelope,
        request: Option<Arc<ClientRequest>>,
    ) -> Delivery {
        let destination = self.state.partitions.partition_of(&envelope.target);
        if destination != self.state.partition {
            return self.remote(destination, envelope);
        }
        if !envelope.target.is_reply() {
            return self.local(envelope, request);
        }
        match envelope.target.request() {
            Some((home, RequestId::Keyed(_))) if home == self.state.partition => {
                self.local(envelope, None)
            }
            Some((home, request @ RequestId::Waiting { epoch, .. }))
                if home == self.state.partition && epoch == self.state.epoch =>
            {
                Delivery::Reply { request, argument: envelope.argument }
            }
            _ => Delivery::Dropped(DiscardReason::RequestGone),
        }
    }

    fn local(&mut self, envelope: Envelope, request: Option<Arc<ClientRequest>>) -> Delivery {
        let Envelope { caller, target, argument } = envelope;
        let message = Arc::new(Message { sequence: self.number(), caller, argument, request });
        Delivery::Local(MailboxEntry { target, message })
    }

    fn remote(&mut self, destination: PartitionId, envelope: Envelope) -> Delivery {
        let next = {
            let outbox = self.outbox.get_or_insert_default();
            outbox.entry(destination).or_insert_with(|| self.state.outbox.next(destination))
        };
        let sequence = *next;
        *next = sequence.next();
        Delivery::Remote(OutboxEntry { destination, sequence, envelope })
    }
}

/// Whether an address can be sent to at all: it has an id, and if it claims to be a client's, it names one.
pub(super) fn is_sendable(target: &Address) -> bool {
    !target.id.is_empty() && (!target.is_reply() || target.request().is_some())
}
