//! Who may go on: places for groups are shared between function types, a paused type waits, and a type with a limit for the
//! whole node asks for its turns before it uses them.

use alloc::vec::Vec;

use super::Partition;
use super::effect::{Effect, Effects};
use super::planted::Bug;
use super::schedule::{Schedule, Slot};
use crate::address::FunctionType;
use crate::id::Timestamp;
use crate::limits::Limits;
use crate::policy::Application;

/// Most turns that a partition asks for ahead: they come one after the other, and other partitions want theirs.
const TURNS_ASKED_MOST: usize = 16;

/// Whether a group of a function type may begin now, as far as places and turns go.
pub(super) fn may_begin(
    schedule: &Schedule,
    application: &Application,
    limits: &Limits,
    function: &FunctionType,
) -> bool {
    let Some(policy) = application.policy(function) else { return true };
    let line = schedule.lines.of(function);
    let free = limits.groups_in_flight.saturating_sub(schedule.in_flight());
    line.has_place(policy.groups_in_flight, free) && (!policy.by_turns || line.granted() > 0)
}

impl Partition {
    pub(super) fn may_begin(&self, function: &FunctionType) -> bool {
        may_begin(&self.schedule, &self.application, &self.limits, function)
    }

    /// Whether messages of a function wait until something changes that is not of their own making: a declaration, or an
    /// operator.
    pub(super) fn is_held(&self, function: &FunctionType) -> bool {
        self.application.policy(function).is_none() || self.is_paused(function)
    }

    fn is_paused(&self, function: &FunctionType) -> bool {
        let paused = self.state.pauses.of_function(function).is_some();
        paused && !self.state.planted.has(Bug::PausedFunctionInvoked)
    }

    /// Lets addresses have their turn, type by type, while there are places for their groups.
    pub(super) fn run_ready(&mut self, now: Timestamp, out: &mut Effects) {
        let mut blocked = 0;
        while blocked < self.schedule.lines.types_ready() {
            let Some(function) = self.schedule.lines.next_in_round() else { return };
            if !self.may_begin(&function) {
                if self.state.planted.has(Bug::BlockedTypeStarvesOthers) {
                    return self.schedule.lines.turn_back();
                }
                blocked += 1;
                continue;
            }
            blocked = 0;
            let Some(address) = self.schedule.next_ready(&function) else { continue };
            self.proceed(now, &address, true, out);
        }
    }

    /// Asks for the turns that are wanted, and gives back those that nobody needs any more.
    pub(super) fn balance_turns(&mut self, out: &mut Effects) {
        if self.schedule.lines.types_ready() > 0 && self.application.has_turns() {
            let types: Vec<FunctionType> = self.schedule.lines.round().cloned().collect();
            for function in types {
                self.ask_for_turns(function, out);
            }
        }
        while let Some(function) = self.next_idle_turns() {
            let count = self.schedule.lines.give_up(&function);
            self.turns_held.remove(&function);
            if count > 0 {
                out.actions.push(Effect::ReturnTurns { function, count });
            }
        }
    }

    fn ask_for_turns(&mut self, function: FunctionType, out: &mut Effects) {
        let Some(policy) = self.application.policy(&function).filter(|policy| policy.by_turns)
        else {
            return;
        };
        let line = self.schedule.lines.of(&function);
        let places = policy.groups_in_flight.min(self.limits.groups_in_flight);
        let places = places.saturating_sub(line.in_flight());
        let wanted = line.ready().min(places).min(TURNS_ASKED_MOST);
        let count = self.schedule.lines.ask(&function, wanted);
        if count > 0 {
            out.actions.push(Effect::AskTurns { function, count });
        }
    }

    /// A function whose turns nobody waits for.
    fn next_idle_turns(&self) -> Option<FunctionType> {
        let idle = |function: &&FunctionType| {
            let asks = self.application.policy(function).is_some_and(|policy| policy.by_turns);
            !asks || self.schedule.lines.of(function).ready() == 0
        };
        self.turns_held.iter().find(idle).cloned()
    }

    pub(super) fn turns_granted(&mut self, function: FunctionType, count: usize) {
        self.schedule.lines.grant(&function, count);
        self.turns_held.insert(function);
    }

    /// A function was paused or declared no more: what was ready of it waits aside, so that it takes no one's turn.
    pub(super) fn hold(&mut self, function: &FunctionType) {
        for (handle, address) in self.schedule.lines.waiting(function) {
            self.schedule.vacate(handle, &address);
            self.schedule.occupy(handle, &address, Slot::Held);
        }
    }

    /// Functions were resumed or declared: their messages go on.
    pub(super) fn reconsider_held(&mut self, now: Timestamp, out: &mut Effects) {
        for function in self.schedule.functions_held() {
            if self.is_held(&function) {
                continue;
            }
            while let Some(address) = self.schedule.next_held(&function) {
                self.wake(now, &address, out);
            }
        }
        self.reconsider_cold();
    }
}
