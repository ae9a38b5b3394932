//! The listeners of StateFun's playground, so that its applications start with the module that they have.
//!
//! | request | what it does |
//! |---|---|
//! | `PUT` or `POST /{namespace}/{type}/{id}` | 200 once the message is durable; the content type `application/vnd.<typename>` names its type |
//! | `GET /{topic}` | 200 with the oldest record of the topic, which is gone then; 404 if there is none; 405 if there is no such topic |
//!
//! A record is given away before its reader has it, as in the playground: a reader that breaks off loses it. The egress
//! `io.tidegate.http.v1/egress` is for readers that must not.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use tidegate_core::address::{EgressId, FunctionType};
use tidegate_core::id::{PartitionId, Sequence};
use tidegate_core::message::TypedValue;
use tokio::sync::Mutex;

use super::problem::Problem;
use super::request::{idempotency, idempotency_key, target_of};
use super::value::check_typename;
use super::{App, authorise, body};
use crate::ingress::{DoorError, EgressRecord, Inbound};
use crate::payload::{STRING, text_of, wrap_text};

/// What stands before the typename in a content type.
const TYPE_PREFIX: &str = "application/vnd.";
/// Records of a topic that are kept in memory to be given away, in bytes; one of any size is.
const FETCHED_BYTES: usize = 1 << 20;

/// The service that takes messages for any function.
pub(super) fn ingress(app: App) -> Router {
    Router::new()
        .route("/{namespace}/{type}/{id}", post(receive).put(receive))
        .method_not_allowed_fallback(async || Problem::MethodNotAllowed)
        .fallback(async || Problem::NotFound)
        .layer(middleware::from_fn_with_state(app.clone(), authorise))
        .with_state(app)
}

/// The service that gives records of topics away.
pub(super) fn egress(app: App, topics: impl IntoIterator<Item = (String, EgressId)>) -> Router {
    let topic = |(name, egress)| (name, Topic { egress, fetched: Mutex::default() });
    let topics = Topics { app: app.clone(), topics: topics.into_iter().map(topic).collect() };
    Router::new()
        .route("/{topic}", get(give))
        .method_not_allowed_fallback(async || Problem::MethodNotAllowed)
        .fallback(async || Problem::NotFound)
        .layer(middleware::from_fn_with_state(app, authorise))
        .with_state(Arc::new(topics))
}

async fn receive(
    State(app): State<App>,
    target: Result<Path<(String, String, String)>, PathRejection>,
    request: Request,
) -> Result<StatusCode, Problem> {
    let Path((namespace, name, id)) =
        target.map_err(|rejection| Problem::Path(rejection.body_text()))?;
    let target = target_of(FunctionType::new(&namespace, &name)?, &id)?;
    let (head, body) = request.into_parts();
    let key = idempotency_key(&head.headers, 0)?;
    let (body, _share) = body::read_whole(&app, &head, body).await?;
    let argument = argument(&head.headers, body)?;
    let idempotency = idempotency(key, &argument);
    app.door.send(Inbound { target, argument, idempotency }).await?;
    Ok(StatusCode::OK)
}

/// A body of a named type is taken as it is. Any other is text, which SDKs read only as they write it themselves.
fn argument(headers: &HeaderMap, body: Bytes) -> Result<TypedValue, Problem> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let named = content_type.and_then(|text| text.trim().strip_prefix(TYPE_PREFIX));
    if let Some(named) = named {
        let typename = named.split(';').next().unwrap_or_default().trim();
        let typename = check_typename(typename)
            .map_err(|reason| Problem::Header { name: "Content-Type", reason })?;
        return Ok(TypedValue::new(typename, body));
    }
    let text = std::str::from_utf8(&body)
        .map_err(|_| Problem::Malformed("the text is not UTF-8".to_owned()))?;
    Ok(TypedValue::new(STRING, wrap_text(text)))
}

struct Topics {
    app: App,
    topics: BTreeMap<String, Topic>,
}

struct Topic {
    egress: EgressId,
    /// The oldest records, in order. Locked while one is given away, so that each goes to one reader.
    fetched: Mutex<VecDeque<EgressRecord>>,
}

async fn give(
    State(topics): State<Arc<Topics>>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let Path(name) = name.map_err(|rejection| Problem::Path(rejection.body_text()))?;
    let Some(topic) = topics.topics.get(&name) else {
        return Err(Problem::MethodNotAllowed);
    };
    let record = topic.take(&topics.app).await?;
    Ok(record.map_or_else(|| StatusCode::NOT_FOUND.into_response(), response))
}

impl Topic {
    async fn take(&self, app: &App) -> Result<Option<EgressRecord>, DoorError> {
        let mut fetched = self.fetched.lock().await;
        if fetched.is_empty() {
            *fetched = self.fetch(app).await?;
        }
        let Some(record) = fetched.front() else { return Ok(None) };
        let place = (record.partition, record.sequence);
        app.door.acknowledge_egress(self.egress.clone(), place.0, place.1).await?;
        Ok(fetched.pop_front())
    }

    /// The oldest records over all partitions. The order within each is kept: its records have ascending times.
    async fn fetch(&self, app: &App) -> Result<VecDeque<EgressRecord>, DoorError> {
        let mut records = Vec::new();
        for partition in (0..app.door.partitions()).map(PartitionId) {
            let egress = self.egress.clone();
            records.extend(app.door.read_egress(egress, partition, Sequence::NONE).await?);
        }
        records.sort_by_key(|record| (record.emitted.at, record.partition, record.sequence));
        let mut bytes = 0;
        records.truncate(
            records
                .iter()
                .take_while(|record| {
                    let fits = bytes < FETCHED_BYTES;
                    bytes += record.emitted.argument.cost();
                    fits
                })
                .count(),
        );
        Ok(records.into())
    }
}

fn response(record: EgressRecord) -> Response {
    let payload = record.emitted.argument;
    let body = match text_of(&payload) {
        Some(text) => payload.value.slice_ref(text.as_bytes()),
        None => payload.value,
    };
    ([(CONTENT_TYPE, "text/plain; charset=utf-8")], Body::from(body)).into_response()
}
