//! Distributed tracing: which spans a node makes of the messages that belong to a recorded trace. `docs/tracing.md` shows them.
//!
//! Contexts travel with messages whether or not this node exports anything; what is not recorded is passed on as it came.
//! Spans are made of what parts of the node know already when something ends, so nothing is kept for a message that is not
//! recorded, and nothing is asked but whether the exporter is [on](is_on).

mod export;
mod http;
mod span;

use std::sync::{Arc, OnceLock};

use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};
use tidegate_core::id::Timestamp;
use tidegate_core::trace::TraceContext;

pub use self::export::{Exporting, StartError, start};
pub use self::span::{Kind, Span, wall};

/// Where spans go, once a process exports them.
static EXPORT: OnceLock<export::Export> = OnceLock::new();

/// Whether spans are exported.
#[must_use]
pub fn is_on() -> bool {
    EXPORT.get().is_some()
}

/// Whether something that belongs to a trace is recorded here.
#[must_use]
pub fn is_recorded(trace: &Option<Arc<TraceContext>>) -> bool {
    trace.as_ref().is_some_and(|trace| trace.is_sampled()) && is_on()
}

/// A context of a trace that begins here, if this one is to be recorded: as many are as the ratio says.
#[must_use]
pub fn root(now: Timestamp) -> Option<TraceContext> {
    let export = EXPORT.get()?;
    let trace_id = RandomIdGenerator::default().new_trace_id().to_bytes();
    // As OpenTelemetry's sampler by ratio decides, so that nodes agree.
    let [.., a, b, c, d, e, f, g, h] = trace_id;
    let number = u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 1;
    (number < export.root_bound).then(|| recorded(trace_id, now))
}

/// A context of a trace that begins here because something in it is recorded in others.
#[must_use]
pub fn linked_root(now: Timestamp) -> TraceContext {
    recorded(RandomIdGenerator::default().new_trace_id().to_bytes(), now)
}

fn recorded(trace_id: [u8; 16], now: Timestamp) -> TraceContext {
    TraceContext { trace_id, span_id: new_span_id(), flags: 1, sent_at: now, state: None }
}

/// A name for a span.
#[must_use]
pub fn new_span_id() -> [u8; 8] {
    RandomIdGenerator::default().new_span_id().to_bytes()
}
