//! Write-behind: when durable rows go to the store, one flush at a time in each partition, and a few on the whole node: each holds
//! its rows several times over until the store has written them.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use tidegate_core::id::{Lsn, PartitionId};
use tidegate_core::partition::FlushBatch;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinError;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::PollSemaphore;
use tokio_util::task::AbortOnDropHandle;

use super::Shared;
use super::loader::{self, RowError};
use crate::store::PartitionStore;

/// Flushes of a partition that are not due yet follow each other no faster than this.
const BREATH: Duration = Duration::from_millis(200);

/// When the next flush is due, and the one that is under way.
#[derive(Debug)]
pub(super) struct WriteBehind {
    interval: Duration,
    due: Instant,
    /// Not before, however much presses.
    earliest: Instant,
    pressing: bool,
    /// The line of all partitions for a slot, in which a place is kept.
    slots: PollSemaphore,
    slot: Option<OwnedSemaphorePermit>,
    under_way: Option<AbortOnDropHandle<Result<Lsn, RowError>>>,
}

/// What there is to do about write-behind.
#[derive(Debug)]
pub(super) enum Turn {
    /// A flush may be begun.
    Begin,
    /// The store holds every record up to here, or cannot be used any more.
    Ended(Result<Lsn, RowError>),
}

impl WriteBehind {
    /// The partitions of a node take their turns over the interval, so that they do not all flush at once.
    pub(super) fn new(
        interval: Duration,
        partition: PartitionId,
        partitions: usize,
        slots: Arc<Semaphore>,
    ) -> Self {
        let share = f64::from(partition.0 + 1) / partitions.max(1) as f64;
        let now = Instant::now();
        let due = now + interval.mul_f64(share.min(1.0));
        let slots = PollSemaphore::new(slots);
        Self { interval, due, earliest: now, pressing: false, slots, slot: None, under_way: None }
    }

    /// Resolves when there is something to do. May be dropped and called again.
    pub(super) async fn turn(&mut self) -> Turn {
        let Some(flush) = &mut self.under_way else {
            sleep_until(self.next()).await;
            if self.slot.is_none() {
                // Nobody closes the slots; a flush without one would still be a flush.
                self.slot = poll_fn(|context| self.slots.poll_acquire(context)).await;
            }
            return Turn::Begin;
        };
        let ended = flush.await;
        self.under_way = None;
        self.rest();
        Turn::Ended(ended.unwrap_or_else(pass_on))
    }

    fn next(&self) -> Instant {
        if self.pressing { self.due.min(self.earliest) } else { self.due }
    }

    /// Whether a flush may begin now. What presses makes it begin before it is due; later if it may not begin yet.
    pub(super) fn may_begin(&mut self, pressing: bool) -> bool {
        self.pressing = pressing;
        let may = self.slot.is_some() && self.under_way.is_none() && Instant::now() >= self.next();
        if !may {
            // What pressed when the slot was asked for does so no longer; others need it.
            self.slot = None;
        }
        may
    }

    /// Whether nothing is on its way into the store.
    pub(super) const fn is_idle(&self) -> bool {
        self.under_way.is_none()
    }

    /// Begins to write rows into the store.
    pub(super) fn begin(&mut self, flush: Flush, batch: FlushBatch) {
        let slot = self.slot.take();
        let flushing = async move {
            let ended = flush.run(batch).await;
            drop(slot);
            ended
        };
        self.under_way = Some(AbortOnDropHandle::new(tokio::spawn(flushing)));
    }

    /// There was nothing to write, or everything is written.
    pub(super) fn rest(&mut self) {
        self.slot = None;
        self.due = Instant::now() + self.interval;
        self.earliest = Instant::now() + BREATH;
    }
}

fn pass_on<T>(failed: JoinError) -> T {
    // A flush is aborted only together with its driver, which does not ask for its end any more.
    std::panic::resume_unwind(failed.into_panic())
}

/// Where rows are flushed to.
pub(super) struct Flush {
    pub(super) partition: PartitionId,
    pub(super) store: Arc<dyn PartitionStore>,
    pub(super) shared: Arc<Shared>,
}

impl Flush {
    async fn run(self, batch: FlushBatch) -> Result<Lsn, RowError> {
        let rows = batch.rows.len();
        let begun = Instant::now();
        let applied = loader::flush(&*self.store, batch).await?;
        metrics::counter!("tidegate_store_flushed_rows_total").increment(rows as u64);
        metrics::histogram!("tidegate_store_flush_seconds").record(begun.elapsed());
        match self.shared.ownership.flushed(self.partition, applied).await {
            Ok(retired) => {
                retired.into_iter().for_each(|incarnation| (self.shared.retire)(incarnation));
            }
            // The chain names more logs than it needs to until it can be written again.
            Err(error) => {
                tracing::error!(code = error.code(), %error, partition = %self.partition, "the chain could not be shortened");
            }
        }
        Ok(applied)
    }
}
