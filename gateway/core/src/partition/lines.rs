//! Where addresses stand in line for their turn: one line for each function type, served in rounds, so that a type that may
//! not go on never stands in the way of the others.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::directory::Handle;
use crate::address::{Address, FunctionType};

/// Lines that have nothing to remember are kept up to this many, so that a busy type finds its own again.
const LINES_KEPT: usize = 256;

/// The share of the free places that all groups of one type together may reach: with it, one type alone gets three quarters of
/// all places, n types get `3 / (3n + 1)` each, and a newcomer always finds some free.
const SHARE_OF_FREE_PLACES: usize = 3;

/// What waits and what is under way for one function type.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// Addresses that have work, in the order in which they came.
    ready: BTreeMap<u64, (Handle, Address)>,
    in_flight: usize,
    /// Turns that were asked for and not granted yet.
    asked: usize,
    /// Turns that were granted and not used yet.
    granted: usize,
}

impl Line {
    pub(super) fn ready(&self) -> usize {
        self.ready.len()
    }

    pub(super) const fn in_flight(&self) -> usize {
        self.in_flight
    }

    pub(super) const fn granted(&self) -> usize {
        self.granted
    }

    /// Whether another group may begin, of at most `most` of this type, while `free` of all places are free.
    pub(super) fn has_place(&self, most: usize, free: usize) -> bool {
        free > 0 && self.in_flight < most.min(free.saturating_mul(SHARE_OF_FREE_PLACES))
    }

    /// Whether turns were asked for or granted.
    pub(super) const fn expects_turns(&self) -> bool {
        self.asked > 0 || self.granted > 0
    }

    fn is_idle(&self) -> bool {
        self.ready.is_empty() && self.in_flight == 0 && self.asked == 0 && self.granted == 0
    }
}

static NOBODY: Line = Line { ready: BTreeMap::new(), in_flight: 0, asked: 0, granted: 0 };

/// The lines of all function types.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// The places of lines.
    index: HashMap<FunctionType, usize, FixedState>,
    lines: Vec<(FunctionType, Line)>,
    /// The place of the line that was changed last: mostly it is asked for next.
    last: usize,
    /// Types somebody of which is ready, in the order in which they are served next.
    round: VecDeque<FunctionType>,
    ready: usize,
    last_place: u64,
}

impl Lines {
    pub(super) fn of(&self, function: &FunctionType) -> &Line {
        self.place(function).map_or(&NOBODY, |place| &self.lines[place].1)
    }

    #[inline]
    fn place(&self, function: &FunctionType) -> Option<usize> {
        let last = self.lines.get(self.last);
        if last.is_some_and(|(last, _)| last.is(function)) {
            return Some(self.last);
        }
        self.index.get(function).copied()
    }

    /// How many addresses are ready, of all types.
    pub(super) const fn ready(&self) -> usize {
        self.ready
    }

    /// How many types have somebody ready.
    pub(super) fn types_ready(&self) -> usize {
        self.round.len()
    }

    /// The types somebody of which is ready.
    pub(super) fn round(&self) -> impl Iterator<Item = &FunctionType> {
        self.round.iter()
    }

    fn line(&mut self, function: &FunctionType) -> &mut Line {
        self.last = self.place(function).unwrap_or_else(|| {
            self.index.insert(function.clone(), self.lines.len());
            self.lines.push((function.clone(), Line::default()));
            self.lines.len() - 1
        });
        &mut self.lines[self.last].1
    }

    /// An address joins the end of its line; returns its place there.
    pub(super) fn join(&mut self, handle: Handle, address: &Address) -> u64 {
        self.last_place += 1;
        let place = self.last_place;
        let line = self.line(&address.function);
        let first = line.ready.is_empty();
        line.ready.insert(place, (handle, address.clone()));
        self.ready += 1;
        if first {
            self.round.push_back(address.function.clone());
        }
        place
    }

    /// An address leaves its line.
    pub(super) fn leave(&mut self, function: &FunctionType, place: u64) {
        let line = self.line(function);
        if line.ready.remove(&place).is_none() {
            return;
        }
        let empty = line.ready.is_empty();
        self.ready -= 1;
        if empty {
            self.round.retain(|of| of != function);
            self.forget_if_idle(function);
        }
    }

    /// The type that is served next; it goes to the end of the round.
    pub(super) fn next_in_round(&mut self) -> Option<FunctionType> {
        let function = self.round.pop_front()?;
        self.round.push_back(function.clone());
        Some(function)
    }

    /// For the simulation: the type that was served last is served next again.
    pub(super) fn turn_back(&mut self) {
        self.round.rotate_right(self.round.len().min(1));
    }

    /// The address of a type that has waited longest.
    pub(super) fn first(&self, function: &FunctionType) -> Option<&(Handle, Address)> {
        self.of(function).ready.values().next()
    }

    /// Every address of a type that is ready.
    pub(super) fn waiting(&self, function: &FunctionType) -> Vec<(Handle, Address)> {
        self.of(function).ready.values().cloned().collect()
    }

    pub(super) fn begin(&mut self, function: &FunctionType) {
        self.line(function).in_flight += 1;
    }

    pub(super) fn end(&mut self, function: &FunctionType) {
        self.line(function).in_flight -= 1;
        self.forget_if_idle(function);
    }

    /// How many further turns to ask for, so that `wanted` are asked for or granted; they count as asked for from now on.
    pub(super) fn ask(&mut self, function: &FunctionType, wanted: usize) -> usize {
        let line = self.line(function);
        let count = wanted.saturating_sub(line.asked + line.granted);
        line.asked += count;
        count
    }

    pub(super) fn grant(&mut self, function: &FunctionType, count: usize) {
        let line = self.line(function);
        line.asked = line.asked.saturating_sub(count);
        line.granted += count;
    }

    /// A group begins: it uses a turn if there is one.
    pub(super) fn use_turn(&mut self, function: &FunctionType) {
        let line = self.line(function);
        line.granted = line.granted.saturating_sub(1);
    }

    /// Gives up the turns of a type that nobody needs.
    pub(super) fn give_up(&mut self, function: &FunctionType) -> usize {
        let count = core::mem::take(&mut self.line(function).granted);
        self.forget_if_idle(function);
        count
    }

    fn forget_if_idle(&mut self, function: &FunctionType) {
        if self.lines.len() > LINES_KEPT
            && self.of(function).is_idle()
            && let Some(place) = self.index.remove(function)
        {
            self.lines.swap_remove(place);
            if let Some((moved, _)) = self.lines.get(place) {
                self.index.insert(moved.clone(), place);
            }
        }
    }
}
