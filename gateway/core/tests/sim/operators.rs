//! Time, operators, and changes of the application.

use tidegate_core::address::Address;
use tidegate_core::id::{PartitionId, Sequence, Ticket, Timestamp};
use tidegate_core::partition::effect::ReadRequest;
use tidegate_core::partition::event::Event;
use tidegate_core::partition::order::{Order, OrderOutcome};

use crate::bank::{Kind, Op, account, typename};
use crate::plan::application;
use crate::world::{Checked, World};

impl World {
    pub fn time_passes(&mut self) -> Checked {
        let ms = match self.random.below(100) {
            0..5 => self.random.between(500, 2_500),
            5..90 => self.random.between(1, 60),
            _ => 0,
        };
        self.now = self.now.plus_ms(ms);
        if self.random.chance(5) {
            self.cover("the clock went back");
            self.now = Timestamp(self.now.0 - self.random.between(1, 50));
        }
        self.tell_deadlines()
    }

    pub fn tell_deadlines(&mut self) -> Checked {
        for partition in self.running() {
            let running = self.site(partition).partition.as_ref();
            let deadline = running.and_then(tidegate_core::partition::Partition::next_deadline);
            let due = deadline.is_some_and(|deadline| deadline <= self.now);
            if due || self.random.chance(3) {
                self.tell(partition, Event::DeadlineReached)?;
            }
        }
        Ok(())
    }

    pub fn an_operator_acts(&mut self) -> Checked {
        match self.random.below(13) {
            0..2 => {
                let with_audit = self.random.chance(60);
                self.change_application(with_audit)
            }
            2..4 => self.look(),
            10.. => self.pause_something(),
            4 => self.order_blindly(),
            _ => {
                let parked = self.parked();
                if parked.is_empty() {
                    return Ok(());
                }
                let (partition, address) = self.random.pick(&parked).clone();
                let drop = self.random.chance(60);
                self.unpark(partition, &address, drop)?;
                // An order that is given twice.
                if self.random.chance(30) { self.repeat_order() } else { Ok(()) }
            }
        }
    }

    pub fn change_application(&mut self, with_audit: bool) -> Checked {
        self.application = application(with_audit, self.plan.dead_letters);
        for partition in self.running() {
            let application = self.application.clone();
            self.tell(partition, Event::ApplicationChanged(application))?;
            self.reopen_sinks(partition)?;
        }
        Ok(())
    }

    /// Other sinks come with another application: they get what was not acknowledged, from the first record on.
    fn reopen_sinks(&mut self, partition: PartitionId) -> Checked {
        let keys = self.sink.taken.keys().filter(|(of, _)| *of == partition).cloned();
        for (_, egress) in keys.collect::<Vec<_>>() {
            self.cover("a sink was opened anew");
            self.tell(partition, Event::EgressReopened { egress })?;
        }
        Ok(())
    }

    fn look(&mut self) -> Checked {
        let number = self.random.between(0, self.plan.accounts - 1);
        let address = account(number);
        let partition = self.plan.partitions.partition_of(&address);
        let read = if self.random.chance(50) {
            ReadRequest::Values(address)
        } else {
            let after = Sequence(self.random.between(0, 10));
            ReadRequest::Egress { egress: typename("bank/slow"), after }
        };
        self.tell(partition, Event::ReadRequested { ticket: Ticket::NONE, read })
    }

    /// Addresses that wait for an operator, in partitions that run.
    pub fn parked(&self) -> Vec<(PartitionId, Address)> {
        let running = self.sites.iter().filter(|site| site.partition.is_some());
        let parked = running.flat_map(|site| {
            site.live.parked.iter().map(|address| (site.live.id, address.clone()))
        });
        parked.collect()
    }

    /// An order for an address that may not be parked, with a number that may be wrong.
    fn order_blindly(&mut self) -> Checked {
        let address = account(self.random.between(0, self.plan.accounts - 1));
        let partition = self.plan.partitions.partition_of(&address);
        let expected = Sequence(self.random.between(1, 60));
        let head = self.site(partition).waiting(&address).into_iter().next();
        let order = if head.is_none_or(|(head, _)| head != expected) && self.random.chance(50) {
            Order::DropHead { address, expected }
        } else {
            Order::Redrive(address)
        };
        self.order_for_address(partition, order)
    }

    /// The order before is given again.
    fn repeat_order(&mut self) -> Checked {
        let Some((partition, order)) = self.last_order.clone() else { return Ok(()) };
        self.cover("an order was given twice");
        self.order_for_address(partition, order)
    }

    fn order_for_address(&mut self, partition: PartitionId, order: Order) -> Checked {
        if self.site(partition).partition.is_none() {
            return Ok(());
        }
        self.last_order = Some((partition, order.clone()));
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        self.site(partition).orders.insert(ticket);
        let (by, reason) = ("operator".into(), "".into());
        self.tell(partition, Event::Ordered { ticket, order, by, reason })
    }

    /// Lets a parked address go on. What is dropped is only what can never be processed, or what no order is promised for.
    pub fn unpark(&mut self, partition: PartitionId, address: &Address, drop: bool) -> Checked {
        let waiting = self.site(partition).waiting(address);
        let hopeless = |op: &Op| matches!(op.kind, Kind::Poison { times: u32::MAX });
        let loose = |op: &Op| op.stream.is_none() && !matches!(op.kind, Kind::Answer { .. });
        let order = match waiting.first() {
            Some(_)
                if drop && self.random.chance(30) && waiting.iter().all(|(_, op)| loose(op)) =>
            {
                let all = waiting.iter().map(|(sequence, _)| *sequence);
                self.site(partition).droppable.entry(address.clone()).or_default().extend(all);
                self.cover("everything that waited for a parked address was to be dropped");
                Order::DropAll(address.clone())
            }
            Some((head, op)) if drop && hopeless(op) => {
                let droppable = self.site(partition).droppable.entry(address.clone()).or_default();
                droppable.insert(*head);
                Order::DropHead { address: address.clone(), expected: *head }
            }
            _ => Order::Redrive(address.clone()),
        };
        self.order_for_address(partition, order)
    }

    /// An order for an address was carried out, or not.
    pub fn order_ended(
        &mut self,
        of: PartitionId,
        ticket: Ticket,
        outcome: OrderOutcome,
    ) -> Checked {
        if !self.site(of).orders.remove(&ticket) {
            return Err(format!("{of} answers the order {ticket} twice"));
        }
        match outcome {
            OrderOutcome::AnotherHead { .. } => {
                self.cover("another message than ordered was at the head");
            }
            OrderOutcome::NotParked => self.cover("an order found its address not parked"),
            OrderOutcome::AlreadySo => return Err(format!("{of} calls an order needless")),
            OrderOutcome::Done | OrderOutcome::Dropped { .. } => {}
        }
        Ok(())
    }
}
