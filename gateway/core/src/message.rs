//! What travels: typed values, messages, and where a message came from.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem::size_of;

use bytes::Bytes;

use crate::address::Address;
use crate::footprint::{allocated, counted, room};
use crate::id::{Epoch, PartitionId, Sequence, Ticket, Timestamp};
use crate::trace::TraceContext;

/// A payload with the name of its type. The gateway never interprets the bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TypedValue {
    /// Free text by convention `namespace/name`; only compared, for the types of values.
    pub typename: Arc<str>,
    /// Tells an absent value from one of zero bytes.
    pub has_value: bool,
    /// The serialised payload.
    pub value: Bytes,
    /// Field 4 of the wire message, entry by entry as it came: headers of the StateFun Actors dialect.
    pub metadata: Vec<Bytes>,
    /// The trace that it belongs to while it travels; values at rest have none.
    pub trace: Option<Arc<TraceContext>>,
}

impl TypedValue {
    /// A present value without metadata or trace.
    #[must_use]
    pub fn new(typename: &str, value: Bytes) -> Self {
        Self {
            typename: typename.into(),
            has_value: true,
            value,
            metadata: Vec::new(),
            trace: None,
        }
    }

    /// The same, as a part of a trace.
    #[must_use]
    pub fn traced(mut self, trace: Option<Arc<TraceContext>>) -> Self {
        self.trace = trace;
        self
    }

    /// What it counts for in the bounds: bytes of payload, name, metadata and trace plus the struct.
    #[must_use]
    pub fn cost(&self) -> usize {
        size_of::<Self>() + self.content()
    }

    /// Bytes of payload, name, metadata and trace.
    fn content(&self) -> usize {
        let metadata: usize =
            self.metadata.iter().map(|entry| entry.len() + size_of::<Bytes>()).sum();
        let trace = self.trace.as_ref().map_or(0, |trace| trace.cost());
        self.typename.len() + self.value.len() + metadata + trace
    }

    /// The same, with the count that a payload gets once it is shared.
    pub(crate) fn footprint_shared(&self) -> usize {
        let count = if self.value.is_empty() { 0 } else { allocated(3 * size_of::<usize>()) };
        self.footprint() + count
    }

    /// What it takes of memory beside the struct, in bytes. All messages of a stream share the name of their type, as do all
    /// values of a name, but others have their own: it counts for its letters alone.
    pub(crate) fn footprint(&self) -> usize {
        let metadata: usize = self.metadata.iter().map(|entry| allocated(entry.len())).sum();
        let trace = self.trace.as_ref().map_or(0, |trace| trace.footprint());
        let payload = allocated(self.value.len());
        payload + self.typename.len() + room::<Bytes>(self.metadata.capacity()) + metadata + trace
    }
}

/// A message in the mailbox of its receiver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// Its place in the mailbox. Ascending in an address; numbered over the whole partition, so with gaps.
    pub sequence: Sequence,
    /// Who sent it; nobody if it came from an ingress without a waiting client.
    pub caller: Option<Address>,
    /// What it says.
    pub argument: TypedValue,
    /// The idempotent request that it came with, completed when the message is consumed.
    pub request: Option<Arc<ClientRequest>>,
}

impl Message {
    /// What it counts for in the bounds, in bytes.
    #[must_use]
    pub fn cost(&self) -> usize {
        let request = self.request.as_ref().map_or(0, |request| request.cost());
        size_of::<Self>() + self.argument.content() + request
    }

    /// What it takes of memory, in bytes, however many hold it.
    pub(crate) fn footprint(&self) -> usize {
        let caller = self.caller.as_ref().map_or(0, |caller| counted(caller.id.len()));
        let request = self.request.as_ref().map_or(0, |request| request.footprint());
        counted(size_of::<Self>()) + caller + self.argument.footprint() + request
    }
}

/// A message on its way to another partition: it has no place in a mailbox yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Envelope {
    /// Who sent it.
    pub caller: Option<Address>,
    /// Who shall receive it: a function instance, or a waiting client (a reply address).
    pub target: Address,
    /// What it says.
    pub argument: TypedValue,
}

impl Envelope {
    /// What it counts for in the bounds, in bytes.
    #[must_use]
    pub fn cost(&self) -> usize {
        size_of::<Self>() + self.target.id.len() + self.argument.content()
    }

    /// What it takes of memory beside the struct, in bytes.
    pub(crate) fn footprint(&self) -> usize {
        let caller = self.caller.as_ref().map_or(0, |caller| counted(caller.id.len()));
        caller + counted(self.target.id.len()) + self.argument.footprint_shared()
    }
}

/// Where a message came from, which decides how a repetition of it is recognised.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// Another partition's outbox: contiguous numbers for each pair of partitions, never restarted.
    Peer {
        /// The sending partition.
        partition: PartitionId,
        /// The place in its outbox to us.
        sequence: Sequence,
    },
    /// A replayable source, such as one shard of a stream: positions ascend but may have gaps, so each
    /// message names its predecessor.
    Source {
        /// Which shard or file.
        source: SourceId,
        /// The reader's epoch; an older reader is refused.
        epoch: Epoch,
        /// The position that the reader gave to this partition before.
        predecessor: SourcePosition,
        /// The position of this message.
        position: SourcePosition,
    },
    /// A client of the HTTP ingress.
    Client {
        /// Whom to tell.
        ticket: Ticket,
        /// Whether the client waits for the function's reply and not only for acceptance.
        wants_reply: bool,
        /// The idempotency key, if the client gave one.
        request: Option<Arc<ClientRequest>>,
    },
}

/// A replayable source: unique in the deployment and for ever, such as `stream/shardId-0`.
pub type SourceId = Arc<str>;

/// A place in a replayable source, ordered. Wide enough for Kinesis sequence numbers (128 bits) with the
/// record's index in an aggregate and the index of the target in the fan-out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct SourcePosition {
    /// The record.
    pub record: u128,
    /// The part of the record, for records that carry several messages.
    pub part: u32,
}

impl SourcePosition {
    /// Before the first record.
    pub const START: Self = Self { record: 0, part: 0 };
}

/// A fixed-length name for (target address, idempotency key).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RequestKey(pub u128);

/// A client's request that may be repeated: the same key for the same target is one request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientRequest {
    /// Derived from target and key, see [`ClientRequest::new`].
    pub id: RequestKey,
    /// The `Idempotency-Key`, compared in full so that a collision of `id` is noticed.
    pub key: Arc<str>,
    /// A collision-resistant hash of the body: the same key with another body is a mistake.
    pub body_hash: [u8; 32],
}

impl ClientRequest {
    /// Names the request by the XXH3 128-bit hash of target and key.
    #[must_use]
    pub fn new(target: &Address, key: &str, body_hash: [u8; 32]) -> Self {
        let mut hasher = xxhash_rust::xxh3::Xxh3::new();
        for part in [target.function.as_str(), &target.id, key] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        Self { id: RequestKey(hasher.digest128()), key: key.into(), body_hash }
    }

    fn cost(&self) -> usize {
        size_of::<Self>() + self.key.len()
    }

    pub(crate) fn footprint(&self) -> usize {
        counted(size_of::<Self>()) + counted(self.key.len())
    }
}

/// What a reply answers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RequestId {
    /// A client that holds its connection open: known only to the incarnation that it is connected to.
    Waiting {
        /// The epoch of the partition that the client called.
        epoch: Epoch,
        /// The driver's handle for the client.
        ticket: Ticket,
    },
    /// A request with an idempotency key: kept in rows, so its reply survives.
    Keyed(RequestKey),
}

/// How far a request with an idempotency key has come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RequestProgress {
    /// When its message was consumed; retention runs from then. Pending until then.
    pub consumed_at: Option<Timestamp>,
    /// The first reply that was sent to it.
    pub reply: Option<TypedValue>,
}
