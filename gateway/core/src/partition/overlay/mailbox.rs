//! The rows of one mailbox that the store does not have yet, or still has.
//!
//! A mailbox is a queue: rows appear at its end and are removed from its head, each of them once. So a message that comes and
//! goes between two flushes leaves nothing behind, and the rows here are always later than those that are gone.

use alloc::collections::VecDeque;
use alloc::sync::Arc;

use crate::id::{Lsn, Sequence};
use crate::message::Message;
use crate::partition::few::Few;

#[derive(Debug, Default)]
pub(super) struct MailboxRows {
    /// Ascending. Those that are removed come first, and stay until that is durable.
    here: Few<Here>,
    /// Removed rows that the store holds, and when they were removed. Ascending, all before those that are here.
    gone: VecDeque<(Sequence, Lsn)>,
}

#[derive(Debug)]
struct Here {
    sequence: Sequence,
    added: Lsn,
    /// `NONE` while it waits.
    removed: Lsn,
    message: Arc<Message>,
}

/// What a removed row counts for, in bytes.
const GONE_BYTES: usize = size_of::<(Sequence, Lsn)>();

/// What a row counts for, in bytes.
fn cost(message: &Message) -> usize {
    size_of::<Here>() + message.cost()
}

impl MailboxRows {
    pub(super) fn is_empty(&self) -> bool {
        self.here.is_empty() && self.gone.is_empty()
    }

    /// A row appears; says how many bytes that adds.
    pub(super) fn push(&mut self, lsn: Lsn, message: &Arc<Message>) -> usize {
        self.here.push_back(Here {
            sequence: message.sequence,
            added: lsn,
            removed: Lsn::NONE,
            message: message.clone(),
        });
        cost(message)
    }

    /// A row disappears; says how many bytes that adds.
    pub(super) fn remove(&mut self, lsn: Lsn, sequence: Sequence) -> usize {
        if let Some(here) = self.here.search_mut(&sequence, |here| here.sequence) {
            here.removed = lsn;
            return 0;
        }
        self.gone.push_back((sequence, lsn));
        GONE_BYTES
    }

    /// Lets go of rows whose removal is durable; says how many bytes that frees.
    pub(super) fn fade(&mut self, durable: Lsn, flushed: Lsn) -> usize {
        let mut freed = 0;
        while let Some(here) = self.here.front()
            && here.removed != Lsn::NONE
            && here.removed <= durable
        {
            freed += self.pop(flushed);
        }
        freed
    }

    /// Drops what the store holds; says how many bytes that frees.
    pub(super) fn forget(&mut self, through: Lsn) -> usize {
        let mut freed = 0;
        while self.here.front().is_some_and(|here| here.added <= through) {
            freed += self.pop(through);
        }
        while self.gone.front().is_some_and(|(_, removed)| *removed <= through) {
            self.gone.pop_front();
            freed += GONE_BYTES;
        }
        freed
    }

    /// Lets the first row go; that it is removed must be remembered if the store has it.
    fn pop(&mut self, flushed: Lsn) -> usize {
        let Some(here) = self.here.pop_front() else { return 0 };
        if here.added <= flushed && here.removed != Lsn::NONE {
            self.gone.push_back((here.sequence, here.removed));
            return cost(&here.message) - GONE_BYTES;
        }
        cost(&here.message)
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
