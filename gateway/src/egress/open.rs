//! The egresses that are open: who takes the records of each, and who knows its readers. They change while the node runs,
//! when the application is declared anew.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tidegate_core::address::EgressId;

use super::{Awaited, Sink};

/// All of them at one moment.
#[derive(Clone, Default)]
pub struct Open {
    /// Who takes records.
    pub sinks: HashMap<EgressId, Arc<dyn Sink>>,
    /// Those whose records wait for readers.
    pub awaited: HashMap<EgressId, Arc<dyn Awaited>>,
}

/// What drivers and readers look up.
#[derive(Default)]
pub struct Egresses(ArcSwap<Open>);

impl Egresses {
    /// With these open from the beginning.
    #[must_use]
    pub fn new(open: Open) -> Self {
        Self(ArcSwap::from_pointee(open))
    }

    /// Who takes the records of an egress; nobody if it is not open.
    #[must_use]
    pub fn sink(&self, egress: &EgressId) -> Option<Arc<dyn Sink>> {
        self.0.load().sinks.get(egress).cloned()
    }

    /// Who knows the readers of an egress, if it has any.
    #[must_use]
    pub fn awaited(&self, egress: &EgressId) -> Option<Arc<dyn Awaited>> {
        self.0.load().awaited.get(egress).cloned()
    }

    /// Opens others in their place.
    pub fn replace(&self, open: Open) {
        self.0.store(Arc::new(open));
    }
}
