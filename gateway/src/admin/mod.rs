//! The operator's door: health, metrics, and the values of an address.
//!
//! | request | answer |
//! |---|---|
//! | `GET /livez` | 200 as long as the process can answer at all |
//! | `GET /readyz` | 200 while the node takes messages, else 503 |
//! | `GET /metrics` | the Prometheus text format |
//! | `GET /v1/state/{namespace}/{type}/{id}` | the values of an address as JSON |
//! | `/v1/parked…` | addresses that wait for an operator, and orders for them |
//! | `/v1/pauses…` | functions and ingresses that are paused |
//! | `GET /v1/partitions` | how the partitions of this node are |
//! | `GET /v1/openapi.json` | all of `/v1` described |
//! | `POST /v1/module/reload` | the module is read anew: what changed, or why nothing did |
//!
//! It shows payloads, so it is open to this machine alone or asks for a token: [`bind`] refuses other interfaces without one.
//! Who only asks whether the node is alive or ready needs none.

pub mod metrics;
pub mod module;
pub mod openapi;
pub mod operators;
mod orders;
mod parked;
mod partitions;
mod pauses;
pub mod problem;
mod process;
pub mod readiness;
mod state;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use http::StatusCode;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::module::ReloadModule;
use self::operators::Operators;
use self::problem::Problem;
use self::readiness::Readiness;
use crate::ingress::Door;
use crate::ingress::http::limits::HttpLimits;
use crate::ingress::http::serve::{self, Listener};
use crate::ingress::http::tokens::{Tokens, guarded};

/// What all requests share.
#[derive(Clone)]
struct Admin {
    door: Arc<dyn Door>,
    operators: Arc<dyn Operators>,
    readiness: Readiness,
    metrics: PrometheusHandle,
}

/// The admin server cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// It would show payloads to others than this machine.
    #[error(
        "TG-0320: without a token the admin server must listen on a loopback address, not on {0}"
    )]
    NotLoopback(SocketAddr),
    /// The operating system says no.
    #[error("TG-0321: the admin server cannot listen on {address}: {cause}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What it says.
        cause: io::Error,
    },
}

/// Connections of operators at once.
const CONNECTIONS: usize = 128;

/// What anybody may ask.
const OPEN: [&str; 2] = ["/livez", "/readyz"];

/// Binds an address: of the loopback interface, or any if whoever comes must be `authorised`.
///
/// # Errors
/// See [`BindError`].
pub async fn bind(address: SocketAddr, authorised: bool) -> Result<TcpListener, BindError> {
    if !authorised && !address.ip().is_loopback() {
        return Err(BindError::NotLoopback(address));
    }
    TcpListener::bind(address).await.map_err(|cause| BindError::Listen { address, cause })
}

/// The service that answers all paths, for whoever brings one of the tokens, if there are any.
pub fn router(
    door: Arc<dyn Door>,
    operators: Arc<dyn Operators>,
    readiness: Readiness,
    metrics: PrometheusHandle,
    module: Arc<dyn ReloadModule>,
    tokens: Option<Arc<Tokens>>,
) -> Router {
    let reload = Router::new().route("/v1/module/reload", post(module::reload)).with_state(module);
    let router = Router::new()
        .route("/livez", get(StatusCode::OK))
        .route("/readyz", get(readyz))
        .route("/metrics", get(async |State(admin): State<Admin>| metrics::render(&admin.metrics)))
        .route("/v1/state/{namespace}/{type}/{id}", get(state::show))
        .route("/v1/parked", get(parked::list))
        .route("/v1/parked/redrive", post(orders::redrive_all))
        .route("/v1/parked/{namespace}/{type}/{id}", get(parked::show))
        .route("/v1/parked/{namespace}/{type}/{id}/redrive", post(orders::redrive))
        .route("/v1/parked/{namespace}/{type}/{id}/drop-head", post(orders::drop_head))
        .route("/v1/parked/{namespace}/{type}/{id}/drop-all", post(orders::drop_all))
        .route("/v1/pauses", get(pauses::list).post(pauses::pause))
        .route("/v1/pauses/resume", post(pauses::resume))
        .route("/v1/partitions", get(partitions::list))
        .route("/v1/openapi.json", get(openapi::show))
        .with_state(Admin { door, operators, readiness, metrics })
        .merge(reload)
        .method_not_allowed_fallback(async || Problem::MethodNotAllowed)
        .fallback(async || Problem::NotFound);
    guarded(router, tokens, &OPEN)
}

async fn readyz(State(admin): State<Admin>) -> StatusCode {
    if admin.readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

/// Serves until `stopping` is cancelled.
pub async fn serve(listener: impl Into<Listener>, router: Router, stopping: CancellationToken) {
    let limits = HttpLimits { connections: CONNECTIONS, ..HttpLimits::default() };
    serve::serve(listener, router, limits, stopping).await;
}
