//! Egresses: where records go.
//!
//! The core keeps each record of an egress until its sink acknowledges it, and hands them out in order, per partition, after
//! they became durable. A sink may see a record again after a crash; (partition, sequence) tells it so.

pub mod backlog;
pub mod file;
pub mod http;
pub mod open;
pub mod playground;

use std::sync::Arc;

use async_trait::async_trait;

use tidegate_core::address::EgressId;
use tidegate_core::id::{PartitionId, Sequence};
use tidegate_core::partition::record::Emitted;

/// How a sink says that it took records: egress, partition, last sequence. Must not block.
pub type Acknowledge = Arc<dyn Fn(&EgressId, PartitionId, Sequence) + Send + Sync>;

/// Takes the records of one egress.
pub trait Sink: Send + Sync + 'static {
    /// Takes a record over. Bounded by the core, which hands out only so many bytes before an acknowledgement.
    fn emit(&self, partition: PartitionId, sequence: Sequence, emitted: Emitted);
}

/// A sink whose records wait until somebody reads them.
#[async_trait]
pub trait Awaited: Send + Sync + 'static {
    /// Resolves when there may be more records than when this was first polled.
    async fn changed(&self);

    /// A reader has everything of a partition up to a record.
    fn acknowledged(&self, partition: PartitionId, through: Sequence);
}
