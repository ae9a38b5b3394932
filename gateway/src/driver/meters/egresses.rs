//! What waits in the egresses of a partition, told to the gauges and the backlogs that all partitions share.

use std::collections::BTreeMap;
use std::sync::Arc;

use metrics::{Gauge, gauge};
use tidegate_core::address::EgressId;
use tidegate_core::partition::Partition;
use tidegate_core::partition::activity::EgressBacklog;

use crate::egress::backlog::{Backlog, Backlogs};

/// What was told of each egress.
#[derive(Default)]
pub(super) struct Egresses(BTreeMap<EgressId, Told>);

struct Told {
    records: Gauge,
    bytes: Gauge,
    backlog: Arc<Backlog>,
    before: EgressBacklog,
}

impl Egresses {
    /// Tells how the part of this partition has changed.
    pub(super) fn show(&mut self, partition: &Partition, backlogs: &Backlogs) {
        for (egress, now) in partition.egress_backlogs() {
            if !self.0.contains_key(egress) {
                self.0.insert(egress.clone(), Told::new(egress, backlogs));
            }
            if let Some(told) = self.0.get_mut(egress)
                && told.before != now
            {
                told.tell(now);
            }
        }
    }
}

impl Told {
    fn new(egress: &EgressId, backlogs: &Backlogs) -> Self {
        let name = || egress.to_string();
        Self {
            records: gauge!("tidegate_egress_records_waiting", "egress" => name()),
            bytes: gauge!("tidegate_egress_bytes_waiting", "egress" => name()),
            backlog: backlogs.of(egress),
            before: EgressBacklog::default(),
        }
    }

    fn tell(&mut self, now: EgressBacklog) {
        let before = std::mem::replace(&mut self.before, now);
        let records = now.records as f64 - before.records as f64;
        let bytes = now.bytes as i64 - before.bytes as i64;
        self.records.increment(records);
        self.bytes.increment(bytes as f64);
        self.backlog.add(bytes);
    }
}
