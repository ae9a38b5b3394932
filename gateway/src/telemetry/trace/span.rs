//! One span, from what is known at its end.

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{
    Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use tidegate_core::id::Timestamp;
use tidegate_core::trace::TraceContext;

use super::EXPORT;

/// Most links of a span; what is beyond is only counted.
const LINKS_MAX: usize = 128;

/// What a span is about, in OpenTelemetry's terms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Serves a client.
    Server,
    /// Calls a function.
    Client,
    /// Hands something out.
    Producer,
    /// Processes a message.
    Consumer,
    /// Happens within the node.
    Internal,
}

/// A span that is being told. It reaches the exporter when it [ends](Span::end).
#[derive(Debug)]
pub struct Span(Box<SpanData>);

impl Span {
    /// The span that a context names, below a parent of the same trace unless it is the first.
    #[must_use]
    pub fn of(
        context: &TraceContext,
        parent: Option<[u8; 8]>,
        kind: Kind,
        name: impl Into<Cow<'static, str>>,
        begun: SystemTime,
    ) -> Self {
        Self(Box::new(SpanData {
            span_context: span_context(context, false),
            parent_span_id: parent.map_or(SpanId::INVALID, SpanId::from_bytes),
            parent_span_is_remote: false,
            span_kind: match kind {
                Kind::Server => SpanKind::Server,
                Kind::Client => SpanKind::Client,
                Kind::Producer => SpanKind::Producer,
                Kind::Consumer => SpanKind::Consumer,
                Kind::Internal => SpanKind::Internal,
            },
            name: name.into(),
            start_time: begun,
            end_time: begun,
            attributes: Vec::new(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::builder("tidegate")
                .with_version(env!("CARGO_PKG_VERSION"))
                .build(),
        }))
    }

    /// A span of its own below the one that a context names.
    #[must_use]
    pub fn below(
        parent: &TraceContext,
        kind: Kind,
        name: impl Into<Cow<'static, str>>,
        begun: SystemTime,
    ) -> Self {
        let context = parent.child(super::new_span_id(), parent.sent_at);
        Self::of(&context, Some(parent.span_id), kind, name, begun)
    }

    /// Says something about it. Never a payload.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<Value>) -> Self {
        self.0.attributes.push(KeyValue::new(key, value));
        self
    }

    /// Points to a span of another trace, or of another branch of this one.
    #[must_use]
    pub fn linked_to(mut self, other: &TraceContext) -> Self {
        if self.0.links.links.len() < LINKS_MAX {
            self.0.links.links.push(Link::with_context(span_context(other, true)));
        } else {
            self.0.links.dropped_count += 1;
        }
        self
    }

    /// It did not come to a good end.
    #[must_use]
    pub fn failed(mut self, why: impl Into<Cow<'static, str>>) -> Self {
        self.0.status = Status::error(why);
        self
    }

    /// It has ended.
    pub fn end(mut self, ended: SystemTime) {
        // Clocks may differ between what noted the beginning and what notes the end.
        self.0.end_time = ended.max(self.0.start_time);
        if let Some(export) = EXPORT.get() {
            export.take(*self.0);
        }
    }
}

/// A time of the partitions' clock.
#[must_use]
pub fn wall(time: Timestamp) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_millis(time.0)).unwrap_or(UNIX_EPOCH)
}

fn span_context(context: &TraceContext, is_remote: bool) -> SpanContext {
    let state = context.state.as_deref().and_then(|state| state.parse::<TraceState>().ok());
    SpanContext::new(
        TraceId::from_bytes(context.trace_id),
        SpanId::from_bytes(context.span_id),
        TraceFlags::new(context.flags),
        is_remote,
        state.unwrap_or_default(),
    )
}
