//! Values that have expired go, also those of addresses that nobody invokes any more: so that what disappears by itself is
//! freed on the disk too.
//!
//! Whoever walks through the store says what it found there. That is a hint: the log may know better, and a value that a group
//! in flight was shown stays until the group is answered. So the rows are read once more, under the overlay, and what has
//! expired is removed by a record, as everything is.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Partition;
use super::effect::{Effects, LoadRequest};
use super::loads::Purpose;
use super::planted::Bug;
use super::record::{ExpiredValue, Record};
use super::row::{Row, RowKey};
use super::schedule::Slot;
use crate::address::Address;
use crate::id::Timestamp;

impl Partition {
    /// Whether some function has declared values that expire.
    #[must_use]
    pub fn has_expiring_values(&self) -> bool {
        self.state.specs.any_expires()
    }

    /// Whether values that look expired are being looked at.
    #[must_use]
    pub const fn is_sweeping(&self) -> bool {
        self.sweeping
    }

    /// Rows of values, or of their expiries, look as if they had expired. While others are being looked at nothing is done:
    /// the next walk finds them again.
    pub(super) fn expiry_found(&mut self, mut keys: Vec<RowKey>, out: &mut Effects) {
        keys.retain(|key| matches!(key, RowKey::Value(..) | RowKey::Expiry(..)));
        if self.sweeping || keys.is_empty() {
            return;
        }
        self.sweeping = true;
        self.load(Purpose::Sweep, LoadRequest { keys, range: None }, out);
    }

    /// The rows were read once more.
    pub(super) fn swept(&mut self, now: Timestamp, rows: BTreeMap<RowKey, Row>, out: &mut Effects) {
        self.sweeping = false;
        let values: Vec<_> =
            rows.into_iter().filter_map(|(key, row)| self.expired(now, key, &row)).collect();
        if !values.is_empty() {
            self.tally.values_swept += values.len() as u64;
            self.commit(now, Record::ValuesExpired(values), out);
        }
    }

    /// The value of a row, if it has expired and no function is working with it.
    fn expired(&self, now: Timestamp, key: RowKey, row: &Row) -> Option<ExpiredValue> {
        let (Row::Value(_, expires_at) | Row::Expiry(expires_at)) = row else { return None };
        if *expires_at > now && !self.state.planted.has(Bug::SweptByHint) {
            return None;
        }
        let refreshable = matches!(key, RowKey::Expiry(..));
        let (RowKey::Value(address, name) | RowKey::Expiry(address, name)) = key else {
            return None;
        };
        (!self.is_shown(&address)).then_some(ExpiredValue { address, name, refreshable })
    }

    /// Whether a function was shown the values of an address and its answer is not committed.
    fn is_shown(&self, address: &Address) -> bool {
        matches!(self.slot(address), Some(Slot::InFlight(_) | Slot::Committing(..)))
            && !self.state.planted.has(Bug::SweptInFlight)
    }
}
