//! What is counted about each endpoint, with the meanings that StateFun's users know.

use std::sync::Arc;
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use super::packing::Load;

/// What a failed request can be blamed on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Blamed {
    Endpoint,
    Request,
    Dialect,
    /// It answered for groups that were not in the request.
    Unmatched,
}

/// The instruments of one endpoint.
pub(super) struct Meters {
    /// Groups that wait to be sent: StateFun's backlog.
    pub(super) waiting: Gauge,
    groups_under_way: Gauge,
    requests_under_way: Gauge,
    bytes_under_way: Gauge,
    requests_allowed: Gauge,
    urls_held: Gauge,
    requests: Counter,
    groups_per_request: Histogram,
    messages_per_request: Histogram,
    bytes_per_request: Histogram,
    latency: Histogram,
    groups_failed: Counter,
    failed: [Counter; 4],
}

impl Meters {
    pub(super) fn new(endpoint: &Arc<str>) -> Self {
        let label = || Arc::clone(endpoint);
        let failed = |reach: &'static str| counter!("tidegate_invoker_requests_failed_total", "endpoint" => label(), "reach" => reach);
        Self {
            waiting: gauge!("tidegate_invoker_groups_waiting", "endpoint" => label()),
            groups_under_way: gauge!("tidegate_invoker_groups_under_way", "endpoint" => label()),
            requests_under_way: gauge!("tidegate_invoker_requests_under_way", "endpoint" => label()),
            bytes_under_way: gauge!("tidegate_invoker_bytes_under_way", "endpoint" => label()),
            requests_allowed: gauge!("tidegate_invoker_requests_allowed", "endpoint" => label()),
            urls_held: gauge!("tidegate_invoker_urls_held", "endpoint" => label()),
            requests: counter!("tidegate_invoker_requests_total", "endpoint" => label()),
            groups_per_request: histogram!("tidegate_invoker_request_groups", "endpoint" => label()),
            messages_per_request: histogram!("tidegate_invoker_request_messages", "endpoint" => label()),
            bytes_per_request: histogram!("tidegate_invoker_request_bytes", "endpoint" => label()),
            latency: histogram!("tidegate_invoker_request_seconds", "endpoint" => label()),
            groups_failed: counter!("tidegate_invoker_groups_failed_total", "endpoint" => label()),
            failed: ["endpoint", "request", "dialect", "unmatched"].map(failed),
        }
    }

    /// A request began.
    pub(super) fn begun(&self, load: Load) {
        self.waiting.decrement(load.groups as f64);
        self.groups_under_way.increment(load.groups as f64);
        self.requests_under_way.increment(1.0);
        self.bytes_under_way.increment(load.bytes as f64);
        self.requests.increment(1);
        self.groups_per_request.record(load.groups as f64);
        self.messages_per_request.record(load.messages as f64);
        self.bytes_per_request.record(load.bytes as f64);
    }

    /// A request came to its end.
    pub(super) fn ended(&self, load: Load, took: Duration) {
        self.groups_under_way.decrement(load.groups as f64);
        self.requests_under_way.decrement(1.0);
        self.bytes_under_way.decrement(load.bytes as f64);
        self.latency.record(took);
    }

    /// A request failed.
    pub(super) fn failed(&self, blamed: Blamed) {
        self.failed[blamed as usize].increment(1);
    }

    /// A partition was told that a group failed.
    pub(super) fn group_failed(&self) {
        self.groups_failed.increment(1);
    }

    /// How many requests may be under way at once, and how many URLs are left alone for a while.
    pub(super) fn paced(&self, allowed: usize, held: usize) {
        self.requests_allowed.set(allowed as f64);
        self.urls_held.set(held as f64);
    }
}
