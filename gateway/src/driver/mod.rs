//! The driver of one partition: waits for what happens, lets the core decide, performs what follows.
//!
//! `select` waits, everything after it is synchronous: a step's records are appended to the log's buffer, then its other
//! effects are performed without awaiting; what takes time becomes a task whose end is another event. Effects that leave
//! the node pass the `gate`. Other partitions of this node are reached at once: their records come later in the
//! same log, so a crash that keeps theirs keeps ours.
//!
//! Read [`run`] next: the loop itself.

pub mod budget;
pub mod declare;
pub mod doors;
mod gate;
pub mod loader;
pub mod meters;
pub mod pauses;
mod perform;
pub mod retention;
pub mod run;
mod spans;
pub mod status;
pub(crate) mod sweep;
pub mod turns;
mod waiters;
mod writeback;

use std::sync::Arc;
use std::time::Duration;

use tidegate_core::address::{EgressId, FunctionType};
use tidegate_core::id::PartitionId;
use tidegate_core::partition::effect::ReadRequest;
use tidegate_core::partition::event::Event;
use tidegate_core::partition::order::{Order, OrderOutcome};
use tidegate_core::partition::row::RowKey;
use tokio::sync::mpsc::error::SendError;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::Instant;

use self::budget::Budget;
use self::declare::Declaration;
use self::doors::Room;
use self::loader::RowError;
use self::meters::FunctionLabels;
use self::pauses::Pauses;
use self::retention::LogRetention;
use self::status::PartitionStatus;
use self::sweep::Reception;
use self::turns::TurnKeeper;
use self::waiters::{CallAnswer, SendAnswer, Show};
use crate::clock::Clock;
use crate::egress::open::Egresses;
use crate::ingress::{DoorError, Exceptions, Inbound};
use crate::invoker::Invoke;
use crate::log::{LogFailure, NodeLog};
use crate::ownership::Ownership;

/// What a driver is told.
pub(crate) enum Command {
    /// Something happened.
    Happened(Event),
    /// Clients want messages taken in.
    Send { messages: Vec<Inbound>, room: Room, answer: SendAnswer },
    /// A client wants a message taken in and waits for the reply.
    Call { message: Inbound, room: Room, answer: CallAnswer },
    /// The application was declared anew; somebody waits until this partition goes by it.
    Declare { declaration: Declaration, done: oneshot::Sender<()> },
    /// The sinks of egresses that were closed are open.
    Reopen { egresses: Arc<[EgressId]> },
    /// Somebody wants to see rows. The slot is one of those that bound how many do at once.
    Show { read: ReadRequest, show: Show, slot: OwnedSemaphorePermit },
    /// An operator gives an order.
    Order { order: Order, by: Arc<str>, reason: Arc<str>, answer: oneshot::Sender<OrderOutcome> },
    /// A walk through the store found rows that look expired, none of them at its begin.
    Sweep { found: Vec<RowKey>, answer: oneshot::Sender<Reception> },
    /// Somebody wants to know how the partition is.
    Describe { answer: oneshot::Sender<PartitionStatus> },
    /// No function is to be invoked any more. Answers are awaited until the given moment; then everything is made
    /// durable and flushed, and the driver ends.
    Finish { patience: Instant },
}

/// The way to a driver.
#[derive(Clone)]
pub struct DriverHandle(UnboundedSender<Command>);

impl DriverHandle {
    /// Tells the driver; one that has ended is not told.
    pub(crate) fn tell(&self, command: Command) -> bool {
        self.0.send(command).is_ok()
    }

    /// Hands messages to the driver; if it has ended, their clients are told that the node is closed.
    pub(crate) fn send(&self, messages: Vec<Inbound>, room: Room, answer: SendAnswer) {
        let command = Command::Send { messages, room, answer };
        if let Err(SendError(Command::Send { messages, answer, .. })) = self.0.send(command) {
            // A client that has gone away need not know.
            drop(answer.send(all_closed(messages.len())));
        }
    }

    /// Hands a call to the driver in the same way.
    pub(crate) fn call(&self, message: Inbound, room: Room, answer: CallAnswer) {
        let command = Command::Call { message, room, answer };
        if let Err(SendError(Command::Call { answer, .. })) = self.0.send(command) {
            drop(answer.send(Err(DoorError::Closed)));
        }
    }

    /// Tells the driver that something happened.
    pub fn happened(&self, event: Event) {
        self.tell(Command::Happened(event));
    }
}

/// The end of the way at which a driver listens.
pub struct Inbox(UnboundedReceiver<Command>);

/// Makes the way to a driver. It is not bounded by itself: clients hold room of the node's budget, whoever looks at rows
/// holds one of a few slots, peers send within their outbox windows, and functions answer only as many groups as are in
/// flight.
#[must_use]
pub fn inbox() -> (DriverHandle, Inbox) {
    let (sender, receiver) = unbounded_channel();
    (DriverHandle(sender), Inbox(receiver))
}

/// What becomes of messages when nobody is left who would take them.
pub(crate) fn all_closed(messages: usize) -> Exceptions {
    (0..messages).map(|place| (place, Err(DoorError::Closed))).collect()
}

/// What all drivers of a node share.
pub struct Shared {
    /// The time.
    pub clock: Clock,
    /// The node log.
    pub log: Arc<dyn NodeLog>,
    /// What is still needed of it.
    pub retention: Arc<LogRetention>,
    /// Who owns what.
    pub ownership: Arc<dyn Ownership>,
    /// Deletes the log of an incarnation that no chain names any more.
    pub retire: Arc<dyn Fn(ulid::Ulid) + Send + Sync>,
    /// Has functions process groups.
    pub invoker: Arc<dyn Invoke>,
    /// Whether a function may run only on durable input.
    pub durable_input: Arc<dyn Fn(&FunctionType) -> bool + Send + Sync>,
    /// Where records go.
    pub egresses: Arc<Egresses>,
    /// The drivers of all partitions, in order.
    pub peers: Vec<DriverHandle>,
    /// Grants turns of functions that have a limit for the whole node.
    pub turns: Arc<TurnKeeper>,
    /// What is paused.
    pub pauses: Arc<Pauses>,
    /// The node's memory.
    pub budget: Arc<Budget>,
    /// Held by loads of rows from their begin until their rows were taken in, which bounds the memory of all of them.
    pub load_slots: Arc<Semaphore>,
    /// Held by flushes of rows, which bounds how many rows are on their way into the store.
    pub flush_slots: Arc<Semaphore>,
    /// The function types that metrics tell apart.
    pub labels: FunctionLabels,
    /// When rows are written behind.
    pub flush: FlushPolicy,
    /// Told when a driver cannot go on.
    pub failed: UnboundedSender<DriverFailure>,
}

/// When rows are written behind: whichever comes first.
#[derive(Clone, Copy, Debug)]
pub struct FlushPolicy {
    /// After this time.
    pub interval: Duration,
    /// When this many bytes wait in a partition.
    pub dirty_bytes: usize,
    /// When the node log has grown to this many bytes.
    pub backlog_bytes: u64,
}

/// Why a driver cannot go on. The node must stop; recovery finds everything again.
#[derive(Debug, thiserror::Error)]
pub enum DriverFailure {
    /// The log takes nothing any more.
    #[error("partition {partition}: {}", cause.as_ref().map_or("the log has ended".to_owned(), ToString::to_string))]
    Log {
        /// Whose driver noticed.
        partition: PartitionId,
        /// Why, if the log knows.
        cause: Option<LogFailure>,
    },
    /// Its rows cannot be read or written.
    #[error("partition {partition}: {cause}")]
    Rows {
        /// Whose rows.
        partition: PartitionId,
        /// Why.
        cause: RowError,
    },
    /// A rule of the program was broken, which was reported when it happened.
    #[error("TG-0294: partition {partition}: the program is in a state that it must not be in")]
    Panicked {
        /// Whose driver.
        partition: PartitionId,
    },
}
