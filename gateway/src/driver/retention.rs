//! How much of the node log is still needed: from the lowest frame on that holds a record which some store does not hold.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tidegate_core::id::{Lsn, PartitionId};
use tokio::sync::watch;

use crate::log::{FrameNumber, NodeLog};

/// No record waits to be flushed.
const NOTHING: u64 = u64::MAX;

/// What all partitions of the node still need of its log.
pub struct LogRetention {
    log: Arc<dyn NodeLog>,
    /// By partition: the lowest frame that may hold a record which its store does not hold.
    lowest: Vec<AtomicU64>,
    /// Whether the log is so long that every partition should flush.
    long: watch::Sender<bool>,
}

impl LogRetention {
    /// Nothing is needed yet.
    #[must_use]
    pub fn new(log: Arc<dyn NodeLog>, partitions: u16) -> Arc<Self> {
        let lowest = (0..partitions).map(|_| AtomicU64::new(NOTHING)).collect();
        Arc::new(Self { log, lowest, long: watch::Sender::new(false) })
    }

    /// Whether the log is so long that every partition should flush, as it changes. Told apart from what is durable, which changes
    /// with each sync and concerns only those who wait for it.
    pub(super) fn long(&self) -> watch::Receiver<bool> {
        self.long.subscribe()
    }

    /// Takes note of whether the log is long.
    pub(super) fn note(&self, long: bool) {
        self.long.send_if_modified(|before| std::mem::replace(before, long) != long);
    }

    fn set(&self, partition: PartitionId, lowest: Option<FrameNumber>) {
        let lowest = lowest.map_or(NOTHING, |frame| frame.0);
        self.lowest[usize::from(partition.0)].store(lowest, Ordering::SeqCst);
    }

    /// Lets the log forget what nobody needs. `durable` is a frame that is durable: no partition whose records are all
    /// flushed has appended into it or below without saying so before.
    fn trim(&self, durable: FrameNumber) {
        let needed = self.lowest.iter().map(|lowest| lowest.load(Ordering::SeqCst)).min();
        let below = needed.unwrap_or(NOTHING).min(durable.next().0);
        self.log.trim(FrameNumber(below));
    }
}

/// What one partition still needs of the node log.
pub(super) struct Backlog {
    partition: PartitionId,
    retention: Arc<LogRetention>,
    /// Durable records that are not flushed: the last of each group of them, and the lowest frame that may hold them.
    durable: VecDeque<(Lsn, FrameNumber)>,
    /// The last frame that is known to be durable.
    frame: FrameNumber,
    appended: Lsn,
    flushed: Lsn,
}

impl Backlog {
    pub(super) fn new(partition: PartitionId, retention: Arc<LogRetention>, flushed: Lsn) -> Self {
        Self {
            partition,
            retention,
            durable: VecDeque::new(),
            frame: FrameNumber::default(),
            appended: flushed,
            flushed,
        }
    }

    /// A step is about to be appended. Said before, so that no trim can miss it.
    pub(super) fn append(&mut self, last: Lsn) {
        if self.appended == self.flushed {
            self.retention.set(self.partition, Some(self.frame.next()));
        }
        self.appended = last;
    }

    /// The log is durable up to a frame, and this partition up to a record.
    pub(super) fn advance(&mut self, durable: Option<Lsn>, frame: FrameNumber) {
        if let Some(durable) = durable {
            self.durable.push_back((durable, self.frame.next()));
        }
        self.frame = frame;
    }

    /// The last record whose effect is in the store.
    pub(super) const fn applied(&self) -> Lsn {
        self.flushed
    }

    /// Whether the store holds every record.
    pub(super) fn is_empty(&self) -> bool {
        self.appended == self.flushed
    }

    /// The store holds every record up to `applied`.
    pub(super) fn flush(&mut self, applied: Lsn) {
        self.flushed = applied;
        while self.durable.pop_front_if(|(last, _)| *last <= applied).is_some() {}
        let next = self.durable.front().map_or(self.frame.next(), |(_, frame)| *frame);
        self.retention.set(self.partition, (self.appended > applied).then_some(next));
        self.retention.trim(self.frame);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::memory::{MemoryLog, SyncMode};

    fn lowest(retention: &LogRetention) -> Vec<u64> {
        retention.lowest.iter().map(|lowest| lowest.load(Ordering::SeqCst)).collect()
    }

    #[test]
    fn records_hold_the_log_from_before_they_are_appended_until_they_are_flushed() {
        let retention = LogRetention::new(Arc::new(MemoryLog::new(SyncMode::Explicit)), 2);
        let mut backlog = Backlog::new(PartitionId(1), retention.clone(), Lsn::NONE);
        backlog.append(Lsn(3));
        assert_eq!(lowest(&retention), [NOTHING, 1]);
        backlog.advance(Some(Lsn(3)), FrameNumber(5));
        backlog.append(Lsn(4));
        backlog.advance(Some(Lsn(4)), FrameNumber(8));
        backlog.flush(Lsn(3));
        assert_eq!(lowest(&retention), [NOTHING, 6]);
        assert!(!backlog.is_empty());
        backlog.flush(Lsn(4));
        assert_eq!(lowest(&retention), [NOTHING, NOTHING]);
        assert!(backlog.is_empty());
        backlog.append(Lsn(5));
        assert_eq!(lowest(&retention), [NOTHING, 9]);
    }

    #[test]
    fn records_that_are_not_durable_yet_hold_the_log_too() {
        let retention = LogRetention::new(Arc::new(MemoryLog::new(SyncMode::Explicit)), 1);
        let mut backlog = Backlog::new(PartitionId(0), retention.clone(), Lsn::NONE);
        backlog.append(Lsn(1));
        backlog.advance(Some(Lsn(1)), FrameNumber(2));
        backlog.append(Lsn(2));
        backlog.flush(Lsn(1));
        assert_eq!(lowest(&retention), [3]);
    }
}
