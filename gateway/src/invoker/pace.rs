//! How fast an endpoint may be called: how many requests at once, and not before when.
//!
//! Each failure of the endpoint halves the number of requests, each round of successes adds one. After a failure nothing is
//! sent for a while, which doubles with each further failure and is spread so that nodes do not come back in step.

use std::time::Duration;

use tokio::time::Instant;

/// The first pause.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
/// The longest pause that is chosen here.
const PAUSE_LONGEST: Duration = Duration::from_secs(30);
/// The longest pause that an endpoint can ask for: a wrong header must not silence it for a day.
const PAUSE_ASKED_LONGEST: Duration = Duration::from_secs(300);

/// A small generator of numbers that need not be good, only different.
#[derive(Clone, Debug)]
pub(super) struct Jitter(u64);

impl Jitter {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number (SplitMix64).
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Between half of a duration and all of it.
    fn spread(&mut self, longest: Duration) -> Duration {
        let half = longest / 2;
        let part = u32::try_from(self.next() % 1000).unwrap_or(0);
        half + half * part / 1000
    }
}

/// The pace of one endpoint URL.
#[derive(Debug)]
pub(super) struct Pace {
    most: usize,
    allowed: usize,
    served_in_round: usize,
    failures: u32,
    held_until: Option<Instant>,
    jitter: Jitter,
}

impl Pace {
    /// At most `most` requests at once.
    pub(super) fn new(most: usize, jitter: Jitter) -> Self {
        Self { most, allowed: most, served_in_round: 0, failures: 0, held_until: None, jitter }
    }

    /// Whether a request may begin while so many are under way.
    pub(super) fn may_begin(&self, now: Instant, under_way: usize) -> bool {
        under_way < self.allowed && !self.is_held(now)
    }

    /// When the pause ends, if there is one.
    pub(super) fn held_until(&self) -> Option<Instant> {
        self.held_until
    }

    /// How many failures there were since the last success.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// The endpoint served a request.
    pub(super) fn served(&mut self) {
        self.failures = 0;
        self.served_in_round += 1;
        if self.served_in_round >= self.allowed && self.allowed < self.most {
            self.allowed += 1;
            self.served_in_round = 0;
        }
    }

    /// The endpoint failed at a request. Requests that were under way together fail together: during a pause, further failures
    /// only count if the endpoint asks for a longer one.
    pub(super) fn failed(&mut self, now: Instant, retry_after: Option<Duration>) {
        let asked = retry_after.unwrap_or_default().min(PAUSE_ASKED_LONGEST);
        if self.is_held(now) {
            self.held_until = self.held_until.max(Some(now + asked));
            return;
        }
        self.allowed = (self.allowed / 2).max(1);
        self.served_in_round = 0;
        let pause = PAUSE_FIRST.saturating_mul(1 << self.failures.min(16)).min(PAUSE_LONGEST);
        self.failures = self.failures.saturating_add(1);
        self.held_until = Some(now + self.jitter.spread(pause).max(asked));
    }

    /// How many requests may be under way at once.
    pub(super) fn allowed(&self) -> usize {
        self.allowed
    }

    /// Whether there is a pause.
    pub(super) fn is_held(&self, now: Instant) -> bool {
        self.held_until.is_some_and(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn pause(pace: &mut Pace, now: Instant, retry_after: Option<Duration>) -> Duration {
        pace.failed(now, retry_after);
        pace.held_until().unwrap() - now
    }

    #[test]
    fn pauses_double_up_to_a_bound_and_vary() {
        let mut now = Instant::now();
        let mut pace = Pace::new(8, Jitter::new(1));
        let mut longest = PAUSE_FIRST;
        for _ in 0..40 {
            let pause = pause(&mut pace, now, None);
            assert!(pause >= longest / 2 && pause <= longest, "{pause:?} of {longest:?}");
            assert!(!pace.may_begin(now, 0));
            now += pause;
            assert!(pace.may_begin(now, 0));
            longest = (longest * 2).min(PAUSE_LONGEST);
        }
        let mut other = Pace::new(8, Jitter::new(2));
        let mut same = Pace::new(8, Jitter::new(2));
        let first = pause(&mut other, now, None);
        assert_eq!(first, pause(&mut same, now, None));
        assert_ne!(first, pause(&mut Pace::new(8, Jitter::new(3)), now, None));
    }

    #[test]
    fn an_endpoint_can_ask_for_more_but_not_for_ever() {
        let now = Instant::now();
        let asked = Duration::from_secs(40);
        assert_eq!(pause(&mut Pace::new(8, Jitter::new(1)), now, Some(asked)), asked);
        let day = Duration::from_secs(86_400);
        assert_eq!(pause(&mut Pace::new(8, Jitter::new(1)), now, Some(day)), PAUSE_ASKED_LONGEST);
    }

    #[test]
    fn failures_halve_the_requests_and_rounds_of_successes_add_one() {
        let mut now = Instant::now();
        let mut pace = Pace::new(8, Jitter::new(1));
        assert!(pace.may_begin(now, 7) && !pace.may_begin(now, 8));
        now += pause(&mut pace, now, None);
        assert!(pace.may_begin(now, 3) && !pace.may_begin(now, 4));
        for _ in 0..4 {
            pace.served();
        }
        assert!(pace.may_begin(now, 4) && !pace.may_begin(now, 5));
        for _ in 0..10 {
            now += pause(&mut pace, now, None);
        }
        assert!(
            pace.may_begin(now, 0) && !pace.may_begin(now, 1),
            "one request always may be tried"
        );
    }

    #[test]
    fn requests_that_fail_together_count_once() {
        let now = Instant::now();
        let mut pace = Pace::new(8, Jitter::new(1));
        let until = now + pause(&mut pace, now, None);
        pace.failed(now, None);
        assert_eq!((pace.held_until(), pace.failures()), (Some(until), 1));
        pace.failed(now, Some(Duration::from_secs(9)));
        assert_eq!(pace.held_until(), Some(now + Duration::from_secs(9)));
        assert!(pace.may_begin(now + Duration::from_secs(9), 3));
    }
}
