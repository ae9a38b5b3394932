//! What a partition counts. Names and meanings are in `docs/metrics.md`.
//!
//! Counters that tell function types apart follow the records, so that each message counts once, whatever is repeated. A
//! module may declare whole namespaces and anybody may name functions in them, so only so many types are told apart.

mod ages;
mod egresses;
mod function;

use std::collections::HashMap;
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use tidegate_core::address::Address;
use tidegate_core::id::{BatchId, PartitionId, Sequence, Timestamp};
use tidegate_core::partition::Partition;
use tidegate_core::partition::activity;
use tidegate_core::partition::event::Event;
use tidegate_core::partition::group::{FailureScope, Group};
use tidegate_core::partition::record::{Commit, Delivery, MailboxEntry, Provenance, Record};
use tidegate_core::partition::row::TimerTask;
use tokio::time::Instant;

use self::ages::Ages;
use self::egresses::Egresses;
pub use self::function::FunctionLabels;
use self::function::Functions;
use super::waiters::Waiters;
use crate::egress::backlog::Backlogs;

/// The metrics of one partition.
pub(super) struct Meters {
    functions: Functions,
    ages: Ages,
    now: Timestamp,
    /// Groups that functions are processing, by the number of their batch.
    under_way: HashMap<u64, UnderWay>,
    /// Since when something was appended that is not durable.
    appended_at: Option<Instant>,
    log_durable: Histogram,
    timers_set: Counter,
    timers_fired: Counter,
    timers_cancelled: Counter,
    /// Loads of rows, which end elsewhere.
    pub(super) loads: LoadMeters,
    gauges: PartitionGauges,
    egresses: Egresses,
}

/// What is counted of loads of rows.
#[derive(Clone)]
pub(super) struct LoadMeters {
    seconds: Histogram,
    rows: Counter,
}

impl LoadMeters {
    /// Rows were read, in so long.
    pub(super) fn loaded(&self, rows: usize, took: Duration) {
        self.seconds.record(took);
        self.rows.increment(rows as u64);
    }
}

struct UnderWay {
    function: usize,
    messages: usize,
    since: Instant,
}

impl Meters {
    pub(super) fn new(partition: PartitionId) -> Self {
        Self {
            functions: Functions::new(),
            ages: Ages::default(),
            now: Timestamp(0),
            under_way: HashMap::new(),
            appended_at: None,
            log_durable: histogram!("tidegate_log_durable_seconds"),
            timers_set: counter!("tidegate_timers_set_total"),
            timers_fired: counter!("tidegate_timers_fired_total"),
            timers_cancelled: counter!("tidegate_timers_cancelled_total"),
            loads: LoadMeters {
                seconds: histogram!("tidegate_store_load_seconds"),
                rows: counter!("tidegate_store_loaded_rows_total"),
            },
            gauges: PartitionGauges::new(partition),
            egresses: Egresses::default(),
        }
    }

    /// The time at which what is counted next happens.
    pub(super) fn at(&mut self, now: Timestamp) {
        self.now = now;
    }

    /// That time.
    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    /// Shows how much is under way, and hands on what this turn counted.
    pub(super) fn show(&mut self, partition: &Partition, waiters: &Waiters, backlogs: &Backlogs) {
        self.functions.publish();
        self.gauges.show(partition, waiters, self.ages.oldest());
        self.egresses.show(partition, backlogs);
    }

    /// Counts what a step did.
    pub(super) fn count(&mut self, records: &[Record], labels: &FunctionLabels) {
        self.appended_at.get_or_insert_with(Instant::now);
        for record in records {
            match record {
                Record::MessageAccepted { provenance, delivery: Delivery::Local(entry) } => {
                    let from_function = matches!(provenance, Provenance::Peer { .. });
                    self.entered(entry, from_function, labels);
                    continue;
                }
                Record::BatchCommitted(commit) => self.count_batch(commit, labels),
                Record::TimerFired { .. } => self.timers_fired.increment(1),
                Record::AddressParked { address, .. } => {
                    self.functions.of(&address.function, labels).parked += 1;
                }
                Record::AddressReleased { address, .. } => {
                    self.functions.of(&address.function, labels).released += 1;
                }
                Record::MessagesDropped { address, sequences, .. } => {
                    let dropped = sequences.len() as u64;
                    self.functions.of(&address.function, labels).dropped += dropped;
                    self.left(address, sequences, labels);
                }
                Record::DeadLettered { address, sequence, .. } => {
                    self.functions.of(&address.function, labels).dropped += 1;
                    self.left(address, &[*sequence], labels);
                }
                Record::ReplyRecorded { address, consumed, .. } => {
                    self.functions.of(&address.function, labels).processed += 1;
                    self.left(address, &[*consumed], labels);
                }
                _ => {}
            }
            for delivery in record.deliveries() {
                // What stays in the partition is received by the same record.
                if let Delivery::Local(entry) = delivery {
                    self.entered(entry, true, labels);
                }
            }
        }
    }

    fn count_batch(&mut self, commit: &Commit, labels: &FunctionLabels) {
        let later =
            commit.timers.iter().filter(|timer| matches!(timer.task, TimerTask::Send { .. }));
        let later = later.count() as u64;
        self.timers_set.increment(later);
        self.timers_cancelled.increment(commit.cancelled.len() as u64);
        let tally = self.functions.of(&commit.address.function, labels);
        tally.batches += 1;
        tally.processed += commit.consumed.len() as u64;
        tally.sent_to_egress += commit.egress.len() as u64;
        tally.sent_later += later;
        for send in &commit.sends {
            match send {
                Delivery::Local(_) => tally.sent_local += 1,
                Delivery::Remote(_) => tally.sent_remote += 1,
                Delivery::Reply { .. } => tally.sent_to_clients += 1,
                Delivery::Dropped(_) => {}
            }
        }
        self.left(&commit.address, &commit.consumed, labels);
    }

    fn entered(&mut self, entry: &MailboxEntry, from_function: bool, labels: &FunctionLabels) {
        self.ages.entered(entry.message.sequence, self.now);
        let tally = self.functions.of(&entry.target.function, labels);
        tally.waiting += 1;
        if from_function {
            tally.received_from_functions += 1;
        } else {
            tally.received_from_ingress += 1;
        }
    }

    /// Messages left a mailbox, the oldest first. Those of an earlier life were never counted as waiting.
    fn left(&mut self, address: &Address, sequences: &[Sequence], labels: &FunctionLabels) {
        let index = self.functions.index_of(&address.function, labels);
        let mut oldest = None;
        for sequence in sequences {
            if let Some(at) = self.ages.left(*sequence) {
                oldest = oldest.or(Some(at));
                self.functions.tally(index).waiting -= 1;
            }
        }
        if let Some(at) = oldest {
            self.functions.waited(index, self.now.0.saturating_sub(at.0));
        }
    }

    /// A group goes to its function.
    pub(super) fn invoking(&mut self, group: &Group, labels: &FunctionLabels) {
        let function = self.functions.index_of(&group.address.function, labels);
        let messages = group.messages.len();
        let tally = self.functions.tally(function);
        tally.groups_in_flight += 1;
        tally.messages_in_flight += messages as i64;
        let under_way = UnderWay { function, messages, since: Instant::now() };
        self.under_way.insert(group.batch.number, under_way);
    }

    /// A group comes back, if the event says so.
    pub(super) fn answered(&mut self, event: &Event) {
        let (BatchId { number, .. }, outcome) = match event {
            Event::InvocationSucceeded { batch, .. } => (batch, Outcome::Succeeded),
            Event::InvocationIncomplete { batch, .. } => (batch, Outcome::Incomplete),
            Event::InvocationFailed { batch, failure } => match failure.scope {
                FailureScope::Group => (batch, Outcome::Failed),
                FailureScope::Endpoint { .. } => (batch, Outcome::Unreachable),
            },
            _ => return,
        };
        let Some(ended) = self.under_way.remove(number) else { return };
        self.functions.invoked(ended.function, ended.since.elapsed());
        let tally = self.functions.tally(ended.function);
        tally.groups_in_flight -= 1;
        tally.messages_in_flight -= ended.messages as i64;
        match outcome {
            Outcome::Succeeded => tally.succeeded += 1,
            Outcome::Incomplete => tally.incomplete += 1,
            Outcome::Failed => tally.failed += 1,
            Outcome::Unreachable => tally.unreachable += 1,
        }
    }

    /// What was appended is durable, `all` of it or up to somewhere.
    pub(super) fn durable(&mut self, all: bool) {
        if let Some(since) = self.appended_at.take() {
            self.log_durable.record(since.elapsed());
        }
        if !all {
            self.appended_at = Some(Instant::now());
        }
    }
}

enum Outcome {
    Succeeded,
    Incomplete,
    Failed,
    Unreachable,
}

/// What is read off a partition at the end of each turn.
struct PartitionGauges {
    in_flight: Gauge,
    residents: Gauge,
    calls: Gauge,
    ready: Gauge,
    backing_off: Gauge,
    held: Gauge,
    timers: Gauge,
    outbox: Gauge,
    oldest: Gauge,
    address_loads: Counter,
    evictions: Counter,
    values_swept: Counter,
    /// What was handed on already.
    tally: activity::Tally,
}

impl PartitionGauges {
    fn new(partition: PartitionId) -> Self {
        let partition = || partition.to_string();
        let waiting = |reason: &'static str| gauge!("tidegate_addresses_waiting", "partition" => partition(), "for" => reason);
        Self {
            in_flight: gauge!("tidegate_groups_in_flight", "partition" => partition()),
            residents: gauge!("tidegate_addresses_in_memory", "partition" => partition()),
            calls: gauge!("tidegate_calls_waiting", "partition" => partition()),
            ready: waiting("turn"),
            backing_off: waiting("retry"),
            held: waiting("release"),
            timers: gauge!("tidegate_timers_in_memory", "partition" => partition()),
            outbox: gauge!("tidegate_outbox_messages", "partition" => partition()),
            oldest: gauge!("tidegate_oldest_message_timestamp_seconds", "partition" => partition()),
            address_loads: counter!("tidegate_address_loads_total"),
            evictions: counter!("tidegate_address_evictions_total"),
            values_swept: counter!("tidegate_values_swept_total"),
            tally: activity::Tally::default(),
        }
    }

    fn show(&mut self, partition: &Partition, waiters: &Waiters, oldest: Option<Timestamp>) {
        let activity = partition.activity();
        self.in_flight.set(activity.groups_in_flight as f64);
        self.residents.set(activity.residents as f64);
        self.calls.set(waiters.calls() as f64);
        self.ready.set(activity.ready as f64);
        self.backing_off.set(activity.backing_off as f64);
        self.held.set(activity.held as f64);
        self.timers.set(activity.timers as f64);
        self.outbox.set(activity.outbox as f64);
        self.oldest.set(oldest.map_or(0.0, |at| at.0 as f64 / 1000.0));
        let before = std::mem::replace(&mut self.tally, partition.tally());
        self.address_loads.increment(self.tally.address_loads - before.address_loads);
        self.evictions.increment(self.tally.evictions - before.evictions);
        self.values_swept.increment(self.tally.values_swept - before.values_swept);
    }
}
