//! The time that partitions are told: it never goes back, and follows the wall clock slowly.
//!
//! It begins with the wall clock, goes on with the monotonic one, and is drawn towards the wall clock by at most half a
//! percent, so that a jump of the wall clock neither fires all timers at once nor stops them.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tidegate_core::id::Timestamp;

/// The clock is slewed by at most one part in this many.
const SLEW: u64 = 200;

/// A clock of one task; clocks of several tasks agree to within their slew.
#[derive(Debug)]
pub struct Clock {
    last: Instant,
    /// Microseconds since the Unix epoch.
    time_us: u64,
}

impl Clock {
    /// A clock that begins with the wall clock's time.
    #[must_use]
    pub fn start() -> Self {
        Self { last: Instant::now(), time_us: wall_us() }
    }

    /// The time now.
    pub fn now(&mut self) -> Timestamp {
        let now = Instant::now();
        let elapsed = u64::try_from((now - self.last).as_micros()).unwrap_or(0);
        self.last = now;
        self.time_us = slewed(self.time_us, elapsed, wall_us());
        Timestamp(self.time_us / 1000)
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
    use super::slewed;

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
}
