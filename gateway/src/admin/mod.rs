//! The operator's door, on the loopback interface only: health, metrics, and the values of an address.
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
//! It has no authentication of its own and shows payloads, so [`bind`] refuses other interfaces.

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
use axum::serve::ListenerExt;
use http::StatusCode;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::module::ReloadModule;
use self::operators::Operators;
use self::problem::Problem;
use self::readiness::Readiness;
use crate::ingress::Door;

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
    #[error("TG-0320: the admin server must listen on a loopback address, not on {0}")]
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

/// Binds a loopback address.
///
/// # Errors
/// See [`BindError`].
pub async fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    if !address.ip().is_loopback() {
        return Err(BindError::NotLoopback(address));
    }
    TcpListener::bind(address).await.map_err(|cause| BindError::Listen { address, cause })
}

/// The service that answers all paths.
pub fn router(
    door: Arc<dyn Door>,
    operators: Arc<dyn Operators>,
    readiness: Readiness,
    metrics: PrometheusHandle,
    module: Arc<dyn ReloadModule>,
) -> Router {
    let reload = Router::new().route("/v1/module/reload", post(module::reload)).with_state(module);
    Router::new()
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
        .fallback(async || Problem::NotFound)
}

async fn readyz(State(admin): State<Admin>) -> StatusCode {
    if admin.readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

/// Serves until `stopping` is cancelled.
///
/// # Errors
/// The listener failed for good.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stopping: CancellationToken,
) -> io::Result<()> {
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "an admin connection has no TCP_NODELAY");
        }
    });
    axum::serve(listener, router).with_graceful_shutdown(stopping.cancelled_owned()).await
}
