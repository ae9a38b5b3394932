//! `POST {path}`: declared ingresses, kind `io.tidegate.http.v1/ingress`. A record goes to every target of its ingress, to
//! the instance that the key rule names.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::ALLOW;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value;
use tidegate_core::address::{FunctionType, Typename};
use tidegate_core::message::TypedValue;
use tidegate_core::trace::TraceContext;

use super::delivery::{self, Delivered};
use super::functions::accepted;
use super::messages::line_key;
use super::problem::Problem;
use super::request::{LINE_SUFFIX_BYTES, idempotency, idempotency_key, target_of, trace_of};
use super::result_lines::{NDJSON, respond};
use super::value::{media_type, not_json};
use super::{App, body};
use crate::ingress::Inbound;

/// One declared ingress.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HttpIngressConfig {
    /// Its name.
    pub id: Typename,
    /// Where records are posted, such as `/orders`. Taken literally; with [`KeyRule::LastPathSegment`] one more segment follows.
    pub path: String,
    /// The type of the value that a record's bytes are.
    pub value_type: String,
    /// The function types that get each record.
    pub targets: Vec<FunctionType>,
    /// Which instance of them.
    pub key: KeyRule,
}

/// Where a record's key is: the id of the instances that get it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeyRule {
    /// In the record, which is JSON: a string or an integer at this pointer (RFC 6901).
    JsonPointer(String),
    /// In a header of the request.
    Header(String),
    /// At the end of the path, percent-decoded.
    LastPathSegment,
}

/// An ingress that cannot be served.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("TG-0319: the HTTP ingress {id} cannot be served at `{path}`: {reason}")]
pub struct PathConflict {
    /// Which ingress.
    pub id: Typename,
    /// Its path.
    pub path: String,
    /// What stands against it.
    pub reason: &'static str,
}

/// All declared ingresses by path.
pub(super) struct Ingresses {
    exact: BTreeMap<String, Arc<HttpIngressConfig>>,
    keyed: BTreeMap<String, Arc<HttpIngressConfig>>,
}

impl Ingresses {
    pub(super) fn new(configs: Vec<HttpIngressConfig>) -> Result<Self, PathConflict> {
        let mut all = Self { exact: BTreeMap::new(), keyed: BTreeMap::new() };
        for config in configs {
            let keyed = config.key == KeyRule::LastPathSegment;
            let table = if keyed { &mut all.keyed } else { &mut all.exact };
            let reason = if !config.path.starts_with('/') || config.path.contains(['?', '#']) {
                Some("it is not an absolute path")
            } else if ["/v1/functions", "/v1/messages", "/v1/egress"]
                .iter()
                .any(|taken| config.path.starts_with(taken))
            {
                Some("the gateway serves that path itself")
            } else if table.contains_key(&config.path) {
                Some("another ingress has it")
            } else if config.targets.is_empty() {
                Some("its records would go nowhere: it has no targets")
            } else {
                None
            };
            if let Some(reason) = reason {
                return Err(PathConflict { id: config.id, path: config.path, reason });
            }
            table.insert(config.path.clone(), Arc::new(config));
        }
        Ok(all)
    }

    /// The ingress of a path, with the segment that is the key. A literal path goes first.
    fn find(&self, path: &str) -> Option<(Arc<HttpIngressConfig>, Option<String>)> {
        if let Some(config) = self.exact.get(path) {
            return Some((config.clone(), None));
        }
        let (prefix, segment) = path.rsplit_once('/')?;
        let prefix = if prefix.is_empty() { "/" } else { prefix };
        let segment = percent_encoding::percent_decode_str(segment).decode_utf8().ok()?;
        Some((self.keyed.get(prefix)?.clone(), Some(segment.into_owned())))
    }
}

/// Takes one record, or many as lines.
pub(super) async fn receive(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let found = app.declared.load().ingresses.find(request.uri().path());
    let (config, segment) = found.ok_or(Problem::NotFound)?;
    if request.method() != Method::POST {
        let allow = [(ALLOW, HeaderValue::from_static("POST"))];
        return Ok((allow, Problem::MethodNotAllowed).into_response());
    }
    if app.door.is_paused(&config.id) {
        return Err(Problem::Paused(config.id.clone()));
    }
    let (head, body) = request.into_parts();
    let key = key_outside(&config, &head.headers, segment);
    let media = media_type(&head.headers)?;
    if media.as_deref().is_some_and(|media| media == NDJSON || media == "application/jsonl") {
        let idempotency = idempotency_key(&head.headers, LINE_SUFFIX_BYTES)?;
        let trace = trace_of(&head.headers);
        let door = Arc::clone(&app.door);
        let read_line = move |number, line: &Bytes, all: &mut Vec<Inbound>| {
            // A stream may be older than the pause.
            if door.is_paused(&config.id) {
                return Err(Problem::Paused(config.id.clone()));
            }
            let line_key = line_key(idempotency.as_deref(), number);
            all.extend(messages(&config, &key, line, line_key.as_deref(), trace.as_ref())?);
            Ok(())
        };
        return Ok(respond(app, body, Box::new(read_line)));
    }
    receive_one(&app, &config, &key, &head, body).await
}

async fn receive_one(
    app: &App,
    config: &HttpIngressConfig,
    key: &KeySource,
    head: &Parts,
    body: axum::body::Body,
) -> Result<Response, Problem> {
    let idempotency = idempotency_key(&head.headers, 0)?;
    let (record, _share) = body::read_whole(app, head, body).await?;
    let trace = trace_of(&head.headers);
    let messages = messages(config, key, &record, idempotency.as_deref(), trace.as_ref())?;
    let delivered = delivery::deliver(&*app.door, messages).await?;
    Ok(accepted(delivered == Delivered::Repeated))
}

/// A key that the request gives for all its records, or the pointer at which each record has its own.
enum KeySource {
    Pointer(String),
    Given(Result<String, Problem>),
}

fn key_outside(
    config: &HttpIngressConfig,
    headers: &HeaderMap,
    segment: Option<String>,
) -> KeySource {
    match &config.key {
        KeyRule::JsonPointer(pointer) => KeySource::Pointer(pointer.clone()),
        KeyRule::LastPathSegment => KeySource::Given(match segment {
            Some(segment) if !segment.is_empty() => Ok(segment),
            _ => Err(Problem::NoKey("the last segment of the path is empty".to_owned())),
        }),
        KeyRule::Header(name) => KeySource::Given(header_key(headers, name)),
    }
}

fn header_key(headers: &HeaderMap, name: &str) -> Result<String, Problem> {
    let value = HeaderName::try_from(name).ok().and_then(|name| headers.get(name));
    let value = value.map(|value| std::str::from_utf8(value.as_bytes()));
    match value {
        Some(Ok(key)) if !key.is_empty() => Ok(key.to_owned()),
        Some(_) => Err(Problem::NoKey(format!("the header {name} is empty or not UTF-8"))),
        None => Err(Problem::NoKey(format!("the header {name} is missing"))),
    }
}

/// One message per target. The record's bytes are the value, whatever they are.
fn messages(
    config: &HttpIngressConfig,
    key: &KeySource,
    record: &Bytes,
    idempotency_key: Option<&str>,
    trace: Option<&Arc<TraceContext>>,
) -> Result<Vec<Inbound>, Problem> {
    let id = match key {
        KeySource::Given(key) => key.clone()?,
        KeySource::Pointer(pointer) => key_inside(record, pointer)?,
    };
    let argument = TypedValue::new(&config.value_type, record.clone()).traced(trace.cloned());
    let idempotency = idempotency(idempotency_key.map(str::to_owned), &argument);
    let message = |function: &FunctionType| {
        let target = target_of(function.clone(), &id)?;
        Ok(Inbound { target, argument: argument.clone(), idempotency: idempotency.clone() })
    };
    config.targets.iter().map(message).collect()
}

/// Strings and integers name instances exactly; other numbers have several spellings, and two ids would meet in one.
fn key_inside(record: &[u8], pointer: &str) -> Result<String, Problem> {
    let record: Value =
        serde_json::from_slice(record).map_err(|error| Problem::Malformed(not_json(&error)))?;
    match record.pointer(pointer) {
        Some(Value::String(key)) if !key.is_empty() => Ok(key.clone()),
        Some(Value::Number(number)) if number.is_i64() || number.is_u64() => Ok(number.to_string()),
        Some(_) => Err(Problem::NoKey(format!("what is at {pointer} is no text and no integer"))),
        None => Err(Problem::NoKey(format!("nothing is at {pointer}"))),
    }
}
