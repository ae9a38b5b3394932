//! `POST /v1/messages`: a stream of messages, one per line.
//!
//! `{"target":"shop/cart/ann","type":"shop/item","value":{"sku":7}}`; instead of `value` (JSON, kept as its text) a line may have
//! `text` (a StateFun string) or `base64` (bytes). Without `type`, `value` is of type `tidegate.types/json` and
//! `base64` of type `tidegate.types/bytes`. `traceparent` and `tracestate` make the message a part of a trace.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use tidegate_core::address::Address;
use tidegate_core::message::TypedValue;
use tidegate_core::trace::TraceContext;

use super::App;
use super::names::Names;
use super::problem::Problem;
use super::request::{
    LINE_SUFFIX_BYTES, idempotency, idempotency_key, target_of, trace_from, trace_of,
};
use super::result_lines::respond;
use super::value::{check_typename, not_json};
use crate::ingress::Inbound;
use crate::payload::{BYTES, JSON, STRING, wrap_text};

/// Answers each line with a result line.
pub(super) async fn receive(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let key = idempotency_key(&head.headers, LINE_SUFFIX_BYTES)?;
    let trace = trace_of(&head.headers);
    let mut names = Names::default();
    let read_line = move |number, line: &Bytes, messages: &mut Vec<Inbound>| {
        let (target, argument) = parse(line, &mut names, trace.as_ref())?;
        let idempotency = idempotency(line_key(key.as_deref(), number), &argument);
        messages.push(Inbound { target, argument, idempotency });
        Ok(())
    };
    Ok(respond(app, body, Box::new(read_line)))
}

/// The key of one line of a stream.
pub(super) fn line_key(key: Option<&str>, number: u64) -> Option<String> {
    key.map(|key| format!("{key}/{number}"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MessageLine<'a> {
    #[serde(borrow)]
    target: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    typename: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "present")]
    value: Option<&'a RawValue>,
    #[serde(borrow)]
    base64: Option<Cow<'a, str>>,
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    traceparent: Option<Cow<'a, str>>,
    #[serde(borrow)]
    tracestate: Option<Cow<'a, str>>,
}

/// A `null` is a value like any other.
fn present<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// A line that names no trace belongs to that of the whole request.
fn parse(
    line: &Bytes,
    names: &mut Names,
    around: Option<&Arc<TraceContext>>,
) -> Result<(Address, TypedValue), Problem> {
    let message: MessageLine<'_> = serde_json::from_slice(line).map_err(|error| explain(&error))?;
    let target = parse_target(&message.target, names)?;
    let argument = argument(&message, names).map_err(Problem::Line)?;
    let trace = match &message.traceparent {
        Some(parent) => trace_from(parent, message.tracestate.as_deref()),
        None => around.cloned(),
    };
    Ok((target, argument.traced(trace)))
}

/// Never quotes the line, which is a payload.
fn explain(error: &serde_json::Error) -> Problem {
    Problem::Line(if error.is_data() {
        format!(
            "expected an object of target, type, and one of value, text, base64; see column {}",
            error.column()
        )
    } else {
        not_json(error)
    })
}

/// `namespace/type/id`, where the id may hold further slashes.
fn parse_target(text: &str, names: &mut Names) -> Result<Address, Problem> {
    let slash = |from: usize| text[from..].find('/').map(|at| from + at);
    let Some(end) = slash(0).and_then(|first| slash(first + 1)) else {
        return Err(Problem::Line(
            "the target is not of the form <namespace>/<type>/<id>".to_owned(),
        ));
    };
    target_of(names.function(&text[..end])?, &text[end + 1..])
}

fn argument(message: &MessageLine<'_>, names: &mut Names) -> Result<TypedValue, String> {
    let (default_type, value) = match (message.value, &message.base64, &message.text) {
        // A slice of the line would keep all lines alive that came with it.
        (Some(json), None, None) => (JSON, Bytes::copy_from_slice(json.get().as_bytes())),
        (None, Some(base64), None) => {
            let bytes = STANDARD.decode(&**base64).map_err(|_| "base64 is not valid".to_owned())?;
            (BYTES, bytes.into())
        }
        (None, None, Some(text)) => (STRING, wrap_text(text)),
        _ => return Err("exactly one of value, text, base64 is needed".to_owned()),
    };
    let typename = message.typename.as_deref().unwrap_or(default_type);
    let typename = check_typename(typename).map_err(|reason| format!("type: {reason}"))?;
    if message.text.is_some() && typename != STRING {
        return Err(format!("text is always of type {STRING}"));
    }
    let typename = names.typename(typename);
    Ok(TypedValue { typename, has_value: true, value, metadata: Vec::new(), trace: None })
}
