//! Addresses that have messages but are not in memory: cold ones. They are found again by scanning the mailbox rows.
//!
//! A pass over all rows that skips none of them proves that, at its end, only those addresses are cold that became
//! so during the pass.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use super::Partition;
use super::directory::Handle;
use super::effect::{Effects, LoadRequest, RowRange};
use super::loads::Purpose;
use super::mailbox::Mailbox;
use super::overlay::Merged;
use super::residents::Fate;
use super::row::{Row, RowKey};
use super::schedule::Slot;
use super::state::Smaller;
use super::turns::may_begin;
use crate::address::{Address, FunctionType, Typename};
use crate::id::{LoadId, Sequence, Timestamp};
use crate::message::Message;

#[derive(Debug)]
pub(super) struct Cold {
    /// Some address may be cold.
    any: bool,
    /// Some cold address could go on if it were in memory; the others wait for an operator or a declaration.
    runnable: bool,
    /// What became cold during this pass.
    any_in_pass: bool,
    runnable_in_pass: bool,
    /// Where the pass goes on, if one is under way.
    cursor: Option<RowKey>,
    /// Function types of which enough addresses are in memory already, each with the first key from which on others are cold.
    /// They are looked for when the type runs low.
    skipped: BTreeMap<FunctionType, RowKey>,
    load: Option<LoadId>,
    /// For how many ticks in a row of the clock of residents nobody could leave.
    fruitless_ticks: usize,
}

/// Ticks of the clock of residents in one step.
const TICKS_PER_STEP: usize = 256;

impl Cold {
    /// Nothing is known unless the partition is `new` and so has no rows.
    pub(super) const fn at_start(new: bool) -> Self {
        Self {
            any: !new,
            runnable: !new,
            any_in_pass: false,
            runnable_in_pass: false,
            cursor: None,
            skipped: BTreeMap::new(),
            load: None,
            fruitless_ticks: 0,
        }
    }

    /// Whether messages may wait for addresses that are not in memory.
    pub(super) const fn is_any(&self) -> bool {
        self.any
    }

    pub(super) fn is_runnable(&self) -> bool {
        self.runnable || self.cursor.is_some() || !self.skipped.is_empty()
    }

    /// An address left memory, or did not get in, with messages that wait for something.
    pub(super) const fn note_waiting(&mut self) {
        self.any = true;
        self.any_in_pass = true;
    }

    /// An address left memory, or did not get in, with messages that could be processed.
    pub(super) const fn note_runnable(&mut self) {
        self.note_waiting();
        self.runnable = true;
        self.runnable_in_pass = true;
    }

    /// What is known of the mailbox of an address that is not in memory.
    pub(super) const fn mailbox_of_a_stranger(&self) -> Mailbox {
        if self.any { Mailbox::unknown() } else { Mailbox::empty() }
    }

    /// An address of a type of which enough are in memory stays cold, or becomes so.
    fn skip(&mut self, address: &Address) {
        self.any = true;
        let from = RowKey::parked(address.clone());
        match self.skipped.get_mut(&address.function) {
            Some(known) if *known <= from => {}
            Some(known) => *known = from,
            None => drop(self.skipped.insert(address.function.clone(), from)),
        }
    }

    /// Begins a pass over everything.
    fn begin_pass(&mut self) -> RowKey {
        self.any_in_pass = false;
        self.runnable_in_pass = false;
        self.skipped.clear();
        first_mailbox()
    }

    /// Begins a pass over what was skipped of a type; what lies behind it is looked at once more.
    fn begin_where_skipped(&mut self, function: &FunctionType) -> Option<RowKey> {
        self.any_in_pass = self.any;
        self.runnable_in_pass = false;
        self.skipped.remove(function)
    }

    fn finish_pass(&mut self) {
        self.any = self.any_in_pass || !self.skipped.is_empty();
        self.runnable = self.runnable_in_pass;
        self.any_in_pass = false;
        self.runnable_in_pass = false;
        self.cursor = None;
    }
}

impl Partition {
    /// Looks for cold addresses that could go on, if there are any and there is room.
    pub(super) fn scan(&mut self, out: &mut Effects) {
        let room = self.state.residents.bytes() < self.bytes_for_cold();
        if !self.wants_cold() || self.cold.load.is_some() || !room {
            return;
        }
        let from = match self.cold.cursor.take() {
            Some(cursor) => cursor,
            None if self.cold.runnable => self.cold.begin_pass(),
            None => {
                let lacking = self.lacking();
                let from = lacking.and_then(|function| self.cold.begin_where_skipped(&function));
                let Some(from) = from else { return };
                from
            }
        };
        self.cold.cursor = Some(from.clone());
        let range = RowRange { from, until: first_timer(), bytes: self.limits.load_bytes };
        let rows = LoadRequest { keys: alloc::vec::Vec::new(), range: Some(range) };
        self.cold.load = Some(self.load(Purpose::Scan, rows, out));
    }

    /// A part of the mailbox rows was read.
    pub(super) fn scanned(&mut self, now: Timestamp, rows: Merged, out: &mut Effects) {
        self.cold.load = None;
        let more_after = rows.more_after;
        let (mut seen, mut skipped) = (None, None);
        let mut rows = rows.rows.into_iter().peekable();
        while let Some((RowKey::Mailbox(address, _), _)) = rows.peek() {
            let address = address.clone();
            if self.is_full() {
                self.cold.cursor = Some(RowKey::parked(address));
                return;
            }
            if self.stays_cold(&address) {
                let function = Some(&address.function);
                while rows.next_if(|(key, _)| function_of(key) == function).is_some() {}
                skipped = Some(address.function);
                continue;
            }
            let mut messages = alloc::vec::Vec::new();
            while let Some((_, row)) = rows.next_if(|(key, _)| is_of(key, &address)) {
                messages.push(row);
            }
            let more_after = more_after.as_ref().filter(|_| rows.peek().is_none());
            self.admit_cold(now, &address, messages, sequence_of(more_after, &address), out);
            seen = Some(address);
        }
        let Some(RowKey::Mailbox(address, _)) = more_after else { return self.cold.finish_pass() };
        if skipped.as_ref() == Some(&address.function) || self.stays_cold(&address) {
            self.cold.cursor = Some(first_behind(&address.function));
            return;
        }
        if seen.as_ref() != Some(&address) && !self.admit_unseen(now, &address, out) {
            self.cold.cursor = Some(RowKey::parked(address));
            return;
        }
        // The rest of that mailbox is found from its head.
        self.cold.cursor = Some(RowKey::Mailbox(address, Sequence(u64::MAX)));
    }

    fn is_full(&self) -> bool {
        self.state.residents.bytes() >= self.limits.resident_bytes
    }

    /// An address did not get in, although it has messages.
    pub(super) fn note_cold(&mut self, address: &Address) {
        if !self.stays_cold(address) {
            self.cold.note_runnable();
        }
    }

    /// Whether an address, and all behind it of its function type, stay out of memory for now.
    fn stays_cold(&mut self, address: &Address) -> bool {
        if address.is_reply() {
            return false;
        }
        if self.is_held(&address.function) {
            self.cold.note_waiting();
            return true;
        }
        let enough = self.has_enough(&address.function);
        if enough {
            self.cold.skip(address);
        }
        enough
    }

    /// Whether so many addresses of a function type wait for their turn in memory that others need not: as many as there are
    /// places for groups; or a single one, if the type is blocked and memory short, so that others find room.
    fn has_enough(&self, function: &FunctionType) -> bool {
        let ready = self.schedule.lines.of(function).ready();
        let short = self.state.residents.bytes() >= self.bytes_for_cold();
        ready >= self.limits.groups_in_flight || short && ready > 0 && !self.may_begin(function)
    }

    /// A function type that was skipped and runs low by now.
    fn lacking(&self) -> Option<FunctionType> {
        let lacks = |function: &&FunctionType| {
            let ready = self.schedule.lines.of(function).ready();
            let few = ready <= self.limits.groups_in_flight / 2;
            ready == 0 || few && !self.has_enough(function) && self.may_begin(function)
        };
        self.cold.skipped.keys().find(lacks).cloned()
    }

    /// The part ends within an address of which only removed rows were seen: it may have others. Says whether there
    /// was room for it.
    fn admit_unseen(&mut self, now: Timestamp, address: &Address, out: &mut Effects) -> bool {
        if self.state.resident(address).is_some() {
            return true;
        }
        if self.is_full() {
            return false;
        }
        self.state.admit(address, Mailbox::unknown());
        self.wake(now, address, out);
        true
    }

    fn admit_cold(
        &mut self,
        now: Timestamp,
        address: &Address,
        rows: alloc::vec::Vec<Row>,
        more_after: Option<Sequence>,
        out: &mut Effects,
    ) {
        if self.state.resident(address).is_some() {
            return;
        }
        if matches!(rows.first(), Some(Row::Parked(_))) {
            self.cold.note_waiting();
            return;
        }
        self.state.admit(address, Mailbox::unknown());
        let messages = rows.into_iter().filter_map(into_message);
        self.state.refill(address, messages, more_after);
        self.wake(now, address, out);
    }

    /// Whether cold addresses are to be let in: some could go on, and not enough of those in memory wait for their turn.
    fn wants_cold(&self) -> bool {
        self.cold.runnable || self.cold.cursor.is_some() || self.lacking().is_some()
    }

    /// Below it there is room for cold addresses.
    pub(super) const fn bytes_for_cold(&self) -> usize {
        self.limits.resident_bytes / 4 * 3
    }

    /// Lets addresses leave memory until the rest fits, as far as nothing is under way for them. If cold ones wait to be let
    /// in, those that have nothing to do make room for them. A few at a time: the bound holds because nobody is let in above
    /// it.
    pub(super) fn make_room(&mut self) {
        self.state.timers.spill(self.limits.timer_bytes, self.limits.timer_bytes / 4);
        for _ in 0..TICKS_PER_STEP {
            if !self.wants_room() || self.cold.fruitless_ticks >= self.ticks_to_try_all() {
                return;
            }
            let over = self.state.residents.bytes() > self.limits.resident_bytes;
            let (schedule, orders) = (&self.schedule, &self.orders);
            let (application, limits) = (&self.application, &self.limits);
            let mailbox_bytes = limits.mailbox_bytes;
            let smaller = self.state.make_one_smaller(|handle, address, resident| {
                let may_leave = match schedule.slot(handle) {
                    None => resident.mailbox.is_empty(),
                    Some(Slot::Parked | Slot::Held) => true,
                    Some(Slot::Ready { .. }) => {
                        let function = &address.function;
                        let line = schedule.lines.of(function);
                        // Whoever is called up next stays, or its turn would find nobody, again and again.
                        let others = line.ready() > 1;
                        let blocked = || !may_begin(schedule, application, limits, function);
                        over && (others || !line.expects_turns()) || others && blocked()
                    }
                    Some(_) => false,
                };
                let keep = schedule.messages_in_flight(handle);
                if may_leave && !orders.contains_key(address) {
                    Fate::Leaves
                } else if over && resident.mailbox.is_beyond(mailbox_bytes, keep) {
                    Fate::Sheds { bytes: mailbox_bytes, keep }
                } else {
                    Fate::Stays
                }
            });
            match smaller {
                Smaller::Left { handle, address, waiting } => {
                    self.cold.fruitless_ticks = 0;
                    self.left(handle, &address, waiting);
                }
                Smaller::Shed => self.cold.fruitless_ticks = 0,
                Smaller::No => self.cold.fruitless_ticks += 1,
            }
        }
    }

    fn wants_room(&self) -> bool {
        let bytes = self.state.residents.bytes();
        bytes > self.limits.resident_bytes || bytes >= self.bytes_for_cold() && self.wants_cold()
    }

    /// The clock has gone round twice then: the first time it only notes who was used.
    fn ticks_to_try_all(&self) -> usize {
        self.state.residents.len().saturating_mul(2)
    }

    /// Something happened: who could not leave memory may be able to now.
    pub(super) const fn try_all_again(&mut self) {
        self.cold.fruitless_ticks = 0;
    }

    /// Whether `make_room` has stopped only because a step must be short, and shall go on without waiting for an event.
    pub(super) fn is_making_room(&self) -> bool {
        self.wants_room() && self.cold.fruitless_ticks < self.ticks_to_try_all()
    }

    fn left(&mut self, handle: Handle, address: &Address, waiting: bool) {
        self.tally.evictions += 1;
        self.schedule.set_trouble(handle, None);
        match self.schedule.vacate(handle, address) {
            Some(Slot::Ready { .. }) => self.cold.skip(address),
            _ if waiting => self.cold.note_waiting(),
            _ => {}
        }
    }

    /// Everything that is cold may be able to go on: look again.
    pub(super) fn reconsider_cold(&mut self) {
        if self.cold.any {
            self.cold.note_runnable();
        }
    }
}

pub(super) fn into_message(row: Row) -> Option<Arc<Message>> {
    match row {
        Row::Message(message) => Some(message),
        _ => None,
    }
}

/// The number at which the rows of a mailbox were cut off, if they were.
pub(super) fn sequence_of(more_after: Option<&RowKey>, address: &Address) -> Option<Sequence> {
    match more_after {
        Some(RowKey::Mailbox(of, sequence)) if of == address => Some(*sequence),
        _ => None,
    }
}

fn is_of(key: &RowKey, address: &Address) -> bool {
    matches!(key, RowKey::Mailbox(of, _) if of == address)
}

/// Not above any mailbox row.
fn first_mailbox() -> RowKey {
    RowKey::parked(Address::lowest(Typename::lowest()))
}

/// Above every mailbox row of a function type, and not above any of the types that follow.
fn first_behind(function: &FunctionType) -> RowKey {
    RowKey::parked(Address::lowest(function.successor()))
}

fn function_of(key: &RowKey) -> Option<&FunctionType> {
    match key {
        RowKey::Mailbox(address, _) => Some(&address.function),
        _ => None,
    }
}

/// Above every mailbox row: the first key of the table that follows.
fn first_timer() -> RowKey {
    RowKey::Timer(super::row::TimerKey::FIRST)
}
