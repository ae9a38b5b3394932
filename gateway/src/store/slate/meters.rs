//! Passes what the engine counts on to the metrics of the process: the part of it that says something to an operator.

use std::sync::Arc;

use metrics::{Counter, Gauge, Label, counter, gauge};
use slatedb_common::metrics::{CounterFn, GaugeFn, HistogramFn, MetricsRecorder, UpDownCounterFn};
use tidegate_core::id::PartitionId;

/// The counters of all databases together: what the engine calls them, and what we do.
const COUNTERS: [(&str, &str); 4] = [
    ("slatedb.db_cache.access_count", "tidegate_store_cache_accesses_total"),
    ("slatedb.db.backpressure_count", "tidegate_store_stalls_total"),
    ("slatedb.db.l0_stall_count", "tidegate_store_stalls_total"),
    ("slatedb.compactor.bytes_compacted", "tidegate_store_compacted_bytes_total"),
];

/// The gauges of each database.
const GAUGES: [(&str, &str); 3] = [
    ("slatedb.db.total_mem_size_bytes", "tidegate_store_memtable_bytes"),
    ("slatedb.db.l0_sst_count", "tidegate_store_level_0_files"),
    ("slatedb.db.sorted_run_count", "tidegate_store_sorted_runs"),
];

/// What the database of a partition reports to.
pub(super) struct Meters(pub(super) PartitionId);

impl MetricsRecorder for Meters {
    fn register_counter(&self, name: &str, _: &str, labels: &[(&str, &str)]) -> Arc<dyn CounterFn> {
        let label =
            |(key, value): &(&str, &str)| Label::new((*key).to_owned(), (*value).to_owned());
        let counter = ours(&COUNTERS, name).map(|ours| {
            // Why a writer has to wait is told by the files of level 0.
            let labels = if ours.ends_with("_stalls_total") { &[] } else { labels };
            counter!(ours, labels.iter().map(label).collect::<Vec<_>>())
        });
        Arc::new(Passed(counter.unwrap_or_else(Counter::noop)))
    }

    fn register_gauge(&self, name: &str, _: &str, _: &[(&str, &str)]) -> Arc<dyn GaugeFn> {
        let gauge = ours(&GAUGES, name).map(|ours| gauge!(ours, "partition" => self.0.to_string()));
        Arc::new(Passed(gauge.unwrap_or_else(Gauge::noop)))
    }

    fn register_up_down_counter(
        &self,
        _: &str,
        _: &str,
        _: &[(&str, &str)],
    ) -> Arc<dyn UpDownCounterFn> {
        Arc::new(Passed(()))
    }

    fn register_histogram(
        &self,
        _: &str,
        _: &str,
        _: &[(&str, &str)],
        _: &[f64],
    ) -> Arc<dyn HistogramFn> {
        Arc::new(Passed(()))
    }
}

fn ours(names: &[(&str, &'static str)], name: &str) -> Option<&'static str> {
    names.iter().find(|(theirs, _)| *theirs == name).map(|(_, ours)| *ours)
}

/// An instrument of ours behind one of theirs.
struct Passed<T>(T);

impl CounterFn for Passed<Counter> {
    fn increment(&self, value: u64) {
        self.0.increment(value);
    }
}

impl GaugeFn for Passed<Gauge> {
    fn set(&self, value: i64) {
        self.0.set(value as f64);
    }
}

impl UpDownCounterFn for Passed<()> {
    fn increment(&self, _: i64) {}
}

impl HistogramFn for Passed<()> {
    fn record(&self, _: f64) {}
}
