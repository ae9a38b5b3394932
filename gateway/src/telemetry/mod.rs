//! What a node says of itself: log lines to the standard error, and gauges that are read from time to time.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::Duration;

use tidegate_core::partition::Memory;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing_subscriber::EnvFilter;

use crate::config::node::{Color, LogFormat, LogSettings};
use crate::driver::budget::Budget;
use crate::log::Durable;

const GAUGE_INTERVAL: Duration = Duration::from_secs(1);

/// Sends log lines to the standard error. A process that has a subscriber already keeps it.
pub fn start_logging(settings: &LogSettings) {
    let filter = EnvFilter::new(settings.filter.as_str());
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let color = match settings.color {
        Color::Auto => !plain && io::stderr().is_terminal(),
        Color::Always => true,
        Color::Never => false,
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_target(false);
    let started = match settings.format {
        LogFormat::Text => builder.with_ansi(color).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    if started.is_err() {
        tracing::debug!("log lines go where they went before");
    }
}

/// Shows what the node uses. Never returns.
pub async fn show_gauges(budget: Arc<Budget>) {
    let mut ticks = interval(GAUGE_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Memory { resident, dirty, doors } = budget.used();
        for (kind, bytes) in [("resident", resident), ("dirty", dirty), ("doors", doors)] {
            metrics::gauge!("tidegate_memory_bytes", "kind" => kind).set(bytes as f64);
        }
        metrics::gauge!("tidegate_doors_closed").set(f64::from(u8::from(budget.is_exceeded())));
    }
}

/// Shows how much of the log is kept, until it ends.
pub async fn show_backlog(mut durable: watch::Receiver<Durable>) {
    let backlog = metrics::gauge!("tidegate_log_backlog_bytes");
    while durable.changed().await.is_ok() {
        backlog.set(durable.borrow_and_update().backlog_bytes as f64);
        sleep(GAUGE_INTERVAL).await;
    }
}
