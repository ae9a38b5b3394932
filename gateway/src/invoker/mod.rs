//! The invoker: has functions process groups.
//!
//! Partitions submit groups; the invoker packs them into requests per endpoint, limits how many requests are under way, keeps
//! endpoint failures to itself as far as it can, and tells each partition what became of each of its groups.

use std::sync::Arc;

use tidegate_core::id::PartitionId;
use tidegate_core::partition::event::Event;
use tidegate_core::partition::group::Group;

/// Where answers go: an `InvocationSucceeded`, `InvocationIncomplete` or `InvocationFailed` for a partition. Must not block.
pub type Answers = Arc<dyn Fn(PartitionId, Event) + Send + Sync>;

/// Has functions process groups.
pub trait Invoke: Send + Sync + 'static {
    /// Takes a group over. Exactly one answer follows, unless the process ends first.
    fn submit(&self, partition: PartitionId, group: Group);
}
