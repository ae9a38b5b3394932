//! Walks through the stores: they meet rows of values, of which some look expired, and say so late or wrongly.

use tidegate_core::address::Address;
use tidegate_core::id::PartitionId;
use tidegate_core::partition::event::Event;
use tidegate_core::partition::row::RowKey;

use crate::world::{Checked, World};

/// Beyond what any value lives.
const LONG_MS: u64 = 10_000;

impl World {
    /// A walk meets some rows, expired or not.
    pub fn a_walk_meets_values(&mut self) -> Checked {
        let running = self.running();
        if running.is_empty() {
            return Ok(());
        }
        let of = *self.random.pick(&running);
        let mut keys = self.values_in_store(of);
        keys.retain(|_| self.random.chance(40));
        self.tell(of, Event::ExpiryFound { keys })
    }

    /// What a record says has expired, no function may be working with.
    pub fn check_unseen(&mut self, of: PartitionId, address: &Address) -> Checked {
        self.cover("an expired value was swept");
        if self.site(of).flights.contains_key(address) {
            return Err(format!("a value of {address} is swept while a function works with it"));
        }
        Ok(())
    }

    /// Once everything has expired, a walk over all of it leaves nothing but what lives for ever.
    pub fn sweep_everything(&mut self) -> Checked {
        self.now = self.now.plus_ms(LONG_MS);
        for partition in self.plan.partitions.partitions() {
            // One that is under way comes first.
            for _ in 0..2 {
                self.begin_flush(partition);
                self.commit_flush(partition)?;
            }
            let keys = self.values_in_store(partition);
            self.tell(partition, Event::ExpiryFound { keys })?;
            while !self.site(partition).store.loads.is_empty() {
                self.read(partition, 0)?;
            }
        }
        for incarnation in self.alive() {
            let log = &self.logs[incarnation];
            self.sync(incarnation, log.entries.len() - log.synced)?;
        }
        Ok(())
    }

    fn values_in_store(&mut self, of: PartitionId) -> Vec<RowKey> {
        let keys = self.site(of).store.rows.keys();
        keys.filter(|key| matches!(key, RowKey::Value(..) | RowKey::Expiry(..))).cloned().collect()
    }
}
