//! Time, operators, and changes of the application.

use tidegate_core::address::Address;
use tidegate_core::id::{PartitionId, Sequence, Ticket, Timestamp};
use tidegate_core::partition::effect::ReadRequest;
use tidegate_core::partition::event::Event;

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
            4 => {
                let number = self.random.between(0, self.plan.accounts - 1);
                let address = account(number);
                let partition = self.plan.partitions.partition_of(&address);
                self.tell(partition, Event::AddressReleased { address })
            }
            _ => {
                let parked = self.parked();
                if parked.is_empty() {
                    return Ok(());
                }
                let (partition, address) = self.random.pick(&parked).clone();
                let drop = self.random.chance(60);
                self.unpark(partition, address, drop)
            }
        }
    }

    pub fn change_application(&mut self, with_audit: bool) -> Checked {
        self.application = application(with_audit);
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

    /// Drops the head only if it can never be processed.
    pub fn unpark(&mut self, partition: PartitionId, address: Address, drop: bool) -> Checked {
        let head =
            self.site(partition).live.mailboxes.get(&address).and_then(|mailbox| mailbox.front());
        let hopeless = head.is_some_and(|head| {
            matches!(Op::of(&head.argument).kind, Kind::Poison { times: u32::MAX })
        });
        let event = if hopeless && drop {
            // An order may be under way while rows are read; given twice, it would drop two messages.
            if !self.site(partition).ordered.insert(address.clone()) {
                return Ok(());
            }
            self.cover("the head of a parked address was dropped");
            Event::HeadDropped { address }
        } else {
            Event::AddressReleased { address }
        };
        self.tell(partition, event)
    }
}
