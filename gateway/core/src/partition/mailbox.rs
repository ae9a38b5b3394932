//! The messages that wait for one address, in the order of their numbers. Upholds ORD-2.
//!
//! The head is in memory, the rest may be in rows only. While any of the tail is in rows, new messages bypass memory, so
//! that what is in memory is always a contiguous part from the head on.
//!
//! A message is shared with its row in the overlay until the store has that row. The overlay counts it as long, so nothing is
//! gained by dropping it here; the mailbox counts it afterwards.

use alloc::collections::VecDeque;
use alloc::sync::Arc;

use super::planted::{Bug, Planted};
use crate::footprint::room;
use crate::id::Sequence;
use crate::message::Message;

#[derive(Debug)]
pub(super) struct Mailbox {
    messages: VecDeque<Arc<Message>>,
    /// Of the messages whose rows the store has.
    stored_bytes: usize,
    /// The rows of messages from this number on are not in the store yet.
    unflushed: Sequence,
    tail: Tail,
    /// The last message that was ever in memory: rows up to it need not be read again.
    seen: Sequence,
}

/// Room for so many messages is kept whatever happens.
const ROOM_KEPT: usize = 64;

/// What follows the messages in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Tail {
    /// Nothing.
    Empty,
    /// Messages in rows: this many, if they were ever counted.
    InRows { count: Option<u64> },
}

impl Mailbox {
    /// A mailbox that is known to hold nothing.
    pub(super) const fn empty() -> Self {
        Self::before(Tail::Empty)
    }

    /// A mailbox of which only rows know what it holds.
    pub(super) const fn unknown() -> Self {
        Self::before(Tail::InRows { count: None })
    }

    const fn before(tail: Tail) -> Self {
        Self {
            messages: VecDeque::new(),
            stored_bytes: 0,
            unflushed: Sequence::BEHIND,
            tail,
            seen: Sequence::NONE,
        }
    }

    pub(super) const fn messages(&self) -> &VecDeque<Arc<Message>> {
        &self.messages
    }

    /// What it takes of memory beside the struct and what the overlay counts.
    pub(super) fn bytes(&self) -> usize {
        self.stored_bytes + room::<Arc<Message>>(self.messages.capacity())
    }

    /// Whether leaving messages to the rows would free memory: it holds more than so many bytes, and more than the first
    /// `keep` messages.
    pub(super) fn is_beyond(&self, bytes: usize, keep: usize) -> bool {
        self.stored_bytes > bytes && self.messages.len() > keep.max(1)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.tail == Tail::Empty
    }

    /// Whether everything is in memory.
    pub(super) fn has_no_tail(&self) -> bool {
        self.tail == Tail::Empty
    }

    /// The number from which on messages must be read from rows before any can be processed. `NONE` if
    /// nothing is known of the mailbox, not even whether its address is parked.
    pub(super) fn wants_rows_from(&self) -> Option<Sequence> {
        if !self.messages.is_empty() || self.tail == Tail::Empty {
            return None;
        }
        Some(if self.seen == Sequence::NONE { Sequence::NONE } else { self.seen.next() })
    }

    /// A message arrived; its row exists already.
    pub(super) fn push(&mut self, message: Arc<Message>, planted: &Planted) {
        match &mut self.tail {
            Tail::InRows { count } if !planted.has(Bug::TailOvertaken) => {
                *count = count.map(|count| count + 1);
            }
            _ => {
                self.unflushed = self.unflushed.min(message.sequence);
                self.hold(message);
            }
        }
    }

    /// What a message counts for here.
    fn share_of(&self, message: &Message) -> usize {
        if message.sequence < self.unflushed { message.footprint() } else { 0 }
    }

    fn hold(&mut self, message: Arc<Message>) {
        self.stored_bytes += self.share_of(&message);
        self.seen = message.sequence;
        self.messages.push_back(message);
    }

    /// The first messages were processed.
    ///
    /// # Panics
    /// If they are not the first ones in memory: then the order is lost, which must never be papered over.
    pub(super) fn consume(&mut self, sequences: &[Sequence]) {
        for sequence in sequences {
            let message = self.messages.pop_front().expect("consumed messages are in memory");
            assert_eq!(message.sequence, *sequence, "ORD-2: messages are consumed from the head");
            self.stored_bytes -= self.share_of(&message);
        }
        self.shrink();
    }

    /// Gives back most of the room that a crowd has left.
    fn shrink(&mut self) {
        let (room, taken) = (self.messages.capacity(), self.messages.len());
        if room > ROOM_KEPT && taken < room / 4 {
            self.messages.shrink_to(taken * 2);
        }
    }

    /// The store has the rows of messages before `unflushed`: from now on they count here.
    pub(super) fn flushed(&mut self, unflushed: Sequence) {
        let from = self.messages.partition_point(|message| message.sequence < self.unflushed);
        let news = self.messages.range(from..).take_while(|message| message.sequence < unflushed);
        self.stored_bytes += news.map(|message| message.footprint()).sum::<usize>();
        self.unflushed = unflushed;
    }

    /// Leaves what is beyond a number of bytes to the rows, but keeps the first `keep` messages.
    pub(super) fn spill(&mut self, bytes: usize, keep: usize) {
        while self.is_beyond(bytes, keep) {
            let Some(message) = self.messages.pop_back() else { return };
            self.stored_bytes -= self.share_of(&message);
            self.seen = message.sequence.previous();
            self.tail = match self.tail {
                Tail::Empty => Tail::InRows { count: Some(1) },
                Tail::InRows { count } => Tail::InRows { count: count.map(|count| count + 1) },
            };
        }
        self.shrink();
    }

    /// The next messages were read from rows, up to `more_after` if further ones may follow. None may have been found up to
    /// there: the store still has rows that are removed. It has no rows from `unflushed` on.
    ///
    /// # Panics
    /// If messages that were counted are missing: a row was lost, which must never be skipped.
    pub(super) fn refill(
        &mut self,
        messages: impl Iterator<Item = Arc<Message>>,
        more_after: Option<Sequence>,
        unflushed: Sequence,
    ) {
        self.flushed(unflushed);
        let last = self.messages.back().map_or(Sequence::NONE, |message| message.sequence);
        let mut read = 0;
        for message in messages {
            assert!(message.sequence > last, "a reloaded message follows those in memory");
            read += 1;
            self.hold(message);
        }
        let counted = match self.tail {
            Tail::Empty => Some(0),
            Tail::InRows { count } => count,
        };
        if more_after.is_none() {
            assert!(
                counted.is_none_or(|count| count == read),
                "a message that was spilled is missing"
            );
        }
        self.tail = match more_after {
            Some(last) => {
                self.seen = self.seen.max(last);
                Tail::InRows { count: counted.map(|count| count - read) }
            }
            None => Tail::Empty,
        };
    }
}
