//! The egresses that are open: who takes the records of each, and who knows its readers. They change while the node runs,
//! when the application is declared anew.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arc_swap::ArcSwap;
use tidegate_core::address::EgressId;

use super::backlog::Backlogs;
use super::{Awaited, Sink};

/// All of them at one moment.
#[derive(Clone, Default)]
pub struct Open {
    /// Who takes records.
    pub sinks: HashMap<EgressId, Arc<dyn Sink>>,
    /// Those whose records wait for readers.
    pub awaited: HashMap<EgressId, Arc<dyn Awaited>>,
    /// Most bytes that may wait, where that is bounded.
    pub most: BTreeMap<EgressId, u64>,
}

/// What drivers and readers look up.
#[derive(Default)]
pub struct Egresses {
    open: ArcSwap<Open>,
    backlogs: Backlogs,
}

impl Egresses {
    /// With these open from the beginning.
    #[must_use]
    pub fn new(open: Open) -> Self {
        let egresses = Self::default();
        egresses.replace(open);
        egresses
    }

    /// Who takes the records of an egress; nobody if it is not open.
    #[must_use]
    pub fn sink(&self, egress: &EgressId) -> Option<Arc<dyn Sink>> {
        self.open.load().sinks.get(egress).cloned()
    }

    /// Who knows the readers of an egress, if it has any.
    #[must_use]
    pub fn awaited(&self, egress: &EgressId) -> Option<Arc<dyn Awaited>> {
        self.open.load().awaited.get(egress).cloned()
    }

    /// How much waits in them.
    #[must_use]
    pub fn backlogs(&self) -> &Backlogs {
        &self.backlogs
    }

    /// Opens others in their place.
    pub fn replace(&self, open: Open) {
        self.backlogs.bound(&open.most);
        self.open.store(Arc::new(open));
    }
}
