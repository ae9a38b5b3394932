//! Ingresses: where messages come from.
//!
//! An ingress knows nothing of partitions or logs. It hands messages to a [`Door`], which the router implements.

pub mod http;
mod visitor;

use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use tidegate_core::address::{Address, EgressId, Typename};
use tidegate_core::id::{PartitionId, Sequence};
use tidegate_core::message::{RequestProgress, TypedValue};
use tidegate_core::partition::effect::ClientRefusal;
use tidegate_core::partition::record::Emitted;

pub use self::visitor::Visitor;

/// A message that a client wants delivered.
#[derive(Clone, Debug)]
pub struct Inbound {
    /// To whom.
    pub target: Address,
    /// What.
    pub argument: TypedValue,
    /// The client's idempotency key with a collision-resistant hash of the body.
    pub idempotency: Option<(String, [u8; 32])>,
}

/// What became of a message.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It is durably accepted; a client that only sends is done.
    Accepted,
    /// It was accepted before under the same key.
    Repeated(RequestProgress),
    /// The function replied.
    Replied(TypedValue),
    /// The message was consumed and nobody replied, or nobody replied in time; it stays accepted.
    NoReply,
}

/// Why a message was not taken in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DoorError {
    /// The partition refused it; nothing was accepted.
    #[error("refused: {0:?}")]
    Refused(ClientRefusal),
    /// The node is stopping, or lost the partition, while the message was under way.
    #[error("the message may or may not have been accepted")]
    Unknown,
    /// The node takes nothing in at the moment: it is starting or stopping.
    #[error("the node does not take messages now")]
    Closed,
}

/// Messages that were not simply accepted, by their place among those that were sent together, ascending.
pub type Exceptions = Vec<(usize, Result<Outcome, DoorError>)>;

/// What becomes of messages that were sent together, once that is known of all of them. The messages go their way also if
/// nobody waits for it.
pub type Sent = BoxFuture<'static, Exceptions>;

/// A record of an egress with its place.
#[derive(Clone, Debug)]
pub struct EgressRecord {
    /// Which partition's egress.
    pub partition: PartitionId,
    /// Its place in it.
    pub sequence: Sequence,
    /// The record.
    pub emitted: Emitted,
}

/// The way into the node. All methods wait while the node is full, which is how backpressure reaches clients.
#[async_trait]
pub trait Door: Send + Sync + 'static {
    /// Takes messages over before it returns; what it gives resolves when each of them is durable or refused. Messages of one
    /// visitor to one address are taken in in the order of these calls, and of the messages in each, also when they have to wait
    /// for room.
    fn send(&self, visitor: &Visitor, messages: Vec<Inbound>) -> Sent;

    /// Returns when the function has replied, or after `timeout`.
    async fn call(&self, message: Inbound, timeout: Duration) -> Result<Outcome, DoorError>;

    /// The values of an address as they are now, by name, once that is durable.
    async fn values(&self, address: Address) -> Result<Vec<(String, TypedValue)>, DoorError>;

    /// Records of an egress in one partition after a sequence, as many as fit a bounded answer.
    async fn read_egress(
        &self,
        egress: EgressId,
        partition: PartitionId,
        after: Sequence,
    ) -> Result<Vec<EgressRecord>, DoorError>;

    /// Lets the node forget records of an egress.
    async fn acknowledge_egress(
        &self,
        egress: EgressId,
        partition: PartitionId,
        through: Sequence,
    ) -> Result<(), DoorError>;

    /// How many partitions there are.
    fn partitions(&self) -> u16;

    /// Whether an operator has paused an ingress.
    fn is_paused(&self, ingress: &Typename) -> bool;

    /// Resolves when an egress may hold more records than when this future was first polled; may resolve too often, and too
    /// seldom only for records beyond the window that the core hands out unacknowledged.
    async fn egress_changed(&self, egress: &EgressId);
}
