//! Since when messages wait: how old the oldest one is, and how long each took. Kept beside the partition, in little memory
//! however many messages wait, so it begins anew with each start.

use std::collections::VecDeque;

use tidegate_core::id::{Sequence, Timestamp};

/// Spans that are kept apart. Beyond it neighbours become one, which makes their messages look as old as the first of them.
const SPANS_MAX: usize = 4096;

/// The messages that entered mailboxes of a partition, by when they did.
#[derive(Debug, Default)]
pub(super) struct Ages(VecDeque<Span>);

/// Messages that entered at about the same time. Their numbers reach up to the next span.
#[derive(Debug)]
struct Span {
    from: Sequence,
    at: Timestamp,
    waiting: u64,
}

impl Ages {
    /// A message entered a mailbox. Numbers ascend.
    pub(super) fn entered(&mut self, sequence: Sequence, now: Timestamp) {
        match self.0.back_mut() {
            Some(span) if span.at >= now => span.waiting += 1,
            _ => {
                if self.0.len() >= SPANS_MAX {
                    self.thin_out();
                }
                self.0.push_back(Span { from: sequence, at: now, waiting: 1 });
            }
        }
    }

    /// A message left its mailbox. Says when it entered, unless that was before this start.
    pub(super) fn left(&mut self, sequence: Sequence) -> Option<Timestamp> {
        let after = self.0.partition_point(|span| span.from <= sequence);
        let span = self.0.get_mut(after.checked_sub(1)?)?;
        span.waiting = span.waiting.saturating_sub(1);
        let at = span.at;
        while self.0.pop_front_if(|span| span.waiting == 0).is_some() {}
        Some(at)
    }

    /// When the oldest message that still waits entered.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        self.0.front().map(|span| span.at)
    }

    fn thin_out(&mut self) {
        let mut kept: VecDeque<Span> = VecDeque::with_capacity(SPANS_MAX / 2 + 1);
        for (index, span) in std::mem::take(&mut self.0).into_iter().enumerate() {
            match kept.back_mut() {
                Some(last) if index % 2 == 1 => last.waiting += span.waiting,
                _ => kept.push_back(span),
            }
        }
        self.0 = kept;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_message_is_the_first_that_has_not_left() {
        let mut ages = Ages::default();
        for (sequence, at) in [(5, 10), (6, 10), (9, 20), (12, 30)] {
            ages.entered(Sequence(sequence), Timestamp(at));
        }
        assert_eq!(ages.left(Sequence(9)), Some(Timestamp(20)));
        assert_eq!(ages.left(Sequence(5)), Some(Timestamp(10)));
        assert_eq!(ages.oldest(), Some(Timestamp(10)));
        assert_eq!(ages.left(Sequence(6)), Some(Timestamp(10)));
        assert_eq!(ages.oldest(), Some(Timestamp(30)));
        assert_eq!(ages.left(Sequence(12)), Some(Timestamp(30)));
        assert_eq!(ages.oldest(), None);
    }

    #[test]
    fn messages_of_an_earlier_life_have_no_age() {
        let mut ages = Ages::default();
        ages.entered(Sequence(100), Timestamp(10));
        assert_eq!(ages.left(Sequence(99)), None);
        assert_eq!(ages.oldest(), Some(Timestamp(10)));
    }

    #[test]
    fn many_messages_take_little_memory_and_none_is_lost() {
        let mut ages = Ages::default();
        let numbers = 1..=100_000;
        numbers.clone().for_each(|number| ages.entered(Sequence(number), Timestamp(number)));
        assert!(ages.0.len() <= SPANS_MAX);
        for number in numbers {
            let oldest = ages.oldest();
            let entered = ages.left(Sequence(number));
            assert_eq!(entered, oldest);
            assert!(entered.is_some_and(|at| at.0 <= number));
        }
        assert_eq!(ages.oldest(), None);
    }
}
