//! What happened. Events are told to the partition in the past tense; it decides what follows.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::effect::ReadRequest;
use super::group::{Failure, Response, ValueSpec};
use super::order::Order;
use super::row::{Row, RowKey};
use crate::address::{EgressId, FunctionType};
use crate::id::{BatchId, Epoch, LoadId, Lsn, PartitionId, Sequence, Ticket};
use crate::message::{Envelope, Origin, SourceId, SourcePosition};
use crate::policy::Application;

/// Everything that can happen to a partition.
#[derive(Clone, Debug)]
pub enum Event {
    /// A message arrived from a client, a source or another partition.
    MessageReceived {
        /// Where from, which decides how a repetition is recognised.
        origin: Origin,
        /// Who sends what to whom.
        envelope: Envelope,
    },
    /// A reader began to read a source and claims to be the only one.
    SourceOpened {
        /// Which source.
        source: SourceId,
        /// The reader's epoch, one above that of the reader before.
        epoch: Epoch,
        /// Every record up to here is known to be done with.
        checkpoint: SourcePosition,
    },
    /// The store answered a [`Load`](super::effect::Effect::Load).
    RowsLoaded {
        /// Which load.
        load: LoadId,
        /// The rows that exist, in the order of their keys; for a range, a contiguous part from its start.
        rows: Vec<(RowKey, Row)>,
        /// Whether the range holds further rows after the last one given.
        more: bool,
    },
    /// A function processed a group and this is what it wants done.
    InvocationSucceeded {
        /// Which attempt.
        batch: BatchId,
        /// What the function returned.
        response: Box<Response>,
    },
    /// A function needs values that were not sent with the group; it ran no code.
    InvocationIncomplete {
        /// Which attempt.
        batch: BatchId,
        /// The values that it declares and did not get.
        missing: Vec<ValueSpec>,
    },
    /// A function did not process a group.
    InvocationFailed {
        /// Which attempt.
        batch: BatchId,
        /// What went wrong, and whose fault it is.
        failure: Failure,
    },
    /// Time has passed; `now` may have reached [`next_deadline`](super::Partition::next_deadline).
    DeadlineReached,
    /// Another partition has durably accepted our messages up to a number.
    OutboxAcknowledged {
        /// The receiver.
        destination: PartitionId,
        /// Its watermark.
        through: Sequence,
    },
    /// Another partition saw a gap and waits for a lower number.
    OutboxGapReported {
        /// The receiver.
        destination: PartitionId,
        /// The number that it waits for.
        expected: Sequence,
    },
    /// A sink has taken over responsibility for records up to a number.
    EgressAcknowledged {
        /// Which egress.
        egress: EgressId,
        /// The last record that it took.
        through: Sequence,
    },
    /// The sink of an egress was opened anew and knows nothing of what was handed to one before it.
    EgressReopened {
        /// Which egress.
        egress: EgressId,
    },
    /// A walk through the store met rows of values, or of their expiries, that look as if they had expired. The walk may
    /// have seen them as they were before.
    ExpiryFound {
        /// Their names.
        keys: Vec<RowKey>,
    },
    /// An operator gave an order.
    Ordered {
        /// Whom to answer.
        ticket: Ticket,
        /// What shall be done.
        order: Order,
        /// Who gave it.
        by: Arc<str>,
        /// Why; may be empty.
        reason: Arc<str>,
    },
    /// A function with a limit for the whole node may have so many further groups processed, one for each turn.
    TurnsGranted {
        /// Which function.
        function: FunctionType,
        /// How many.
        count: usize,
    },
    /// Somebody wants to see rows: an operator, or the reader of an egress.
    ReadRequested {
        /// Whom to answer.
        ticket: Ticket,
        /// What to read.
        read: ReadRequest,
    },
    /// The log holds everything up to here for good.
    RecordsDurable {
        /// The last durable record; always the end of a step.
        lsn: Lsn,
    },
    /// The store holds every row of the flush that was begun last, and its applied position.
    FlushCommitted,
    /// The application was declared anew.
    ApplicationChanged(Arc<Application>),
}
