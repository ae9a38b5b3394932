//! The node log: the write-ahead log of one incarnation, shared by all partitions that the node owns.
//!
//! A driver appends *steps*: the encoded records of one call of `handle`. The log gathers steps into frames, one
//! frame per sync, and publishes how far it is durable. What a step says is the core's business; the log sees
//! bytes, the partition that they belong to, and the LSNs that they cover.
//!
//! What was appended becomes durable in place, or the log fails for good: there is no rollback, since others may
//! have built on it already. [`mod@file`] is the log of an embedded node, [`memory`] the one for tests and trials.

pub mod faulty;
pub mod file;
pub mod frame;
pub mod lock;
pub mod memory;

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use tidegate_core::id::{Lsn, PartitionId};
use tokio::sync::watch;
use ulid::Ulid;

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

impl FrameNumber {
    /// The first frame of a log.
    pub const FIRST: Self = Self(1);

    /// The frame that follows this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for FrameNumber {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

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

/// A step as recovery finds it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoggedStep {
    /// The frame that holds it.
    pub frame: FrameNumber,
    /// The step.
    pub step: Step,
}

/// Why a log takes and keeps nothing any more. The node must stop: what it built on the steps that are not durable
/// is void, and recovery decides from the log what counts.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LogFailure {
    /// The frame was not written. Nothing of it will be found at recovery.
    #[error("{code}: the log could not be written: {0}", code = self.code())]
    Refused(Arc<io::Error>),
    /// The log was sealed by another node, which has taken over.
    #[error("{}: the log was sealed by another node", self.code())]
    Fenced,
    /// The frame may have been written or not; only recovery can tell.
    #[error("{code}: it is unknown whether the log was written: {0}", code = self.code())]
    Unknown(Arc<io::Error>),
}

impl LogFailure {
    /// The stable code of the error, as in `docs/errors`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(_) | Self::Unknown(_) => "TG-0221",
            Self::Fenced => "TG-0222",
        }
    }
}

/// The write side of the log of the running incarnation.
pub trait NodeLog: Send + Sync + 'static {
    /// Resolves once the buffer has room for a step of any size. Awaited before `handle`, so that an append
    /// never has to wait. Does not resolve while the log has no space, nor after it has failed: whoever waits for
    /// room also watches [`durable`](Self::durable).
    fn room(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;

    /// Puts a step into the buffer; it becomes durable in place or the process exits. Cheap and synchronous.
    /// A step that is appended after `close` or after a failure never becomes durable.
    ///
    /// # Panics
    /// If the step is larger than `STEP_BYTES_MAX`: the core bounds every step below it.
    fn append(&self, step: Step) -> AppendTicket;

    /// How far the log is durable, as it changes. The channel closes when the log was closed or has failed for good.
    fn durable(&self) -> watch::Receiver<Durable>;

    /// Tells the log that no frame below this one is needed any more.
    fn trim(&self, below: FrameNumber);

    /// Makes durable what was appended so far, and ends the log. Waits for space like everything else.
    fn close(&self) -> Pin<Box<dyn Future<Output = Result<(), LogFailure>> + Send + '_>>;

    /// Bytes of what was appended and is not on its way to the disk yet, for metrics.
    fn buffered_bytes(&self) -> usize {
        0
    }

    /// Why the log has failed, if it has.
    fn failure(&self) -> Option<LogFailure>;
}

/// The logs of earlier incarnations, found by name.
pub trait History: Send + Sync + 'static {
    /// Finds the end of a log, verifies everything before it, and seals it durably. Blocks.
    fn open(&self, incarnation: Ulid) -> Result<Box<dyn Sealed>, HistoryError>;

    /// Deletes a log that nobody needs any more. Blocks.
    fn remove(&self, incarnation: Ulid) -> Result<(), HistoryError>;

    /// The logs that are there. Blocks.
    fn list(&self) -> Result<Vec<Ulid>, HistoryError>;
}

/// The log of an incarnation that has ended.
pub trait Sealed: Send + Sync {
    /// The steps of a partition, in order. Reading blocks.
    fn steps(
        &self,
        partition: PartitionId,
    ) -> Box<dyn Iterator<Item = Result<LoggedStep, HistoryError>> + '_>;
}

/// The log of an earlier incarnation cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct HistoryError(#[from] Box<dyn std::error::Error + Send + Sync>);

impl HistoryError {
    /// Wraps the error of an implementation.
    pub fn new(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self(Box::new(error))
    }
}
