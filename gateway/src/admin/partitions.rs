//! `GET /v1/partitions`: how the partitions of this node are.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Admin;
use super::problem::{Problem, ProblemDocument};
use crate::driver::status::PartitionStatus;

/// One partition at one moment.
#[derive(Serialize, ToSchema)]
pub(super) struct ShownPartition {
    /// Its number.
    id: u16,
    /// How often it was adopted.
    epoch: u64,
    /// Its last record.
    lsn: u64,
    /// Its last record that is durable.
    durable: u64,
    /// Its last record whose effect is in the store.
    applied: u64,
    /// Addresses in memory.
    residents: usize,
    /// Copies of rows in memory, in bytes.
    resident_bytes: usize,
    /// Rows that wait to be flushed, in bytes.
    dirty_bytes: usize,
    /// Groups that functions are processing.
    groups_in_flight: usize,
    /// Addresses that wait for their turn.
    ready: usize,
    /// Addresses that wait because they failed.
    backing_off: usize,
    /// Addresses in memory whose function is paused, or not declared.
    held: usize,
    /// Addresses that wait for an operator.
    parked: u64,
    /// Messages that wait in memory.
    messages: usize,
    /// Whether further messages may wait in the store.
    messages_in_store: bool,
    /// Delayed messages in memory, and requests to be forgotten.
    timers: usize,
    /// Whether further timers may wait in the store.
    timers_in_store: bool,
    /// Messages that other partitions have not acknowledged.
    outbox: u64,
}

/// The partitions of this node.
#[derive(Serialize, ToSchema)]
pub(super) struct PartitionList {
    partitions: Vec<ShownPartition>,
}

/// How the partitions of this node are. Each is asked on its own, so the list is no snapshot.
#[utoipa::path(get, path = "/v1/partitions", tag = "partitions", responses(
    (status = 200, body = PartitionList),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(super) async fn list(State(admin): State<Admin>) -> Result<Json<PartitionList>, Problem> {
    let statuses = admin.operators.statuses().await?;
    Ok(Json(PartitionList { partitions: statuses.into_iter().map(shown).collect() }))
}

fn shown(status: PartitionStatus) -> ShownPartition {
    let activity = status.activity;
    ShownPartition {
        id: status.partition.0,
        epoch: status.epoch.0,
        lsn: status.lsn.0,
        durable: status.durable.0,
        applied: status.applied.0,
        residents: activity.residents,
        resident_bytes: status.resident_bytes,
        dirty_bytes: status.dirty_bytes,
        groups_in_flight: activity.groups_in_flight,
        ready: activity.ready,
        backing_off: activity.backing_off,
        held: activity.held,
        parked: activity.parked,
        messages: status.messages,
        messages_in_store: status.messages_beyond,
        timers: activity.timers,
        timers_in_store: activity.timers_beyond,
        outbox: activity.outbox,
    }
}
