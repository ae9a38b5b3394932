//! Feeds a dataset to a gateway, shows the alerts as they come, and compares them with what is expected.

mod alerts;
mod display;
mod metrics;
mod report;
mod send;

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hyper::StatusCode;
use tokio::sync::mpsc;

use crate::dataset::{Dataset, DatasetError};
use crate::expect::expect;
use crate::http;
use crate::types::Alert;

use display::Display;
use report::Report;
use send::Feeder;

/// How many events may wait for the report; each is at most the ids of one request.
const EVENTS: usize = 256;

const LINES: u16 = 500;
const CONNECTIONS: u16 = 4;
const PATIENCE_SECONDS: u64 = 60;

/// What to feed, where, and how.
#[derive(clap::Args, Debug)]
pub(crate) struct FeedArgs {
    /// The dataset.
    #[arg(long, value_name = "CSV")]
    file: PathBuf,
    /// Where the gateway takes messages.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    gateway: String,
    /// Where the gateway shows its metrics.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9090")]
    admin: String,
    /// Names this run in idempotency keys. Give the same name to go on with a run that was interrupted.
    #[arg(long, value_name = "NAME")]
    run: Option<String>,
    /// Records per request.
    #[arg(long, default_value_t = LINES, value_parser = clap::value_parser!(u16).range(1..))]
    lines: u16,
    /// Requests under way at the same time.
    #[arg(long, default_value_t = CONNECTIONS, value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    /// Transactions per second; as many as the gateway takes if not given.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// How long to go on trying without any progress, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = PATIENCE_SECONDS)]
    patience: u64,
}

impl FeedArgs {
    /// A dataset to a gateway, everything else as if it was not given.
    pub(crate) fn new(file: PathBuf, gateway: String, admin: String) -> Self {
        Self {
            file,
            gateway,
            admin,
            run: None,
            lines: LINES,
            connections: CONNECTIONS,
            rate: None,
            patience: PATIENCE_SECONDS,
        }
    }
}

/// What the report learns.
#[derive(Debug)]
enum Event {
    /// These records are being sent for the first time.
    Sent { ids: Vec<String>, at: Instant },
    /// So many more records were accepted.
    Accepted(u64),
    /// An alert came.
    Alerted { alert: Alert, at: Instant },
    /// Everything was accepted.
    Fed,
}

/// Why feeding was given up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FeedError {
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    #[error("`{0}` is not a URL")]
    Url(String),
    #[error("the gateway refused with status {status}: {text}")]
    Refused { status: StatusCode, text: String },
    #[error("{0}; gave up after {1:?}")]
    GaveUp(String, Duration),
    #[error("the gateway sent a line that is not as agreed: {0}")]
    Line(String),
    #[error("alerts cannot be shown")]
    Output(#[from] std::io::Error),
    #[error("the outcome is not as expected")]
    Unexpected,
    #[error("a task of the feed ended early")]
    Ended,
}

/// Feeds, reports, and fails unless exactly the expected alerts came.
pub(crate) async fn run(args: FeedArgs) -> Result<(), FeedError> {
    let dataset = Dataset::open(&args.file)?;
    let client = http::client();
    let patience = Duration::from_secs(args.patience);
    let (events, inbox) = mpsc::channel(EVENTS);
    let before = metrics::read(&client, &args.admin).await;
    let display = Display::new(dataset.confirmations.len() + dataset.transactions.len());
    let mut report = Report::new(expect(&dataset).alerts, display);

    let feeder = Feeder {
        client: client.clone(),
        gateway: args.gateway.clone(),
        run: args.run.unwrap_or_else(run_name),
        lines: args.lines.into(),
        connections: args.connections.into(),
        rate: args.rate,
        patience,
        events: events.clone(),
    };
    let work = async { tokio::try_join!(feeder.feed(&dataset), report.collect(inbox, patience)) };
    tokio::select! {
        done = work => { done?; }
        failed = alerts::follow(&client, &args.gateway, &events) => { failed?; }
    }
    let after = metrics::read(&client, &args.admin).await;
    report.finish(metrics::Difference::between(before, after))
}

/// Two runs do not start in the same nanosecond.
fn run_name() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{:x}-{:x}", now.as_nanos(), std::process::id())
}

#[cfg(test)]
mod tests;
