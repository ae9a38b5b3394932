//! The node log: the write-ahead log of one incarnation, shared by all partitions that the node owns.
//!
//! A driver appends *steps*: the encoded records of one call of `handle`. The log gathers steps into frames, one
//! frame per sync, and publishes how far it is durable. What a step says is the core's business; the log sees
//! bytes, the partition that they belong to, and the LSNs that they cover.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use tidegate_core::id::{Lsn, PartitionId};
use tokio::sync::watch;

/// The records of one call of `handle`, encoded. Never split over frames.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// Whose records these are.
    pub partition: PartitionId,
    /// The LSN of the first record.
    pub first: Lsn,
    /// The LSN of the last record.
    pub last: Lsn,
    /// The records as `tidegate_core::codec` encodes them, at most `STEP_BYTES_MAX`.
    pub records: Bytes,
}

/// Counts the steps that were appended to a log in this incarnation, from 1. The log is durable up to a ticket when it
/// holds that step and all before it for good.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct AppendTicket(pub u64);

/// The number of a frame in the log of one incarnation, from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct FrameNumber(pub u64);

/// What is known about durability, published after each sync.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Durable {
    /// Every step up to this one is durable.
    pub through: AppendTicket,
    /// The frame that holds it.
    pub frame: FrameNumber,
    /// Bytes of frames that are durable and not trimmed.
    pub backlog_bytes: u64,
}

/// The write side of the log of the running incarnation.
pub trait NodeLog: Send + Sync + 'static {
    /// Resolves once the buffer has room for a step of any size. Awaited before `handle`, so that an append
    /// never has to wait.
    fn room(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;

    /// Puts a step into the buffer; it becomes durable in place or the process exits. Cheap and synchronous.
    fn append(&self, step: Step) -> AppendTicket;

    /// How far the log is durable, as it changes. The channel closes when the log has failed for good.
    fn durable(&self) -> watch::Receiver<Durable>;

    /// Tells the log that no frame below this one is needed any more.
    fn trim(&self, below: FrameNumber);
}
