//! The node's memory budget in bytes. Upholds LIM-1: at the bound the doors close and wait, and some way before it they wait who bring
//! much.
//!
//! Every message that comes in from outside holds its bytes of room behind the [doors](super::doors) until its partition
//! has handled it. While the partitions use more than the budget, or an egress holds more than it may, nobody is let in. The doors
//! open again because the pressure is told to every partition, also to those that nothing happens to: each flushes what it may.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tidegate_core::id::PartitionId;
use tidegate_core::limits::Limits;
use tidegate_core::partition::Memory;
use tokio::sync::watch;

use super::doors::{Admission, Doors};

/// What messages on their way to a partition may take, in bytes. Whatever comes waits for all of it, so it is a few milliseconds'
/// work; one message more may be larger than that.
const INPUT_BYTES: usize = 512 << 10;

/// The part of the budget, as a divisor, that rows may take which wait to be written, before those who bring much have to wait
/// for them. While it is written, a row takes several times its bytes: in a batch, in the store's memory, in a file.
const DIRTY_SHARE: usize = 4;

/// What the node may use, and what it does use.
#[derive(Debug)]
pub struct Budget {
    limit: usize,
    doors: Doors,
    used: Vec<Used>,
    pressure: watch::Sender<Pressure>,
}

/// How what the partitions use stands to what they may use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pressure {
    /// There is room for everybody.
    Low,
    /// Those who bring much have to wait until rows are written.
    High,
    /// Everybody has to.
    Exceeded,
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
        Arc::new(Self {
            limit,
            doors: Doors::new(INPUT_BYTES),
            used: (0..partitions).map(|_| Used::default()).collect(),
            pressure: watch::Sender::new(Pressure::Low),
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
        self.pressure.send_if_modified(|pressure| {
            let now = if closed() { Pressure::Exceeded } else { self.pressure_of(self.used()) };
            let changed = std::mem::replace(pressure, now) != now;
            if changed {
                self.doors.admit(match now {
                    Pressure::Low => Admission::All,
                    Pressure::High => Admission::Light,
                    Pressure::Exceeded => Admission::None,
                });
            }
            changed
        });
    }

    fn pressure_of(&self, memory: Memory) -> Pressure {
        let all = memory.resident + memory.dirty + memory.doors;
        if all > self.limit {
            Pressure::Exceeded
        } else if all > self.limit / 4 * 3 || memory.dirty > self.limit / DIRTY_SHARE {
            Pressure::High
        } else {
            Pressure::Low
        }
    }

    /// How full the node is, as it changes.
    pub(super) fn pressure(&self) -> watch::Receiver<Pressure> {
        self.pressure.subscribe()
    }

    /// Whether the doors are to be closed, because the partitions use more than they may or an egress is full.
    #[must_use]
    pub fn is_exceeded(&self) -> bool {
        *self.pressure.borrow() == Pressure::Exceeded
    }

    /// Whether rows have to be written for others to come in.
    #[must_use]
    pub fn is_pressed(&self) -> bool {
        *self.pressure.borrow() != Pressure::Low
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
    fn pressure_is_told_as_it_rises_and_falls() {
        let budget = Budget::new(100, 2);
        let mut pressure = budget.pressure();
        let mut told = |partition, dirty| {
            budget.note(PartitionId(partition), Memory { dirty, ..Memory::default() }, || false);
            pressure.has_changed().unwrap().then(|| *pressure.borrow_and_update())
        };
        assert_eq!(told(0, 20), None);
        assert_eq!(told(1, 60), Some(Pressure::High));
        assert_eq!(told(0, 60), Some(Pressure::Exceeded));
        assert_eq!(told(0, 50), None);
        assert_eq!(told(1, 0), Some(Pressure::High));
        assert_eq!(told(0, 0), Some(Pressure::Low));
        budget.note(PartitionId(0), Memory::default(), || true);
        assert!(budget.is_exceeded(), "an egress is full");
    }
}
