//! Who owns which partition, in which epoch, and which logs hold what the partition's store does not hold yet.
//!
//! # The rules of the chain
//!
//! Each start of a process is an incarnation with a log of its own, so the history of a partition since its last store
//! flush may span several logs. The *chain* of a partition names them in order. The order is the order of the claims;
//! it is never derived from the names.
//!
//! 1. A start first creates its log, durably, and then claims. So a log that a chain names and that is missing has
//!    been lost; it never means that nothing was written.
//! 2. A claim raises the epoch of each partition and appends the new incarnation to its chain. Both are durable before
//!    the claim returns, thus before the epoch is used and before the log gets its first record.
//! 3. Where the records of the new incarnation begin is unknown until the chain was replayed. A crash before that, or a
//!    second one after it, leaves a link without a beginning: it may hold records or none, and stays.
//! 4. The first record that a new owner writes for a partition (`PartitionAdopted`) shows where all earlier links end:
//!    their logs are sealed, and it follows their last record.
//! 5. A link whose records are all in the store is dropped. The link of the running incarnation stays.
//! 6. A log may be deleted when no chain names it any more, and only after that is durable. Losing a change of rules 4
//!    and 5 does no harm: the older chain names more logs than needed, never fewer.
//!
//! What a start finds on disk and no chain names is a leftover (of a crash between claim and log, or between rule 6 and
//! the deletion) and may be deleted, but only after its claim.

pub mod chain;
mod file;
pub mod single;

use std::collections::BTreeSet;

use async_trait::async_trait;
use tidegate_core::id::{Epoch, Lsn, PartitionId};
use tidegate_core::route::PartitionCount;
use ulid::Ulid;

use self::chain::{ChainError, Link};

/// What is fixed for the life of a deployment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    /// How many partitions there are.
    pub partitions: PartitionCount,
    /// The version of the hash that routes ids to partitions.
    pub hash_version: u32,
}

/// A partition that the running incarnation owns from now on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claim {
    /// Which partition.
    pub partition: PartitionId,
    /// Its new epoch.
    pub epoch: Epoch,
    /// The logs to replay, in order, before the partition is adopted: those of earlier incarnations.
    pub replay: Vec<Link>,
}

/// Keeps who owns what.
#[async_trait]
pub trait Ownership: Send + Sync + 'static {
    /// Claims partitions for a new incarnation, whose log exists. When it returns, the claims are durable.
    async fn claim(&self, incarnation: Ulid) -> Result<Vec<Claim>, OwnershipError>;

    /// Takes note that the running incarnation replayed the chain of a partition, and of the LSN of its first own
    /// record, which need not be durable yet. Need not survive a crash.
    async fn adopted(&self, partition: PartitionId, first: Lsn) -> Result<(), OwnershipError>;

    /// Takes note that the store of a partition durably holds every record up to `applied`. Returns the incarnations
    /// that no chain names any more, durably: their logs may be deleted.
    async fn flushed(
        &self,
        partition: PartitionId,
        applied: Lsn,
    ) -> Result<Vec<Ulid>, OwnershipError>;

    /// Takes note that the running incarnation will write nothing to these partitions any more, and that their stores
    /// durably hold every record, the last of which is named: nobody needs a log of theirs. Durable when it returns.
    async fn released(&self, flushed: Vec<(PartitionId, Lsn)>) -> Result<(), OwnershipError>;

    /// The incarnations that some chain names. After the claim of a start, the logs of all others are leftovers.
    async fn named(&self) -> BTreeSet<Ulid>;
}

/// Ownership could not be read, claimed or kept.
#[derive(Debug, thiserror::Error)]
pub enum OwnershipError {
    /// The device did not do what it should.
    #[error("TG-0250: cannot {action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: String,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The deployment was created with another number of partitions.
    #[error(
        "TG-0251: the data was created with {found} partitions, but {configured} are configured"
    )]
    PartitionCount {
        /// In the data directory.
        found: u16,
        /// In the configuration.
        configured: u16,
    },
    /// The deployment was created with another hash.
    #[error(
        "TG-0252: the data was created with version {found} of the routing hash, this is {ours}"
    )]
    HashVersion {
        /// In the data directory.
        found: u32,
        /// Of this program.
        ours: u32,
    },
    /// A newer program wrote the file.
    #[error("TG-0253: {path} has format {found}, this program knows up to {known}")]
    Format {
        /// Which file.
        path: String,
        /// In the file.
        found: u32,
        /// Of this program.
        known: u32,
    },
    /// The file is not what was written.
    #[error("TG-0254: {path} is damaged: {reason}")]
    Damaged {
        /// Which file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is data, but nothing that says who owned it.
    #[error("TG-0255: {found} holds data, but {path} is missing")]
    Missing {
        /// Which file.
        path: String,
        /// Which directory.
        found: String,
    },
    /// The history of a partition does not fit together.
    #[error("TG-0256: partition {partition}: {source}")]
    Chain {
        /// Which partition.
        partition: PartitionId,
        /// What does not fit.
        source: ChainError,
    },
    /// The layout has no such partition.
    #[error("TG-0257: there is no partition {0}")]
    NoSuchPartition(PartitionId),
}

impl OwnershipError {
    /// The stable code, which names a page of `docs/errors/`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "TG-0250",
            Self::PartitionCount { .. } => "TG-0251",
            Self::HashVersion { .. } => "TG-0252",
            Self::Format { .. } => "TG-0253",
            Self::Damaged { .. } => "TG-0254",
            Self::Missing { .. } => "TG-0255",
            Self::Chain { .. } => "TG-0256",
            Self::NoSuchPartition(_) => "TG-0257",
        }
    }
}
