//! What the headers of a request ask for.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName};
use tidegate_core::address::{Address, FunctionType};
use tidegate_core::id::Timestamp;
use tidegate_core::limits::IDEMPOTENCY_KEY_BYTES_MAX;
use tidegate_core::message::TypedValue;
use tidegate_core::trace::TraceContext;

use super::limits::HttpLimits;
use super::problem::Problem;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
const TIMEOUT: HeaderName = HeaderName::from_static("tidegate-timeout");

/// Room that a line number of a stream needs behind its key: a slash and the digits of a `u64`.
pub(super) const LINE_SUFFIX_BYTES: usize = 21;

/// The trace that a request belongs to. When its messages are sent is for the door to say.
pub(super) fn trace_of(headers: &HeaderMap) -> Option<Arc<TraceContext>> {
    let mut parents = headers.get_all(TRACEPARENT).iter();
    let (parent, None) = (parents.next()?, parents.next()) else { return None };
    let states: Vec<_> =
        headers.get_all(TRACESTATE).iter().filter_map(|state| state.to_str().ok()).collect();
    trace_from(parent.to_str().ok()?, Some(&states.join(",")))
}

/// The same from the texts alone.
pub(super) fn trace_from(parent: &str, state: Option<&str>) -> Option<Arc<TraceContext>> {
    TraceContext::parse(parent, state, Timestamp(0)).map(Arc::new)
}

/// The instance that a client may send to. Reply addresses are not among them: a client must not answer for a function.
pub(super) fn target_of(function: FunctionType, id: &str) -> Result<Address, Problem> {
    let target = Address::new(function, id)?;
    if target.is_reply() { Err(Problem::UnknownFunction) } else { Ok(target) }
}

/// The idempotency key, with room for a suffix of so many bytes.
pub(super) fn idempotency_key(
    headers: &HeaderMap,
    suffix_bytes: usize,
) -> Result<Option<String>, Problem> {
    let limit = IDEMPOTENCY_KEY_BYTES_MAX - suffix_bytes;
    let invalid = |reason: String| Problem::Header { name: "Idempotency-Key", reason };
    let mut keys = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(key) = keys.next() else { return Ok(None) };
    if keys.next().is_some() {
        return Err(invalid("it must be given once".to_owned()));
    }
    let key = key.to_str().map_err(|_| invalid("it must be visible ASCII".to_owned()))?;
    match key.len() {
        0 => Err(invalid("it must not be empty".to_owned())),
        length if length > limit => Err(invalid(format!("at most {limit} bytes are allowed"))),
        _ => Ok(Some(key.to_owned())),
    }
}

/// A key with the hash that tells whether a repetition says the same.
pub(super) fn idempotency(
    key: Option<String>,
    argument: &TypedValue,
) -> Option<(String, [u8; 32])> {
    key.map(|key| {
        let mut hasher = blake3::Hasher::new();
        // The length keeps (type "ab", value "c") and (type "a", value "bc") apart.
        hasher.update(&(argument.typename.len() as u64).to_le_bytes());
        hasher.update(argument.typename.as_bytes());
        hasher.update(&argument.value);
        (key, *hasher.finalize().as_bytes())
    })
}

/// How long to wait for a reply.
pub(super) fn call_timeout(headers: &HeaderMap, limits: &HttpLimits) -> Result<Duration, Problem> {
    let invalid = |reason: String| Problem::Header { name: "Tidegate-Timeout", reason };
    let Some(header) = headers.get(TIMEOUT) else { return Ok(limits.call_timeout) };
    let text = header.to_str().map_err(|_| invalid(EXPECTED.to_owned()))?;
    duration(text, limits.wait_max).map_err(invalid)
}

const EXPECTED: &str = "expected a whole number of seconds or milliseconds, such as 5s or 500ms";

/// Parses `5s` or `500ms`.
pub(super) fn duration(text: &str, longest: Duration) -> Result<Duration, String> {
    let (digits, unit) =
        text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let number: u64 = digits.parse().map_err(|_| EXPECTED.to_owned())?;
    let duration = match unit {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        _ => return Err(EXPECTED.to_owned()),
    };
    if duration > longest {
        return Err(format!("at most {}s are allowed", longest.as_secs()));
    }
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit_and_have_a_bound() {
        let longest = Duration::from_secs(10);
        assert_eq!(duration("500ms", longest), Ok(Duration::from_millis(500)));
        assert_eq!(duration("10s", longest), Ok(longest));
        for text in [
            "",
            "5",
            "s",
            "-1s",
            "1.5s",
            "5 s",
            "11s",
            "99999999999999999999s",
            "18446744073709551615s",
        ] {
            assert!(duration(text, longest).is_err(), "{text}");
        }
    }

    #[test]
    fn the_hash_covers_type_and_value_apart() {
        let hash = |typename: &str, value: &'static str| {
            let value = TypedValue::new(typename, bytes::Bytes::from_static(value.as_bytes()));
            idempotency(Some("key".to_owned()), &value)
        };
        assert_eq!(hash("a/b", "c"), hash("a/b", "c"));
        assert_ne!(hash("a/b", "c"), hash("a/bc", ""));
        assert_ne!(hash("a/b", "c"), hash("a/b", "d"));
    }
}
