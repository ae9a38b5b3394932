//! The clock that a database writes its timestamps with. It never goes back, not even over restarts.
//!
//! SlateDB refuses writes, and compactions, whose timestamps lie before the last ones that it has persisted; with the
//! wall clock alone a correction of the machine's time would stop a database. So a database's time starts at the
//! wall clock or at its own last timestamp, whichever is later, and goes on with the monotonic clock.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Utc};
use slatedb::admin::Admin;
use slatedb_common::{SystemClock, SystemClockTicker};
use tokio::time::Instant;

/// A clock for one database.
#[derive(Debug)]
pub(super) struct DatabaseClock {
    start: DateTime<Utc>,
    started: Instant,
}

impl DatabaseClock {
    /// Starts at the wall clock, but not before `floor_ms` milliseconds since the Unix epoch.
    pub(super) fn starting_at(floor_ms: i64) -> Self {
        Self::new(wall_clock_ms(), floor_ms)
    }

    fn new(wall_ms: i64, floor_ms: i64) -> Self {
        let start = DateTime::from_timestamp_millis(wall_ms.max(floor_ms));
        Self { start: start.unwrap_or(DateTime::UNIX_EPOCH), started: Instant::now() }
    }
}

impl SystemClock for DatabaseClock {
    fn now(&self) -> DateTime<Utc> {
        self.start + self.started.elapsed()
    }

    fn sleep<'a>(&'a self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(tokio::time::sleep(duration))
    }

    fn ticker<'a>(&'a self, duration: Duration) -> SystemClockTicker<'a> {
        SystemClockTicker::new(self, duration)
    }
}

fn wall_clock_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The latest timestamp that a database holds: of its rows, and in the names of its files and compactions. Zero if
/// there is no database yet.
pub(super) async fn last_timestamp_ms(database: &Admin) -> Result<i64, slatedb::Error> {
    let Some(manifest) = database.read_manifest(None).await? else { return Ok(0) };
    let compactions = database.read_compactions(None).await?;

    let mut names_ms: Vec<u64> = Vec::new();
    for view in manifest.all_sst_views() {
        names_ms.extend([view.id.timestamp_ms(), view.sst.id.value().timestamp_ms()]);
    }
    names_ms.extend(manifest.last_compacted_l0_sst_view_id().map(|id| id.timestamp_ms()));
    names_ms.extend(manifest.last_compacted_l0_sst_id().map(|id| id.timestamp_ms()));
    for compaction in compactions.iter().flat_map(|compactions| compactions.recent_compactions()) {
        names_ms.push(compaction.id().timestamp_ms());
        names_ms.extend(compaction.output_ssts().iter().map(|sst| sst.id.value().timestamp_ms()));
    }
    let newest_name_ms = names_ms.into_iter().max().unwrap_or(0);
    Ok(manifest.last_l0_clock_tick().max(i64::try_from(newest_name_ms).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_wall_clock_that_went_back_does_not_take_the_database_with_it() {
        let clock = DatabaseClock::new(1_000, 5_000);
        assert_eq!(clock.now().timestamp_millis(), 5_000);
        tokio::time::advance(Duration::from_millis(20)).await;
        assert_eq!(clock.now().timestamp_millis(), 5_020);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wall_clock_that_is_ahead_is_believed() {
        let clock = DatabaseClock::new(9_000, 5_000);
        assert_eq!(clock.now().timestamp_millis(), 9_000);
    }

    #[tokio::test]
    async fn a_timestamp_that_no_calendar_knows_does_not_panic() {
        let _ = DatabaseClock::new(0, i64::MAX).now();
    }
}
