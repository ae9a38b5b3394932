//! The floor of the clock: a time that the node has reached is kept in its data directory, so that the next start goes on from
//! there if the wall clock was set back meanwhile. Otherwise timers would wait until the wall clock has caught up.
//!
//! The file holds milliseconds since 1970 as text. It is replaced as a whole every few seconds and not synced: what is lost with
//! the power is a floor that is a little lower.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tidegate_core::id::Timestamp;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::task::AbortOnDropHandle;

use super::Clock;

/// How often the floor is raised: after a restart, time may be behind by that and by what the node was away.
const INTERVAL: Duration = Duration::from_secs(10);

/// The floor that is kept in a data directory.
#[derive(Clone, Debug)]
pub struct Floor(PathBuf);

/// The floor cannot be read or raised.
#[derive(Debug, thiserror::Error)]
pub enum FloorError {
    /// The file cannot be read or written.
    #[error("TG-0234: the time in {} cannot be kept: {cause}", .path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the operating system says.
        cause: io::Error,
    },
    /// The file holds something else.
    #[error("TG-0234: {} holds no time", .path.display())]
    NoTime {
        /// Which file.
        path: PathBuf,
    },
}

impl Floor {
    /// The floor that is kept beside what else is in a data directory.
    #[must_use]
    pub fn in_directory(data: &Path) -> Self {
        Self(data.join("clock"))
    }

    /// The last time that was kept; zero if none was.
    pub fn read(&self) -> Result<Timestamp, FloorError> {
        let text = match fs::read_to_string(&self.0) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Timestamp(0)),
            Err(cause) => return Err(FloorError::File { path: self.0.clone(), cause }),
        };
        let time = text.trim().parse().map(Timestamp);
        time.map_err(|_| FloorError::NoTime { path: self.0.clone() })
    }

    /// Keeps a time in place of the one before.
    pub fn raise(&self, time: Timestamp) -> Result<(), FloorError> {
        let aside = self.0.with_extension("new");
        let written =
            fs::write(&aside, format!("{}\n", time.0)).and_then(|()| fs::rename(&aside, &self.0));
        written.map_err(|cause| FloorError::File { path: self.0.clone(), cause })
    }

    /// A clock that begins not before the floor, which rises with it from now on.
    #[must_use]
    pub fn start_clock(self) -> Rising {
        let floor = self.read().unwrap_or_else(|error| {
            tracing::warn!(%error, "the clock begins with the wall clock, whatever it said before");
            Timestamp(0)
        });
        let clock = Clock::start(floor);
        let behind_ms = clock.now().0.saturating_sub(Clock::start(Timestamp(0)).now().0);
        if behind_ms > NOTABLE_MS {
            tracing::warn!(
                behind_ms,
                "TG-0235: the wall clock was set back; the node goes on from the time that it had reached"
            );
        }
        let task = AbortOnDropHandle::new(tokio::spawn(self.clone().rise(clock.clone())));
        Rising { clock, floor: self, task }
    }

    /// Never returns. What goes wrong is said once, until it goes well again.
    async fn rise(self, clock: Clock) {
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failing = false;
        loop {
            ticks.tick().await;
            let (floor, now) = (self.clone(), clock.now());
            let Ok(raised) = spawn_blocking(move || floor.raise(now)).await else { return };
            match raised {
                Ok(()) => failing = false,
                Err(error) if !failing => {
                    tracing::warn!(%error, "a restart with the wall clock set back would delay timers");
                    failing = true;
                }
                Err(_) => {}
            }
        }
    }
}

/// What a wall clock may be behind without being worth a word: it is drawn by others too.
const NOTABLE_MS: u64 = 1000;

/// A clock whose floor rises with it.
#[derive(Debug)]
pub struct Rising {
    clock: Clock,
    floor: Floor,
    task: AbortOnDropHandle<()>,
}

impl Rising {
    /// The clock.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// Keeps the last time of all.
    pub fn stop(self) {
        drop(self.task);
        if let Err(error) = self.floor.raise(self.clock.now()) {
            tracing::warn!(%error, "the last time was not kept");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn what_was_kept_is_read_and_nothing_is_zero() {
        let directory = tempfile::TempDir::new().unwrap();
        let floor = Floor::in_directory(directory.path());
        assert_eq!(floor.read().unwrap(), Timestamp(0));
        floor.raise(Timestamp(7)).unwrap();
        floor.raise(Timestamp(1_700_000_000_123)).unwrap();
        assert_eq!(floor.read().unwrap(), Timestamp(1_700_000_000_123));
        fs::write(directory.path().join("clock"), "half a").unwrap();
        assert!(matches!(floor.read(), Err(FloorError::NoTime { .. })));
    }

    #[tokio::test]
    async fn a_clock_begins_at_its_floor_and_raises_it() {
        let directory = tempfile::TempDir::new().unwrap();
        let floor = Floor::in_directory(directory.path());
        let wall = Clock::start(Timestamp(0)).now();
        let later = wall.plus_ms(3_600_000);
        floor.raise(later).unwrap();
        let rising = floor.clone().start_clock();
        assert!(rising.clock().now() >= later);
        rising.stop();
        assert!(floor.read().unwrap() >= later);
    }

    #[tokio::test]
    async fn a_floor_that_cannot_be_read_does_not_keep_a_clock_from_beginning() {
        let directory = tempfile::TempDir::new().unwrap();
        fs::write(directory.path().join("clock"), "").unwrap();
        let wall = Clock::start(Timestamp(0)).now();
        let rising = Floor::in_directory(directory.path()).start_clock();
        assert!(rising.clock().now() >= wall);
    }
}
