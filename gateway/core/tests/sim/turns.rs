//! Pauses and turns: operators pause functions and let them go on, and a function with a limit for the whole node gets its turns
//! from the world, sooner or later.

use std::collections::BTreeMap;

use tidegate_core::address::FunctionType;
use tidegate_core::id::{PartitionId, Ticket};
use tidegate_core::partition::event::Event;
use tidegate_core::partition::order::{Order, OrderOutcome, Subject};

use crate::bank::{ACCOUNT, AUDIT, typename};
use crate::world::{Checked, World};

/// Groups of the limited function that may be in flight at once, over all partitions.
const TURNS_AT_ONCE: usize = 3;

/// What was asked for and what was granted.
#[derive(Debug, Default)]
pub struct Turns {
    asked: Vec<(PartitionId, FunctionType)>,
    granted: BTreeMap<PartitionId, usize>,
    used: usize,
}

impl World {
    pub fn ask_turns(&mut self, of: PartitionId, function: &FunctionType, count: usize) -> Checked {
        if function.as_str() != AUDIT {
            return Err(format!("{of} asks for turns of {function}, which has no limit"));
        }
        let asked = (of, function.clone());
        self.turns.asked.extend(std::iter::repeat_n(asked, count));
        Ok(())
    }

    pub fn return_turns(&mut self, of: PartitionId, count: usize) -> Checked {
        self.cover("a turn was given back");
        let granted = self.turns.granted.entry(of).or_default();
        *granted = granted.checked_sub(count).ok_or_else(|| format!("{of} gives back too much"))?;
        Ok(())
    }

    /// A group begins: it needs a turn if its function has a limit.
    pub fn use_turn(&mut self, of: PartitionId, function: &FunctionType) -> Checked {
        if function.as_str() != AUDIT {
            return Ok(());
        }
        let granted = self.turns.granted.entry(of).or_default();
        *granted =
            granted.checked_sub(1).ok_or_else(|| format!("{function} goes without a turn"))?;
        self.turns.used += 1;
        Ok(())
    }

    pub fn a_turn_is_granted(&mut self) -> Checked {
        let granted: usize = self.turns.granted.values().sum();
        let flights = self.sites.iter().flat_map(|site| site.flights.keys());
        let in_flight = flights.filter(|address| address.function.as_str() == AUDIT).count();
        if self.turns.asked.is_empty() || granted + in_flight >= TURNS_AT_ONCE {
            return Ok(());
        }
        let index = self.random.below(self.turns.asked.len());
        let (to, function) = self.turns.asked.swap_remove(index);
        *self.turns.granted.entry(to).or_default() += 1;
        self.cover("a turn was granted");
        self.tell(to, Event::TurnsGranted { function, count: 1 })
    }

    /// Everything that can be granted is.
    pub fn grant_turns(&mut self) -> Checked {
        for _ in 0..self.turns.asked.len() {
            self.a_turn_is_granted()?;
        }
        Ok(())
    }

    /// A partition is gone, with what it asked for.
    pub fn forget_turns(&mut self, of: PartitionId) {
        self.turns.asked.retain(|(by, _)| *by != of);
        self.turns.granted.remove(&of);
    }

    /// An operator pauses something, or lets it go on, in all partitions or only in some: a node may end in between.
    pub fn pause_something(&mut self) -> Checked {
        let subject = match self.random.below(4) {
            0 => Subject::Ingress(typename("bank/door")),
            1 => Subject::Function(typename(ACCOUNT)),
            _ => Subject::Function(typename(AUDIT)),
        };
        let order =
            if self.random.chance(40) { Order::Pause(subject) } else { Order::Resume(subject) };
        for partition in self.running() {
            if self.random.chance(85) {
                self.order(partition, order.clone())?;
            }
        }
        Ok(())
    }

    pub fn order(&mut self, partition: PartitionId, order: Order) -> Checked {
        let paused = &self.site(partition).live.paused;
        let already = match &order {
            Order::Pause(subject) => paused.contains(subject),
            Order::Resume(subject) => !paused.contains(subject),
            _ => return Err(format!("{order:?} is not one of these")),
        };
        let outcome = if already { OrderOutcome::AlreadySo } else { OrderOutcome::Done };
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        self.orders.insert(ticket, outcome);
        let (by, reason) = ("operator".into(), "".into());
        self.tell(partition, Event::Ordered { ticket, order, by, reason })?;
        if self.orders.contains_key(&ticket) {
            return Err(format!("{partition} does not answer an order"));
        }
        Ok(())
    }

    pub fn check_outcome(
        &mut self,
        of: PartitionId,
        ticket: Ticket,
        outcome: OrderOutcome,
    ) -> Checked {
        let expected = self.orders.remove(&ticket);
        if expected.is_none() {
            return self.order_ended(of, ticket, outcome);
        }
        if expected != Some(outcome) {
            return Err(format!("an order ends with {outcome:?}, expected {expected:?}"));
        }
        Ok(())
    }

    /// Nothing is paused any more, but for the audit if it `stays`.
    pub fn resume_everything(&mut self, but: Option<&str>) -> Checked {
        for partition in self.running() {
            let paused = self.site(partition).live.paused.clone();
            for subject in paused {
                let stays = matches!(&subject, Subject::Function(of) if Some(of.as_str()) == but);
                if !stays {
                    self.order(partition, Order::Resume(subject))?;
                }
            }
        }
        Ok(())
    }
}
