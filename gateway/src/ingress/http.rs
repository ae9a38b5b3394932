//! The HTTP ingress: clients send messages to functions, call them, and read what functions emit.
//!
//! | request | what it does | file |
//! |---|---|---|
//! | `POST /v1/functions/{namespace}/{type}/{id}/send` | 202 once the message is durable | `functions` |
//! | `POST /v1/functions/{namespace}/{type}/{id}/call` | 200 with the function's reply | `functions` |
//! | `POST /v1/messages` | many messages, one per line | `messages` |
//! | `POST {path}` of a declared ingress | records, each with its targets and its key rule | `records` |
//! | `GET /v1/egress/{namespace}/{name}` | records that functions emitted | `egress` |
//! | on ports of their own | the listeners of StateFun's playground | `playground` |
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
mod playground;
pub mod problem;
pub mod records;
mod request;
mod result_lines;
pub mod serve;
mod value;
mod window;

use std::sync::Arc;

use arc_swap::ArcSwap;
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
    /// Changes while the node runs, when the application is declared anew.
    declared: ArcSwap<Declared>,
    token: Option<blake3::Hash>,
    stopping: CancellationToken,
}

type App = Arc<Shared>;

/// What an application declares of the server, checked.
pub struct Declared {
    ingresses: Ingresses,
    egresses: Vec<EgressId>,
}

impl Declared {
    /// Checks that the ingresses can be served together.
    ///
    /// # Errors
    /// Two ingresses claim one path, or one claims a path that has a meaning already.
    pub fn new(
        ingresses: Vec<HttpIngressConfig>,
        egresses: Vec<EgressId>,
    ) -> Result<Self, PathConflict> {
        Ok(Self { ingresses: Ingresses::new(ingresses)?, egresses })
    }
}

/// All that is served over HTTP, with one budget for its messages.
#[derive(Clone)]
pub struct HttpServices(App);

impl HttpServices {
    /// Once `stopping` is cancelled, streams take no further input, and readers that wait for records are sent away.
    ///
    /// # Errors
    /// See [`Declared::new`].
    pub fn new(
        door: Arc<dyn Door>,
        config: HttpConfig,
        stopping: CancellationToken,
    ) -> Result<Self, PathConflict> {
        Ok(Self(Arc::new(Shared {
            door,
            budget: Budget::new(config.limits.bytes_in_flight),
            declared: ArcSwap::from_pointee(Declared::new(config.ingresses, config.egresses)?),
            token: config.token.map(|token| blake3::hash(token.as_bytes())),
            limits: config.limits,
            stopping,
        })))
    }

    /// Serves what is declared now, from the next request on.
    pub fn declare(&self, declared: Declared) {
        self.0.declared.store(Arc::new(declared));
    }

    /// The service of the node's listener.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/v1/functions/{namespace}/{type}/{id}/send", post(functions::send))
            .route("/v1/functions/{namespace}/{type}/{id}/call", post(functions::call))
            .route("/v1/messages", post(messages::receive))
            .route("/v1/egress/{namespace}/{name}", get(egress::read))
            .method_not_allowed_fallback(async || Problem::MethodNotAllowed)
            .fallback(records::receive)
            .layer(middleware::from_fn_with_state(self.0.clone(), authorise))
            .with_state(self.0.clone())
    }

    /// The service of the playground's ingress, for a listener of its own.
    pub fn playground_ingress(&self) -> Router {
        playground::ingress(self.0.clone())
    }

    /// The service of the playground's egress, for a listener of its own: topics with the egresses that they are inside.
    pub fn playground_egress(
        &self,
        topics: impl IntoIterator<Item = (String, EgressId)>,
    ) -> Router {
        playground::egress(self.0.clone(), topics)
    }
}

/// The service that answers all paths of the node's listener.
///
/// # Errors
/// See [`Declared::new`].
pub fn router(
    door: Arc<dyn Door>,
    config: HttpConfig,
    stopping: CancellationToken,
) -> Result<Router, PathConflict> {
    Ok(HttpServices::new(door, config, stopping)?.router())
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
