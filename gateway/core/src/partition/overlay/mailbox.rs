//! The rows of one mailbox that the store does not have yet, or still has.
//!
//! A mailbox is a queue: rows appear at its end and are removed from its head, each of them once. So a message that comes and
//! goes between two flushes leaves nothing behind, and the rows here are always later than those that are gone.

use alloc::collections::VecDeque;
use alloc::sync::Arc;

use crate::footprint::room;
use crate::id::{Lsn, Sequence};
use crate::message::Message;
use crate::partition::few::Few;

#[derive(Debug, Default)]
pub(super) struct MailboxRows {
    /// Ascending. Those that are removed come first, and stay until that is durable.
    here: Few<Here>,
    /// Removed rows that the store holds, and when they were removed. Ascending, all before those that are here.
    gone: VecDeque<(Sequence, Lsn)>,
    /// What the messages take of memory.
    message_bytes: usize,
}

#[derive(Debug)]
struct Here {
    sequence: Sequence,
    added: Lsn,
    /// `NONE` while it waits.
    removed: Lsn,
    message: Arc<Message>,
}

impl MailboxRows {
    pub(super) fn is_empty(&self) -> bool {
        self.here.is_empty() && self.gone.is_empty()
    }

    /// What the rows take of memory beside the struct, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let here = room::<Here>(self.here.capacity());
        let gone = room::<(Sequence, Lsn)>(self.gone.capacity());
        self.message_bytes + here + gone
    }

    /// The number from which on the store has none of these messages.
    pub(super) fn unflushed(&self) -> Sequence {
        self.here.front().map_or(Sequence::BEHIND, |here| here.sequence)
    }

    /// A row appears.
    pub(super) fn push(&mut self, lsn: Lsn, message: &Arc<Message>) {
        self.message_bytes += message.footprint();
        self.here.push_back(Here {
            sequence: message.sequence,
            added: lsn,
            removed: Lsn::NONE,
            message: message.clone(),
        });
    }

    /// A row disappears.
    pub(super) fn remove(&mut self, lsn: Lsn, sequence: Sequence) {
        if let Some(here) = self.here.search_mut(&sequence, |here| here.sequence) {
            here.removed = lsn;
        } else {
            self.gone.push_back((sequence, lsn));
        }
    }

    /// Lets go of rows whose removal is durable.
    pub(super) fn fade(&mut self, durable: Lsn, flushed: Lsn) {
        while let Some(here) = self.here.front()
            && here.removed != Lsn::NONE
            && here.removed <= durable
        {
            self.pop(flushed);
        }
    }

    /// Drops what the store holds.
    pub(super) fn forget(&mut self, through: Lsn) {
        while self.here.front().is_some_and(|here| here.added <= through) {
            self.pop(through);
        }
        while self.gone.front().is_some_and(|(_, removed)| *removed <= through) {
            self.gone.pop_front();
        }
        if self.gone.is_empty() {
            self.gone = VecDeque::new();
        }
    }

    /// Lets the first row go; that it is removed must be remembered if the store has it.
    fn pop(&mut self, flushed: Lsn) {
        let Some(here) = self.here.pop_front() else { return };
        self.message_bytes -= here.message.footprint();
        if here.added <= flushed && here.removed != Lsn::NONE {
            self.gone.push_back((here.sequence, here.removed));
        }
    }

    /// What changed after one position up to another one: the rows that appeared, and those that were removed.
    pub(super) fn changes(
        &self,
        flushed: Lsn,
        through: Lsn,
    ) -> impl Iterator<Item = (Sequence, Option<&Arc<Message>>)> {
        let new = move |lsn: Lsn| flushed < lsn && lsn <= through;
        let gone = self.gone.iter().filter(move |(_, removed)| new(*removed));
        let here = self.here.iter().filter(move |here| {
            new(here.added) && (here.removed == Lsn::NONE || here.removed > through)
        });
        gone.map(|(sequence, _)| (*sequence, None))
            .chain(here.map(|here| (here.sequence, Some(&here.message))))
    }

    /// The newest version of each row, from a number on.
    pub(super) fn rows(
        &self,
        from: Sequence,
    ) -> impl Iterator<Item = (Sequence, Option<&Arc<Message>>)> {
        let gone = self.gone.partition_point(|(sequence, _)| *sequence < from);
        let gone = self.gone.range(gone..).map(|(sequence, _)| (*sequence, None));
        let here = self.here.iter().skip_while(move |here| here.sequence < from);
        gone.chain(
            here.map(|here| (here.sequence, (here.removed == Lsn::NONE).then_some(&here.message))),
        )
    }
}
