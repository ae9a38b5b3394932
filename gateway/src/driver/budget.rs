//! The node's memory budget in bytes. Upholds LIM-1: at the bound the doors close and wait.
//!
//! Every message that comes in from outside holds its bytes of a fair semaphore until its partition has handled it. While the
//! partitions use more than the budget, what was handled is not given back, so the semaphore runs dry and the doors stand
//! closed, in the order in which they were knocked at.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tidegate_core::id::PartitionId;
use tidegate_core::limits::MESSAGE_BYTES_MAX;
use tidegate_core::partition::Memory;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The part of the budget that messages on their way to a partition may take, as a divisor.
const INPUT_SHARE: usize = 8;

/// What the node may use, and what it does use.
#[derive(Debug)]
pub struct Budget {
    limit: usize,
    input: Arc<Semaphore>,
    used: Vec<AtomicUsize>,
}

/// The room that a message on its way to a partition takes.
pub type Room = OwnedSemaphorePermit;

impl Budget {
    /// A budget for all partitions of the node together.
    #[must_use]
    pub fn new(limit: usize, partitions: u16) -> Arc<Self> {
        let input = (limit / INPUT_SHARE).max(2 * MESSAGE_BYTES_MAX).min(Semaphore::MAX_PERMITS);
        let used = (0..partitions).map(|_| AtomicUsize::new(0)).collect();
        Arc::new(Self { limit, input: Arc::new(Semaphore::new(input)), used })
    }

    /// Waits for room for a message, after everybody who asked before. Nothing if the doors are closed for good.
    pub async fn admit(&self, bytes: usize) -> Option<Room> {
        let bytes = u32::try_from(bytes.min(MESSAGE_BYTES_MAX)).unwrap_or(u32::MAX);
        Arc::clone(&self.input).acquire_many_owned(bytes).await.ok()
    }

    /// Lets nobody in any more.
    pub fn close(&self) {
        self.input.close();
    }

    /// Takes note of what a partition uses.
    pub(super) fn note(&self, partition: PartitionId, memory: Memory) {
        let bytes = memory.resident + memory.dirty + memory.doors;
        self.used[usize::from(partition.0)].store(bytes, Ordering::Relaxed);
    }

    /// Whether the partitions use more than they may.
    #[must_use]
    pub fn is_exceeded(&self) -> bool {
        self.used_bytes() > self.limit
    }

    /// What the partitions use.
    #[must_use]
    pub fn used_bytes(&self) -> usize {
        self.used.iter().map(|used| used.load(Ordering::Relaxed)).sum()
    }
}
