//! The node's memory budget in bytes. Upholds LIM-1: at the bound the doors close and wait.
//!
//! Every message that comes in from outside holds its bytes of room behind the [doors](super::doors) until its partition
//! has handled it. While the partitions use more than the budget, what was handled is not given back, so the room runs out
//! and the doors stand closed. They open again because the pressure is told to every partition, also to those that nothing
//! happens to: each flushes what it may. They close in the same way while an egress
//! holds more than it may.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tidegate_core::id::PartitionId;
use tidegate_core::limits::{Limits, MESSAGE_BYTES_MAX};
use tidegate_core::partition::Memory;
use tokio::sync::watch;

use super::doors::Doors;

/// The part of the budget that messages on their way to a partition may take, as a divisor.
const INPUT_SHARE: usize = 8;

/// What the node may use, and what it does use.
#[derive(Debug)]
pub struct Budget {
    limit: usize,
    doors: Doors,
    used: Vec<Used>,
    exceeded: watch::Sender<bool>,
}

/// What a partition uses, as in [`Memory`].
#[derive(Debug, Default)]
struct Used {
    resident: AtomicUsize,
    dirty: AtomicUsize,
    doors: AtomicUsize,
}

impl Budget {
    /// A budget for all partitions of the node together.
    #[must_use]
    pub fn new(limit: usize, partitions: u16) -> Arc<Self> {
        let input = (limit / INPUT_SHARE).max(2 * MESSAGE_BYTES_MAX);
        Arc::new(Self {
            limit,
            doors: Doors::new(input),
            used: (0..partitions).map(|_| Used::default()).collect(),
            exceeded: watch::Sender::new(false),
        })
    }

    /// Bounds for each partition under which the doors cannot stay closed: what is resident when everything that can be
    /// flushed is flushed takes half of the budget at most.
    #[must_use]
    pub fn share(&self, limits: &Limits) -> Limits {
        let share = self.limit / self.used.len().max(1) / 2;
        // Queues and timers are not evicted like the rest; there is a queue for each other partition and each egress.
        let queue_bytes = limits.queue_bytes.min(share / (4 * (self.used.len() + 4)));
        Limits {
            resident_bytes: limits.resident_bytes.min(share),
            mailbox_bytes: limits.mailbox_bytes.min(share / 8),
            queue_bytes: queue_bytes.max(QUEUE_BYTES_MIN),
            timer_bytes: limits.timer_bytes.min(share / 4),
            ..limits.clone()
        }
    }

    /// The bytes of rows at which a partition flushes before its time.
    #[must_use]
    pub fn dirty_share(&self) -> usize {
        self.limit / self.used.len().max(1) / 4
    }

    /// What the partitions may use together.
    #[must_use]
    pub fn limit_bytes(&self) -> usize {
        self.limit
    }

    /// The way in for messages from outside.
    #[must_use]
    pub fn doors(&self) -> &Doors {
        &self.doors
    }

    /// Takes note of what a partition uses, and of whether the doors are to be closed for another reason.
    pub(super) fn note(&self, partition: PartitionId, memory: Memory, closed: impl Fn() -> bool) {
        let used = &self.used[usize::from(partition.0)];
        used.resident.store(memory.resident, Ordering::Relaxed);
        used.dirty.store(memory.dirty, Ordering::Relaxed);
        used.doors.store(memory.doors, Ordering::Relaxed);
        // Summed up under the lock of the channel: the last one to take it has seen what all others stored.
        self.exceeded.send_if_modified(|exceeded| {
            let now = self.used_bytes() > self.limit || closed();
            std::mem::replace(exceeded, now) != now
        });
    }

    /// Whether the doors are to be closed, as it changes.
    pub(super) fn pressure(&self) -> watch::Receiver<bool> {
        self.exceeded.subscribe()
    }

    /// Whether the doors are to be closed, because the partitions use more than they may or an egress is full.
    #[must_use]
    pub fn is_exceeded(&self) -> bool {
        *self.exceeded.borrow()
    }

    /// What the partitions use.
    #[must_use]
    pub fn used_bytes(&self) -> usize {
        let memory = self.used();
        memory.resident + memory.dirty + memory.doors
    }

    /// What the partitions use, by kind.
    #[must_use]
    pub fn used(&self) -> Memory {
        let sum = |kind: fn(&Used) -> &AtomicUsize| {
            self.used.iter().map(|used| kind(used).load(Ordering::Relaxed)).sum()
        };
        Memory {
            resident: sum(|used| &used.resident),
            dirty: sum(|used| &used.dirty),
            doors: sum(|used| &used.doors),
        }
    }
}

/// A queue that is smaller would hand out messages one by one.
const QUEUE_BYTES_MIN: usize = 16 << 10;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn the_shares_of_all_partitions_leave_half_of_the_budget_for_what_can_be_flushed() {
        for (limit, partitions) in [(32 << 20, 8), (192 << 20, 8), (1 << 30, 64)] {
            let budget = Budget::new(limit, partitions);
            let limits = budget.share(&Limits::default());
            let count = usize::from(partitions);
            assert!(limits.resident_bytes * count <= limit / 2);
            assert!(limits.queue_bytes * (count + 4) + limits.timer_bytes <= limits.resident_bytes);
            assert!(budget.dirty_share() * count <= limit / 4);
        }
    }

    #[test]
    fn pressure_is_told_when_it_begins_and_when_it_ends() {
        let budget = Budget::new(100, 2);
        let mut pressure = budget.pressure();
        let dirty = |dirty| Memory { dirty, ..Memory::default() };
        let open = || false;
        budget.note(PartitionId(0), dirty(60), open);
        assert!(!pressure.has_changed().unwrap());
        budget.note(PartitionId(1), dirty(60), open);
        assert!(*pressure.borrow_and_update());
        budget.note(PartitionId(0), dirty(0), open);
        assert!(!*pressure.borrow_and_update());
        assert_eq!(budget.used_bytes(), 60);
        budget.note(PartitionId(0), dirty(0), || true);
        assert!(*pressure.borrow_and_update(), "an egress is full");
    }
}
