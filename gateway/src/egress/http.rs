//! Kind `io.tidegate.http.v1/egress`: records wait in the core's rows until a client has read and acknowledged them.
//!
//! So this sink keeps nothing: it wakes readers, who read through the door, and it gives up records that have become too old,
//! where the module sets an age. It knows a record only from the moment the core hands it out, and the core hands out only
//! `Limits::queue_bytes` of each partition before an acknowledgement. What lies behind that window is no older than what lies in
//! it, and its turn comes when the window moves on. Nothing is ever given up for its size: see [`super::backlog`].

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tidegate_core::address::EgressId;
use tidegate_core::id::{PartitionId, Sequence, Timestamp};
use tidegate_core::partition::record::Emitted;
use tokio::sync::Notify;

use super::{Acknowledge, Awaited, Sink};

/// The sink of one HTTP egress.
pub struct HttpSink {
    egress: EgressId,
    /// Records that are older are given up.
    age: Duration,
    acknowledge: Acknowledge,
    changed: Notify,
    held: Mutex<Held>,
}

/// What was handed out and not acknowledged, as far as this sink was told.
#[derive(Default)]
struct Held {
    partitions: BTreeMap<PartitionId, VecDeque<Item>>,
}

#[derive(Clone, Copy)]
struct Item {
    sequence: Sequence,
    at: Timestamp,
}

/// What is given up of one partition.
#[derive(Default)]
struct Taken {
    through: Sequence,
    records: u64,
}

impl HttpSink {
    /// A sink that gives records up by `acknowledge` when they are older than `age`.
    #[must_use]
    pub fn new(egress: EgressId, age: Duration, acknowledge: Acknowledge) -> Self {
        Self { egress, age, acknowledge, changed: Notify::new(), held: Mutex::new(Held::default()) }
    }

    /// Gives up what is too old. To be called from time to time; once per tenth of the age is plenty.
    pub fn expire(&self, now: Timestamp) {
        let age = u64::try_from(self.age.as_millis()).unwrap_or(u64::MAX);
        let given_up = self.held().take_while(|oldest| oldest.at.plus_ms(age) < now);
        self.give_up(given_up);
    }

    /// Never under the lock: an acknowledgement may lead to the next `emit`.
    fn give_up(&self, taken: BTreeMap<PartitionId, Taken>) {
        for (partition, taken) in taken {
            metrics::counter!("tidegate_egress_given_up_total", "egress" => self.egress.to_string())
                .increment(taken.records);
            (self.acknowledge)(&self.egress, partition, taken.through);
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Every change under the lock is complete before anything can panic.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for HttpSink {
    fn emit(&self, partition: PartitionId, sequence: Sequence, emitted: Emitted) {
        self.held().add(partition, Item { sequence, at: emitted.at });
        self.changed.notify_waiters();
    }
}

#[async_trait]
impl Awaited for HttpSink {
    async fn changed(&self) {
        self.changed.notified().await;
    }

    fn acknowledged(&self, partition: PartitionId, through: Sequence) {
        self.held().forget(partition, through);
    }
}

impl Held {
    /// A record that is handed out again is not counted twice.
    fn add(&mut self, partition: PartitionId, item: Item) {
        let queue = self.partitions.entry(partition).or_default();
        if queue.back().is_none_or(|last| last.sequence < item.sequence) {
            queue.push_back(item);
        }
    }

    fn forget(&mut self, partition: PartitionId, through: Sequence) {
        let Some(queue) = self.partitions.get_mut(&partition) else { return };
        while queue.pop_front_if(|item| item.sequence <= through).is_some() {}
    }

    /// Takes the first records of each partition out, as long as the rule wants it.
    fn take_while(&mut self, wanted: impl Fn(&Item) -> bool) -> BTreeMap<PartitionId, Taken> {
        let mut taken = BTreeMap::<_, Taken>::new();
        for (partition, queue) in &mut self.partitions {
            while let Some(item) = queue.pop_front_if(|item| wanted(item)) {
                let taken = taken.entry(*partition).or_default();
                taken.through = item.sequence;
                taken.records += 1;
            }
        }
        taken
    }
}
