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
    tail: Tail,
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
    pub(super) fn restore(trimmed: Sequence, next: Sequence) -> Self {
        Self {
            next,
            trimmed,
            held: VecDeque::new(),
            bytes: 0,
            tail: Tail::unknown(next.0.saturating_sub(trimmed.next().0)),
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

    /// Bytes of all that the receiver has not acknowledged: exact for what came in this life, else judged by the others.
    pub(super) fn waiting_bytes(&self) -> usize {
        if self.has_tail() { self.bytes + self.tail.bytes() } else { self.bytes }
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
        let cost = item.cost();
        self.tail.saw(cost);
        if self.has_tail() {
            self.tail.add_known(cost);
        } else {
            self.bytes += cost;
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
            let Some(item) = self.held.pop_front() else {
                self.tail.shorten(None);
                continue;
            };
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
            self.tail.add_before(item.cost());
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
            let cost = item.cost();
            self.tail.saw(cost);
            self.tail.shorten(Some(cost));
            self.bytes += cost;
            self.held.push_back(item);
        }
    }
}

/// What is known of the size of the items that are in rows only. Those of an earlier life come first; nobody has counted them, so
/// each is taken for as large as the items seen were on average.
#[derive(Debug, Default)]
struct Tail {
    /// How many of an earlier life, with those that were left to the rows before them.
    uncounted: u64,
    /// Bytes of the others.
    counted_bytes: usize,
    seen: u64,
    seen_bytes: u64,
}

impl Tail {
    fn unknown(uncounted: u64) -> Self {
        Self { uncounted, ..Self::default() }
    }

    fn saw(&mut self, bytes: usize) {
        self.seen += 1;
        self.seen_bytes += bytes as u64;
    }

    /// An item that was just numbered.
    const fn add_known(&mut self, bytes: usize) {
        self.counted_bytes += bytes;
    }

    /// An item that was in memory.
    const fn add_before(&mut self, bytes: usize) {
        if self.uncounted > 0 {
            self.uncounted += 1;
        } else {
            self.counted_bytes += bytes;
        }
    }

    /// The first item is in memory now, or gone.
    fn shorten(&mut self, bytes: Option<usize>) {
        if self.uncounted > 0 {
            self.uncounted -= 1;
        } else {
            let bytes = bytes.unwrap_or_else(|| self.mean());
            self.counted_bytes = self.counted_bytes.saturating_sub(bytes);
        }
    }

    fn bytes(&self) -> usize {
        let uncounted = usize::try_from(self.uncounted).unwrap_or(usize::MAX);
        self.counted_bytes.saturating_add(uncounted.saturating_mul(self.mean()))
    }

    fn mean(&self) -> usize {
        usize::try_from(self.seen_bytes / self.seen.max(1)).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Cost for usize {
        fn cost(&self) -> usize {
            *self
        }
    }

    fn push(queue: &mut Queue<usize>, items: impl IntoIterator<Item = usize>) {
        for item in items {
            queue.push(queue.next(), item);
        }
    }

    fn send_all(queue: &mut Queue<usize>, window: usize) {
        while queue.send(window).is_some() {}
    }

    #[test]
    fn what_waits_counts_whether_it_is_in_memory_or_not() {
        let mut queue = Queue::restore(Sequence::NONE, Sequence::FIRST);
        push(&mut queue, [10, 20, 30, 40]);
        send_all(&mut queue, 10);
        queue.spill(30);
        push(&mut queue, [50]);
        assert_eq!((queue.bytes(), queue.waiting_bytes()), (30, 150));
        queue.trim(Sequence(1));
        assert_eq!(queue.waiting_bytes(), 140);
        queue.refill([(Sequence(3), 30), (Sequence(4), 40), (Sequence(5), 50)].into_iter());
        assert_eq!((queue.bytes(), queue.waiting_bytes()), (140, 140));
        send_all(&mut queue, usize::MAX);
        queue.trim(Sequence(5));
        assert_eq!(queue.waiting_bytes(), 0);
    }

    #[test]
    fn what_an_earlier_life_has_left_is_judged_by_what_is_read_of_it() {
        // Ten items wait, of which nothing is known.
        let mut queue = Queue::restore(Sequence(5), Sequence(16));
        assert_eq!(queue.waiting_bytes(), 0);
        push(&mut queue, [300]);
        queue.refill([(Sequence(6), 100), (Sequence(7), 200)].into_iter());
        // Two in memory, eight of 200 on average, and one that is counted.
        assert_eq!(queue.waiting_bytes(), 300 + 8 * 200 + 300);
        queue.spill(100);
        assert_eq!(queue.waiting_bytes(), 100 + 9 * 200 + 300);
        // An acknowledgement of what was handed out in that life.
        queue.trim(Sequence(7));
        assert_eq!(queue.waiting_bytes(), 8 * 200 + 300);
        queue.refill((8..16).map(|number| (Sequence(number), 50)));
        assert_eq!(queue.waiting_bytes(), 8 * 50 + 300);
        queue.refill([(Sequence(16), 300)].into_iter());
        assert_eq!((queue.bytes(), queue.waiting_bytes()), (700, 700));
    }
}
