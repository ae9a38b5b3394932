//! What is counted about each endpoint, with the meanings that StateFun's users know.

use std::sync::Arc;
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use super::packing::Parcel;

/// The instruments of one endpoint.
pub(super) struct Meters {
    endpoint: Arc<str>,
    /// Groups that wait to be sent: StateFun's backlog.
    pub(super) waiting: Gauge,
    groups_under_way: Gauge,
    requests: Counter,
    groups_per_request: Histogram,
    messages_per_request: Histogram,
    bytes_per_request: Histogram,
    latency: Histogram,
    groups_failed: Counter,
}

impl Meters {
    pub(super) fn new(endpoint: &Arc<str>) -> Self {
        describe();
        let label = || Arc::clone(endpoint);
        Self {
            endpoint: label(),
            waiting: gauge!("tidegate_invoker_groups_waiting", "endpoint" => label()),
            groups_under_way: gauge!("tidegate_invoker_groups_under_way", "endpoint" => label()),
            requests: counter!("tidegate_invoker_requests_total", "endpoint" => label()),
            groups_per_request: histogram!("tidegate_invoker_request_groups", "endpoint" => label()),
            messages_per_request: histogram!("tidegate_invoker_request_messages", "endpoint" => label()),
            bytes_per_request: histogram!("tidegate_invoker_request_bytes", "endpoint" => label()),
            latency: histogram!("tidegate_invoker_request_seconds", "endpoint" => label()),
            groups_failed: counter!("tidegate_invoker_groups_failed_total", "endpoint" => label()),
        }
    }

    /// A request began.
    pub(super) fn begun(&self, parcel: &Parcel) {
        let groups = parcel.groups.len() as f64;
        let messages: usize =
            parcel.groups.iter().map(|pending| pending.group.messages.len()).sum();
        let bytes: usize = parcel.groups.iter().map(|pending| pending.group.cost()).sum();
        self.waiting.decrement(groups);
        self.groups_under_way.increment(groups);
        self.requests.increment(1);
        self.groups_per_request.record(groups);
        self.messages_per_request.record(messages as f64);
        self.bytes_per_request.record(bytes as f64);
    }

    /// A request came to its end.
    pub(super) fn ended(&self, parcel: &Parcel, took: Duration) {
        self.groups_under_way.decrement(parcel.groups.len() as f64);
        self.latency.record(took);
    }

    /// A request failed; `reach` says what was blamed.
    pub(super) fn failed(&self, reach: &'static str) {
        counter!(
            "tidegate_invoker_requests_failed_total", "endpoint" => Arc::clone(&self.endpoint), "reach" => reach
        )
        .increment(1);
    }

    /// A partition was told that a group failed.
    pub(super) fn group_failed(&self) {
        self.groups_failed.increment(1);
    }
}

fn describe() {
    metrics::describe_gauge!(
        "tidegate_invoker_groups_waiting",
        "Groups that wait for a request to an endpoint"
    );
    metrics::describe_gauge!(
        "tidegate_invoker_groups_under_way",
        "Groups in requests that are not answered yet"
    );
    metrics::describe_counter!(
        "tidegate_invoker_requests_total",
        "Requests to functions, repetitions included"
    );
    metrics::describe_counter!(
        "tidegate_invoker_requests_failed_total",
        "Failed requests, by what was blamed"
    );
    metrics::describe_counter!(
        "tidegate_invoker_groups_failed_total",
        "Groups that failed, alone in their request"
    );
    metrics::describe_histogram!("tidegate_invoker_request_groups", "Groups in a request");
    metrics::describe_histogram!("tidegate_invoker_request_messages", "Messages in a request");
    metrics::describe_histogram!(
        "tidegate_invoker_request_bytes",
        metrics::Unit::Bytes,
        "Bytes of messages and values in a request"
    );
    metrics::describe_histogram!(
        "tidegate_invoker_request_seconds",
        metrics::Unit::Seconds,
        "From sending a request to the end of its answer"
    );
}
