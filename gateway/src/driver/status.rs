//! How a partition is, for operators.

use tidegate_core::id::{Epoch, Lsn, PartitionId};
use tidegate_core::partition::activity::Activity;

use super::run::Driver;

/// How a partition is at one moment.
#[derive(Clone, Copy, Debug)]
pub struct PartitionStatus {
    /// Which one.
    pub partition: PartitionId,
    /// Since which adoption this life lasts.
    pub epoch: Epoch,
    /// The last record.
    pub lsn: Lsn,
    /// The last record that is durable.
    pub durable: Lsn,
    /// The last record whose effect is in the store.
    pub applied: Lsn,
    /// What is under way and what waits.
    pub activity: Activity,
    /// Copies of rows in memory, in bytes.
    pub resident_bytes: usize,
    /// Rows that wait to be flushed, in bytes.
    pub dirty_bytes: usize,
    /// Messages that wait in memory.
    pub messages: usize,
    /// Whether further ones may wait in the store.
    pub messages_beyond: bool,
}

impl Driver {
    pub(super) fn status(&self) -> PartitionStatus {
        let memory = self.partition.memory();
        let (messages, messages_beyond) = self.partition.backlog();
        PartitionStatus {
            partition: self.partition.id(),
            epoch: self.partition.epoch(),
            lsn: self.partition.lsn(),
            durable: self.gate.durable(),
            applied: self.backlog.applied(),
            activity: self.partition.activity(),
            resident_bytes: memory.resident,
            dirty_bytes: memory.dirty,
            messages,
            messages_beyond,
        }
    }
}
