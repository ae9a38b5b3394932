//! The time that partitions are told: it never goes back, and follows the wall clock slowly.
//!
//! It begins with the wall clock, or with the time that the node had reached before if that is later ([`floor`]), goes on with the
//! monotonic one, and is drawn towards the wall clock by at most half a
//! percent, so that a jump of the wall clock neither fires all timers at once nor stops them.

pub mod floor;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tidegate_core::id::Timestamp;
use tokio::time::Instant;

/// The clock is slewed by at most one part in this many.
const SLEW: u64 = 200;

/// A wall clock: microseconds since the Unix epoch. It may jump both ways.
pub type WallClock = Box<dyn Fn() -> u64 + Send>;

/// The clock of a node; clones are the same clock.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Mutex<Reading>>);

struct Reading {
    wall: WallClock,
    last: Instant,
    /// Microseconds since the Unix epoch.
    time_us: u64,
}

impl Clock {
    /// A clock that begins with the wall clock's time, but not before `floor`.
    #[must_use]
    pub fn start(floor: Timestamp) -> Self {
        Self::following(Box::new(wall_us), floor)
    }

    /// A clock that begins with the time of a wall clock, but not before `floor`, and follows that one.
    #[must_use]
    pub fn following(wall: WallClock, floor: Timestamp) -> Self {
        let time_us = wall().max(floor.0.saturating_mul(1000));
        Self(Arc::new(Mutex::new(Reading { wall, last: Instant::now(), time_us })))
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp(self.read().1 / 1000)
    }

    /// When a time will have come, as far as can be told now: at most a slew too early.
    #[must_use]
    pub fn instant_of(&self, time: Timestamp) -> Instant {
        let (now, time_us) = self.read();
        now + Duration::from_micros(time.0.saturating_mul(1000).saturating_sub(time_us))
    }

    fn read(&self) -> (Instant, u64) {
        // What a panicking task leaves behind is a whole reading.
        let mut reading = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let elapsed = u64::try_from((now - reading.last).as_micros()).unwrap_or(0);
        reading.last = now;
        let wall = (reading.wall)();
        reading.time_us = slewed(reading.time_us, elapsed, wall);
        (now, reading.time_us)
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Reading").field("time_us", &self.time_us).finish_non_exhaustive()
    }
}

fn wall_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

fn slewed(time: u64, elapsed: u64, wall: u64) -> u64 {
    let most = elapsed / SLEW;
    let next = time + elapsed;
    if wall >= next { next + most.min(wall - next) } else { next - most.min(next - wall) }
}

#[cfg(test)]
mod tests {
    use super::{Clock, slewed};
    use std::time::Duration;

    use tidegate_core::id::Timestamp;

    const SECOND: u64 = 1_000_000;

    #[test]
    fn it_agrees_with_a_wall_clock_that_runs_evenly() {
        assert_eq!(slewed(10 * SECOND, SECOND, 11 * SECOND), 11 * SECOND);
    }

    #[test]
    fn a_jump_forward_is_caught_up_slowly() {
        assert_eq!(slewed(10 * SECOND, SECOND, 99 * SECOND), 11 * SECOND + SECOND / 200);
    }

    #[test]
    fn it_never_goes_back() {
        assert_eq!(slewed(10 * SECOND, SECOND, 0), 11 * SECOND - SECOND / 200);
        assert_eq!(slewed(10 * SECOND, 0, 0), 10 * SECOND);
    }

    #[test]
    fn a_wall_clock_that_was_set_back_delays_nothing() {
        let floor = Timestamp(2_000_000);
        let clock = Clock::following(Box::new(|| SECOND), floor);
        assert!(clock.now() >= floor);
        let right = Clock::following(Box::new(|| 3_000 * SECOND), floor);
        assert!(right.now() >= Timestamp(3_000_000));
    }

    #[tokio::test(start_paused = true)]
    async fn it_goes_with_the_timers_of_the_process() {
        let clock = Clock::start(Timestamp(0));
        let before = clock.now();
        tokio::time::advance(Duration::from_secs(100)).await;
        let passed = clock.now().0 - before.0;
        assert!((99_500..100_500).contains(&passed), "{passed} ms");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_sleeps_until_a_time_wakes_up_at_it_or_a_slew_before() {
        let clock = Clock::start(Timestamp(0));
        let time = clock.now().plus_ms(10_000);
        tokio::time::sleep_until(clock.instant_of(time)).await;
        assert!(time.0 - clock.now().0.min(time.0) <= 50, "{} ms early", time.0 - clock.now().0);
    }
}
