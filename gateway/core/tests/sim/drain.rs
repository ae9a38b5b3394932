//! Once faults stop: everything accepted is processed in bounded steps (LIVE-1), and the books balance.

use tidegate_core::address::Address;
use tidegate_core::id::PartitionId;
use tidegate_core::message::RequestId;
use tidegate_core::partition::order::Subject;
use tidegate_core::partition::row::RowKey;

use crate::bank::{AUDIT, Kind, Ledger, Op, account};
use crate::ingress::Client;
use crate::world::{Checked, World};

/// Rounds in which everything that is under way arrives.
const ROUNDS_MAX: usize = 3_000;
/// The only value of the bank that never expires.
const LEDGER_VALUE: &str = "ledger";
/// More packets at once than any exchange without faults needs.
const PACKETS_MAX: usize = 100_000;

impl World {
    pub fn drain(&mut self) -> Checked {
        let (step, now) = (self.step, self.now);
        self.trace.note(step, now, || "faults stop".into());
        self.change_application(true)?;
        // What is paused stops nothing else; then it goes on.
        self.drain_but(Some(AUDIT))?;
        self.drain_but(None)
    }

    fn drain_but(&mut self, paused: Option<&str>) -> Checked {
        for round in 0..ROUNDS_MAX {
            self.step += 1;
            self.settle(round)?;
            self.resume_everything(paused)?;
            if self.packets.len() > PACKETS_MAX {
                return Err("LIVE-1: packets multiply".into());
            }
            if !self.is_still() {
                continue;
            }
            if self.left_over(paused).is_none() {
                return Ok(());
            }
            self.skip_to_deadline()?;
        }
        let left = self.left_over(paused).unwrap_or_else(|| "packets for ever".into());
        Err(format!("LIVE-1: after {ROUNDS_MAX} rounds without faults: {left}"))
    }

    /// Everything that is under way arrives.
    fn settle(&mut self, round: usize) -> Checked {
        for partition in self.plan.partitions.partitions() {
            self.adopt(partition)?;
        }
        for incarnation in self.alive() {
            let log = &self.logs[incarnation];
            self.sync(incarnation, log.entries.len() - log.synced)?;
        }
        for packet in std::mem::take(&mut self.packets) {
            self.arrive(packet)?;
        }
        for call in std::mem::take(&mut self.calls) {
            self.answer(&call)?;
        }
        for partition in self.plan.partitions.partitions() {
            for _ in 0..self.site(partition).store.loads.len() {
                self.read(partition, 0)?;
            }
            let dirty = self.site(partition).partition.as_ref().map_or(0, |of| of.memory().dirty);
            if round % 16 == 15 || dirty > 12_000 {
                self.begin_flush(partition);
                self.commit_flush(partition)?;
            }
        }
        for (partition, address) in self.parked() {
            self.unpark(partition, &address, true)?;
        }
        self.grant_turns()?;
        self.finish_ingress(round)?;
        self.finish_egress()
    }

    fn finish_ingress(&mut self, round: usize) -> Checked {
        for index in 0..self.sources.len() {
            if self.sources[index].is_done(self.plan.partitions) {
                continue;
            }
            for partition in self.plan.partitions.partitions() {
                if round.is_multiple_of(8) {
                    self.sources[index].rewind(partition);
                }
                self.read_source(index, partition);
            }
        }
        for index in 0..self.clients.len() {
            let client = &self.clients[index];
            // A client whose connection holds waits; it must be answered.
            let connected = self.is_connected(client);
            if client.request.is_some() && !client.answered && !connected {
                self.call(index)?;
            }
        }
        Ok(())
    }

    fn finish_egress(&mut self) -> Checked {
        let taken: Vec<_> =
            self.sink.taken.iter().map(|(key, taken)| (key.clone(), taken.len())).collect();
        for ((partition, egress), taken) in taken {
            let taken = taken as u64;
            let known = self.site(partition).live.egress_trimmed.get(&egress).copied();
            if known.unwrap_or_default() < taken {
                self.acknowledge_egress(partition, &egress, taken)?;
            }
        }
        Ok(())
    }

    /// Whether nothing is under way.
    fn is_still(&self) -> bool {
        let synced = self.logs.iter().all(|log| !log.alive || log.synced == log.entries.len());
        synced
            && self.packets.is_empty()
            && self.calls.is_empty()
            && self.sites.iter().all(|site| site.store.loads.is_empty())
    }

    fn skip_to_deadline(&mut self) -> Checked {
        let deadlines =
            self.sites.iter().filter_map(|site| site.partition.as_ref()?.next_deadline());
        if let Some(deadline) = deadlines.min() {
            self.now = self.now.max(deadline);
        }
        self.tell_deadlines()
    }

    /// What is not done yet.
    fn left_over(&self, paused: Option<&str>) -> Option<String> {
        let partitions = self.plan.partitions;
        if let Some(source) = self.sources.iter().find(|source| !source.is_done(partitions)) {
            return Some(format!("{} is not read to its end", source.id));
        }
        let waiting = |client: &&Client| client.request.is_some() && !client.answered;
        if let Some(client) = self.clients.iter().find(waiting) {
            return Some(format!("client {} has no answer", client.operation));
        }
        self.sites.iter().find_map(|site| {
            let model = &site.live;
            let id = model.id;
            let waits = |address: &&Address| {
                let function = Subject::Function(address.function.clone());
                Some(address.function.as_str()) != paused || !model.paused.contains(&function)
            };
            let mut mailboxes = model.mailboxes.iter();
            if let Some((address, mailbox)) = mailboxes.find(|(address, _)| waits(address)) {
                return Some(format!("{} messages wait for {address} in {id}", mailbox.len()));
            }
            if let Some(timer) = model.timers.first() {
                return Some(format!("{id} has not fired {timer:?}"));
            }
            if !model.forgets.is_empty() {
                return Some(format!("{id} has not forgotten {} requests", model.forgets.len()));
            }
            for (to, sent) in &model.outbox {
                let trimmed = model.outbox_trimmed.get(to).copied().unwrap_or_default();
                if trimmed < sent.len() as u64 {
                    return Some(format!("{to} has {trimmed} of {} messages of {id}", sent.len()));
                }
            }
            for (egress, emitted) in &model.egress {
                let trimmed = model.egress_trimmed.get(egress).copied().unwrap_or_default();
                if trimmed < emitted.len() as u64 {
                    return Some(format!("{egress} has {trimmed} of {} of {id}", emitted.len()));
                }
            }
            let quiet =
                site.partition.as_ref().is_some_and(tidegate_core::partition::Partition::is_quiet);
            (!quiet).then(|| format!("{id} is not quiet"))
        })
    }

    /// What must be true when all is done.
    pub fn check_end(&mut self) -> Checked {
        self.sweep_everything()?;
        for partition in self.plan.partitions.partitions() {
            for _ in 0..2 {
                self.begin_flush(partition);
                self.commit_flush(partition)?;
            }
            self.check_rows(partition)?;
            let site = self.site(partition);
            if let Some(ticket) = site.orders.first() {
                return Err(format!("the order {ticket} was never answered by {partition}"));
            }
            if site.told_paused != site.live.paused {
                return Err(format!("{:?} is told to be paused", site.told_paused));
            }
        }
        self.check_transfers()?;
        self.check_balance()?;
        self.check_clients()
    }

    /// Nothing but counters, and values that live for ever, is left in the store.
    fn check_rows(&mut self, partition: PartitionId) -> Checked {
        let site = self.site(partition);
        let last = site.partition.as_ref().map(tidegate_core::partition::Partition::lsn);
        if last != Some(site.store.applied()) {
            return Err(format!("{} of {last:?} is flushed of {partition}", site.store.applied()));
        }
        let rows = &site.store.rows;
        let surplus = rows.keys().find(|key| {
            matches!(
                key,
                RowKey::Mailbox(..)
                    | RowKey::Timer(_)
                    | RowKey::Token(..)
                    | RowKey::Outbox(..)
                    | RowKey::Egress(..)
                    | RowKey::Request(_)
                    | RowKey::Pause(_)
                    | RowKey::Parked(_)
                    | RowKey::Expiry(..)
            ) || matches!(key, RowKey::Value(_, name) if **name != *LEDGER_VALUE)
        });
        surplus.map_or(Ok(()), |key| Err(format!("{key:?} is left in the store of {partition}")))
    }

    /// Money is neither made nor lost.
    fn check_balance(&mut self) -> Checked {
        let mut sum = 0;
        for site in &self.sites {
            sum += site.live.stranded;
            for ((_, name), (value, _)) in &site.live.values {
                if **name == *"ledger" {
                    sum += Ledger::of(Some(value)).balance;
                }
            }
        }
        if sum == 0 { Ok(()) } else { Err(format!("the books are off by {sum}")) }
    }

    /// Every accepted operation was processed once, and every deposit that follows from it.
    fn check_transfers(&mut self) -> Checked {
        let records =
            self.sources.iter().flat_map(|source| source.records.iter().map(|(_, of)| of));
        let accepted = self.clients.iter().filter(|client| client.accepted);
        let lives = |operation| {
            self.sites.iter().filter_map(move |site| site.live.accepted.get(&operation)).count()
        };
        let envelopes: Vec<_> = accepted
            .filter(|client| client.request.is_none() && lives(client.operation) == 1)
            .map(|client| &client.envelope)
            .chain(records)
            .collect();
        for envelope in envelopes {
            let op = Op::of(&envelope.argument);
            let times = self.times(&envelope.target, op.id);
            let dropped = self.sites.iter().any(|site| site.live.dropped.contains(&op.id));
            let to_itself = matches!(op.kind, Kind::Transfer { to, .. } | Kind::Later { to, .. } if account(to) == envelope.target)
                || matches!(
                    op.kind,
                    Kind::Schedule { .. } | Kind::FanOut { .. } | Kind::Relay { .. }
                );
            let optional = envelope.target.function.as_str() == crate::bank::AUDIT;
            if times != 1 && !dropped && !to_itself && !optional {
                return Err(format!("ONCE-1: `{op}` was processed {times} times"));
            }
            let receiver = match op.kind {
                Kind::Transfer { to, .. } | Kind::Later { to, .. } => account(to),
                _ => continue,
            };
            let expected = if receiver == envelope.target { 2 } else { 1 };
            let deposits = self.times(&receiver, op.id);
            if deposits != expected && !dropped {
                return Err(format!(
                    "ONCE-2: the deposit of `{op}` was processed {deposits} times"
                ));
            }
        }
        Ok(())
    }

    fn times(&self, address: &tidegate_core::address::Address, operation: u64) -> u32 {
        let key = (address.clone(), operation);
        self.sites.iter().filter_map(|site| site.live.consumed.get(&key)).sum()
    }

    /// Whether the incarnation that a client has sent to last still has the partition.
    fn is_connected(&self, client: &Client) -> bool {
        let home = self.plan.partitions.partition_of(&client.envelope.target);
        let site = &self.sites[usize::from(home.0)];
        let same = client.sent_in == site.live.epoch && client.sent_to == site.incarnation;
        client.ticket.is_some() && same
    }

    /// Clients that were connected to the end have their answers and replies.
    fn check_clients(&mut self) -> Checked {
        for client in &self.clients {
            let home = self.plan.partitions.partition_of(&client.envelope.target);
            let model = &self.sites[usize::from(home.0)].live;
            let connected = self.is_connected(client);
            if connected && !client.answered {
                return Err(format!("LIVE-1: client {} was never answered", client.operation));
            }
            let accepted_in = model.accepted.get(&client.operation);
            let stayed = connected && accepted_in == Some(&model.epoch);
            let dropped = model.dropped.contains(&client.operation);
            let expects = client.replies && accepted_in.is_some() && !dropped;
            let replied = match &client.request {
                Some(request) => {
                    model.replies.contains_key(&RequestId::Keyed(request.id))
                        || model.missed.contains(&request.id)
                }
                None => client.reply.is_some() || !stayed,
            };
            if expects && !replied {
                return Err(format!("LIVE-1: client {} was never replied to", client.operation));
            }
        }
        Ok(())
    }
}
