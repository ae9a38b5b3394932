//! A partition comes back: from the rows of the store's head, then the records that the store does not have yet, then a new
//! epoch.

use alloc::collections::{BTreeMap, BTreeSet};

use super::activity::Tally;
use super::cold::Cold;
use super::doors::Doors;
use super::effect::Effects;
use super::loads::Loads;
use super::record::Record;
use super::row::{Row, RowKey};
use super::schedule::Schedule;
use super::state::State;
use super::{Partition, Setting};
use crate::id::{Epoch, Lsn, Timestamp};

/// Why a partition cannot be restored. It must not serve then: data was lost somewhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RestoreError {
    /// Records are missing between the store and the log, or between two logs.
    #[error(
        "records are missing: the next one must be {expected} at most, the log goes on with {found}"
    )]
    Gap {
        /// The first record that is missing.
        expected: Lsn,
        /// The first record that is there.
        found: Lsn,
    },
    /// The epoch was used before: then an answer to the life before could be taken for one to this life.
    #[error("epoch {offered} was used before, the last one is {last}")]
    EpochReused {
        /// The epoch that this life was to have.
        offered: Epoch,
        /// The last epoch in the records.
        last: Epoch,
    },
}

/// A partition that is being restored.
#[derive(Debug)]
pub struct Restoring {
    setting: Setting,
    state: State,
    /// Whether the store was empty, so that rows need not be looked for.
    new: bool,
}

impl Restoring {
    /// Begins with the rows of the store's head; none if the partition is new.
    pub fn begin(setting: Setting, head: impl IntoIterator<Item = (RowKey, Row)>) -> Self {
        let mut head: BTreeMap<RowKey, Row> = head.into_iter().collect();
        let applied = match head.remove(&RowKey::Applied) {
            Some(Row::Lsn(applied)) => applied,
            _ => Lsn::NONE,
        };
        let mut state = State::new(setting.partition, setting.partitions, applied, setting.planted);
        for (key, row) in head {
            state.restore(key, row);
        }
        state.tempt(&setting.application);
        Self { setting, state, new: applied == Lsn::NONE }
    }

    /// The last record whose effect is known. Records up to it need not be replayed, but may be.
    #[must_use]
    pub const fn lsn(&self) -> Lsn {
        self.state.lsn
    }

    /// Replays a step of the log. Steps come in order; those that the store has are passed over.
    pub fn replay(&mut self, first: Lsn, records: &[Record]) -> Result<(), RestoreError> {
        let expected = self.state.lsn.next();
        if first > expected {
            return Err(RestoreError::Gap { expected, found: first });
        }
        let known = usize::try_from(expected.0 - first.0).unwrap_or(usize::MAX);
        for record in records.iter().skip(known) {
            self.state.apply(record);
        }
        self.state.overlay.advance(self.state.lsn);
        self.bound_memory();
        self.new &= records.is_empty();
        Ok(())
    }

    fn bound_memory(&mut self) {
        let bytes = self.setting.limits.queue_bytes;
        self.state.outbox.0.values_mut().for_each(|queue| queue.spill(bytes));
        self.state.egresses.0.values_mut().for_each(|queue| queue.spill(bytes));
    }

    /// Begins a life in a new epoch, which must be durable with whoever gives out epochs.
    pub fn adopt(
        self,
        now: Timestamp,
        epoch: Epoch,
        out: &mut Effects,
    ) -> Result<Partition, RestoreError> {
        let last = self.state.epoch;
        if epoch <= last {
            return Err(RestoreError::EpochReused { offered: epoch, last });
        }
        let Setting { application, limits, .. } = self.setting;
        let mut partition = Partition {
            state: self.state,
            schedule: Schedule::default(),
            loads: Loads::default(),
            doors: Doors::default(),
            orders: BTreeMap::new(),
            turns_held: BTreeSet::new(),
            cold: Cold::at_start(self.new),
            sweeping: false,
            application,
            limits,
            tally: Tally::default(),
        };
        partition.commit(now, Record::PartitionAdopted { epoch }, out);
        partition.tell_pauses(out);
        partition.settle(now, out);
        Ok(partition)
    }
}
