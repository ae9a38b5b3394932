//! Takes spans to a collector by OTLP. The node never waits for it: what does not fit into the queue, or what the collector does
//! not take, is counted and forgotten.

use std::time::Duration;

use metrics::{Counter, counter};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::EXPORT;
use super::http::{ClientError, OtlpClient};
use crate::config::node::TraceSettings;

/// Spans that wait for the exporter. A span takes about a kilobyte, with all its links a few more.
const QUEUE_SPANS: usize = 4096;
/// Spans that travel together.
const BATCH_SPANS: usize = 512;
/// How long the first span of a batch waits for others.
const GATHER: Duration = Duration::from_millis(500);
/// How long a stopping node waits for what is left.
const FAREWELL: Duration = Duration::from_secs(2);

/// Spans cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No exporter can be built from the settings and the `OTEL_` variables.
    #[error("TG-0239: traces cannot be exported: {0}")]
    Exporter(#[from] ExporterBuildError),
    /// The collector cannot be called.
    #[error("TG-0239: traces cannot be exported: {0}")]
    Client(#[from] ClientError),
}

/// The way to the exporter.
pub(super) struct Export {
    queue: Sender<SpanData>,
    overflow: Counter,
    /// Half of a trace id must be below it for the trace to be recorded: the ratio of 2^63.
    pub(super) root_bound: u64,
}

impl Export {
    pub(super) fn take(&self, span: SpanData) {
        if self.queue.try_send(span).is_err() {
            self.overflow.increment(1);
        }
    }
}

/// The exporter, running.
pub struct Exporting {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Exporting {
    /// Exports what waits, within a short time.
    pub async fn stop(self) {
        self.stop.cancel();
        if timeout(FAREWELL, self.task).await.is_err() {
            tracing::info!("the last spans could not be exported in time");
        }
    }
}

/// Begins to export spans, if an endpoint is set here or by OpenTelemetry's own variables. At most once in a process: later
/// nodes of the same process export where the first one does.
///
/// # Errors
/// See [`StartError`].
pub fn start(settings: &TraceSettings) -> Result<Option<Exporting>, StartError> {
    if !settings.is_wanted(|name| std::env::var(name).ok()) {
        return Ok(None);
    }
    let builder = SpanExporter::builder().with_http().with_http_client(OtlpClient::new()?);
    let builder = match &settings.endpoint {
        // A given endpoint is taken as it is by the exporter; ours is the base, as in the variable without `TRACES`.
        Some(base) => builder.with_endpoint(format!("{}/v1/traces", base.trim_end_matches('/'))),
        None => builder,
    };
    let mut exporter = builder.build()?;
    exporter.set_resource(&resource());
    let (queue, spans) = channel(QUEUE_SPANS);
    let overflow = counter!("tidegate_trace_spans_dropped_total", "why" => "queue_full");
    let root_bound = (settings.ratio.get() * (1_u64 << 63) as f64) as u64;
    if EXPORT.set(Export { queue, overflow, root_bound }).is_err() {
        return Ok(None);
    }
    let stop = CancellationToken::new();
    let worker = Worker::new(exporter, spans, stop.clone());
    Ok(Some(Exporting { stop, task: tokio::spawn(worker.run()) }))
}

/// `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` say what this is.
fn resource() -> Resource {
    let builder = Resource::builder();
    let named = ["OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"].iter().any(|name| {
        std::env::var(name)
            .is_ok_and(|value| *name == "OTEL_SERVICE_NAME" || value.contains("service.name"))
    });
    if named { builder.build() } else { builder.with_service_name("tidegate").build() }
}

struct Worker {
    exporter: SpanExporter,
    spans: Receiver<SpanData>,
    stop: CancellationToken,
    exported: Counter,
    lost: Counter,
    /// Whether the last batch was lost, so that an outage is told once.
    failing: bool,
}

impl Worker {
    fn new(exporter: SpanExporter, spans: Receiver<SpanData>, stop: CancellationToken) -> Self {
        Self {
            exporter,
            spans,
            stop,
            exported: counter!("tidegate_trace_spans_exported_total"),
            lost: counter!("tidegate_trace_spans_dropped_total", "why" => "not_taken"),
            failing: false,
        }
    }

    async fn run(mut self) {
        let mut batch = Vec::new();
        loop {
            let stopping = self.gather(&mut batch).await;
            if batch.is_empty() && stopping {
                return;
            }
            if !batch.is_empty() {
                self.export(std::mem::take(&mut batch)).await;
            }
        }
    }

    /// Waits until there is a batch. Says whether the node is stopping.
    async fn gather(&mut self, batch: &mut Vec<SpanData>) -> bool {
        let mut until = None;
        while batch.len() < BATCH_SPANS {
            if self.stop.is_cancelled() {
                while batch.len() < BATCH_SPANS
                    && let Ok(span) = self.spans.try_recv()
                {
                    batch.push(span);
                }
                return true;
            }
            let gathered = until.unwrap_or_else(Instant::now);
            tokio::select! {
                biased;
                count = self.spans.recv_many(batch, BATCH_SPANS - batch.len()) => {
                    if count == 0 {
                        return true;
                    }
                    until.get_or_insert_with(|| Instant::now() + GATHER);
                }
                () = sleep_until(gathered), if until.is_some() => return false,
                () = self.stop.cancelled() => {}
            }
        }
        false
    }

    async fn export(&mut self, batch: Vec<SpanData>) {
        let spans = batch.len() as u64;
        match self.exporter.export(batch).await {
            Ok(()) => {
                self.exported.increment(spans);
                if std::mem::take(&mut self.failing) {
                    tracing::info!("the collector takes spans again");
                }
            }
            Err(error) => {
                self.lost.increment(spans);
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!(%error, "the collector does not take spans; they are dropped");
                }
            }
        }
    }
}
