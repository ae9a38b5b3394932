//! Records for sinks, kept until those have them. Upholds ONCE-2. Knows nothing of what a sink is.

use alloc::collections::BTreeMap;

use super::queue::{Cost, Queue};
use super::record::Emitted;
use crate::address::EgressId;
use crate::id::Sequence;

impl Cost for Emitted {
    fn cost(&self) -> usize {
        Self::cost(self)
    }
}

/// One queue for each egress, so that a dead sink blocks only itself.
#[derive(Debug, Default)]
pub(super) struct Egresses(pub(super) BTreeMap<EgressId, Queue<Emitted>>);

impl Egresses {
    pub(super) fn to(&mut self, egress: &EgressId) -> &mut Queue<Emitted> {
        if !self.0.contains_key(egress) {
            self.0.insert(egress.clone(), Queue::restore(Sequence::NONE, Sequence::FIRST));
        }
        self.0.get_mut(egress).expect("the queue was just made")
    }

    /// The number that the next record gets.
    pub(super) fn next(&self, egress: &EgressId) -> Sequence {
        self.0.get(egress).map_or(Sequence::FIRST, Queue::next)
    }
}
