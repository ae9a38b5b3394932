//! The facts that the log holds. A record carries every decision that was made, so that folding the records gives
//! the state without looking at configuration, limits or a clock.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::slice;

use super::group::{Rejection, ValueSpec};
use super::order::{Signature, Subject};
use super::row::{Parked, RequestRow, Timer, TimerKey};
use crate::address::{Address, EgressId, FunctionType};
use crate::id::{Epoch, PartitionId, Sequence, Timestamp};
use crate::message::{
    Envelope, Message, RequestId, RequestKey, SourceId, SourcePosition, TypedValue,
};

/// Everything that can become a fact.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "the largest is the most frequent one: a box would cost each message an allocation"
)]
pub enum Record {
    /// A node took over: the first record of an epoch.
    PartitionAdopted {
        /// The epoch that begins.
        epoch: Epoch,
    },
    /// A reader of a source was accepted.
    SourceOpened {
        /// Which source.
        source: SourceId,
        /// The reader's epoch; lower ones are refused from now on.
        epoch: Epoch,
        /// The watermark from now on.
        watermark: SourcePosition,
    },
    /// A message was accepted from outside the partition: its number, position or key is used up.
    MessageAccepted {
        /// Where from.
        provenance: Provenance,
        /// What becomes of it; never `Remote`.
        delivery: Delivery,
    },
    /// A reply to a request with an idempotency key left the mailbox of its reply address.
    ReplyRecorded {
        /// The reply address.
        address: Address,
        /// The message that leaves its mailbox.
        consumed: Sequence,
        /// What is remembered of the request from now on; nothing changes if it was answered before or is gone.
        row: Option<RequestRow>,
    },
    /// A function type declared values; the list is complete, in order of registration.
    ValuesRegistered {
        /// Which function type.
        function: FunctionType,
        /// All values that it has declared so far.
        specs: Arc<[ValueSpec]>,
    },
    /// A function processed a group.
    BatchCommitted(Box<Commit>),
    /// A timer's time has come.
    TimerFired {
        /// The timer that is gone.
        timer: TimerKey,
        /// The token that is free again: its owner and its text.
        token: Option<(Address, Arc<str>)>,
        /// What became of its message, or of the request that it forgets.
        outcome: TimerOutcome,
    },
    /// Another partition has our messages up to a number.
    OutboxTrimmed {
        /// Which partition.
        destination: PartitionId,
        /// The first number that is removed.
        from: Sequence,
        /// The last number that is removed.
        through: Sequence,
    },
    /// A sink has our records up to a number.
    EgressTrimmed {
        /// Which egress.
        egress: EgressId,
        /// The first number that is removed.
        from: Sequence,
        /// The last number that is removed.
        through: Sequence,
    },
    /// An address failed too often: its messages wait for an operator.
    AddressParked {
        /// Which address.
        address: Address,
        /// Why, for the operator.
        why: Parked,
        /// How many addresses are parked from now on.
        parked: u64,
    },
    /// A parked address goes on, because an operator said so or nothing waits for it any more.
    AddressReleased {
        /// Which address.
        address: Address,
        /// How many addresses are parked from now on.
        parked: u64,
        /// Who, when and why.
        signature: Signature,
    },
    /// An operator gave up the first messages of a parked address.
    MessagesDropped {
        /// Which address.
        address: Address,
        /// The messages that are gone, in order.
        sequences: Vec<Sequence>,
        /// The idempotent requests that came with them, completed without a reply, and when they are forgotten.
        completed: Vec<(RequestRow, Timer)>,
        /// Who, when and why.
        signature: Signature,
    },
    /// A message that failed too often left to an egress.
    DeadLettered {
        /// Whose message.
        address: Address,
        /// The message that is gone.
        sequence: Sequence,
        /// What became of it.
        entry: EgressEntry,
        /// The idempotent request that came with it, completed without a reply, and when it is forgotten.
        completed: Option<(RequestRow, Timer)>,
    },
    /// Values have expired and are gone, although nobody invoked their addresses.
    ValuesExpired(Vec<ExpiredValue>),
    /// An operator paused something.
    Paused {
        /// What.
        subject: Subject,
        /// Who, when and why.
        signature: Signature,
    },
    /// An operator let something go on that was paused.
    Resumed {
        /// What.
        subject: Subject,
        /// Who, when and why.
        signature: Signature,
    },
}

impl Record {
    /// What the record delivers, in order.
    #[must_use]
    pub fn deliveries(&self) -> &[Delivery] {
        match self {
            Self::MessageAccepted { delivery, .. }
            | Self::TimerFired { outcome: TimerOutcome::Delivered(delivery), .. } => {
                slice::from_ref(delivery)
            }
            Self::BatchCommitted(commit) => &commit.sends,
            _ => &[],
        }
    }

    pub(super) fn deliveries_mut(&mut self) -> &mut [Delivery] {
        match self {
            Self::MessageAccepted { delivery, .. }
            | Self::TimerFired { outcome: TimerOutcome::Delivered(delivery), .. } => {
                slice::from_mut(delivery)
            }
            Self::BatchCommitted(commit) => &mut commit.sends,
            _ => &mut [],
        }
    }
}

/// Where an accepted message came from, with what its deduplication must remember.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Provenance {
    /// Another partition's outbox.
    Peer {
        /// The sender.
        partition: PartitionId,
        /// The watermark from now on.
        sequence: Sequence,
    },
    /// A replayable source.
    Source {
        /// Which one.
        source: SourceId,
        /// The reader's epoch.
        epoch: Epoch,
        /// The watermark from now on.
        position: SourcePosition,
    },
    /// A client.
    Client {
        /// With an idempotency key: how many keys are remembered from now on.
        keys: Option<u64>,
    },
}

/// Why a message goes nowhere.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum DiscardReason {
    /// Nobody waits for this reply any more: an earlier incarnation's client, or a forgotten request.
    RequestGone,
    /// A source sent a message to a function type that is declared by no endpoint.
    UnknownFunction,
}

/// A message with the mailbox that it enters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MailboxEntry {
    /// Whose mailbox.
    pub target: Address,
    /// The message with its place. Mailbox, log, store and function share it.
    pub message: Arc<Message>,
}

/// A message with its place in the outbox.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OutboxEntry {
    /// The receiving partition.
    pub destination: PartitionId,
    /// Its place in the queue to that partition.
    pub sequence: Sequence,
    /// The message.
    pub envelope: Envelope,
}

/// A record for a sink with its place in the egress.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EgressEntry {
    /// Which egress.
    pub egress: EgressId,
    /// Its place, which together with the partition is its id for sinks that deduplicate.
    pub sequence: Sequence,
    /// Who sent it and what it says.
    pub emitted: Emitted,
}

/// What was handed to an egress.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Emitted {
    /// Who sent it.
    pub sender: Address,
    /// When it was committed.
    pub at: Timestamp,
    /// What it says.
    pub argument: TypedValue,
}

impl Emitted {
    /// What it counts for in the bounds, in bytes.
    #[must_use]
    pub fn cost(&self) -> usize {
        size_of::<Self>() - size_of::<TypedValue>() + self.argument.cost()
    }
}

/// What becomes of a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Delivery {
    /// It enters a mailbox of this partition.
    Local(MailboxEntry),
    /// It waits for another partition.
    Remote(OutboxEntry),
    /// It answers a client that waits at this incarnation.
    Reply {
        /// What it answers; always a waiting request.
        request: RequestId,
        /// What it says.
        argument: TypedValue,
    },
    /// It goes nowhere.
    Dropped(DiscardReason),
}

/// What becomes of a timer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TimerOutcome {
    /// Its message is sent.
    Delivered(Delivery),
    /// A completed request is forgotten; this many keys remain.
    Forgotten {
        /// Which request.
        request: RequestKey,
        /// How many keys are remembered from now on.
        keys: u64,
    },
}

/// Everything that follows from one processed group. It becomes true as a whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Commit {
    /// Who processed.
    pub address: Address,
    /// When.
    pub at: Timestamp,
    /// The messages that leave the mailbox: its first ones, in order.
    pub consumed: Vec<Sequence>,
    /// Values that change, by name.
    pub values: Vec<(Arc<str>, ValueChange)>,
    /// Messages that are sent at once, in order.
    pub sends: Vec<Delivery>,
    /// Messages that are sent later, and requests that are forgotten later.
    pub timers: Vec<Timer>,
    /// Messages that are not sent later after all, with their tokens.
    pub cancelled: Vec<(TimerKey, Arc<str>)>,
    /// Records that are handed to egresses.
    pub egress: Vec<EgressEntry>,
    /// What is remembered of the idempotent requests whose messages were consumed.
    pub completed: Vec<RequestRow>,
    /// Parts of the answer that could not be done.
    pub rejected: Vec<Rejection>,
}

/// A value that has expired.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExpiredValue {
    /// Whose.
    pub address: Address,
    /// Its name.
    pub name: Arc<str>,
    /// Whether its expiry was kept in a row of its own.
    pub refreshable: bool,
}

/// How a value changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ValueChange {
    /// It becomes this.
    Put {
        /// The value.
        value: TypedValue,
        /// When it disappears by itself.
        expires_at: Timestamp,
        /// Whether presenting it will postpone that, which is then kept in a row of its own.
        refreshable: bool,
    },
    /// It stays but disappears later, because it was presented.
    Refresh {
        /// When it disappears by itself.
        expires_at: Timestamp,
    },
    /// It is absent.
    Delete {
        /// Whether its expiry is kept in a row of its own.
        refreshable: bool,
    },
}
