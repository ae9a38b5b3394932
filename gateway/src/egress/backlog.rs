//! How much waits in each egress, over all partitions of the node. Where that is more than its module allows, the doors of the node
//! close until readers have acknowledged some of it: a reader that is slow or away slows down who sends, and loses nothing.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidegate_core::address::EgressId;

/// The backlogs of all egresses that were heard of.
#[derive(Debug, Default)]
pub struct Backlogs {
    by_egress: Mutex<BTreeMap<EgressId, Arc<Backlog>>>,
    full: Arc<AtomicUsize>,
}

/// What waits in one egress.
#[derive(Debug)]
pub struct Backlog {
    egress: EgressId,
    bytes: AtomicI64,
    most: AtomicU64,
    is_full: AtomicBool,
    /// How many egresses are.
    full: Arc<AtomicUsize>,
}

impl Backlogs {
    /// The backlog of an egress.
    #[must_use]
    pub fn of(&self, egress: &EgressId) -> Arc<Backlog> {
        let backlog = |full| Backlog {
            egress: egress.clone(),
            bytes: AtomicI64::new(0),
            most: AtomicU64::new(u64::MAX),
            is_full: AtomicBool::new(false),
            full,
        };
        let mut all = self.lock();
        let known = all.entry(egress.clone());
        Arc::clone(known.or_insert_with(|| Arc::new(backlog(Arc::clone(&self.full)))))
    }

    /// From now on egresses may hold so many bytes; those that are not named have no bound.
    pub(super) fn bound(&self, most: &BTreeMap<EgressId, u64>) {
        for egress in most.keys() {
            // So that it is there to be bounded.
            let _ = self.of(egress);
        }
        for (egress, backlog) in &*self.lock() {
            backlog.bound(most.get(egress).copied().unwrap_or(u64::MAX));
        }
    }

    /// Whether some egress holds more than it may.
    #[must_use]
    pub fn is_any_full(&self) -> bool {
        self.full.load(Ordering::Acquire) > 0
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<EgressId, Arc<Backlog>>> {
        // Every change under the lock is complete before anything can panic.
        self.by_egress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backlog {
    /// A partition says by how many bytes its part has grown, or shrunk.
    pub fn add(&self, bytes: i64) {
        self.bytes.fetch_add(bytes, Ordering::AcqRel);
        self.judge();
    }

    fn bound(&self, most: u64) {
        self.most.store(most, Ordering::Release);
        self.judge();
    }

    fn judge(&self) {
        // Whoever changes the mark also counts it, so the count is right whoever comes last.
        loop {
            let waiting = u64::try_from(self.bytes.load(Ordering::Acquire)).unwrap_or(0);
            let most = self.most.load(Ordering::Acquire);
            let full = waiting > most;
            if self.is_full.swap(full, Ordering::AcqRel) == full {
                return;
            }
            if full {
                self.full.fetch_add(1, Ordering::AcqRel);
                tracing::warn!(egress = %self.egress, bytes = waiting, most, "TG-0506: an egress is full; the doors are closed until readers have acknowledged some of it");
            } else {
                self.full.fetch_sub(1, Ordering::AcqRel);
                tracing::info!(egress = %self.egress, bytes = waiting, "the egress is not full any more");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn named(text: &str) -> EgressId {
        EgressId::parse(text).unwrap()
    }

    #[test]
    fn it_is_full_above_its_bound_and_as_long_as_it_is() {
        let backlogs = Backlogs::default();
        let receipts = backlogs.of(&named("shop/receipts"));
        receipts.add(1_000);
        assert!(!backlogs.is_any_full(), "without a bound nothing is full");
        backlogs.bound(&BTreeMap::from([(named("shop/receipts"), 999)]));
        assert!(backlogs.is_any_full());
        receipts.add(-1);
        assert!(!backlogs.is_any_full(), "the bound itself is allowed");
        backlogs.of(&named("shop/receipts")).add(5);
        assert!(backlogs.is_any_full());
        backlogs.bound(&BTreeMap::new());
        assert!(!backlogs.is_any_full());
    }

    #[test]
    fn one_full_egress_is_enough() {
        let backlogs = Backlogs::default();
        let names = ["shop/a", "shop/b"].map(named);
        backlogs.bound(&names.iter().map(|name| (name.clone(), 10)).collect());
        names.iter().for_each(|name| backlogs.of(name).add(11));
        backlogs.of(&names[0]).add(-11);
        assert!(backlogs.is_any_full());
        backlogs.of(&names[1]).add(-11);
        assert!(!backlogs.is_any_full());
    }
}
