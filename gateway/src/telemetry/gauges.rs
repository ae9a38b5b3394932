//! Gauges that nobody changes step by step: read from time to time.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tidegate_core::partition::Memory;
use tokio::time::{MissedTickBehavior, interval};

use crate::driver::budget::Budget;
use crate::log::NodeLog;

const GAUGE_INTERVAL: Duration = Duration::from_secs(1);

/// Shows what the node uses. Never returns.
pub async fn show_gauges(budget: Arc<Budget>) {
    let mut ticks = interval(GAUGE_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    metrics::gauge!("tidegate_memory_budget_bytes").set(budget.limit_bytes() as f64);
    loop {
        ticks.tick().await;
        let Memory { resident, dirty, doors } = budget.used();
        let input = budget.doors().taken_bytes();
        for (kind, bytes) in
            [("resident", resident), ("dirty", dirty), ("doors", doors), ("input", input)]
        {
            metrics::gauge!("tidegate_memory_bytes", "kind" => kind).set(bytes as f64);
        }
        metrics::gauge!("tidegate_doors_waiting").set(budget.doors().waiting() as f64);
        metrics::gauge!("tidegate_doors_closed").set(f64::from(u8::from(budget.is_exceeded())));
        metrics::gauge!("tidegate_doors_narrow").set(f64::from(u8::from(budget.is_pressed())));
    }
}

/// Shows how much of the log is kept and how much waits to be written, until the log ends.
pub async fn show_backlog(log: Weak<dyn NodeLog>) {
    let backlog = metrics::gauge!("tidegate_log_backlog_bytes");
    let buffered = metrics::gauge!("tidegate_memory_bytes", "kind" => "log_buffer");
    let mut ticks = interval(GAUGE_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while let Some(log) = log.upgrade() {
        backlog.set(log.durable().borrow().backlog_bytes as f64);
        buffered.set(log.buffered_bytes() as f64);
        drop(log);
        ticks.tick().await;
    }
}
