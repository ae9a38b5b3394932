//! What operators do: release a parked address, drop the message at its head, look at rows, declare the application anew.

use alloc::sync::Arc;

use super::Partition;
use super::activate::value_keys;
use super::effect::{Effects, LoadRequest, ReadRequest, RowRange};
use super::loads::Purpose;
use super::mailbox::Mailbox;
use super::place::Placement;
use super::record::Record;
use super::residents::Resident;
use super::row::{RequestRow, RowKey, Timer, TimerKey, TimerTask};
use super::schedule::Slot;
use crate::address::Address;
use crate::id::{Sequence, Ticket, Timestamp};
use crate::message::{Message, RequestProgress};
use crate::policy::Application;

/// What shall happen to a parked address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Order {
    /// It tries again from its head.
    Release,
    /// It gives up the message at its head, and stays parked if others wait.
    DropHead,
}

impl Partition {
    /// An order for an address. It has no effect on one that is not parked.
    pub(super) fn order(
        &mut self,
        now: Timestamp,
        address: &Address,
        order: Order,
        out: &mut Effects,
    ) {
        match self.schedule.slot(address) {
            Some(Slot::Parked | Slot::Loading) => {}
            Some(_) => return,
            None if self.state.resident(address).is_some() => return,
            None => self.state.admit(address, Mailbox::unknown()),
        }
        self.orders.entry(address.clone()).or_default().push(order);
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
        while self.orders.contains_key(address) && self.is_known(address) {
            let parked = matches!(self.schedule.slot(address), Some(Slot::Parked));
            let Some(order) = self.next_order(address).filter(|_| parked) else {
                self.orders.remove(address);
                return;
            };
            match order {
                Order::Release => self.release(now, address, out),
                Order::DropHead => self.drop_head(now, address, out),
            }
        }
        if self.orders.contains_key(address) {
            self.look_again(address);
        }
    }

    fn next_order(&mut self, address: &Address) -> Option<Order> {
        let orders = self.orders.get_mut(address)?;
        let order = (!orders.is_empty()).then(|| orders.remove(0));
        if orders.is_empty() {
            self.orders.remove(address);
        }
        order
    }

    /// Whether it is known if an address is parked, and what its head is.
    fn is_known(&self, address: &Address) -> bool {
        let loading = matches!(self.schedule.slot(address), Some(Slot::Loading));
        let headless = |resident: &Resident| resident.mailbox.wants_rows_from().is_some();
        !loading && self.state.resident(address).is_some_and(|resident| !headless(resident))
    }

    fn release(&mut self, now: Timestamp, address: &Address, out: &mut Effects) {
        self.schedule.vacate(address);
        self.commit(now, Record::AddressReleased { address: address.clone() }, out);
    }

    fn drop_head(&mut self, now: Timestamp, address: &Address, out: &mut Effects) {
        let Some(resident) = self.state.resident(address) else { return };
        let Some(head) = resident.mailbox.messages().front() else { return };
        let record = Record::HeadDropped {
            address: address.clone(),
            sequence: head.sequence,
            completed: self.completed_without_reply(now, address, head),
        };
        self.commit(now, record, out);
        let empty = self.state.resident(address).is_some_and(|it| it.mailbox.is_empty());
        if empty {
            self.release(now, address, out);
        }
    }

    /// The head of a parked mailbox is in rows only: it is read, with the mark that it is parked.
    fn look_again(&mut self, address: &Address) {
        if matches!(self.schedule.slot(address), Some(Slot::Parked)) {
            self.schedule.vacate(address);
        }
    }

    fn completed_without_reply(
        &self,
        now: Timestamp,
        address: &Address,
        message: &Message,
    ) -> Option<(RequestRow, Timer)> {
        let request = message.request.clone()?;
        let fire_at = now.plus_ms(self.limits.idempotency_retention_ms);
        let key = TimerKey { fire_at, id: Placement::new(&self.state).number() };
        let timer = Timer { key, task: TimerTask::Forget(request.id) };
        let progress = RequestProgress { consumed_at: Some(now), reply: None };
        Some((RequestRow { target: address.clone(), request, progress }, timer))
    }

    /// Somebody wants to see rows.
    pub(super) fn read(&mut self, ticket: Ticket, read: ReadRequest, out: &mut Effects) {
        let mut rows = LoadRequest::default();
        match read {
            ReadRequest::Values(address) => {
                for spec in self.state.specs.get(&address.function) {
                    value_keys(&address, spec, &mut rows.keys);
                }
            }
            ReadRequest::Egress { egress, after } => {
                rows.range = Some(RowRange {
                    from: RowKey::Egress(egress.clone(), after.next()),
                    until: RowKey::Egress(egress, Sequence(u64::MAX)),
                    bytes: self.limits.load_bytes,
                });
            }
        }
        self.load(Purpose::Show(ticket), rows, out);
    }

    pub(super) fn application_changed(
        &mut self,
        now: Timestamp,
        application: Arc<Application>,
        out: &mut Effects,
    ) {
        self.state.tempt(&application);
        self.application = application;
        self.reconsider_held(now, out);
    }
}
