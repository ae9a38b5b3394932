//! Rows: the state as the store keeps it. The store is the materialised fold of the log.
//!
//! The order of keys here is the order of their bytes in the store (`codec::row`), within each table.

use alloc::boxed::Box;
use alloc::sync::Arc;

use super::group::ValueSpec;
use super::order::{Signature, Subject};
use super::record::Emitted;
use crate::address::{Address, EgressId, FunctionType};
use crate::footprint::{counted, room};
use crate::id::{Epoch, Lsn, PartitionId, Sequence, Timestamp};
use crate::message::{
    ClientRequest, Envelope, Message, RequestKey, RequestProgress, SourceId, SourcePosition,
    TypedValue,
};

/// The name of a row.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum RowKey {
    /// The last record whose effect is in the store. Written with every flush.
    Applied,
    /// The epoch of the last adoption.
    Epoch,
    /// The next number for messages in mailboxes and for timers.
    NextSequence,
    /// How many idempotency keys are remembered.
    Keys,
    /// The watermark for another partition's outbox.
    Peer(PartitionId),
    /// The watermark for a source.
    Source(SourceId),
    /// The values that a function type has declared.
    Specs(FunctionType),
    /// The next number in the outbox to a partition.
    OutboxNext(PartitionId),
    /// The last number that was removed from the outbox to a partition.
    OutboxTrimmed(PartitionId),
    /// The next number in an egress.
    EgressNext(EgressId),
    /// The last number that was removed from an egress.
    EgressTrimmed(EgressId),
    /// Something that is paused.
    Pause(Subject),
    /// How many addresses are parked.
    ParkedCount,
    /// A waiting message; `Sequence::NONE` is the mark of a parked address, which so comes before its messages.
    Mailbox(Address, Sequence),
    /// A message to be sent later, or a request to be forgotten.
    Timer(TimerKey),
    /// A pending cancellation token of a sender.
    Token(Address, Arc<str>),
    /// A message for another partition.
    Outbox(PartitionId, Sequence),
    /// A record for a sink.
    Egress(EgressId, Sequence),
    /// An idempotent request.
    Request(RequestKey),
    /// A value of an address, by name.
    Value(Address, Arc<str>),
    /// When a value disappears, if presenting it postpones that.
    Expiry(Address, Arc<str>),
    /// A parked address, so that all of them are found together.
    Parked(Address),
}

impl RowKey {
    /// The first key of the tables that are read whole when a partition is restored.
    pub const HEAD_FROM: Self = Self::Applied;

    /// The mark of a parked address.
    #[must_use]
    pub const fn parked(address: Address) -> Self {
        Self::Mailbox(address, Sequence::NONE)
    }

    /// Whether a row of this key is written at most once: it appears, and it disappears for good.
    #[must_use]
    pub fn is_born_once(&self) -> bool {
        match self {
            Self::Mailbox(_, sequence) => *sequence != Sequence::NONE,
            Self::Timer(_) | Self::Outbox(..) | Self::Egress(..) => true,
            _ => false,
        }
    }
}

/// The content of a row. What few rows have lies aside, so that the others, of which very many are in memory, are small.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Row {
    /// `Applied`.
    Lsn(Lsn),
    /// `Epoch`.
    Epoch(Epoch),
    /// `NextSequence`, `Peer`, `OutboxNext`, `OutboxTrimmed`, `EgressNext`, `EgressTrimmed`.
    Sequence(Sequence),
    /// `Keys`, `ParkedCount`.
    Count(u64),
    /// `Source`: the reader's epoch and the watermark.
    Source(Epoch, SourcePosition),
    /// `Specs`.
    Specs(Arc<[ValueSpec]>),
    /// `Pause`.
    Pause(Signature),
    /// `Mailbox` with a sequence.
    Message(Arc<Message>),
    /// `Mailbox` without a sequence, and `Parked`.
    Parked(Parked),
    /// `Timer`.
    Timer(Box<TimerTask>),
    /// `Token`.
    Token(TimerKey),
    /// `Outbox`.
    Envelope(Box<Envelope>),
    /// `Egress`.
    Emitted(Box<Emitted>),
    /// `Request`.
    Request(Box<RequestRow>),
    /// `Value`, with the moment at which it disappears; if that can be postponed, `Expiry` has it.
    Value(TypedValue, Timestamp),
    /// `Expiry`.
    Expiry(Timestamp),
}

impl Row {
    /// What it counts for in the bounds, in bytes.
    #[must_use]
    pub fn cost(&self) -> usize {
        match self {
            Self::Message(message) => message.cost(),
            Self::Envelope(envelope) => envelope.cost(),
            Self::Emitted(emitted) => emitted.cost(),
            Self::Value(value, _) => value.cost(),
            Self::Timer(task) => task.cost(),
            Self::Parked(parked) => parked.text.len(),
            Self::Pause(signature) => signature.by.len() + signature.reason.len(),
            Self::Specs(specs) => size_of_val(&**specs),
            Self::Request(row) => {
                let reply = row.progress.reply.as_ref().map_or(0, TypedValue::cost);
                size_of::<RequestRow>() + row.request.key.len() + reply
            }
            _ => 0,
        }
    }

    /// What it takes of memory beside the struct, in bytes.
    pub(super) fn footprint(&self) -> usize {
        match self {
            Self::Message(message) => message.footprint(),
            Self::Envelope(envelope) => room::<Envelope>(1) + envelope.footprint(),
            Self::Emitted(emitted) => room::<Emitted>(1) + emitted.argument.footprint_shared(),
            Self::Value(value, _) => value.footprint_shared(),
            Self::Timer(task) => room::<TimerTask>(1) + task.footprint(),
            Self::Parked(parked) => counted(parked.text.len()),
            Self::Pause(signature) => counted(signature.by.len()) + counted(signature.reason.len()),
            Self::Specs(specs) => counted(size_of_val(&**specs)),
            Self::Request(row) => {
                let reply = row.progress.reply.as_ref().map_or(0, TypedValue::footprint_shared);
                room::<RequestRow>(1) + row.request.footprint() + reply
            }
            _ => 0,
        }
    }
}

const _: () = assert!(size_of::<Row>() <= 112, "there is one for each value that changed lately");

/// Why an address waits for an operator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parked {
    /// Since when.
    pub at: Timestamp,
    /// How often the message at its head failed alone.
    pub failures: u32,
    /// What the function said last.
    pub text: Arc<str>,
}

/// The name of a timer: when it fires, then a number that is never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TimerKey {
    /// When it fires.
    pub fire_at: Timestamp,
    /// Its number.
    pub id: Sequence,
}

/// A timer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Timer {
    /// Its name.
    pub key: TimerKey,
    /// What to do when it fires.
    pub task: TimerTask,
}

/// What to do when a timer fires.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TimerTask {
    /// Send a message.
    Send {
        /// Who sends; its partition keeps the timer.
        sender: Address,
        /// To whom.
        target: Address,
        /// What.
        argument: TypedValue,
        /// The token under which the sender may cancel it.
        token: Option<Arc<str>>,
    },
    /// Forget a completed request.
    Forget(RequestKey),
}

impl TimerTask {
    /// The pending token with its owner, if the timer can be cancelled.
    #[must_use]
    pub const fn token(&self) -> Option<(&Address, &Arc<str>)> {
        match self {
            Self::Send { sender, token: Some(token), .. } => Some((sender, token)),
            _ => None,
        }
    }

    /// What it counts for in the bounds, in bytes.
    #[must_use]
    pub fn cost(&self) -> usize {
        let payload = match self {
            Self::Send { sender, target, argument, token } => {
                let token = token.as_ref().map_or(0, |token| token.len());
                sender.id.len() + target.id.len() + argument.cost() + token
            }
            Self::Forget(_) => 0,
        };
        size_of::<Timer>() + payload
    }

    fn footprint(&self) -> usize {
        match self {
            Self::Send { sender: _, target, argument, token } => {
                let token = token.as_ref().map_or(0, |token| counted(token.len()));
                counted(target.id.len()) + argument.footprint_shared() + token
            }
            Self::Forget(_) => 0,
        }
    }
}

/// What is remembered of a request with an idempotency key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RequestRow {
    /// To whom the message went.
    pub target: Address,
    /// Key and body hash.
    pub request: Arc<ClientRequest>,
    /// How far it has come.
    pub progress: RequestProgress,
}
