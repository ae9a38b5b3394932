//! Write-behind: when durable rows go to the store, one flush at a time.

use std::sync::Arc;
use std::time::Duration;

use tidegate_core::id::{Lsn, PartitionId};
use tidegate_core::partition::FlushBatch;
use tokio::time::Instant;

use super::loader::{self, RowError};
use super::{Command, DriverHandle, Shared};
use crate::store::PartitionStore;

/// Flushes of large partitions follow each other no faster than this.
const BREATH: Duration = Duration::from_millis(200);

/// When the next flush is due, and whether one is under way.
#[derive(Debug)]
pub(super) struct WriteBehind {
    interval: Duration,
    due: Instant,
    /// Not before, however much waits.
    earliest: Instant,
    under_way: bool,
}

impl WriteBehind {
    /// The partitions of a node take their turns over the interval, so that they do not all flush at once.
    pub(super) fn new(interval: Duration, partition: PartitionId, partitions: usize) -> Self {
        let share = f64::from(partition.0 + 1) / partitions.max(1) as f64;
        let due = Instant::now() + interval.mul_f64(share.min(1.0));
        Self { interval, due, earliest: Instant::now(), under_way: false }
    }

    /// When the driver should look again.
    pub(super) fn due(&self) -> Option<Instant> {
        (!self.under_way).then_some(self.due)
    }

    /// `last` says that the driver waits for nothing but this flush.
    pub(super) fn may_begin(&self, last: bool, large: bool) -> bool {
        let now = Instant::now();
        let wanted = last || now >= self.due || (large && now >= self.earliest);
        wanted && !self.under_way
    }

    pub(super) fn begin(&mut self) {
        self.under_way = true;
    }

    /// The store has committed what was begun.
    pub(super) fn done(&mut self) {
        self.under_way = false;
        self.rest();
    }

    pub(super) fn nothing_to_do(&mut self) {
        self.rest();
    }

    fn rest(&mut self) {
        self.due = Instant::now() + self.interval;
        self.earliest = Instant::now() + BREATH;
    }
}

/// A flush on its way into the store.
pub(super) struct Flushing {
    pub(super) partition: PartitionId,
    pub(super) store: Arc<dyn PartitionStore>,
    pub(super) shared: Arc<Shared>,
    pub(super) me: DriverHandle,
}

impl Flushing {
    pub(super) async fn run(self, batch: FlushBatch) {
        let rows = batch.rows.len();
        let begun = Instant::now();
        let result = self.flush(batch).await;
        metrics::counter!("tidegate_store_flushed_rows_total").increment(rows as u64);
        metrics::histogram!("tidegate_store_flush_seconds").record(begun.elapsed());
        self.me.tell(Command::Flushed(result));
    }

    async fn flush(&self, batch: FlushBatch) -> Result<Lsn, RowError> {
        let applied = loader::flush(&*self.store, batch).await?;
        match self.shared.ownership.flushed(self.partition, applied).await {
            Ok(retired) => retired.into_iter().for_each(|incarnation| (self.shared.retire)(incarnation)),
            // The chain names more logs than it needs to until it can be written again.
            Err(error) => {
                tracing::error!(code = error.code(), %error, partition = %self.partition, "the chain could not be shortened");
            }
        }
        Ok(applied)
    }
}
