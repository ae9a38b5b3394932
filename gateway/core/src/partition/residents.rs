//! The addresses that are in memory, each with the head of its mailbox and its values.
//!
//! An address that is not here may still have values and messages: in rows. What is here is a copy of rows, so an
//! address may leave at any time at which nothing is under way for it.
//!
//! What a row that the store does not have yet shares with its copy here is counted by the overlay, and by the copy once the
//! store has the row: memory that is counted once is freed by flushing first, then by leaving.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::directory::Handle;
use super::mailbox::Mailbox;
use super::values::Values;
use crate::id::Sequence;

#[derive(Debug)]
pub(super) struct Resident {
    pub(super) mailbox: Mailbox,
    pub(super) values: Values,
    /// What its address takes of memory.
    address_bytes: u32,
    /// Used since the hand of the clock passed last.
    touched: bool,
}

impl Resident {
    fn bytes(&self) -> usize {
        self.address_bytes as usize + self.mailbox.bytes() + self.values.bytes()
    }
}

/// What becomes of an address when memory is short.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// It stays.
    Stays,
    /// It leaves, unless it was used lately.
    Leaves,
    /// It stays, and leaves what is beyond a number of bytes of its mailbox to the rows, but for the first messages.
    Sheds {
        /// So many bytes.
        bytes: usize,
        /// So many messages.
        keep: usize,
    },
}

/// What became of an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    /// Nothing was gained.
    Stayed,
    /// It has left a part of its mailbox to the rows.
    Shed,
    /// It has left.
    Left {
        /// Who.
        handle: Handle,
        /// Whether messages wait for it.
        waiting: bool,
    },
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

    /// What the tables take for each handle.
    pub(super) const BYTES_PER_HANDLE: usize =
        size_of::<Option<Resident>>() + 2 * size_of::<Handle>();

    /// Lets an address in that takes so many bytes itself, with what is known of its mailbox. Nothing is known of its values.
    pub(super) fn admit(&mut self, handle: Handle, address_bytes: usize, mailbox: Mailbox) {
        let address_bytes = u32::try_from(address_bytes).unwrap_or(u32::MAX);
        let values = Values::default();
        let resident = Resident { mailbox, values, address_bytes, touched: true };
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
        self.get_mut(handle)?.touched = true;
        self.recount(handle, change)
    }

    /// The store has rows of an address that it did not have: their copies count here from now on. It does not have messages
    /// from a number on, and values that are `unflushed`.
    pub(super) fn flushed(
        &mut self,
        handle: Handle,
        messages_from: Sequence,
        unflushed: impl Fn(&str) -> bool,
    ) {
        self.recount(handle, |resident| {
            resident.mailbox.flushed(messages_from);
            resident.values.flushed(unflushed);
        });
    }

    fn get_mut(&mut self, handle: Handle) -> Option<&mut Resident> {
        self.table.get_mut(handle.index())?.as_mut()
    }

    fn recount<R>(&mut self, handle: Handle, change: impl FnOnce(&mut Resident) -> R) -> Option<R> {
        let resident = self.table.get_mut(handle.index())?.as_mut()?;
        self.bytes -= resident.bytes();
        let result = change(resident);
        self.bytes += resident.bytes();
        Some(result)
    }

    /// Moves the hand of the clock by one address, whose fate is decided. One that was used since the last time never leaves.
    pub(super) fn tick(&mut self, decide: impl FnOnce(Handle, &Resident) -> Fate) -> Outcome {
        let Some(handle) = self.ring.pop_front() else { return Outcome::Stayed };
        let Some(resident) = self.get_mut(handle) else { return Outcome::Stayed };
        let used = core::mem::take(&mut resident.touched);
        match decide(handle, resident) {
            Fate::Leaves if !used => {
                let (bytes, waiting) = (resident.bytes(), !resident.mailbox.is_empty());
                self.bytes -= bytes;
                self.table[handle.index()] = None;
                Outcome::Left { handle, waiting }
            }
            Fate::Sheds { bytes, keep } => {
                self.recount(handle, |resident| resident.mailbox.spill(bytes, keep));
                self.ring.push_back(handle);
                Outcome::Shed
            }
            Fate::Leaves | Fate::Stays => {
                self.ring.push_back(handle);
                Outcome::Stayed
            }
        }
    }

    /// Every resident, in the order of the clock.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Handle, &Resident)> {
        self.ring.iter().filter_map(|handle| Some((*handle, self.get(*handle)?)))
    }
}
