//! A numbered queue to one receiver that acknowledges cumulatively: the shape of an outbox and of an egress. Upholds ONCE-2.
//!
//! An item stays until it is acknowledged. The head is in memory, the rest may be in rows only; numbers have no gaps.

use alloc::collections::VecDeque;

use crate::id::{LoadId, Sequence, Timestamp};

/// What an item counts for in the bounds.
pub(super) trait Cost {
    /// In bytes.
    fn cost(&self) -> usize;
}

#[derive(Debug)]
pub(super) struct Queue<T> {
    next: Sequence,
    trimmed: Sequence,
    /// Contiguous from `trimmed.next()` on.
    held: VecDeque<T>,
    bytes: usize,
    /// The last number that was handed out since the last rewind; never below `trimmed`.
    sent: Sequence,
    /// Bytes of the items that were handed out and are not acknowledged.
    sent_bytes: usize,
    /// The load that fetches what follows the items in memory.
    pub(super) load: Option<LoadId>,
    /// The last gap that was filled by handing out again.
    filled: Sequence,
    /// When what was handed out is handed out again.
    pub(super) resend_at: Timestamp,
}

impl<T: Cost + Clone> Queue<T> {
    pub(super) const fn restore(trimmed: Sequence, next: Sequence) -> Self {
        Self {
            next,
            trimmed,
            held: VecDeque::new(),
            bytes: 0,
            sent: trimmed,
            sent_bytes: 0,
            filled: Sequence::NONE,
            load: None,
            resend_at: Timestamp::NEVER,
        }
    }

    pub(super) const fn next(&self) -> Sequence {
        self.next
    }

    pub(super) const fn trimmed(&self) -> Sequence {
        self.trimmed
    }

    /// How many items the receiver has not acknowledged, in memory or not.
    pub(super) const fn unacknowledged(&self) -> u64 {
        self.next.0 - self.trimmed.next().0
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) const fn sent(&self) -> Sequence {
        self.sent
    }

    /// The items in memory with their numbers.
    pub(super) fn held(&self) -> impl Iterator<Item = (Sequence, &T)> {
        (self.trimmed.0 + 1..).map(Sequence).zip(&self.held)
    }

    /// The number that follows the items in memory.
    pub(super) fn held_until(&self) -> Sequence {
        Sequence(self.trimmed.0 + 1 + self.held.len() as u64)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.trimmed.next() == self.next
    }

    /// Items follow that are in rows only.
    pub(super) fn has_tail(&self) -> bool {
        self.held_until() < self.next
    }

    /// Whether rows should be read because little of the tail's beginning is in memory.
    pub(super) fn wants_rows(&self, window: usize) -> bool {
        self.has_tail() && self.load.is_none() && self.bytes < window / 2
    }

    /// An item was numbered; its row exists already.
    pub(super) fn push(&mut self, sequence: Sequence, item: T) {
        assert_eq!(sequence, self.next, "numbers of a queue have no gaps");
        if !self.has_tail() {
            self.bytes += item.cost();
            self.held.push_back(item);
        }
        self.next = sequence.next();
    }

    /// The next item to hand out, unless `window` bytes are under way.
    pub(super) fn send(&mut self, window: usize) -> Option<(Sequence, T)> {
        if self.sent_bytes >= window {
            return None;
        }
        let index = usize::try_from(self.sent.0 - self.trimmed.0).ok()?;
        let item = self.held.get(index)?.clone();
        self.sent = self.sent.next();
        self.sent_bytes += item.cost();
        Some((self.sent, item))
    }

    /// The receiver has everything up to here.
    pub(super) fn trim(&mut self, through: Sequence) {
        while self.trimmed < through {
            self.trimmed = self.trimmed.next();
            let Some(item) = self.held.pop_front() else { continue };
            self.bytes -= item.cost();
            if self.trimmed <= self.sent {
                self.sent_bytes -= item.cost();
            }
        }
        if self.sent < self.trimmed {
            self.sent = self.trimmed;
        }
    }

    /// Hands out again from a number on.
    pub(super) fn rewind(&mut self, to: Sequence) {
        self.sent = to.previous().max(self.trimmed).min(self.sent);
        let sent = usize::try_from(self.sent.0 - self.trimmed.0).unwrap_or(usize::MAX);
        self.sent_bytes = self.held.iter().take(sent).map(Cost::cost).sum();
    }

    /// What was handed out and not acknowledged was under way for too long: hands it out again, and fills gaps anew.
    pub(super) fn send_again(&mut self) {
        self.filled = Sequence::NONE;
        self.rewind(self.trimmed.next());
    }

    /// The receiver waits for a number: hands out again from there on, which it has dropped. Everything that was under way
    /// behind a gap reports it, so a gap is filled once; if what fills it is lost too, it is handed out when its time is over.
    pub(super) fn fill_gap(&mut self, expected: Sequence) {
        if expected > self.filled && expected > self.trimmed && expected <= self.sent {
            self.filled = expected;
            self.rewind(expected);
        }
    }

    /// Leaves what is beyond a number of bytes to the rows, except for what is under way.
    pub(super) fn spill(&mut self, bytes: usize) {
        while self.bytes > bytes && self.held_until().previous() > self.sent {
            let Some(item) = self.held.pop_back() else { return };
            self.bytes -= item.cost();
        }
    }

    /// Items that follow those in memory were read from rows.
    ///
    /// # Panics
    /// If a number is missing: a row was lost, which must never be skipped.
    pub(super) fn refill(&mut self, items: impl Iterator<Item = (Sequence, T)>) {
        for (sequence, item) in items {
            if sequence < self.held_until() {
                // It was acknowledged, or came into memory, while the load was under way.
                continue;
            }
            assert_eq!(sequence, self.held_until(), "ONCE-2: a row of a queue is missing");
            self.bytes += item.cost();
            self.held.push_back(item);
        }
    }
}
