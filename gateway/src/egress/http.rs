//! Kind `io.tidegate.http.v1/egress`: records wait in the core's rows until a client has read and acknowledged them.
//!
//! So this sink keeps nothing: it wakes readers, who read through the door, and it gives up the oldest records when they become
//! too old or too many. It knows a record only from the moment the core hands it out, and the core hands out only
//! `Limits::queue_bytes` of each partition before an acknowledgement. Retention therefore acts on that window: what lies behind it is
//! neither counted nor expired until the window moves on, which each acknowledgement, also one of retention itself, makes it do.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tidegate_core::address::EgressId;
use tidegate_core::id::{PartitionId, Sequence, Timestamp};
use tidegate_core::partition::record::Emitted;
use tokio::sync::Notify;

use super::{Acknowledge, Awaited, Sink};

/// How long and how much an egress keeps for readers that do not come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retention {
    /// Records are given up when they are older.
    pub age: Duration,
    /// The oldest records are given up when all that are handed out count for more bytes.
    pub bytes: usize,
}

/// The sink of one HTTP egress.
pub struct HttpSink {
    egress: EgressId,
    retention: Retention,
    acknowledge: Acknowledge,
    changed: Notify,
    held: Mutex<Held>,
}

/// What was handed out and not acknowledged, as far as this sink was told.
#[derive(Default)]
struct Held {
    partitions: BTreeMap<PartitionId, VecDeque<Item>>,
    bytes: usize,
}

#[derive(Clone, Copy)]
struct Item {
    sequence: Sequence,
    at: Timestamp,
    bytes: usize,
}

/// What is given up of one partition.
#[derive(Default)]
struct Taken {
    through: Sequence,
    records: u64,
}

impl HttpSink {
    /// A sink that gives records up by `acknowledge`.
    #[must_use]
    pub fn new(egress: EgressId, retention: Retention, acknowledge: Acknowledge) -> Self {
        Self {
            egress,
            retention,
            acknowledge,
            changed: Notify::new(),
            held: Mutex::new(Held::default()),
        }
    }

    /// Gives up what is too old. To be called from time to time; once per tenth of the age is plenty.
    pub fn expire(&self, now: Timestamp) {
        let age = u64::try_from(self.retention.age.as_millis()).unwrap_or(u64::MAX);
        let given_up = self.held().take_oldest_while(|oldest, _| oldest.at.plus_ms(age) < now);
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
        let item = Item { sequence, at: emitted.at, bytes: emitted.argument.cost() };
        let limit = self.retention.bytes;
        let given_up = {
            let mut held = self.held();
            held.add(partition, item);
            held.take_oldest_while(|_, bytes| bytes > limit)
        };
        self.give_up(given_up);
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
            self.bytes += item.bytes;
        }
    }

    fn forget(&mut self, partition: PartitionId, through: Sequence) {
        let Some(queue) = self.partitions.get_mut(&partition) else { return };
        while let Some(item) = queue.pop_front_if(|item| item.sequence <= through) {
            self.bytes -= item.bytes;
        }
    }

    /// Takes the oldest records of all partitions out, as long as the rule (the oldest, all bytes) wants it.
    fn take_oldest_while(
        &mut self,
        wanted: impl Fn(&Item, usize) -> bool,
    ) -> BTreeMap<PartitionId, Taken> {
        let mut taken = BTreeMap::<_, Taken>::new();
        loop {
            let fronts = self
                .partitions
                .iter()
                .filter_map(|(&partition, queue)| Some((partition, *queue.front()?)));
            let Some((partition, oldest)) = fronts.min_by_key(|(_, item)| item.at) else { break };
            if !wanted(&oldest, self.bytes) {
                break;
            }
            self.forget(partition, oldest.sequence);
            let taken = taken.entry(partition).or_default();
            taken.through = oldest.sequence;
            taken.records += 1;
        }
        taken
    }
}
