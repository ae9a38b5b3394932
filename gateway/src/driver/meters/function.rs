//! What is counted of each function type. A turn of the driver counts in plain numbers; they reach the instruments, which all
//! partitions share, once when the turn ends.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use tidegate_core::address::FunctionType;

/// Most function types that are told apart; further ones count together.
const LABELS_MAX: usize = 256;
/// The label of all further ones.
const OTHERS: &str = "(others)";
/// Where they are counted.
const OTHERS_INDEX: usize = 0;

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

/// What a turn counted of one function type.
#[derive(Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) received_from_ingress: u64,
    pub(super) received_from_functions: u64,
    pub(super) processed: u64,
    pub(super) dropped: u64,
    pub(super) sent_local: u64,
    pub(super) sent_remote: u64,
    pub(super) sent_later: u64,
    pub(super) sent_to_clients: u64,
    pub(super) sent_to_egress: u64,
    pub(super) batches: u64,
    pub(super) parked: u64,
    pub(super) released: u64,
    pub(super) succeeded: u64,
    pub(super) incomplete: u64,
    pub(super) failed: u64,
    pub(super) unreachable: u64,
    /// How these changed.
    pub(super) waiting: i64,
    pub(super) groups_in_flight: i64,
    pub(super) messages_in_flight: i64,
}

/// All function types that a partition has met.
pub(super) struct Functions {
    meters: Vec<FunctionMeters>,
    known: HashMap<FunctionType, usize>,
    /// The last one: messages of one function type often follow each other.
    last: Option<(FunctionType, usize)>,
    /// Those of which something was counted since the last turn.
    touched: Vec<usize>,
}

impl Functions {
    pub(super) fn new() -> Self {
        let meters = vec![FunctionMeters::new(OTHERS)];
        Self { meters, known: HashMap::new(), last: None, touched: Vec::new() }
    }

    /// Where a function type is counted.
    pub(super) fn index_of(&mut self, function: &FunctionType, labels: &FunctionLabels) -> usize {
        if let Some((last, index)) = &self.last
            && last == function
        {
            return *index;
        }
        let index = match self.known.get(function) {
            Some(index) => *index,
            None => self.meet(function, labels),
        };
        self.last = Some((function.clone(), index));
        index
    }

    fn meet(&mut self, function: &FunctionType, labels: &FunctionLabels) -> usize {
        // What has no label is not remembered: anybody may name any number of functions.
        let Some(label) = labels.of(function) else { return OTHERS_INDEX };
        self.meters.push(FunctionMeters::new(&label));
        let index = self.meters.len() - 1;
        self.known.insert(function.clone(), index);
        index
    }

    /// The numbers of this turn.
    pub(super) fn tally(&mut self, index: usize) -> &mut Tally {
        let meters = &mut self.meters[index];
        if !meters.touched {
            meters.touched = true;
            self.touched.push(index);
        }
        &mut meters.tally
    }

    pub(super) fn of(&mut self, function: &FunctionType, labels: &FunctionLabels) -> &mut Tally {
        let index = self.index_of(function, labels);
        self.tally(index)
    }

    /// A message was processed, so long after it had entered its mailbox.
    pub(super) fn waited(&self, index: usize, for_ms: u64) {
        self.meters[index].latency.record(Duration::from_millis(for_ms));
    }

    /// A group came back, so long after it was submitted.
    pub(super) fn invoked(&self, index: usize, took: Duration) {
        self.meters[index].invocation.record(took);
    }

    /// Hands the numbers of this turn on.
    pub(super) fn publish(&mut self) {
        for index in self.touched.drain(..) {
            self.meters[index].publish();
        }
    }
}

/// A counter, and what of a turn it counts.
type Counted = (Counter, fn(&Tally) -> u64);
/// A gauge, and what of a turn changes it.
type Shown = (Gauge, fn(&Tally) -> i64);

struct FunctionMeters {
    tally: Tally,
    touched: bool,
    latency: Histogram,
    invocation: Histogram,
    counters: Vec<Counted>,
    gauges: [Shown; 3],
}

impl FunctionMeters {
    fn new(function: &str) -> Self {
        let label = || function.to_owned();
        let gauges: [Shown; 3] = [
            (gauge!("tidegate_messages_waiting", "function" => label()), |tally| tally.waiting),
            (gauge!("tidegate_messages_in_flight", "function" => label()), |tally| {
                tally.messages_in_flight
            }),
            (gauge!("tidegate_invocations_in_flight", "function" => label()), |tally| {
                tally.groups_in_flight
            }),
        ];
        Self {
            tally: Tally::default(),
            touched: false,
            latency: histogram!("tidegate_message_latency_seconds", "function" => label()),
            invocation: histogram!("tidegate_invocation_seconds", "function" => label()),
            counters: counters(function),
            gauges,
        }
    }

    fn publish(&mut self) {
        let tally = std::mem::take(&mut self.tally);
        self.touched = false;
        for (counter, count) in &self.counters {
            match count(&tally) {
                0 => {}
                count => counter.increment(count),
            }
        }
        for (gauge, change) in &self.gauges {
            match change(&tally) {
                0 => {}
                change => gauge.increment(change as f64),
            }
        }
    }
}

fn counters(function: &str) -> Vec<Counted> {
    let label = || function.to_owned();
    let received = |from: &'static str| counter!("tidegate_messages_received_total", "function" => label(), "from" => from);
    let sent = |to: &'static str| counter!("tidegate_messages_sent_total", "function" => label(), "to" => to);
    let invoked = |outcome: &'static str| counter!("tidegate_invocations_total", "function" => label(), "outcome" => outcome);
    vec![
        (received("ingress"), |tally| tally.received_from_ingress),
        (received("function"), |tally| tally.received_from_functions),
        (counter!("tidegate_messages_processed_total", "function" => label()), |tally| {
            tally.processed
        }),
        (counter!("tidegate_messages_dropped_total", "function" => label()), |tally| tally.dropped),
        (sent("local"), |tally| tally.sent_local),
        (sent("remote"), |tally| tally.sent_remote),
        (sent("later"), |tally| tally.sent_later),
        (sent("client"), |tally| tally.sent_to_clients),
        (sent("egress"), |tally| tally.sent_to_egress),
        (counter!("tidegate_batches_committed_total", "function" => label()), |tally| {
            tally.batches
        }),
        (counter!("tidegate_addresses_parked_total", "function" => label()), |tally| tally.parked),
        (counter!("tidegate_addresses_released_total", "function" => label()), |tally| {
            tally.released
        }),
        (invoked("succeeded"), |tally| tally.succeeded),
        (invoked("incomplete"), |tally| tally.incomplete),
        (invoked("failed"), |tally| tally.failed),
        (invoked("unreachable"), |tally| tally.unreachable),
    ]
}
