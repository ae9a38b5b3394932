//! The description of the operators' interface, made from the code that serves it. `docs/openapi.json` is a copy.

use axum::Json;
use utoipa::OpenApi;

use super::{module, orders, parked, partitions, pauses, state};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tidegate for operators",
        description = "Looks into a node and orders what functions cannot settle themselves. Served on the admin listener."
    ),
    paths(
        state::show,
        parked::list,
        parked::show,
        orders::redrive,
        orders::redrive_all,
        orders::drop_head,
        orders::drop_all,
        pauses::list,
        pauses::pause,
        pauses::resume,
        partitions::list,
        module::reload,
    )
)]
struct Description;

/// The description as JSON.
#[must_use]
pub fn description() -> utoipa::openapi::OpenApi {
    Description::openapi()
}

/// `GET /v1/openapi.json`.
pub(super) async fn show() -> Json<utoipa::openapi::OpenApi> {
    Json(description())
}
