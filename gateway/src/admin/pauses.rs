//! `/v1/pauses`: functions and ingresses that operators have paused.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use serde::{Deserialize, Serialize};
use tidegate_core::address::Typename;
use tidegate_core::partition::order::{Order, Subject};
use utoipa::ToSchema;

use super::Admin;
use super::operators::Signed;
use super::problem::{Problem, ProblemDocument};

/// What can be paused.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, Debug)]
#[serde(rename_all = "lowercase")]
pub(super) enum PauseKind {
    /// A function type: its messages wait.
    Function,
    /// An ingress: it takes no messages.
    Ingress,
}

/// Something that is paused.
#[derive(Serialize, ToSchema)]
pub(super) struct ShownPause {
    kind: PauseKind,
    /// Its name: `namespace/name`.
    name: String,
    /// Since when, in milliseconds since 1970.
    since: u64,
    /// Who paused it.
    operator: String,
    /// Why, if that was said.
    reason: String,
    /// In how many partitions of this node; fewer than all if the order was cut short and is to be repeated.
    partitions: usize,
    /// Whether the module declares it; if not, the name may be misspelt.
    declared: bool,
}

/// Everything that is paused.
#[derive(Serialize, ToSchema)]
pub(super) struct PauseList {
    pauses: Vec<ShownPause>,
}

/// What shall be paused, or go on.
#[derive(Deserialize, ToSchema)]
pub(super) struct PauseOrder {
    kind: PauseKind,
    /// Its name: `namespace/name`.
    name: String,
    /// Who gives the order.
    operator: Option<String>,
    /// Why.
    reason: Option<String>,
}

/// What became of an order.
#[derive(Serialize, ToSchema)]
pub(super) struct PauseChange {
    /// Whether anything changed; it was so already otherwise.
    changed: bool,
    /// Whether the module declares it; if not, the name may be misspelt.
    declared: bool,
}

/// Everything that is paused on this node.
#[utoipa::path(get, path = "/v1/pauses", tag = "pauses", responses((status = 200, body = PauseList)))]
pub(super) async fn list(State(admin): State<Admin>) -> Json<PauseList> {
    let pauses = admin.operators.pauses().into_iter().map(|pause| {
        let (kind, name) = match pause.subject {
            Subject::Function(name) => (PauseKind::Function, name),
            Subject::Ingress(name) => (PauseKind::Ingress, name),
        };
        ShownPause {
            kind,
            name: name.to_string(),
            since: pause.signature.at.0,
            operator: pause.signature.by.to_string(),
            reason: pause.signature.reason.to_string(),
            partitions: pause.partitions,
            declared: pause.declared,
        }
    });
    Json(PauseList { pauses: pauses.collect() })
}

/// Pauses a function or an ingress until further notice, over restarts. Repeating it changes nothing.
#[utoipa::path(post, path = "/v1/pauses", tag = "pauses", request_body = PauseOrder, responses(
    (status = 200, body = PauseChange),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(super) async fn pause(
    State(admin): State<Admin>,
    order: Result<Json<PauseOrder>, JsonRejection>,
) -> Result<Json<PauseChange>, Problem> {
    carry_out(&admin, order?.0, "pause", Order::Pause).await
}

/// Lets a function or an ingress go on. Repeating it changes nothing.
#[utoipa::path(post, path = "/v1/pauses/resume", tag = "pauses", request_body = PauseOrder, responses(
    (status = 200, body = PauseChange),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(super) async fn resume(
    State(admin): State<Admin>,
    order: Result<Json<PauseOrder>, JsonRejection>,
) -> Result<Json<PauseChange>, Problem> {
    carry_out(&admin, order?.0, "resume", Order::Resume).await
}

async fn carry_out(
    admin: &Admin,
    order: PauseOrder,
    what: &str,
    to_order: fn(Subject) -> Order,
) -> Result<Json<PauseChange>, Problem> {
    let name = Typename::parse(&order.name)?;
    let subject = match order.kind {
        PauseKind::Function => Subject::Function(name),
        PauseKind::Ingress => Subject::Ingress(name),
    };
    let slip = Signed { operator: order.operator, reason: order.reason }.slip()?;
    let declared = admin.operators.declares(&subject);
    let changed = admin.operators.order_everywhere(to_order(subject), &slip).await?;
    tracing::info!(target: "tidegate::audit", order = what, kind = ?order.kind, name = %order.name, operator = %slip.by, reason = %slip.reason, changed, "an operator's order");
    Ok(Json(PauseChange { changed, declared }))
}
