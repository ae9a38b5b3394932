//! An address goes on: what it needs is read from rows, then its next group is formed when its turn comes.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Partition;
use super::cold::{into_message, sequence_of};
use super::effect::{Effect, Effects, LoadRequest, RowRange};
use super::group::ValueSpec;
use super::loads::Purpose;
use super::overlay::Merged;
use super::row::{Row, RowKey};
use super::schedule::Slot;
use super::values::Held;
use crate::address::{Address, FunctionType};
use crate::id::{Sequence, Timestamp};
use crate::limits::Limits;

/// The part of what may be resident that one mailbox may have while there is room, as a divisor.
const MAILBOX_SHARE: usize = 4;

impl Partition {
    /// Lets an address go on if nothing is under way for it and it has work.
    pub(super) fn wake(&mut self, now: Timestamp, address: &Address, out: &mut Effects) {
        self.proceed(now, address, false, out);
    }

    /// Lets an address go on, which has waited for its turn if this is it.
    pub(super) fn proceed(
        &mut self,
        now: Timestamp,
        address: &Address,
        its_turn: bool,
        out: &mut Effects,
    ) {
        self.spill_mailbox(address);
        if self.slot(address).is_some() {
            return;
        }
        let Some(resident) = self.state.resident(address) else { return };
        if resident.mailbox.is_empty() {
            return;
        }
        if let Some((rows, known)) = self.missing_rows(address) {
            self.tally.address_loads += 1;
            self.occupy(address, Slot::Loading);
            self.load(Purpose::Activate { address: address.clone(), known }, rows, out);
        } else if address.is_reply() {
            self.load_request(now, address, out);
        } else if self.is_held(&address.function) {
            self.occupy(address, Slot::Held);
        } else if its_turn || self.may_overtake_nobody(&address.function) {
            self.invoke(now, address, out);
        } else {
            let handle = self.state.directory.seek(address);
            handle.into_iter().for_each(|handle| self.schedule.join_line(handle, address));
        }
    }

    /// Whether an address that has just got work may go on at once: there is a place for it and nobody waits for that.
    fn may_overtake_nobody(&self, function: &FunctionType) -> bool {
        self.schedule.lines.of(function).ready() == 0 && self.may_begin(function)
    }

    fn spill_mailbox(&mut self, address: &Address) {
        let most = self.mailbox_most();
        let Some(handle) = self.state.directory.seek(address) else { return };
        let Some(resident) = self.state.residents.get(handle) else { return };
        let keep = self.schedule.messages_in_flight(handle);
        if resident.mailbox.is_beyond(most, keep) {
            self.state.residents.with(handle, |resident| resident.mailbox.spill(most, keep));
        }
    }

    /// How much of a mailbox may be in memory: a good part of everything while there is room, little when there is not.
    const fn mailbox_most(&self) -> usize {
        let Limits { resident_bytes, mailbox_bytes, .. } = self.limits;
        let share = resident_bytes / MAILBOX_SHARE;
        let plenty = self.state.residents.bytes() < self.bytes_for_cold();
        if plenty && share > mailbox_bytes { share } else { mailbox_bytes }
    }

    /// The rows without which the next group of an address cannot be formed, and how many of its declared values
    /// are known once they are read.
    fn missing_rows(&self, address: &Address) -> Option<(LoadRequest, usize)> {
        let resident = self.state.resident(address)?;
        let specs = self.state.specs.get(&address.function);
        let mut keys = Vec::new();
        for spec in resident.values.unknown(specs) {
            value_keys(address, spec, &mut keys);
        }
        let from = resident.mailbox.wants_rows_from();
        if from == Some(Sequence::NONE) || from.is_some() && self.orders.contains_key(address) {
            keys.push(RowKey::parked(address.clone()));
        }
        let range = from.map(|from| RowRange {
            from: RowKey::Mailbox(address.clone(), from.max(Sequence::FIRST)),
            until: RowKey::Mailbox(address.clone(), Sequence(u64::MAX)),
            bytes: self.limits.load_bytes.min(self.limits.mailbox_bytes),
        });
        let needed = !keys.is_empty() || range.is_some();
        needed.then_some((LoadRequest { keys, range }, specs.len()))
    }

    /// What an address needs was read.
    pub(super) fn activated(
        &mut self,
        now: Timestamp,
        address: &Address,
        known: usize,
        keyed: &BTreeMap<RowKey, Row>,
        ranged: Merged,
        out: &mut Effects,
    ) {
        self.vacate(address);
        let specs = self.state.specs.of(&address.function);
        let more_after = sequence_of(ranged.more_after.as_ref(), address);
        let rows = ranged.rows.into_iter().map(|(_, row)| row);
        let parked = keyed.contains_key(&RowKey::parked(address.clone()));
        if let Some(resident) = self.state.resident(address) {
            let headless = resident.mailbox.wants_rows_from().is_some();
            let unknown = resident.values.unknown(&specs[..known]).iter();
            let found: Vec<_> = unknown
                .filter_map(|spec| Some((spec.name.clone(), find_value(address, spec, keyed)?)))
                .collect();
            self.state.learn(address, known, found.into_iter());
            if headless {
                self.state.refill(address, rows.filter_map(into_message), more_after);
            }
        }
        if parked {
            self.occupy(address, Slot::Parked);
        }
        self.carry_out_orders(now, address, out);
        self.wake(now, address, out);
    }

    /// Forms the next group of an address that has everything it needs.
    fn invoke(&mut self, now: Timestamp, address: &Address, out: &mut Effects) {
        let Some((group, flight)) = self.form_group(now, address) else { return };
        self.occupy(address, Slot::InFlight(flight));
        if !self.turns_held.is_empty() {
            self.schedule.lines.use_turn(&address.function);
        }
        out.actions.push(Effect::Invoke { group, after: self.gate() });
    }
}

/// The rows that hold a value.
pub(super) fn value_keys(address: &Address, spec: &ValueSpec, keys: &mut Vec<RowKey>) {
    keys.push(RowKey::Value(address.clone(), spec.name.clone()));
    if spec.is_refreshable() {
        keys.push(RowKey::Expiry(address.clone(), spec.name.clone()));
    }
}

fn find_value(address: &Address, spec: &ValueSpec, rows: &BTreeMap<RowKey, Row>) -> Option<Held> {
    let value = RowKey::Value(address.clone(), spec.name.clone());
    let Some(Row::Value(value, expires_at)) = rows.get(&value) else { return None };
    let mut value = value.clone();
    if value.typename == spec.typename {
        // All values of a name share the name of their type.
        value.typename = spec.typename.clone();
    }
    let mut held = Held { value, expires_at: *expires_at };
    if spec.is_refreshable() {
        let expiry = RowKey::Expiry(address.clone(), spec.name.clone());
        if let Some(Row::Expiry(expires_at)) = rows.get(&expiry) {
            held.expires_at = *expires_at;
        }
    }
    Some(held)
}
