//! What a step of a partition means, as the checkers see it: told from what the world put in, not from the records.

use std::rc::Rc;
use std::sync::Arc;

use tidegate_core::address::{Address, EgressId, FunctionType};
use tidegate_core::id::{Epoch, PartitionId, Timestamp};
use tidegate_core::message::{
    ClientRequest, Envelope, RequestKey, SourceId, SourcePosition, TypedValue,
};
use tidegate_core::partition::group::{Rejection, Response, ValueSpec};
use tidegate_core::partition::order::Subject;
use tidegate_core::partition::record::Record;
use tidegate_core::policy::Application;

#[derive(Clone, Debug)]
pub enum Fact {
    Adopted(Epoch),
    Opened { source: SourceId, epoch: Epoch, watermark: SourcePosition },
    Accepted { from: From, envelope: Envelope, dropped: bool },
    Registered { function: FunctionType, specs: Vec<ValueSpec> },
    Committed(Rc<Committed>),
    Fired { due: Timestamp, now: Timestamp, envelope: Envelope },
    Forgotten { key: RequestKey },
    OutboxTrimmed { destination: PartitionId, through: u64 },
    EgressTrimmed { egress: EgressId, through: u64 },
    Parked(Address),
    Released(Address),
    Dropped { address: Address, messages: usize, parked: bool, now: Timestamp },
    LetterSent { address: Address, egress: EgressId, argument: TypedValue, now: Timestamp },
    Expired { values: Vec<(Address, Arc<str>)>, now: Timestamp },
    Paused(Subject),
    Resumed(Subject),
    ReplyRecorded { address: Address, wins: bool },
}

#[derive(Clone, Debug)]
pub enum From {
    Peer(PartitionId, u64),
    Source(SourceId, SourcePosition),
    Client(u64, Option<Arc<ClientRequest>>),
}

/// The answer to a group took effect.
#[derive(Clone, Debug)]
pub struct Committed {
    pub address: Address,
    /// How many messages the group had.
    pub messages: usize,
    /// Names of the values that the group showed as absent.
    pub absent: Vec<Arc<str>>,
    /// How many of the declared values the group showed.
    pub presented: usize,
    pub response: Rc<Response>,
    pub now: Timestamp,
    pub application: Arc<Application>,
    /// What the record says was rejected.
    pub rejected: Vec<Rejection>,
}

/// A step as the log holds it.
#[derive(Debug)]
pub struct Step {
    pub partition: PartitionId,
    pub first: u64,
    pub last: u64,
    pub records: Vec<Record>,
    pub facts: Vec<Fact>,
}
