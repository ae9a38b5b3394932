//! Orders for parked addresses: redrive one or all, drop the message at the head, drop all that waits. Each is carried out once it is
//! durable with a signature, and leaves a line in the log.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use serde::{Deserialize, Serialize};
use tidegate_core::address::Address;
use tidegate_core::id::Sequence;
use tidegate_core::partition::order::{Order, OrderOutcome};
use utoipa::ToSchema;

use super::Admin;
use super::operators::{OrderSlip, Signed};
use super::parked::{AddressPath, Search, address_of};
use super::problem::{Problem, ProblemDocument};

/// Which message shall be dropped.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DropHead {
    /// The number of the message that is expected at the head: given twice, the order drops one message.
    sequence: u64,
    /// Who gives the order.
    operator: Option<String>,
    /// Why.
    reason: Option<String>,
}

/// Which parked addresses shall try again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RedriveAll {
    /// Only of this function type.
    function: Option<String>,
    /// Only those whose last error has this code.
    code: Option<String>,
    /// Who gives the order.
    operator: Option<String>,
    /// Why.
    reason: Option<String>,
}

/// What became of an order for an address.
#[derive(Serialize, ToSchema)]
pub(super) struct OrderResult {
    /// How many messages were dropped.
    dropped: u64,
    /// Whether the address is still parked.
    parked: bool,
}

/// What became of an order for many addresses.
#[derive(Serialize, ToSchema)]
pub(super) struct RedriveResult {
    /// How many addresses try again.
    redriven: u64,
}

/// Lets a parked address try again from its head.
#[utoipa::path(post, path = "/v1/parked/{namespace}/{type}/{id}/redrive", tag = "parked", params(
    ("namespace" = String, Path), ("type" = String, Path), ("id" = String, Path),
), request_body = Signed, responses(
    (status = 200, body = OrderResult),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(super) async fn redrive(
    State(admin): State<Admin>,
    path: AddressPath,
    signed: Result<Json<Signed>, JsonRejection>,
) -> Result<Json<OrderResult>, Problem> {
    let (address, slip) = (address_of(path)?, signed?.0.slip()?);
    carry_out(&admin, &address, Order::Redrive(address.clone()), "redrive", &slip).await
}

/// Drops the message at the head of a parked address, if it is the expected one. The address stays parked while others wait.
#[utoipa::path(post, path = "/v1/parked/{namespace}/{type}/{id}/drop-head", tag = "parked", params(
    ("namespace" = String, Path), ("type" = String, Path), ("id" = String, Path),
), request_body = DropHead, responses(
    (status = 200, body = OrderResult),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(super) async fn drop_head(
    State(admin): State<Admin>,
    path: AddressPath,
    order: Result<Json<DropHead>, JsonRejection>,
) -> Result<Json<OrderResult>, Problem> {
    let (address, Json(order)) = (address_of(path)?, order?);
    let slip = Signed { operator: order.operator, reason: order.reason }.slip()?;
    let expected = Sequence(order.sequence);
    let order = Order::DropHead { address: address.clone(), expected };
    carry_out(&admin, &address, order, "drop-head", &slip).await
}

/// Drops all messages that wait for a parked address now.
#[utoipa::path(post, path = "/v1/parked/{namespace}/{type}/{id}/drop-all", tag = "parked", params(
    ("namespace" = String, Path), ("type" = String, Path), ("id" = String, Path),
), request_body = Signed, responses(
    (status = 200, body = OrderResult),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(super) async fn drop_all(
    State(admin): State<Admin>,
    path: AddressPath,
    signed: Result<Json<Signed>, JsonRejection>,
) -> Result<Json<OrderResult>, Problem> {
    let (address, slip) = (address_of(path)?, signed?.0.slip()?);
    carry_out(&admin, &address, Order::DropAll(address.clone()), "drop-all", &slip).await
}

/// Lets all parked addresses try again that match. Cut short, it may be repeated.
#[utoipa::path(post, path = "/v1/parked/redrive", tag = "parked", request_body = RedriveAll, responses(
    (status = 200, body = RedriveResult),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(super) async fn redrive_all(
    State(admin): State<Admin>,
    order: Result<Json<RedriveAll>, JsonRejection>,
) -> Result<Json<RedriveResult>, Problem> {
    let Json(order) = order?;
    let slip = Signed { operator: order.operator, reason: order.reason }.slip()?;
    let mut search = Search::new(order.function.as_deref(), order.code, None)?;
    let mut redriven = 0;
    while let Some((address, _)) = search.next(&admin).await? {
        let order = Order::Redrive(address.clone());
        match carry_out(&admin, &address, order, "redrive", &slip).await {
            Ok(_) => redriven += 1,
            // Somebody else was faster with this one.
            Err(Problem::NotParked) => {}
            Err(problem) => return Err(problem),
        }
    }
    Ok(Json(RedriveResult { redriven }))
}

async fn carry_out(
    admin: &Admin,
    address: &Address,
    order: Order,
    what: &str,
    slip: &OrderSlip,
) -> Result<Json<OrderResult>, Problem> {
    let expected = match &order {
        Order::DropHead { expected, .. } => *expected,
        _ => Sequence::NONE,
    };
    let outcome = admin.operators.order(address, order, slip).await?;
    tracing::info!(target: "tidegate::audit", order = what, %address, operator = %slip.by, reason = %slip.reason, ?outcome, "an operator's order");
    match outcome {
        OrderOutcome::Done | OrderOutcome::AlreadySo => {
            Ok(Json(OrderResult { dropped: 0, parked: false }))
        }
        OrderOutcome::Dropped { messages, parked } => {
            Ok(Json(OrderResult { dropped: messages, parked }))
        }
        OrderOutcome::NotParked => Err(Problem::NotParked),
        OrderOutcome::AnotherHead { found } => Err(Problem::AnotherHead { expected, found }),
    }
}
