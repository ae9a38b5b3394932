//! Who brings messages.

use std::sync::atomic::{AtomicU64, Ordering};

/// Who brings messages: one stream, or one request. Its messages keep their order, and what one visitor brings does not keep others
/// waiting.
#[derive(Debug)]
pub struct Visitor {
    number: u64,
    /// What it brought of late: an era, and bytes in it.
    lately: AtomicU64,
}

const HALF: u32 = u64::BITS / 2;

impl Visitor {
    /// One that was never there before in the life of this process.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "no two are alike, so none is the default one")]
    pub fn new() -> Self {
        static VISITORS: AtomicU64 = AtomicU64::new(0);
        let number = VISITORS.fetch_add(1, Ordering::Relaxed);
        Self { number, lately: AtomicU64::new(0) }
    }

    /// Tells it from all others.
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    /// Takes note of bytes that it brings in an era, and gives all that it brought in that. Whoever calls keeps eras in order.
    pub(crate) fn brings(&self, era: u32, bytes: usize) -> usize {
        let lately = self.lately.load(Ordering::Relaxed);
        let before = if lately >> HALF == u64::from(era) { lately as u32 } else { 0 };
        let now = before.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
        self.lately.store(u64::from(era) << HALF | u64::from(now), Ordering::Relaxed);
        now as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_brought_in_another_era_is_forgotten() {
        let visitor = Visitor::new();
        assert_eq!(visitor.brings(3, 10), 10);
        assert_eq!(visitor.brings(3, 5), 15);
        assert_eq!(visitor.brings(4, 5), 5);
        assert_eq!(visitor.brings(4, usize::MAX), u32::MAX as usize);
        assert_ne!(visitor.number(), Visitor::new().number());
    }
}
