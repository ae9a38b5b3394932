//! Messages to other partitions, kept until those have them. Upholds ONCE-2. Knows nothing of transport.

use alloc::collections::BTreeMap;

use super::queue::{Cost, Queue};
use crate::id::{PartitionId, Sequence};
use crate::message::Envelope;

impl Cost for Envelope {
    fn cost(&self) -> usize {
        Self::cost(self)
    }
}

/// One queue for each receiving partition.
#[derive(Debug, Default)]
pub(super) struct Outbox(pub(super) BTreeMap<PartitionId, Queue<Envelope>>);

impl Outbox {
    pub(super) fn to(&mut self, destination: PartitionId) -> &mut Queue<Envelope> {
        self.0.entry(destination).or_insert_with(|| Queue::restore(Sequence::NONE, Sequence::FIRST))
    }

    /// The number that the next message to a partition gets.
    pub(super) fn next(&self, destination: PartitionId) -> Sequence {
        self.0.get(&destination).map_or(Sequence::FIRST, Queue::next)
    }
}
