//! What operators do with parked addresses: let one try again, or drop what waits for it. An order is carried out as soon as it is
//! known whether its address is parked and what its head is; what it did is a record with a signature.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Partition;
use super::effect::{Effect, Effects};
use super::mailbox::Mailbox;
use super::order::{Order, OrderOutcome, Signature};
use super::place::Placement;
use super::planted::Bug;
use super::record::Record;
use super::residents::Resident;
use super::row::{RequestRow, Timer, TimerKey, TimerTask};
use super::schedule::Slot;
use crate::address::Address;
use crate::id::{Sequence, Ticket, Timestamp};
use crate::message::{Message, RequestProgress};

/// What shall happen to a parked address.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wish {
    /// It tries again from its head.
    Redrive,
    /// It gives up the message at its head if that is the expected one, and stays parked if others wait.
    DropHead { expected: Sequence },
    /// It gives up what had arrived when the order was given, and stays parked if others wait.
    DropAll { through: Sequence, dropped: u64 },
}

/// A wish with whoever waits for its outcome.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    ticket: Ticket,
    wish: Wish,
    signature: Signature,
}

impl Partition {
    /// An operator gave an order.
    pub(super) fn ordered(
        &mut self,
        now: Timestamp,
        ticket: Ticket,
        order: Order,
        signature: Signature,
        out: &mut Effects,
    ) {
        let (address, wish) = match order {
            Order::Pause(subject) => {
                let outcome = self.pause(now, subject, signature, out);
                return self.answer_operator(ticket, outcome, out);
            }
            Order::Resume(subject) => {
                let outcome = self.resume(now, subject, signature, out);
                return self.answer_operator(ticket, outcome, out);
            }
            Order::Redrive(address) => (address, Wish::Redrive),
            Order::DropHead { address, expected } => (address, Wish::DropHead { expected }),
            Order::DropAll(address) => {
                let through = self.state.next_sequence.previous();
                (address, Wish::DropAll { through, dropped: 0 })
            }
        };
        self.order(now, &address, Pending { ticket, wish, signature }, out);
    }

    fn answer_operator(&self, ticket: Ticket, outcome: OrderOutcome, out: &mut Effects) {
        let after = self.gate();
        out.actions.push(Effect::AnswerOperator { ticket, outcome, after });
    }

    fn order(&mut self, now: Timestamp, address: &Address, order: Pending, out: &mut Effects) {
        match self.slot(address) {
            Some(Slot::Parked | Slot::Loading) => {}
            None if self.state.resident(address).is_none() => {
                self.state.admit(address, Mailbox::unknown());
            }
            _ => return self.answer_operator(order.ticket, OrderOutcome::NotParked, out),
        }
        self.orders.entry(address.clone()).or_default().push_back(order);
        self.carry_out_orders(now, address, out);
        self.wake(now, address, out);
    }

    /// Carries out what was ordered for an address, one order after the other, as soon as it is known whether it is parked
    /// and what its head is. An order has no effect on an address that is not parked.
    pub(super) fn carry_out_orders(
        &mut self,
        now: Timestamp,
        address: &Address,
        out: &mut Effects,
    ) {
        while self.is_known(address) {
            let Some(order) = self.next_order(address) else { return };
            let (ticket, parked) = (order.ticket, self.is_parked(address));
            let outcome = if parked {
                self.carry_out(now, address, order, out)
            } else {
                Some(OrderOutcome::NotParked)
            };
            if let Some(outcome) = outcome {
                self.answer_operator(ticket, outcome, out);
            }
        }
        if self.orders.contains_key(address) {
            self.look_again(address);
        }
    }

    fn is_parked(&self, address: &Address) -> bool {
        matches!(self.slot(address), Some(Slot::Parked))
    }

    fn next_order(&mut self, address: &Address) -> Option<Pending> {
        let orders = self.orders.get_mut(address)?;
        let order = orders.pop_front();
        if orders.is_empty() {
            self.orders.remove(address);
        }
        order
    }

    /// Whether it is known if an address is parked, and what its head is.
    fn is_known(&self, address: &Address) -> bool {
        let loading = matches!(self.slot(address), Some(Slot::Loading));
        let headless = |resident: &Resident| resident.mailbox.wants_rows_from().is_some();
        !loading && self.state.resident(address).is_some_and(|resident| !headless(resident))
    }

    /// Does what was ordered; nothing is the outcome if a part of it waits for rows.
    fn carry_out(
        &mut self,
        now: Timestamp,
        address: &Address,
        order: Pending,
        out: &mut Effects,
    ) -> Option<OrderOutcome> {
        let signature = order.signature.clone();
        match order.wish {
            Wish::Redrive => {
                self.release(now, address, signature, out);
                Some(OrderOutcome::Done)
            }
            Wish::DropHead { expected } => {
                let found = self.head_of(address)?;
                if found != expected && !self.state.planted.has(Bug::AnyHeadDropped) {
                    return Some(OrderOutcome::AnotherHead { found });
                }
                self.drop_messages(now, address, found, 1, signature.clone(), out);
                Some(self.dropped(now, address, 1, signature, out))
            }
            Wish::DropAll { through, dropped } => {
                let more =
                    self.drop_messages(now, address, through, usize::MAX, signature.clone(), out);
                let dropped = dropped + more;
                if !self.is_known(address) {
                    let wish = Wish::DropAll { through, dropped };
                    self.orders
                        .entry(address.clone())
                        .or_default()
                        .push_front(Pending { wish, ..order });
                    return None;
                }
                Some(self.dropped(now, address, dropped, signature, out))
            }
        }
    }

    fn head_of(&self, address: &Address) -> Option<Sequence> {
        let resident = self.state.resident(address)?;
        resident.mailbox.messages().front().map(|message| message.sequence)
    }

    /// Messages were dropped: an address for which nothing waits any more is not parked any more.
    fn dropped(
        &mut self,
        now: Timestamp,
        address: &Address,
        messages: u64,
        signature: Signature,
        out: &mut Effects,
    ) -> OrderOutcome {
        let parked = self.state.resident(address).is_some_and(|it| !it.mailbox.is_empty());
        if !parked {
            self.release(now, address, signature, out);
        }
        OrderOutcome::Dropped { messages, parked }
    }

    fn release(
        &mut self,
        now: Timestamp,
        address: &Address,
        signature: Signature,
        out: &mut Effects,
    ) {
        self.vacate(address);
        let parked = self.state.parked - 1;
        let address = address.clone();
        self.commit(now, Record::AddressReleased { address, parked, signature }, out);
    }

    /// Drops the first messages in memory, up to a number and so many; says how many these were.
    fn drop_messages(
        &mut self,
        now: Timestamp,
        address: &Address,
        through: Sequence,
        most: usize,
        signature: Signature,
        out: &mut Effects,
    ) -> u64 {
        let Some(resident) = self.state.resident(address) else { return 0 };
        let messages = resident.mailbox.messages().iter();
        let dropped: Vec<&Arc<Message>> =
            messages.take_while(|message| message.sequence <= through).take(most).collect();
        let mut placement = Placement::new(&self.state);
        let completed = dropped.iter().filter_map(|message| {
            self.completed_without_reply(now, address, message, &mut placement)
        });
        let completed = completed.collect();
        let sequences: Vec<Sequence> = dropped.iter().map(|message| message.sequence).collect();
        let count = sequences.len() as u64;
        if count > 0 {
            let address = address.clone();
            let record = Record::MessagesDropped { address, sequences, completed, signature };
            self.commit(now, record, out);
        }
        count
    }

    /// The head of a parked mailbox is in rows only: it is read, with the mark that it is parked.
    fn look_again(&mut self, address: &Address) {
        if self.is_parked(address) {
            self.vacate(address);
        }
    }

    /// What is remembered of an idempotent request whose message is given up, and when it is forgotten.
    pub(super) fn completed_without_reply(
        &self,
        now: Timestamp,
        address: &Address,
        message: &Message,
        placement: &mut Placement<'_>,
    ) -> Option<(RequestRow, Timer)> {
        let request = message.request.clone()?;
        let fire_at = now.plus_ms(self.limits.idempotency_retention_ms);
        let key = TimerKey { fire_at, id: placement.number() };
        let timer = Timer { key, task: TimerTask::Forget(request.id) };
        let progress = RequestProgress { consumed_at: Some(now), reply: None };
        Some((RequestRow { target: address.clone(), request, progress }, timer))
    }
}

/// The orders for one address that are not carried out yet.
pub(super) type Orders = VecDeque<Pending>;
