//! The addresses that anything in memory is about, each with a small number: its handle.
//!
//! What is kept of an address lies in several tables (its mailbox and values, rows that are not in the store yet, what is
//! under way for it). They find it by handle, so that an address is hashed and compared once and not once in each of them.
//! Most events are about one address: the one that was found last is tried first.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use crate::address::{Address, FunctionType};
use crate::footprint::counted;

/// The place of an address in tables. It is used again for another one once nobody holds it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub(super) struct Handle(u32);

impl Handle {
    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }

    #[cfg(test)]
    pub(super) const fn from_index(index: u32) -> Self {
        Self(index)
    }
}

/// Why an address stays in the directory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Holder {
    /// Its mailbox and values are in memory.
    Resident = 1,
    /// Rows of it are not in the store yet.
    Overlay = 2,
}

#[derive(Debug, Default)]
pub(super) struct Directory {
    /// Handles with the hashes of their addresses. Never iterated: its order has no meaning.
    table: HashTable<(u64, Handle)>,
    entries: Vec<Entry>,
    free: Vec<Handle>,
    /// The one that was sought last; it may be free by now.
    last: Handle,
    /// What all tables together take for each handle.
    bytes_per_handle: usize,
    /// What addresses take that only the overlay holds.
    overlay_bytes: usize,
    /// Some names that addresses share.
    functions: VecDeque<FunctionType>,
    hasher: FixedState,
}

/// So many function types are told apart quickly. An application has fewer, unless it makes them up as it goes.
const FUNCTIONS_KNOWN: usize = 64;

/// An entry, and a place in a table of which a third is free on average.
const OWN_BYTES_PER_HANDLE: usize =
    size_of::<Entry>() + size_of::<Handle>() + (size_of::<(u64, Handle)>() + 1) * 3 / 2;

#[derive(Debug)]
struct Entry {
    /// None if the handle is free.
    address: Option<Address>,
    holders: u8,
}

impl Directory {
    /// A directory for tables that take so many bytes for each handle.
    pub(super) fn new(bytes_per_handle: usize) -> Self {
        Self { bytes_per_handle: bytes_per_handle + OWN_BYTES_PER_HANDLE, ..Self::default() }
    }

    /// What an address takes of memory in all tables, with its name.
    ///
    /// # Panics
    /// If nobody holds the handle.
    pub(super) fn bytes(&self, handle: Handle) -> usize {
        self.bytes_per_handle + counted(self.address(handle).id.len())
    }

    /// What addresses take of memory that are not resident: only their unflushed rows keep them.
    pub(super) const fn overlay_bytes(&self) -> usize {
        self.overlay_bytes
    }

    #[inline]
    pub(super) fn find(&self, address: &Address) -> Option<Handle> {
        let last = self.entries.get(self.last.index()).and_then(|entry| entry.address.as_ref());
        if last.is_some_and(|last| last.is_copy_of(address)) {
            return Some(self.last);
        }
        self.search(address)
    }

    #[inline(never)]
    fn search(&self, address: &Address) -> Option<Handle> {
        if self.names(self.last, address) {
            return Some(self.last);
        }
        let hash = self.hasher.hash_one(address);
        let same = |(of, handle): &(u64, Handle)| *of == hash && self.names(*handle, address);
        self.table.find(hash, same).map(|(_, handle)| *handle)
    }

    /// Finds an address that is going to be asked for again.
    pub(super) fn seek(&mut self, address: &Address) -> Option<Handle> {
        let handle = self.find(address)?;
        self.last = handle;
        Some(handle)
    }

    /// Finds an address whose handle was probably this one.
    pub(super) fn seek_near(&mut self, handle: Handle, address: &Address) -> Option<Handle> {
        if self.names(handle, address) {
            self.last = handle;
        }
        self.seek(address)
    }

    /// The handle of an address, which is held from now on.
    pub(super) fn hold(&mut self, address: &Address, holder: Holder) -> Handle {
        let handle = self.seek(address).unwrap_or_else(|| self.enter(address));
        let before = self.entries[handle.index()].holders;
        if before & holder as u8 == 0 {
            self.set_holders(handle, before | holder as u8);
        }
        handle
    }

    /// Whoever is in memory counts what its address takes; if nobody is, the overlay does.
    fn set_holders(&mut self, handle: Handle, holders: u8) {
        const OVERLAY: u8 = Holder::Overlay as u8;
        let before = core::mem::replace(&mut self.entries[handle.index()].holders, holders);
        if (before == OVERLAY) != (holders == OVERLAY) {
            let bytes = self.bytes(handle);
            if holders == OVERLAY {
                self.overlay_bytes += bytes;
            } else {
                self.overlay_bytes -= bytes;
            }
        }
    }

    /// A holder needs a handle no longer.
    pub(super) fn release(&mut self, handle: Handle, holder: Holder) {
        self.set_holders(handle, self.entries[handle.index()].holders & !(holder as u8));
        let entry = &mut self.entries[handle.index()];
        if entry.holders == 0
            && let Some(address) = entry.address.take()
        {
            let hash = self.hasher.hash_one(&address);
            if let Ok(found) = self.table.find_entry(hash, |(_, of)| *of == handle) {
                found.remove();
            }
            self.free.push(handle);
        }
    }

    /// # Panics
    /// If nobody holds the handle.
    pub(super) fn address(&self, handle: Handle) -> &Address {
        self.entries[handle.index()].address.as_ref().expect("a handle that is held has an address")
    }

    /// Has an address share its texts with the one that is known here.
    pub(super) fn unify(&self, handle: Handle, address: &mut Address) {
        let known = self.address(handle);
        if !known.is_copy_of(address) {
            *address = known.clone();
        }
    }

    /// The name of a function type, shared with other addresses of it if it was used lately.
    fn name(&mut self, function: &FunctionType) -> FunctionType {
        if let Some(known) = self.functions.iter().find(|known| known.is(function)) {
            return known.clone();
        }
        if self.functions.len() == FUNCTIONS_KNOWN {
            self.functions.pop_front();
        }
        self.functions.push_back(function.clone());
        function.clone()
    }

    fn names(&self, handle: Handle, address: &Address) -> bool {
        let entry = self.entries.get(handle.index());
        let known = entry.and_then(|entry| entry.address.as_ref());
        known.is_some_and(|known| known.is(address))
    }

    fn enter(&mut self, address: &Address) -> Handle {
        let function = self.name(&address.function);
        let address = Address { function, id: address.id.clone() };
        let hash = self.hasher.hash_one(&address);
        let entry = Entry { address: Some(address), holders: 0 };
        let handle = match self.free.pop() {
            Some(handle) => {
                self.entries[handle.index()] = entry;
                handle
            }
            None => {
                self.entries.push(entry);
                Handle(
                    u32::try_from(self.entries.len() - 1).expect("fewer addresses fit into memory"),
                )
            }
        };
        self.table.insert_unique(hash, (hash, handle), |(hash, _)| *hash);
        self.last = handle;
        handle
    }
}
