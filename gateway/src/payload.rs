//! Payloads as people see them: the types that the gateway itself gives to values, and values as JSON.
//!
//! The gateway never interprets a payload to process it. It does so only where a value crosses into JSON, and there the
//! type decides, never a guess: protobuf bytes can happen to be valid JSON (a `StringWrapper` begins with a line feed, an
//! `IntWrapper` with a carriage return, both of which JSON skips), and a reader must get back what was stored.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;
use serde_json::value::RawValue;
use tidegate_core::id::{PartitionId, Sequence};
use tidegate_core::message::TypedValue;
use tidegate_core::partition::record::Emitted;

/// Text, as every StateFun SDK encodes it: a protobuf message whose field 1 is the string.
pub const STRING: &str = "io.statefun.types/string";
/// JSON text.
pub const JSON: &str = "tidegate.types/json";
/// Bytes of which nothing is known.
pub const BYTES: &str = "tidegate.types/bytes";

const FIELD_1_LENGTH_DELIMITED: u8 = 0x0a;

/// Encodes text as a value of type [`STRING`]. Empty text has the empty encoding, as protobuf leaves defaults out.
#[must_use]
pub fn wrap_text(text: &str) -> Bytes {
    let mut wrapped = BytesMut::with_capacity(text.len() + 11);
    if !text.is_empty() {
        wrapped.put_u8(FIELD_1_LENGTH_DELIMITED);
        let mut length = text.len();
        while length >= 0x80 {
            wrapped.put_u8((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        wrapped.put_u8(length as u8);
        wrapped.put_slice(text.as_bytes());
    }
    wrapped.freeze()
}

/// The text of a value of type [`STRING`]; nothing if the bytes are not exactly one wrapped string.
#[must_use]
pub fn unwrap_text(wrapped: &[u8]) -> Option<&str> {
    let Some((&tag, mut rest)) = wrapped.split_first() else { return Some("") };
    if tag != FIELD_1_LENGTH_DELIMITED {
        return None;
    }
    let mut length = 0_u64;
    for shift in (0..35).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        rest = after;
        length |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            let exact = usize::try_from(length).ok()? == rest.len();
            return if exact { std::str::from_utf8(rest).ok() } else { None };
        }
    }
    None
}

/// Whether a type is JSON by name: ours, or one that ends in `json` after a separator, such as `shop/order+json`.
#[must_use]
pub fn is_json_type(typename: &str) -> bool {
    typename == JSON || typename.ends_with("+json") || typename.ends_with("/json")
}

/// The bytes as JSON on one line, if they are JSON.
///
/// Line breaks in valid JSON are white space, since strings must escape them; so replacing them changes nothing.
fn one_line_json(bytes: &[u8]) -> Option<Cow<'_, RawValue>> {
    let raw: &RawValue = serde_json::from_slice(bytes).ok()?;
    if !raw.get().contains(['\n', '\r']) {
        return Some(Cow::Borrowed(raw));
    }
    RawValue::from_string(raw.get().replace(['\n', '\r'], " ")).ok().map(Cow::Owned)
}

/// A value as members of a JSON object: its `type`, and one of `text` (for [`STRING`]), `value` (JSON) or `base64`.
/// An absent value has only its type.
///
/// JSON is what a JSON type holds, and any other value that is an object or an array: no StateFun type encodes to
/// bytes that begin with a bracket, whereas numbers and quoted text could be protobuf.
#[derive(Serialize)]
pub struct ShownValue<'a> {
    #[serde(rename = "type")]
    typename: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Cow<'a, RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

impl<'a> ShownValue<'a> {
    /// Shows a value.
    #[must_use]
    pub fn new(shown: &'a TypedValue) -> Self {
        let mut members = Self { typename: &shown.typename, text: None, value: None, base64: None };
        if shown.has_value {
            members.text = text_of(shown);
            members.value = json_of(shown);
            if members.text.is_none() && members.value.is_none() {
                members.base64 = Some(STANDARD.encode(&shown.value));
            }
        }
        members
    }
}

/// The text of a value whose type is [`STRING`].
#[must_use]
pub fn text_of(shown: &TypedValue) -> Option<&str> {
    if &*shown.typename == STRING { unwrap_text(&shown.value) } else { None }
}

/// A value as JSON on one line, where it is JSON by the rule of [`ShownValue`].
#[must_use]
pub fn json_of(shown: &TypedValue) -> Option<Cow<'_, RawValue>> {
    let bracketed = matches!(shown.value.first(), Some(b'{' | b'['));
    if is_json_type(&shown.typename) || bracketed { one_line_json(&shown.value) } else { None }
}

/// An egress record as one line of NDJSON. Its place comes first, so that a reader finds it without the value.
#[derive(Serialize)]
struct EgressLine<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<&'a str>,
    partition: u16,
    sequence: u64,
    from: String,
    at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
    #[serde(flatten)]
    shown: ShownValue<'a>,
}

/// Appends an egress record as one line, line feed included.
///
/// # Errors
/// None is known; serialisation into memory reports one all the same.
pub fn write_egress_line(
    line: &mut Vec<u8>,
    cursor: Option<&str>,
    (partition, sequence): (PartitionId, Sequence),
    emitted: &Emitted,
) -> Result<(), serde_json::Error> {
    let record = EgressLine {
        cursor,
        partition: partition.0,
        sequence: sequence.0,
        from: emitted.sender.to_string(),
        at: emitted.at.0,
        traceparent: emitted.argument.trace.as_ref().map(|trace| trace.traceparent()),
        shown: ShownValue::new(&emitted.argument),
    };
    serde_json::to_writer(&mut *line, &record)?;
    line.push(b'\n');
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use proptest::prelude::*;

    use super::*;

    fn shown(typename: &str, bytes: &'static [u8]) -> serde_json::Value {
        let value = TypedValue::new(typename, Bytes::from_static(bytes));
        serde_json::to_value(ShownValue::new(&value)).unwrap()
    }

    proptest! {
        #[test]
        fn text_survives_wrapping(text in ".{0,400}") {
            let wrapped = wrap_text(&text);
            prop_assert_eq!(unwrap_text(&wrapped), Some(text.as_str()));
        }

        #[test]
        fn unwrapping_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = unwrap_text(&bytes);
        }

        #[test]
        fn wrapping_is_what_protobuf_says(text in ".{0,400}") {
            let decoded: Result<String, _> = prost::Message::decode(wrap_text(&text));
            prop_assert_eq!(decoded.unwrap(), text);
        }
    }

    #[test]
    fn protobuf_that_happens_to_be_json_stays_protobuf() {
        assert_eq!(shown("io.statefun.types/int", b"\x0d1234")["base64"], "DTEyMzQ=");
        assert_eq!(shown(STRING, b"\n\x041234")["text"], "1234");
        assert_eq!(shown("shop/order", b"85")["base64"], "ODU=");
    }

    #[test]
    fn json_keeps_its_exact_numbers_and_fits_one_line() {
        let value = TypedValue::new(
            "shop/order",
            Bytes::from_static(b"{\n \"n\": 123456789012345678901234567890\r\n}"),
        );
        let text = serde_json::to_string(&ShownValue::new(&value)).unwrap();
        assert!(text.contains("123456789012345678901234567890"));
        assert!(!text.contains(['\n', '\r']));
    }

    #[test]
    fn json_types_hold_any_json_and_fall_back_to_base64() {
        assert_eq!(shown(JSON, b"7")["value"], 7);
        assert_eq!(shown("a/b+json", b"\"x\"")["value"], "x");
        assert_eq!(shown(JSON, b"{oops")["base64"], "e29vcHM=");
    }
}
