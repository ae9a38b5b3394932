//! What reaches the partitions: packets, answers of functions, rows, records of sources, clients' messages.

use std::rc::Rc;

use tidegate_core::id::{PartitionId, Ticket};
use tidegate_core::message::{Origin, RequestId, TypedValue};
use tidegate_core::partition::effect::ClientAnswer;
use tidegate_core::partition::event::Event;
use tidegate_core::partition::group::{Failure, FailureScope};

use crate::functions::{Verdict, run};
use crate::ingress::Client;
use crate::network::{Call, InTransit, Packet};
use crate::plan::Flaw;
use crate::world::{Checked, World};

/// Rows that wait to be flushed before the doors close, in bytes.
const DIRTY_BYTES_MAX: usize = 24_000;

impl World {
    pub fn something_arrives(&mut self) -> Checked {
        if self.packets.is_empty() {
            return Ok(());
        }
        let index = self.random.below(self.packets.len());
        if self.random.chance(self.plan.repeat) {
            self.cover("a packet was repeated");
            let copy = self.packets[index].clone();
            return self.arrive(copy);
        }
        let packet = self.packets.swap_remove(index);
        if self.random.chance(self.plan.loss) {
            self.cover("a packet was lost");
            return Ok(());
        }
        self.arrive(packet)
    }

    pub fn arrive(&mut self, arriving: InTransit) -> Checked {
        let InTransit { to, packet, within } = arriving;
        let site = self.site(to);
        let elsewhere = within.is_some_and(|incarnation| incarnation != site.incarnation);
        if site.partition.is_none() || elsewhere && !self.has(Flaw::SpeculationAcrossNodes) {
            // The sender sends it again.
            return Ok(());
        }
        let from_ingress = matches!(packet, Packet::Record { .. } | Packet::Open { .. });
        let from_peer = matches!(packet, Packet::Message { .. });
        let stops = self.has(Flaw::FullPartitionsStop) && from_peer;
        if (from_ingress || stops) && self.is_full(to) {
            return Ok(());
        }
        self.tell(to, event_of(packet))
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.plan.flaw == Some(flaw)
    }

    /// Whether the doors of a partition are closed.
    pub fn is_full(&mut self, partition: PartitionId) -> bool {
        let resident_most = self.plan.limits.resident_bytes;
        let stops = self.has(Flaw::FullPartitionsStop);
        let Some(memory) = self.site(partition).partition.as_ref().map(|running| running.memory())
        else {
            return true;
        };
        let full = memory.dirty > DIRTY_BYTES_MAX || stops && memory.resident > resident_most / 2;
        if full {
            self.cover("a partition closed its doors");
        }
        full
    }

    pub fn something_is_answered(&mut self) -> Checked {
        if self.calls.is_empty() {
            return Ok(());
        }
        let index = self.random.below(self.calls.len());
        if self.random.chance(self.plan.repeat) {
            let call = self.calls[index].clone();
            return self.answer(&call);
        }
        let call = self.calls.swap_remove(index);
        self.answer(&call)
    }

    /// A function answers, or does not.
    pub fn answer(&mut self, call: &Call) -> Checked {
        let (of, batch) = (call.partition, call.group.batch);
        if self.has(Flaw::FullPartitionsStop) && self.is_full(of) {
            self.calls.push(call.clone());
            return Ok(());
        }
        let verdict = run(&call.group)?;
        let disturbed = self.faults && self.random.chance(self.plan.fail);
        let scope = self.failure_scope();
        // Only what is poison leaves as a dead letter: no order is promised behind it.
        let spared =
            self.plan.dead_letters && scope == FailureScope::Group && call.group.attempt > 2;
        let disturbed = disturbed && !spared;
        let flight = self.site(of).flights.get_mut(&call.group.address);
        let flight =
            flight.filter(|flight| flight.call == call.number && flight.answered.is_none());
        let open = flight.is_some();
        let failed =
            Event::InvocationFailed { batch, failure: Failure { scope, text: "no".into() } };
        let event = match verdict {
            _ if disturbed => failed,
            Verdict::Failed => {
                let failure = Failure { scope: FailureScope::Group, text: "poison".into() };
                Event::InvocationFailed { batch, failure }
            }
            Verdict::Incomplete(missing) => Event::InvocationIncomplete { batch, missing },
            Verdict::Processed(response) => {
                if let Some(flight) = flight {
                    flight.answered = Some(Rc::new((*response).clone()));
                }
                Event::InvocationSucceeded { batch, response }
            }
        };
        if open && !matches!(event, Event::InvocationSucceeded { .. }) {
            self.site(of).flights.remove(&call.group.address);
        }
        self.tell(of, event)
    }

    fn failure_scope(&mut self) -> FailureScope {
        if self.random.chance(50) {
            return FailureScope::Group;
        }
        let wait = self.random.between(1, 150);
        FailureScope::Endpoint { retry_at: self.now.plus_ms(wait) }
    }

    pub fn something_is_read(&mut self) -> Checked {
        let running = self.running();
        let waiting: Vec<PartitionId> = running
            .into_iter()
            .filter(|id| !self.sites[usize::from(id.0)].store.loads.is_empty())
            .collect();
        if waiting.is_empty() {
            return Ok(());
        }
        let of = *self.random.pick(&waiting);
        let loads = self.site(of).store.loads.len();
        let index = self.random.below(loads);
        self.read(of, index)
    }

    pub fn read(&mut self, of: PartitionId, index: usize) -> Checked {
        let (load, (rows, more)) = self.site(of).store.answer(index);
        if load.crossed {
            self.cover("a load crossed a flush");
        }
        self.tell(of, Event::RowsLoaded { load: load.load, rows, more })
    }

    pub fn a_source_goes_on(&mut self) -> Checked {
        let index = self.random.below(self.sources.len());
        let partition = PartitionId(self.random.below(self.sites.len()) as u16);
        if self.random.chance(8) {
            self.sources[index].rewind(partition);
        }
        self.read_source(index, partition);
        Ok(())
    }

    pub fn read_source(&mut self, index: usize, to: PartitionId) {
        if let Some(packet) = self.sources[index].read(self.plan.partitions, to) {
            self.packets.push(InTransit { to, packet, within: None });
        }
    }

    pub fn a_client_calls(&mut self) -> Checked {
        let keyed: Vec<usize> = (0..self.clients.len())
            .filter(|index| self.clients[*index].request.is_some())
            .collect();
        if !keyed.is_empty() && self.random.chance(35) {
            let index = *self.random.pick(&keyed);
            return self.call(index);
        }
        self.ids += 1;
        let client = Client::new(self.ids, self.plan.accounts, self.plan.crowded, &mut self.random);
        self.clients.push(client);
        self.call(self.clients.len() - 1)
    }

    /// A client sends its message, for the first time or again.
    pub fn call(&mut self, index: usize) -> Checked {
        let to = self.plan.partitions.partition_of(&self.clients[index].envelope.target);
        if self.is_full(to) {
            return Ok(());
        }
        let (sent_in, sent_to) = (self.site(to).live.epoch, self.site(to).incarnation);
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        self.tickets.insert(ticket, index);
        let client = &mut self.clients[index];
        client.ticket = Some(ticket);
        client.sent_in = sent_in;
        client.sent_to = sent_to;
        client.answered = false;
        let (wants_reply, request) = (client.wants_reply, client.request.clone());
        let envelope = client.envelope.clone();
        let origin = Origin::Client { ticket, wants_reply, request };
        self.tell(to, Event::MessageReceived { origin, envelope })
    }

    /// A client learns what became of its message.
    pub fn answer_client(
        &mut self,
        of: PartitionId,
        ticket: Ticket,
        answer: ClientAnswer,
    ) -> Checked {
        let index = *self.tickets.get(&ticket).ok_or("nobody has this ticket")?;
        let kept = &self.sites[usize::from(of.0)].kept;
        let client = &mut self.clients[index];
        if client.ticket == Some(ticket) {
            client.answered = true;
        }
        match answer {
            ClientAnswer::Accepted { .. } if !kept.accepted.contains_key(&client.operation) => {
                Err(format!("DUR-1: {} is accepted but not durably", client.operation))
            }
            ClientAnswer::Repeated { request, progress } => {
                let Some(reply) = progress.reply else { return Ok(()) };
                let durable = kept.replies.get(&request).is_some_and(|kept| kept.contains(&reply));
                client.reply.get_or_insert_with(|| reply.clone());
                if durable {
                    Ok(())
                } else {
                    Err(format!("DUR-1: repeated {reply:?} is not durable"))
                }
            }
            _ => Ok(()),
        }
    }

    /// A reply reaches the clients that wait for it, if any.
    pub fn reply_to_client(&mut self, request: RequestId, argument: &TypedValue) -> Checked {
        match request {
            RequestId::Waiting { ticket, .. } => {
                let index = *self.tickets.get(&ticket).ok_or("a reply to nobody")?;
                self.clients[index].reply.get_or_insert_with(|| argument.clone());
            }
            RequestId::Keyed(key) => {
                let asked =
                    |client: &Client| client.request.as_ref().is_some_and(|of| of.id == key);
                for client in self.clients.iter_mut().filter(|client| asked(client)) {
                    client.reply.get_or_insert_with(|| argument.clone());
                }
            }
        }
        Ok(())
    }

    pub fn a_sink_acknowledges(&mut self) -> Checked {
        let taken: Vec<_> =
            self.sink.taken.iter().map(|(key, taken)| (key.clone(), taken.len())).collect();
        if taken.is_empty() {
            return Ok(());
        }
        let ((partition, egress), taken) = self.random.pick(&taken).clone();
        if egress.as_str() == "bank/slow" && self.random.chance(70) {
            return Ok(());
        }
        let through = self.random.between(1, taken as u64);
        self.acknowledge_egress(partition, &egress, through)
    }

    pub fn acknowledge_egress(
        &mut self,
        partition: PartitionId,
        egress: &tidegate_core::address::EgressId,
        through: u64,
    ) -> Checked {
        let known = self.sink.acknowledged.entry((partition, egress.clone())).or_default();
        *known = through.max(*known);
        let through = tidegate_core::id::Sequence(through);
        self.tell(partition, Event::EgressAcknowledged { egress: egress.clone(), through })
    }
}

fn event_of(packet: Packet) -> Event {
    match packet {
        Packet::Message { from, sequence, envelope } => {
            Event::MessageReceived { origin: Origin::Peer { partition: from, sequence }, envelope }
        }
        Packet::Acknowledgement { from, through } => {
            Event::OutboxAcknowledged { destination: from, through }
        }
        Packet::Gap { from, expected } => Event::OutboxGapReported { destination: from, expected },
        Packet::Open { source, epoch, checkpoint } => {
            Event::SourceOpened { source, epoch, checkpoint }
        }
        Packet::Record { source, epoch, predecessor, position, envelope } => {
            let origin = Origin::Source { source, epoch, predecessor, position };
            Event::MessageReceived { origin, envelope }
        }
    }
}
