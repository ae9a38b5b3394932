//! The span of a message at the door: from when it came until it is durable, or until its client has the reply.

use std::sync::Arc;
use std::time::SystemTime;

use tidegate_core::address::Address;
use tidegate_core::id::Timestamp;
use tidegate_core::message::TypedValue;

use crate::ingress::{DoorError, Exceptions, Outcome};
use crate::telemetry::trace::{Kind, Span, is_on, new_span_id, root};

/// Begins the span, and has the message name it as its sender. Of a trace that is not recorded the message keeps what it came
/// with; without a trace it begins one, if it is to.
pub(super) fn begin(
    what: &'static str,
    target: &Address,
    argument: &mut TypedValue,
    now: Timestamp,
) -> Option<Span> {
    let (context, parent) = match &mut argument.trace {
        Some(incoming) if incoming.is_sampled() && is_on() => {
            (incoming.child(new_span_id(), now), Some(incoming.span_id))
        }
        Some(incoming) => {
            Arc::make_mut(incoming).sent_at = now;
            return None;
        }
        None => (root(now)?, None),
    };
    let span = Span::of(
        &context,
        parent,
        Kind::Server,
        format!("{what} {}", target.function),
        SystemTime::now(),
    );
    argument.trace = Some(Arc::new(context));
    Some(span.with("tidegate.address", target.to_string()))
}

/// Ends the spans of messages that were sent together, by their places.
pub(super) fn end_all(spans: Vec<(usize, Span)>, exceptions: &Exceptions) {
    for (place, span) in spans {
        match exceptions.binary_search_by_key(&place, |(place, _)| *place) {
            Ok(found) => end(Some(span), &exceptions[found].1),
            Err(_) => end(Some(span), &Ok(Outcome::Accepted)),
        }
    }
}

/// Ends it with what became of the message.
pub(super) fn end(span: Option<Span>, outcome: &Result<Outcome, DoorError>) {
    let Some(span) = span else { return };
    let span = match outcome {
        Ok(Outcome::Accepted) => span.with("tidegate.outcome", "accepted"),
        Ok(Outcome::Repeated(_)) => span.with("tidegate.outcome", "repeated"),
        Ok(Outcome::Replied(_)) => span.with("tidegate.outcome", "replied"),
        Ok(Outcome::NoReply) => span.with("tidegate.outcome", "no reply"),
        Err(error) => span.failed(error.to_string()),
    };
    span.end(SystemTime::now());
}
