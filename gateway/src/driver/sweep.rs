//! Walks through the database of a partition in the background, and tells the partition which values look as if they had expired.
//! What a walk meets may be out of date, so the partition looks once more before it removes anything.
//!
//! A walk reads a portion, rests, and reads the next one, so that it takes a bounded part of the disk whatever else goes on;
//! what it reads pushes nothing out of the cache. Partitions whose functions declare no value that expires are not walked.

use std::sync::Arc;
use std::time::Duration;

use tidegate_core::codec::row::{decode_key, decode_row, value_range};
use tidegate_core::id::{PartitionId, Timestamp};
use tidegate_core::partition::event::Event;
use tidegate_core::partition::row::{Row, RowKey};
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::loader::RowError;
use super::run::Driver;
use super::{Command, DriverHandle};
use crate::clock::Clock;
use crate::store::PartitionStore;

/// Rows read at once, in bytes.
const PORTION_BYTES: usize = 256 << 10;
/// The rest after each portion.
const REST: Duration = Duration::from_millis(250);

/// Walks through one partition again and again.
pub(crate) struct Walker {
    pub(crate) partition: PartitionId,
    pub(crate) driver: DriverHandle,
    pub(crate) store: Arc<dyn PartitionStore>,
    pub(crate) clock: Clock,
    /// The pause between two walks.
    pub(crate) interval: Duration,
}

/// What a driver says to rows that look expired.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reception {
    /// No value of this partition can expire.
    NothingExpires,
    /// It looks at them.
    Taken,
    /// It is still looking at those before.
    Busy,
}

/// Why a walk broke off.
enum BrokenOff {
    /// The driver has ended.
    Ended,
    /// The rows cannot be read. Whether the partition can go on is found out by those who need them.
    Rows(RowError),
}

impl From<RowError> for BrokenOff {
    fn from(error: RowError) -> Self {
        Self::Rows(error)
    }
}

/// What a portion holds.
struct Portion {
    /// The names of rows that look expired.
    found: Vec<RowKey>,
    /// Where the next one begins, if there is one.
    next: Option<Vec<u8>>,
}

impl Walker {
    /// Walks until the driver has ended. The first walk begins after `first`, so that not all partitions are walked at once.
    pub(crate) async fn run(self, first: Duration) {
        sleep(first).await;
        loop {
            match self.walk_if_needed().await {
                Ok(()) => {}
                Err(BrokenOff::Ended) => return,
                Err(BrokenOff::Rows(error)) => {
                    tracing::warn!(code = error.code(), %error, partition = %self.partition, "expired values were not looked for");
                }
            }
            sleep(self.interval.max(REST)).await;
        }
    }

    async fn walk_if_needed(&self) -> Result<(), BrokenOff> {
        match self.offer(Vec::new()).await? {
            Reception::NothingExpires => Ok(()),
            Reception::Taken | Reception::Busy => self.walk().await,
        }
    }

    async fn walk(&self) -> Result<(), BrokenOff> {
        let (mut from, until) = value_range();
        loop {
            let Portion { found, next } = self.read(&from, &until).await?;
            if !found.is_empty() {
                self.hand_over(found).await?;
            }
            match next {
                Some(next) => from = next,
                None => return Ok(()),
            }
            sleep(REST).await;
        }
    }

    async fn read(&self, from: &[u8], until: &[u8]) -> Result<Portion, RowError> {
        let (rows, more) = self.store.walk(from, until, PORTION_BYTES).await?;
        metrics::counter!("tidegate_store_walked_rows_total").increment(rows.len() as u64);
        // The smallest key above the last one.
        let next = rows.last().filter(|_| more).map(|(last, _)| [last, &[0][..]].concat());
        let (mut found, now) = (Vec::new(), self.clock.now());
        for (key, row) in rows {
            let key = decode_key(&key)?;
            let row = decode_row(&key, row)?;
            found.extend(looks_expired(&row, now).then_some(key));
        }
        Ok(Portion { found, next })
    }

    /// Waits until the driver takes what was found, so that no more is on its way than one portion.
    async fn hand_over(&self, found: Vec<RowKey>) -> Result<(), BrokenOff> {
        while self.offer(found.clone()).await? == Reception::Busy {
            sleep(REST).await;
        }
        Ok(())
    }

    async fn offer(&self, found: Vec<RowKey>) -> Result<Reception, BrokenOff> {
        let (answer, reception) = oneshot::channel();
        if !self.driver.tell(Command::Sweep { found, answer }) {
            return Err(BrokenOff::Ended);
        }
        reception.await.map_err(|_| BrokenOff::Ended)
    }
}

fn looks_expired(row: &Row, now: Timestamp) -> bool {
    matches!(row, Row::Value(_, expires_at) | Row::Expiry(expires_at) if *expires_at <= now)
}

impl Driver {
    pub(super) fn sweep(&mut self, keys: Vec<RowKey>, answer: oneshot::Sender<Reception>) {
        let reception = match (self.partition.has_expiring_values(), self.partition.is_sweeping()) {
            (false, _) => Reception::NothingExpires,
            (true, true) => Reception::Busy,
            (true, false) => {
                self.handle(Event::ExpiryFound { keys });
                Reception::Taken
            }
        };
        // A walk that was given up does not mind.
        let _ = answer.send(reception);
    }
}
