//! What operators can do with a node: a trait, which the router implements, and the slip that goes with each order.

use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;
use tidegate_core::address::{Address, FunctionType};
use tidegate_core::id::{PartitionId, Sequence};
use tidegate_core::partition::order::{Order, OrderOutcome, Subject};
use tidegate_core::partition::row::{Row, RowKey};
use utoipa::ToSchema;

use super::problem::Problem;
use crate::driver::pauses::Pause;
use crate::driver::status::PartitionStatus;
use crate::ingress::DoorError;

/// Longest name of an operator and longest reason, in bytes: they are kept in records.
const WORDS_BYTES_MAX: usize = 1024;

/// What an operator says who gives none.
const NOBODY: &str = "unknown";

/// Who orders and why, as a request says it.
#[derive(Clone, Deserialize, ToSchema, Debug, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Signed {
    /// Who gives the order.
    pub operator: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

/// Who orders and why.
#[derive(Clone, Debug)]
pub struct OrderSlip {
    /// Who.
    pub by: Arc<str>,
    /// Why; may be empty.
    pub reason: Arc<str>,
}

impl Signed {
    /// The slip for an order.
    pub(super) fn slip(self) -> Result<OrderSlip, Problem> {
        let words = |given: Option<String>, default: &str| {
            let text = given.unwrap_or_else(|| default.to_owned());
            if text.len() > WORDS_BYTES_MAX || text.chars().any(char::is_control) {
                return Err(Problem::Malformed(format!(
                    "operator and reason have at most {WORDS_BYTES_MAX} bytes and no control characters"
                )));
            }
            Ok(Arc::from(text))
        };
        Ok(OrderSlip { by: words(self.operator, NOBODY)?, reason: words(self.reason, "")? })
    }
}

/// What operators can do. Orders are durable when these functions return.
#[async_trait]
pub trait Operators: Send + Sync + 'static {
    /// The partition of an address.
    fn home_of(&self, address: &Address) -> PartitionId;

    /// Gives an order that concerns an address.
    async fn order(
        &self,
        address: &Address,
        order: Order,
        slip: &OrderSlip,
    ) -> Result<OrderOutcome, DoorError>;

    /// Gives an order to all partitions; says whether it changed anything in any of them. Cut short, it may be repeated.
    async fn order_everywhere(&self, order: Order, slip: &OrderSlip) -> Result<bool, DoorError>;

    /// The rows of parked addresses of a partition, in order, after an address; as many as fit a bounded answer.
    async fn parked(
        &self,
        partition: PartitionId,
        function: Option<FunctionType>,
        after: Option<Address>,
    ) -> Result<Vec<(RowKey, Row)>, DoorError>;

    /// The rows of an address: mark, values, and messages from a number on, as many as fit a bounded answer.
    async fn address(
        &self,
        address: Address,
        from: Sequence,
    ) -> Result<Vec<(RowKey, Row)>, DoorError>;

    /// What is paused.
    fn pauses(&self) -> Vec<Pause>;

    /// Whether the module declares what can be paused.
    fn declares(&self, subject: &Subject) -> bool;

    /// How all partitions of this node are.
    async fn statuses(&self) -> Result<Vec<PartitionStatus>, DoorError>;
}
