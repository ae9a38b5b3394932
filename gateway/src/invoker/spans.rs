//! The spans of requests that carry recorded messages, and the contexts that travel with any request.
//!
//! A request that carries one context is a span of its trace. One that carries several belongs to none of them more than to
//! another: it is a trace of its own, linked to the span that processes each message.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tidegate_core::id::Timestamp;
use tidegate_core::trace::TraceContext;

use super::carry::Answered;
use super::fault::Fault;
use super::lane::Dialect;
use super::packing::Parcel;
use super::wire::Origins;
use crate::telemetry::trace::{self, Kind, Span};

/// The contexts of a parcel's messages, in order.
fn contexts(parcel: &Parcel) -> impl Iterator<Item = &Arc<TraceContext>> {
    let messages = parcel.groups.iter().flat_map(|pending| &pending.group.messages);
    messages.filter_map(|message| message.argument.trace.as_ref())
}

/// What a request says of its trace as a whole, and its span. Both nothing for most requests, which carry no context.
pub(super) fn begin(
    endpoint: &Arc<str>,
    parcel: &Parcel,
    dialect: Dialect,
) -> (Option<Arc<TraceContext>>, Option<Span>) {
    let mut all = contexts(parcel);
    let Some(first) = all.next() else { return (None, None) };
    let only = all.all(|other| same_span(first, other));
    let recorded = trace::is_on() && contexts(parcel).any(|context| context.is_sampled());
    if !recorded {
        return (only.then(|| Arc::clone(first)), None);
    }
    let (begun, now) = (SystemTime::now(), now());
    let (context, parent) = if only {
        (first.child(trace::new_span_id(), now), Some(first.span_id))
    } else {
        (trace::linked_root(now), None)
    };
    let messages: usize = parcel.groups.iter().map(|pending| pending.group.messages.len()).sum();
    let mut span = Span::of(&context, parent, Kind::Client, format!("request {endpoint}"), begun)
        .with("tidegate.endpoint", endpoint.to_string())
        .with("tidegate.groups", count(parcel.groups.len()))
        .with("tidegate.messages", count(messages))
        .with("tidegate.batch", dialect == Dialect::Batch);
    for other in contexts(parcel).filter(|context| context.is_sampled()) {
        span = span.linked_to(other);
    }
    (only.then(|| Arc::new(context)), Some(span))
}

/// The request has ended.
pub(super) fn end(span: Option<Span>, outcome: &Result<Answered, Fault>) {
    let Some(span) = span else { return };
    let span = match outcome {
        Ok(_) => span,
        Err(fault) => span.failed(match fault {
            Fault::Endpoint { .. } => "the endpoint does not serve",
            Fault::Unclear(_) => "the connection was lost",
            Fault::Request(_) => "the request failed",
            Fault::Dialect => "the endpoint does not take batches",
        }),
    };
    span.end(SystemTime::now());
}

/// What the parts of an answer follow from; nothing for most requests.
pub(super) fn origins(parcel: &Parcel) -> Vec<Origins> {
    if contexts(parcel).next().is_none() {
        return Vec::new();
    }
    let now = now();
    parcel.groups.iter().map(|pending| Origins::of(&pending.group, now)).collect()
}

fn same_span(one: &TraceContext, other: &TraceContext) -> bool {
    (one.trace_id, one.span_id) == (other.trace_id, other.span_id)
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
