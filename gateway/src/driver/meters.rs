//! What a partition counts. Names and meanings are in `docs/metrics.md`.
//!
//! Counters that tell function types apart follow the records, so that each message counts once, whatever is repeated. A
//! module may declare whole namespaces and anybody may name functions in them, so only so many types are told apart.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use metrics::{Counter, Gauge, counter, gauge};
use tidegate_core::address::FunctionType;
use tidegate_core::id::PartitionId;
use tidegate_core::partition::Partition;
use tidegate_core::partition::record::{Commit, Delivery, Provenance, Record};

use super::waiters::Waiters;

/// Most function types that are told apart; further ones count together.
const LABELS_MAX: usize = 256;
/// The label of all further ones.
const OTHERS: &str = "(others)";

/// The function types that have a label of their own, in all partitions of the node.
#[derive(Debug, Default)]
pub struct FunctionLabels(Mutex<HashSet<FunctionType>>);

impl FunctionLabels {
    /// The label of a function type; nothing if there are too many.
    fn of(&self, function: &FunctionType) -> Option<String> {
        let mut labels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !labels.contains(function) {
            if labels.len() >= LABELS_MAX {
                return None;
            }
            labels.insert(function.clone());
        }
        Some(function.to_string())
    }
}

/// The metrics of one partition.
pub(super) struct Meters {
    functions: HashMap<FunctionType, FunctionMeters>,
    others: FunctionMeters,
    in_flight: Gauge,
    residents: Gauge,
    calls: Gauge,
    timers_fired: Counter,
}

struct FunctionMeters {
    received_from_ingress: Counter,
    received_from_functions: Counter,
    processed: Counter,
    sent_local: Counter,
    sent_remote: Counter,
    sent_to_egress: Counter,
    batches: Counter,
    parked: Counter,
    released: Counter,
}

impl FunctionMeters {
    fn new(function: &str) -> Self {
        let received = |from| counter!("tidegate_messages_received_total", "function" => function.to_owned(), "from" => from);
        let sent = |to| counter!("tidegate_messages_sent_total", "function" => function.to_owned(), "to" => to);
        let function = || function.to_owned();
        Self {
            received_from_ingress: received("ingress"),
            received_from_functions: received("function"),
            processed: counter!("tidegate_messages_processed_total", "function" => function()),
            sent_local: sent("local"),
            sent_remote: sent("remote"),
            sent_to_egress: sent("egress"),
            batches: counter!("tidegate_batches_committed_total", "function" => function()),
            parked: counter!("tidegate_addresses_parked_total", "function" => function()),
            released: counter!("tidegate_addresses_released_total", "function" => function()),
        }
    }
}

impl Meters {
    pub(super) fn new(partition: PartitionId) -> Self {
        let partition = || partition.to_string();
        Self {
            functions: HashMap::new(),
            others: FunctionMeters::new(OTHERS),
            in_flight: gauge!("tidegate_groups_in_flight", "partition" => partition()),
            residents: gauge!("tidegate_addresses_in_memory", "partition" => partition()),
            calls: gauge!("tidegate_calls_waiting", "partition" => partition()),
            timers_fired: counter!("tidegate_timers_fired_total"),
        }
    }

    /// Shows how much is under way.
    pub(super) fn show(&self, partition: &Partition, waiters: &Waiters) {
        self.in_flight.set(partition.groups_in_flight() as f64);
        self.residents.set(partition.residents() as f64);
        self.calls.set(waiters.calls() as f64);
    }

    /// Counts what a step did.
    pub(super) fn count(&mut self, records: &[Record], labels: &FunctionLabels) {
        for record in records {
            match record {
                Record::MessageAccepted { provenance, delivery: Delivery::Local(entry) } => {
                    let meters = self.of(&entry.target.function, labels);
                    match provenance {
                        Provenance::Peer { .. } => meters.received_from_functions.increment(1),
                        Provenance::Source { .. } | Provenance::Client { .. } => {
                            meters.received_from_ingress.increment(1);
                        }
                    }
                }
                Record::BatchCommitted(commit) => self.count_batch(commit, labels),
                Record::TimerFired { .. } => self.timers_fired.increment(1),
                Record::AddressParked { address, .. } => {
                    self.of(&address.function, labels).parked.increment(1);
                }
                Record::AddressReleased { address, .. } => {
                    self.of(&address.function, labels).released.increment(1);
                }
                _ => {}
            }
            for delivery in record.deliveries() {
                self.count_local(record, delivery, labels);
            }
        }
    }

    fn count_batch(&mut self, commit: &Commit, labels: &FunctionLabels) {
        let meters = self.of(&commit.address.function, labels);
        meters.batches.increment(1);
        meters.processed.increment(commit.consumed.len() as u64);
        meters.sent_to_egress.increment(commit.egress.len() as u64);
        let remote = commit.sends.iter().filter(|send| matches!(send, Delivery::Remote(_))).count();
        let local = commit.sends.iter().filter(|send| matches!(send, Delivery::Local(_))).count();
        meters.sent_remote.increment(remote as u64);
        meters.sent_local.increment(local as u64);
    }

    /// What stays in the partition is received by the same record.
    fn count_local(&mut self, record: &Record, delivery: &Delivery, labels: &FunctionLabels) {
        let accepted = matches!(record, Record::MessageAccepted { .. });
        if let (Delivery::Local(entry), false) = (delivery, accepted) {
            self.of(&entry.target.function, labels).received_from_functions.increment(1);
        }
    }

    fn of(&mut self, function: &FunctionType, labels: &FunctionLabels) -> &FunctionMeters {
        if !self.functions.contains_key(function) {
            match labels.of(function) {
                Some(label) => {
                    self.functions.insert(function.clone(), FunctionMeters::new(&label));
                }
                None => return &self.others,
            }
        }
        &self.functions[function]
    }
}
