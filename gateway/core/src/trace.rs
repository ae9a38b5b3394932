//! The trace that a message belongs to, in the terms of W3C Trace Context. It travels with the message's argument, durably:
//! through mailboxes, outboxes, timers and egresses. Nothing is ever decided by it.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt::Write as _;
use core::mem::size_of;

use crate::footprint::{allocated, counted};
use crate::id::Timestamp;
use crate::limits::TRACE_STATE_BYTES_MAX;

/// The flag that says that the trace is recorded.
const SAMPLED: u8 = 1;
/// The version of the header that is written; later ones begin with the same fields.
const VERSION: &str = "00";
/// The one version that is none.
const INVALID_VERSION: &str = "ff";
/// `version-trace-span-flags`.
const TRACEPARENT_BYTES: usize = 55;

/// Which trace a message belongs to, and which span sent it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TraceContext {
    /// The trace; never all zero.
    pub trace_id: [u8; 16],
    /// The span that sent the message; never all zero.
    pub span_id: [u8; 8],
    /// The flags of the header. The lowest one says that the trace is recorded.
    pub flags: u8,
    /// When the message was sent, or its delay was over: what it waited since then is seen in its trace.
    pub sent_at: Timestamp,
    /// What tracing systems add for themselves (`tracestate`), if it is short enough.
    pub state: Option<Box<str>>,
}

impl TraceContext {
    /// Reads the header `traceparent`, and `tracestate` if there is one. Nothing if it is not well formed: then a trace
    /// ends here, as the standard wants it. A state that is too long is left out.
    #[must_use]
    pub fn parse(traceparent: &str, tracestate: Option<&str>, sent_at: Timestamp) -> Option<Self> {
        let mut parts = traceparent.split('-');
        let (version, trace) = (parts.next()?, parts.next()?);
        let (span, flags) = (parts.next()?, parts.next()?);
        let later = version != VERSION;
        let extended = later && traceparent.len() > TRACEPARENT_BYTES;
        if version == INVALID_VERSION || (traceparent.len() != TRACEPARENT_BYTES && !extended) {
            return None;
        }
        let [_] = hex::<1>(version)?;
        let (trace_id, span_id, [flags]) = (hex(trace)?, hex(span)?, hex(flags)?);
        if trace_id == [0; 16] || span_id == [0; 8] {
            return None;
        }
        // What flags of later versions mean is not known.
        let flags = if later { flags & SAMPLED } else { flags };
        let state = tracestate.filter(|state| is_state(state)).map(Box::from);
        Some(Self { trace_id, span_id, flags, sent_at, state })
    }

    /// The header `traceparent`.
    #[must_use]
    pub fn traceparent(&self) -> String {
        let mut text = String::with_capacity(TRACEPARENT_BYTES);
        text.push_str(VERSION);
        push_hex(&mut text, &self.trace_id);
        push_hex(&mut text, &self.span_id);
        push_hex(&mut text, &[self.flags]);
        text
    }

    /// Whether the trace is recorded.
    #[must_use]
    pub const fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// The context of what a later span of the same trace sends.
    #[must_use]
    pub fn child(&self, span_id: [u8; 8], sent_at: Timestamp) -> Self {
        Self { span_id, sent_at, ..self.clone() }
    }

    /// What it counts for in the bounds, in bytes.
    #[must_use]
    pub fn cost(&self) -> usize {
        size_of::<Self>() + self.state.as_ref().map_or(0, |state| state.len())
    }

    /// What it takes of memory, in bytes.
    pub(crate) fn footprint(&self) -> usize {
        counted(size_of::<Self>()) + allocated(self.state.as_ref().map_or(0, |state| state.len()))
    }
}

fn is_state(state: &str) -> bool {
    !state.is_empty()
        && state.len() <= TRACE_STATE_BYTES_MAX
        && state.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    text.push('-');
    for byte in bytes {
        // Writing into a text cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
}

/// Exactly that many bytes in lower-case digits; capitals are not allowed.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}
