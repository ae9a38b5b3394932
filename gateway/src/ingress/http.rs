//! The HTTP ingress: clients send messages to functions, call them, and read what functions emit.
//!
//! | request | what it does | file |
//! |---|---|---|
//! | `POST /v1/functions/{namespace}/{type}/{id}/send` | 202 once the message is durable | `functions` |
//! | `POST /v1/functions/{namespace}/{type}/{id}/call` | 200 with the function's reply | `functions` |
//! | `POST /v1/messages` | many messages, one per line | `messages` |
//! | `POST {path}` of a declared ingress | records, each with its targets and its key rule | `records` |
//! | `GET /v1/egress/{namespace}/{name}` | records that functions emitted | `egress` |
//!
//! It knows nothing of partitions or logs: everything goes through an [`Arc<dyn Door>`](Door). What a client is told is
//! true: 202 is said after the message is durable, 503 tells "not accepted" (TG-0306) from "may have been accepted"
//! (TG-0307), and nothing is retried on a client's behalf.
//!
//! Memory is bounded in bytes (LIM-1): every message holds its share of one budget ([`budget::Budget`]) from the moment it
//! is read until the door has taken or refused it. While the door waits, nothing more is read.

mod body;
pub mod budget;
pub mod cursor;
mod delivery;
mod egress;
mod functions;
pub mod limits;
mod lines;
mod messages;
mod names;
pub mod problem;
pub mod records;
mod request;
mod result_lines;
pub mod serve;
mod value;
mod window;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::header::AUTHORIZATION;
use tidegate_core::address::EgressId;
use tokio_util::sync::CancellationToken;

use self::budget::Budget;
use self::limits::HttpLimits;
use self::problem::Problem;
use self::records::{HttpIngressConfig, Ingresses, PathConflict};
use super::Door;

/// What the HTTP server offers.
#[derive(Clone, Debug, Default)]
pub struct HttpConfig {
    /// Bounds and timeouts.
    pub limits: HttpLimits,
    /// If given, every request must carry `Authorization: Bearer <token>`.
    pub token: Option<String>,
    /// Declared ingresses.
    pub ingresses: Vec<HttpIngressConfig>,
    /// Egresses that may be read.
    pub egresses: Vec<EgressId>,
}

/// What all requests share.
struct Shared {
    door: Arc<dyn Door>,
    limits: HttpLimits,
    budget: Budget,
    ingresses: Ingresses,
    egresses: Vec<EgressId>,
    token: Option<blake3::Hash>,
    stopping: CancellationToken,
}

type App = Arc<Shared>;

/// The service that answers all paths. Once `stopping` is cancelled, streams take no further input, and readers that wait
/// for records are sent away.
///
/// # Errors
/// Two ingresses claim one path, or one claims a path that has a meaning already.
pub fn router(
    door: Arc<dyn Door>,
    config: HttpConfig,
    stopping: CancellationToken,
) -> Result<Router, PathConflict> {
    let shared = Arc::new(Shared {
        door,
        budget: Budget::new(config.limits.bytes_in_flight),
        ingresses: Ingresses::new(config.ingresses)?,
        egresses: config.egresses,
        token: config.token.map(|token| blake3::hash(token.as_bytes())),
        limits: config.limits,
        stopping,
    });
    Ok(Router::new()
        .route("/v1/functions/{namespace}/{type}/{id}/send", post(functions::send))
        .route("/v1/functions/{namespace}/{type}/{id}/call", post(functions::call))
        .route("/v1/messages", post(messages::receive))
        .route("/v1/egress/{namespace}/{name}", get(egress::read))
        .method_not_allowed_fallback(async || Problem::MethodNotAllowed)
        .fallback(records::receive)
        .layer(middleware::from_fn_with_state(shared.clone(), authorise))
        .with_state(shared))
}

/// Compares hashes, whose comparison takes the same time for every input, so that neither the token nor its length leaks.
async fn authorise(State(app): State<App>, request: Request, next: Next) -> Response {
    let Some(expected) = app.token else { return next.run(request).await };
    let given = request.headers().get(AUTHORIZATION).and_then(|header| {
        let (scheme, token) = header.as_bytes().split_at_checked("Bearer ".len())?;
        scheme.eq_ignore_ascii_case(b"Bearer ").then(|| blake3::hash(token))
    });
    if given == Some(expected) {
        next.run(request).await
    } else {
        Problem::Unauthorised.into_response()
    }
}
