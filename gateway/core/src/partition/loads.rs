//! Loads that are under way: why each was issued, so that its answer is put to use.

use alloc::collections::BTreeMap;

use super::effect::LoadRequest;
use super::row::TimerKey;
use crate::address::{Address, EgressId};
use crate::id::{LoadId, PartitionId, Ticket};

/// Why rows are being read.
#[derive(Clone, Debug)]
pub(super) enum Purpose {
    /// Values and messages of an address that has work.
    Activate {
        /// Which address.
        address: Address,
        /// How many of its declared values are known afterwards.
        known: usize,
    },
    /// The request that the replies in a reply address's mailbox answer.
    Reply(Address),
    /// Tokens that the answer of an address's function depends on.
    Commit(Address),
    /// The idempotency key of the client's message that waits at the door of an address.
    Door(Address),
    /// The next messages of an outbox.
    Outbox(PartitionId),
    /// The next records of an egress.
    Egress(EgressId),
    /// The next timers.
    Timers(TimerKey),
    /// Addresses that have messages but are not in memory.
    Scan,
    /// Values that look as if they had expired.
    Sweep,
    /// Somebody wants to see them.
    Show(Ticket),
}

#[derive(Debug, Default)]
pub(super) struct Loads {
    pending: BTreeMap<LoadId, (Purpose, LoadRequest)>,
    last: LoadId,
}

impl Loads {
    pub(super) fn begin(&mut self, purpose: Purpose, rows: LoadRequest) -> LoadId {
        self.last = self.last.next();
        self.pending.insert(self.last, (purpose, rows));
        self.last
    }

    pub(super) fn finish(&mut self, load: LoadId) -> Option<(Purpose, LoadRequest)> {
        self.pending.remove(&load)
    }
}
