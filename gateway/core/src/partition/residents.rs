//! The addresses that are in memory, each with the head of its mailbox and its values.
//!
//! An address that is not here may still have values and messages: in rows. What is here is a copy of rows, so an
//! address may leave at any time at which nothing is under way for it.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::directory::Handle;
use super::mailbox::Mailbox;
use super::values::Values;

/// Bytes that an address counts for beside its messages and values: directory, table, ring, schedule, and what an
/// allocator adds.
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
    /// By handle.
    table: Vec<Option<Resident>>,
    /// The clock for eviction: every resident once, in the order in which the hand meets them.
    ring: VecDeque<Handle>,
    bytes: usize,
}

impl Residents {
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.ring.len()
    }

    pub(super) fn get(&self, handle: Handle) -> Option<&Resident> {
        self.table.get(handle.index())?.as_ref()
    }

    /// Lets an address in, with what is known of its mailbox. Nothing is known of its values.
    pub(super) fn admit(&mut self, handle: Handle, mailbox: Mailbox) {
        let resident = Resident { mailbox, values: Values::default(), touched: true };
        self.bytes += resident.bytes();
        self.ring.push_back(handle);
        if self.table.len() <= handle.index() {
            self.table.resize_with(handle.index() + 1, || None);
        }
        let replaced = self.table[handle.index()].replace(resident);
        debug_assert!(replaced.is_none(), "an address is admitted once");
    }

    /// Changes what is in memory of an address, if it is here.
    pub(super) fn with<R>(
        &mut self,
        handle: Handle,
        change: impl FnOnce(&mut Resident) -> R,
    ) -> Option<R> {
        let resident = self.table.get_mut(handle.index())?.as_mut()?;
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
        may_leave: impl FnOnce(Handle, &Resident) -> bool,
    ) -> Option<(Handle, bool)> {
        let handle = self.ring.pop_front()?;
        let entry = self.table.get_mut(handle.index())?;
        let resident = entry.as_mut()?;
        if core::mem::take(&mut resident.touched) || !may_leave(handle, resident) {
            self.ring.push_back(handle);
            return None;
        }
        self.bytes -= resident.bytes();
        let waiting = !resident.mailbox.is_empty();
        *entry = None;
        Some((handle, waiting))
    }

    /// Every resident, in the order of the clock.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Handle, &Resident)> {
        self.ring.iter().filter_map(|handle| Some((*handle, self.get(*handle)?)))
    }
}
