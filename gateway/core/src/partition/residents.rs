//! The addresses that are in memory, each with the head of its mailbox and its values.
//!
//! An address that is not here may still have values and messages: in rows. What is here is a copy of rows, so an
//! address may leave at any time at which nothing is under way for it.

use alloc::collections::VecDeque;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::mailbox::Mailbox;
use super::values::Values;
use crate::address::Address;

/// Bytes that an address counts for beside its messages and values: key, map entry, ring entry, slot.
const RESIDENT_OVERHEAD_BYTES: usize = 512;

#[derive(Debug)]
pub(super) struct Resident {
    pub(super) mailbox: Mailbox,
    pub(super) values: Values,
    /// Used since the hand of the clock passed last.
    touched: bool,
}

impl Resident {
    const fn bytes(&self) -> usize {
        RESIDENT_OVERHEAD_BYTES + self.mailbox.bytes() + self.values.bytes()
    }
}

#[derive(Debug, Default)]
pub(super) struct Residents {
    /// Never iterated to decide anything: its order has no meaning.
    map: HashMap<Address, Resident, FixedState>,
    /// The clock for eviction: every resident once, in the order in which the hand meets them.
    ring: VecDeque<Address>,
    bytes: usize,
}

impl Residents {
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.ring.len()
    }

    pub(super) fn get(&self, address: &Address) -> Option<&Resident> {
        self.map.get(address)
    }

    pub(super) fn contains(&self, address: &Address) -> bool {
        self.map.contains_key(address)
    }

    /// Lets an address in, with what is known of its mailbox. Nothing is known of its values.
    pub(super) fn admit(&mut self, address: &Address, mailbox: Mailbox) {
        let resident = Resident { mailbox, values: Values::default(), touched: true };
        self.bytes += resident.bytes();
        self.ring.push_back(address.clone());
        let replaced = self.map.insert(address.clone(), resident);
        debug_assert!(replaced.is_none(), "an address is admitted once");
    }

    /// Changes what is in memory of an address, if it is here.
    pub(super) fn with<R>(
        &mut self,
        address: &Address,
        change: impl FnOnce(&mut Resident) -> R,
    ) -> Option<R> {
        let resident = self.map.get_mut(address)?;
        resident.touched = true;
        self.bytes -= resident.bytes();
        let result = change(resident);
        self.bytes += resident.bytes();
        Some(result)
    }

    /// Moves the hand of the clock by one address; lets that one go if it was not used since the last time and
    /// `may_leave` agrees. Says who left, and whether it left messages behind.
    pub(super) fn tick(
        &mut self,
        may_leave: impl FnOnce(&Address, &Resident) -> bool,
    ) -> Option<(Address, bool)> {
        let address = self.ring.pop_front()?;
        let resident = self.map.get_mut(&address)?;
        if core::mem::take(&mut resident.touched) || !may_leave(&address, resident) {
            self.ring.push_back(address);
            return None;
        }
        self.bytes -= resident.bytes();
        let waiting = !resident.mailbox.is_empty();
        self.map.remove(&address);
        Some((address, waiting))
    }

    /// Every resident, in the order of the clock.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Address, &Resident)> {
        self.ring.iter().filter_map(|address| self.map.get_key_value(address))
    }
}
