//! What a run has seen: counters while it goes on, and the summary at its end.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use integration_tests::proxy::Fault;
use serde::Serialize;

/// Counters of a run that goes on.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Transfers that have their reply.
    pub(crate) transfers: AtomicU64,
    /// Transfers that were asked for once more, and got the same reply.
    pub(crate) repeated: AtomicU64,
    /// Notices that were accepted.
    pub(crate) notices: AtomicU64,
    /// Notices of which nobody knows.
    pub(crate) unknown: AtomicU64,
    /// Accounts that were read while there was trouble.
    pub(crate) checks: AtomicU64,
    pub(crate) gateway_kills: AtomicU64,
    pub(crate) gateway_stops: AtomicU64,
    pub(crate) function_kills: AtomicU64,
    faults: Mutex<BTreeMap<Fault, u64>>,
    violations: Mutex<Vec<String>>,
}

/// What is left of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    seed: u64,
    seconds: u64,
    /// Messages that were accepted and processed: each transfer is one to each of two accounts.
    messages: u64,
    transfers: u64,
    repeated: u64,
    notices: u64,
    unknown_notices: u64,
    checks: u64,
    gateway_kills: u64,
    gateway_stops: u64,
    function_kills: u64,
    faults: BTreeMap<String, u64>,
    /// What must not have happened.
    pub(crate) violations: Vec<String>,
}

/// Adds one.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Seen {
    /// Notes what must not happen.
    pub(crate) fn violation(&self, text: String) {
        eprintln!("VIOLATION: {text}");
        self.violations.lock().unwrap().push(text);
    }

    pub(crate) fn is_violated(&self) -> bool {
        !self.violations.lock().unwrap().is_empty()
    }

    pub(crate) fn faults(&self, faults: BTreeMap<Fault, u64>) {
        *self.faults.lock().unwrap() = faults;
    }

    /// A line for people who wait.
    pub(crate) fn progress(&self, deadline: Instant) -> String {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let left = deadline.saturating_duration_since(Instant::now()).as_secs();
        format!(
            "{left:>6} s left: {} transfers, {} notices, {} checks, {} kills, {} violations",
            get(&self.transfers),
            get(&self.notices),
            get(&self.checks),
            get(&self.gateway_kills) + get(&self.function_kills),
            self.violations.lock().unwrap().len()
        )
    }

    pub(crate) fn summary(&self, seed: u64, took: Duration) -> Summary {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let faults = self.faults.lock().unwrap();
        Summary {
            seed,
            seconds: took.as_secs(),
            messages: 2 * get(&self.transfers) + get(&self.notices),
            transfers: get(&self.transfers),
            repeated: get(&self.repeated),
            notices: get(&self.notices),
            unknown_notices: get(&self.unknown),
            checks: get(&self.checks),
            gateway_kills: get(&self.gateway_kills),
            gateway_stops: get(&self.gateway_stops),
            function_kills: get(&self.function_kills),
            faults: faults.iter().map(|(fault, count)| (format!("{fault:?}"), *count)).collect(),
            violations: self.violations.lock().unwrap().clone(),
        }
    }
}

/// The summary for people.
pub(crate) fn text(summary: &Summary) -> String {
    let faults: u64 = summary.faults.values().sum();
    format!(
        "{} messages in {} s ({} transfers, {} of them asked for again; {} notices), {} kills and {} stops of the gateway, {} kills of the functions, {faults} faults of the network, {} checks: {}",
        summary.messages,
        summary.seconds,
        summary.transfers,
        summary.repeated,
        summary.notices,
        summary.gateway_kills,
        summary.gateway_stops,
        summary.function_kills,
        summary.checks,
        match &*summary.violations {
            [] => "exact".to_owned(),
            violations => format!("{} VIOLATIONS: {}", violations.len(), violations.join("; ")),
        }
    )
}
