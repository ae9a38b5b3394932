//! The trace that a message belongs to, as the gateway passes it on: W3C Trace Context.

use http::HeaderMap;

/// A message's place in a trace: what a function's own spans are put below, and what it passes on to services that it calls.
///
/// With `tracing`, the work on each message runs in a span `process` with the fields `trace_id` and `parent_span_id`. With
/// OpenTelemetry, hand both texts to its propagator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TraceContext {
    traceparent: String,
    tracestate: Option<String>,
}

impl TraceContext {
    /// Nothing if there is no parent.
    pub(crate) fn new(traceparent: String, tracestate: String) -> Option<Self> {
        let tracestate = Some(tracestate).filter(|state| !state.is_empty());
        (!traceparent.is_empty()).then_some(Self { traceparent, tracestate })
    }

    pub(crate) fn of_headers(headers: &HeaderMap) -> Option<Self> {
        let text =
            |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        Self::new(text("traceparent").to_owned(), text("tracestate").to_owned())
    }

    /// The value of the header `traceparent`.
    #[must_use]
    pub fn traceparent(&self) -> &str {
        &self.traceparent
    }

    /// The value of the header `tracestate`, if there is one.
    #[must_use]
    pub fn tracestate(&self) -> Option<&str> {
        self.tracestate.as_deref()
    }

    /// The id of the trace, as log lines show it.
    #[must_use]
    pub fn trace_id(&self) -> &str {
        self.part(1)
    }

    /// The id of the span in which the gateway has the message processed.
    #[must_use]
    pub fn span_id(&self) -> &str {
        self.part(2)
    }

    fn part(&self, index: usize) -> &str {
        self.traceparent.split('-').nth(index).unwrap_or_default()
    }
}
