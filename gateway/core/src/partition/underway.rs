//! The schedule, asked by address: only addresses in memory are in it, and the directory knows their handles.

use super::Partition;
use super::schedule::{Slot, Trouble};
use crate::address::Address;

impl Partition {
    /// What is under way for an address.
    pub(super) fn slot(&self, address: &Address) -> Option<&Slot> {
        self.schedule.slot(self.state.directory.find(address)?)
    }

    /// Sets what is under way for an address that was idle, and is in memory.
    pub(super) fn occupy(&mut self, address: &Address, slot: Slot) {
        match self.state.directory.seek(address) {
            Some(handle) => self.schedule.occupy(handle, address, slot),
            None => debug_assert!(false, "only what is in memory has anything under way"),
        }
    }

    /// Nothing is under way for an address any more; says what was.
    pub(super) fn vacate(&mut self, address: &Address) -> Option<Slot> {
        let handle = self.state.directory.seek(address)?;
        self.schedule.vacate(handle, address)
    }

    /// How an address's groups fail, if they do.
    pub(super) fn trouble(&self, address: &Address) -> Option<Trouble> {
        self.schedule.trouble(self.state.directory.find(address)?)
    }

    pub(super) fn set_trouble(&mut self, address: &Address, trouble: Option<Trouble>) {
        if let Some(handle) = self.state.directory.seek(address) {
            self.schedule.set_trouble(handle, trouble);
        }
    }
}
