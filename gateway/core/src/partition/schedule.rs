//! What is under way for each address, and what waits for its turn. Upholds ORD-1. All of it is volatile: after a
//! restart it is found again from the mailboxes.
//!
//! An address for which anything is under way is resident, so its handle stays.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::directory::Handle;
use super::group::Response;
use super::lines::Lines;
use super::slots::Slots;
use crate::address::{Address, FunctionType};
use crate::id::{BatchId, Timestamp};

/// What is under way for an address. An address without a slot is idle.
#[derive(Debug)]
pub(super) enum Slot {
    /// Rows are being read.
    Loading,
    /// It has work and stands in line for its turn.
    Ready {
        /// Where in the line.
        place: u64,
    },
    /// A function is processing a group of it.
    InFlight(InFlight),
    /// A function has answered; rows that the answer depends on are being read.
    Committing(InFlight, Box<Response>),
    /// Its group failed and is tried again at that moment.
    BackingOff {
        /// When.
        until: Timestamp,
    },
    /// It waits for an operator.
    Parked,
    /// Its function is paused, or declared by no endpoint.
    Held,
}

/// A group that a function is processing.
#[derive(Clone, Debug)]
pub(super) struct InFlight {
    pub(super) batch: BatchId,
    /// How many messages from the head of the mailbox.
    pub(super) messages: usize,
    /// Values that were presented as absent because they had expired.
    pub(super) expired: Vec<Arc<str>>,
    /// How many of the declared values were presented: the first ones.
    pub(super) presented: usize,
}

/// An address whose groups fail: how small its next group is, and how often its head has failed alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trouble {
    /// Most messages in the next group.
    pub(super) messages: usize,
    /// How often the message at the head has failed alone.
    pub(super) failures: u32,
}

/// A slot, and a place in a line: in a tree that is filled from one end.
const BYTES_PER_SLOT: usize =
    Slots::<Slot>::BYTES_PER_THING + (size_of::<(u64, (Handle, Address))>()) * 7 / 4;

#[derive(Debug, Default)]
pub(super) struct Schedule {
    slots: Slots<Slot>,
    /// Whose group each batch of this epoch is.
    batches: HashMap<u64, (Handle, Address), FixedState>,
    troubles: HashMap<Handle, Trouble, FixedState>,
    pub(super) lines: Lines,
    backing_off: BTreeMap<(Timestamp, Address), Handle>,
    held: BTreeMap<Address, Handle>,
    in_flight: usize,
    last_batch: u64,
}

impl Schedule {
    /// What the tables take for each handle.
    pub(super) const BYTES_PER_HANDLE: usize = Slots::<Slot>::BYTES_PER_HANDLE;

    pub(super) fn slot(&self, handle: Handle) -> Option<&Slot> {
        self.slots.get(handle)
    }

    /// What it takes of memory, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.slots.room() * BYTES_PER_SLOT
    }

    pub(super) const fn in_flight(&self) -> usize {
        self.in_flight
    }

    pub(super) const fn ready(&self) -> usize {
        self.lines.ready()
    }

    pub(super) fn backing_off(&self) -> usize {
        self.backing_off.len()
    }

    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    /// The number of the next batch of this epoch.
    pub(super) const fn number_batch(&mut self) -> u64 {
        self.last_batch += 1;
        self.last_batch
    }

    /// Sets what is under way for an address that was idle.
    pub(super) fn occupy(&mut self, handle: Handle, address: &Address, slot: Slot) {
        match &slot {
            Slot::InFlight(flight) | Slot::Committing(flight, _) => {
                self.in_flight += 1;
                self.lines.begin(&address.function);
                self.batches.insert(flight.batch.number, (handle, address.clone()));
            }
            Slot::BackingOff { until } => {
                self.backing_off.insert((*until, address.clone()), handle);
            }
            Slot::Held => {
                self.held.insert(address.clone(), handle);
            }
            Slot::Ready { .. } | Slot::Loading | Slot::Parked => {}
        }
        let before = self.slots.insert(handle, slot);
        debug_assert!(before.is_none(), "ORD-1: one thing at a time is under way for an address");
    }

    /// An address that was idle joins the line for its turn.
    pub(super) fn join_line(&mut self, handle: Handle, address: &Address) {
        let place = self.lines.join(handle, address);
        self.occupy(handle, address, Slot::Ready { place });
    }

    /// Nothing is under way for an address any more; says what was.
    pub(super) fn vacate(&mut self, handle: Handle, address: &Address) -> Option<Slot> {
        let slot = self.slots.remove(handle)?;
        match &slot {
            Slot::InFlight(flight) | Slot::Committing(flight, _) => {
                self.in_flight -= 1;
                self.lines.end(&address.function);
                self.batches.remove(&flight.batch.number);
            }
            Slot::BackingOff { until } => {
                self.backing_off.remove(&(*until, address.clone()));
            }
            Slot::Held => {
                self.held.remove(address);
            }
            Slot::Ready { place } => self.lines.leave(&address.function, *place),
            Slot::Loading | Slot::Parked => {}
        }
        Some(slot)
    }

    /// How many messages at the head of an address's mailbox must stay where they are; the first one at least.
    pub(super) fn messages_in_flight(&self, handle: Handle) -> usize {
        match self.slot(handle) {
            Some(Slot::InFlight(flight) | Slot::Committing(flight, _)) => flight.messages,
            _ => 1,
        }
    }

    /// Whose group a batch is, if it is in flight.
    pub(super) fn batch(&self, number: u64) -> Option<&(Handle, Address)> {
        self.batches.get(&number)
    }

    /// For the simulation: an old batch still leads to its address.
    pub(super) fn remember_batch(&mut self, number: u64, handle: Handle, address: &Address) {
        self.batches.insert(number, (handle, address.clone()));
    }

    /// The address of a type that has waited longest for its turn; it leaves the line.
    pub(super) fn next_ready(&mut self, function: &FunctionType) -> Option<Address> {
        let (handle, address) = self.lines.first(function)?.clone();
        self.vacate(handle, &address);
        Some(address)
    }

    /// An address whose back-off is over.
    pub(super) fn next_backed_off(&mut self, now: Timestamp) -> Option<Address> {
        let ((until, address), handle) = self.backing_off.first_key_value()?;
        if *until > now {
            return None;
        }
        let (handle, address) = (*handle, address.clone());
        self.vacate(handle, &address);
        Some(address)
    }

    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.backing_off.first_key_value().map(|((until, _), _)| *until)
    }

    /// The functions some address of which is held.
    pub(super) fn functions_held(&self) -> Vec<FunctionType> {
        let mut functions = Vec::new();
        let mut next = self.held.keys().next();
        while let Some(address) = next {
            functions.push(address.function.clone());
            let behind = Address::lowest(address.function.successor());
            next = self.held.range(behind..).next().map(|(address, _)| address);
        }
        functions
    }

    /// An address of a function that is held; it is so no longer.
    pub(super) fn next_held(&mut self, function: &FunctionType) -> Option<Address> {
        let (address, handle) = self.held.range(Address::lowest(function.clone())..).next()?;
        let (address, handle) = (address.clone(), *handle);
        if address.function != *function {
            return None;
        }
        self.vacate(handle, &address);
        Some(address)
    }

    pub(super) fn trouble(&self, handle: Handle) -> Option<Trouble> {
        self.troubles.get(&handle).copied()
    }

    pub(super) fn set_trouble(&mut self, handle: Handle, trouble: Option<Trouble>) {
        match trouble {
            Some(trouble) => {
                self.troubles.insert(handle, trouble);
            }
            None => {
                self.troubles.remove(&handle);
            }
        }
    }
}
