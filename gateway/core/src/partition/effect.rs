//! What must now be done. Effects are imperative; the driver performs them after it appended the records.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::group::{Group, Rejection};
use super::order::{OrderOutcome, Signature, Subject};
use super::record::{DiscardReason, Emitted, Record};
use super::row::{Row, RowKey};
use crate::address::{Address, EgressId, FunctionType};
use crate::id::{Epoch, LoadId, Lsn, PartitionId, Sequence, Ticket, Timestamp};
use crate::message::{Envelope, RequestId, RequestProgress, SourceId, SourcePosition, TypedValue};

/// The output of a step: first the records, which are appended together, then the effects.
#[derive(Debug, Default)]
pub struct Effects {
    /// To be appended to the log before anything else is done.
    pub records: Vec<Record>,
    /// To be performed then, in order, without waiting in between.
    pub actions: Vec<Effect>,
}

impl Effects {
    /// Forgets everything, keeping the room.
    pub fn clear(&mut self) {
        self.records.clear();
        self.actions.clear();
    }
}

/// Everything that a partition can ask for. `after` is the position that the log must be durable up to before
/// the effect may leave the node.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Have a function process a group; answered by an `Invocation…` event, sooner or later, or never.
    Invoke {
        /// The group.
        group: Group,
        /// Only for endpoints that ask for durable input; the others may be invoked at once.
        after: Lsn,
    },
    /// Read rows from the store; answered by `RowsLoaded`.
    Load {
        /// The name of the load.
        load: LoadId,
        /// What to read.
        rows: LoadRequest,
    },
    /// Hand a message to another partition. One that is owned by the same incarnation may have it at once.
    Deliver {
        /// The receiver.
        destination: PartitionId,
        /// Its place in our outbox to it.
        sequence: Sequence,
        /// The message.
        envelope: Envelope,
        /// Durable position that it depends on.
        after: Lsn,
    },
    /// Hand a record to a sink.
    Emit {
        /// Which egress.
        egress: EgressId,
        /// Its place, for sinks that deduplicate.
        sequence: Sequence,
        /// The record.
        emitted: Emitted,
        /// Durable position that it depends on.
        after: Lsn,
    },
    /// Tell another partition what it need not send again. One of the same incarnation may know at once.
    AcknowledgePeer {
        /// The sender.
        partition: PartitionId,
        /// Our watermark for it.
        through: Sequence,
        /// Durable position that it depends on.
        after: Lsn,
    },
    /// Tell another partition that numbers are missing.
    ReportGap {
        /// The sender.
        partition: PartitionId,
        /// The number that we wait for.
        expected: Sequence,
    },
    /// Tell a source's reader what it need not read again.
    AcknowledgeSource {
        /// Which source.
        source: SourceId,
        /// Our watermark for it.
        position: SourcePosition,
        /// Durable position that it depends on.
        after: Lsn,
    },
    /// Tell a source's reader that it cannot go on as it does.
    RefuseSource {
        /// Which source.
        source: SourceId,
        /// Why.
        refusal: SourceRefusal,
    },
    /// Tell a client what became of its message.
    AnswerClient {
        /// Which client.
        ticket: Ticket,
        /// What became of it.
        answer: ClientAnswer,
        /// Durable position that it depends on.
        after: Lsn,
    },
    /// Pass a reply to whoever waits for it; nobody may.
    Reply {
        /// What it answers.
        request: RequestId,
        /// What it says.
        argument: TypedValue,
        /// Durable position that it depends on.
        after: Lsn,
    },
    /// Show rows to whoever asked.
    ShowRows {
        /// Whom.
        ticket: Ticket,
        /// The rows that exist, in the order of their keys.
        rows: Vec<(RowKey, Row)>,
        /// For a range: whether it holds further rows.
        more: bool,
        /// Durable position that they depend on.
        after: Lsn,
    },
    /// Tell an operator what became of an order.
    AnswerOperator {
        /// Whom.
        ticket: Ticket,
        /// What became of it.
        outcome: OrderOutcome,
        /// Durable position that it depends on.
        after: Lsn,
    },
    /// Something was paused, or goes on. Told again for everything that is paused when a partition is adopted.
    PauseChanged {
        /// What.
        subject: Subject,
        /// By whom it is paused; by nobody if it goes on.
        paused: Option<Signature>,
        /// Durable position that it depends on.
        after: Lsn,
    },
    /// Ask for turns of a function that has a limit for the whole node; granted by `TurnsGranted`, sooner or later.
    AskTurns {
        /// Which function.
        function: FunctionType,
        /// How many groups could begin.
        count: usize,
    },
    /// Give back turns that were granted and not used.
    ReturnTurns {
        /// Which function.
        function: FunctionType,
        /// How many.
        count: usize,
    },
    /// Something that an operator should see in logs and metrics. Nothing else follows from it.
    Report(Report),
}

/// Rows to be read from the store.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LoadRequest {
    /// Rows by key, each there or not.
    pub keys: Vec<RowKey>,
    /// A range of rows beside them.
    pub range: Option<RowRange>,
}

/// A contiguous range of rows of one table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RowRange {
    /// The first key that may be in it.
    pub from: RowKey,
    /// The first key that is not in it any more.
    pub until: RowKey,
    /// Enough once this many bytes were read; at least one row is given if there is one.
    pub bytes: usize,
}

/// What somebody wants to see.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReadRequest {
    /// All values of an address.
    Values(Address),
    /// The records of an egress after a number.
    Egress {
        /// Which egress.
        egress: EgressId,
        /// The last one that is known already.
        after: Sequence,
    },
    /// Parked addresses in order.
    Parked {
        /// Only of this function type.
        function: Option<FunctionType>,
        /// Only those after this one.
        after: Option<Address>,
    },
    /// An address: why it is parked if it is, its values, and its messages from a number on.
    Address {
        /// Which one.
        address: Address,
        /// The first message.
        from: Sequence,
    },
}

/// What became of a client's message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClientAnswer {
    /// It was accepted. Its reply, if one comes, will name this request.
    Accepted {
        /// The request to wait for, if the client waits or gave a key.
        request: Option<RequestId>,
    },
    /// It was accepted before, under the same idempotency key.
    Repeated {
        /// The request to wait for if it is not complete.
        request: RequestId,
        /// How far it has come.
        progress: RequestProgress,
    },
    /// It was not accepted.
    Refused(ClientRefusal),
}

/// Why a client's message was not accepted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ClientRefusal {
    /// The function type is declared by no endpoint.
    UnknownFunction,
    /// The same idempotency key came with another body before.
    KeyReused,
    /// So many idempotency keys are remembered that no new one can be.
    TooManyKeys,
}

/// Why a source's reader cannot go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SourceRefusal {
    /// A later reader has opened the source.
    Fenced {
        /// Its epoch.
        by: Epoch,
    },
    /// The named predecessor lies beyond the watermark: messages are missing.
    Gap {
        /// Our watermark; what follows it is wanted.
        watermark: SourcePosition,
    },
}

/// Something that an operator should see.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Report {
    /// A part of a function's answer could not be done.
    Rejected {
        /// Whose answer.
        address: Address,
        /// What and why.
        rejection: Rejection,
    },
    /// A group failed and will be tried again.
    Failed {
        /// Whose group.
        address: Address,
        /// How often the message at the head has failed alone.
        failures: u32,
        /// How many messages the group had.
        messages: usize,
        /// When it is tried again.
        retry_at: Timestamp,
        /// What the function said.
        text: Arc<str>,
    },
    /// An address waits for an operator.
    Parked {
        /// Which address.
        address: Address,
        /// What the function said last.
        text: Arc<str>,
    },
    /// A message that its function gave up on left to an egress.
    DeadLettered {
        /// Whose message.
        address: Address,
        /// Which egress.
        egress: EgressId,
        /// What the function said last.
        text: Arc<str>,
    },
    /// A message goes nowhere.
    Discarded {
        /// To whom it was addressed.
        target: Address,
        /// Why.
        reason: DiscardReason,
    },
    /// An answer did not match what is in flight: it came late, or twice.
    StaleAnswer,
    /// An acknowledgement named a number that was never sent: a log or a store was lost.
    ImpossibleAcknowledgement,
}
