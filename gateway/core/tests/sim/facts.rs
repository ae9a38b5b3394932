//! From records to facts: what a record claims is compared with what the world knows, and told in its words.

use std::rc::Rc;

use tidegate_core::address::Address;
use tidegate_core::id::PartitionId;
use tidegate_core::message::{Envelope, RequestId};
use tidegate_core::partition::record::{
    Commit, Delivery, DiscardReason, MailboxEntry, Provenance, Record, TimerOutcome,
};
use tidegate_core::partition::row::{Row, RowKey, TimerKey, TimerTask};

use crate::bank::Op;
use crate::fact::{Committed, Fact, From};
use crate::world::{Checked, World};

impl World {
    pub fn fact(&mut self, of: PartitionId, record: &Record) -> Result<Fact, String> {
        Ok(match record {
            Record::PartitionAdopted { epoch } => Fact::Adopted(*epoch),
            Record::SourceOpened { source, epoch, watermark } => {
                Fact::Opened { source: source.clone(), epoch: *epoch, watermark: *watermark }
            }
            Record::MessageAccepted { provenance, delivery } => {
                self.accepted(of, provenance, delivery)?
            }
            Record::ReplyRecorded { address, row, .. } => {
                Fact::ReplyRecorded { address: address.clone(), wins: row.is_some() }
            }
            Record::ValuesRegistered { function, specs } => {
                Fact::Registered { function: function.clone(), specs: specs.to_vec() }
            }
            Record::BatchCommitted(commit) => self.committed(of, commit)?,
            Record::TimerFired { timer, outcome, .. } => self.fired(of, *timer, outcome)?,
            Record::OutboxTrimmed { destination, through, .. } => {
                let receiver = &self.site(*destination).live;
                let watermark = receiver.peers.get(&of).copied().unwrap_or_default();
                if through.0 > watermark {
                    return Err(format!(
                        "ONCE-2: {of} trims {through} but {destination} has only {watermark}"
                    ));
                }
                Fact::OutboxTrimmed { destination: *destination, through: through.0 }
            }
            Record::EgressTrimmed { egress, through, .. } => {
                let known = self.sink.acknowledged.get(&(of, egress.clone()));
                if known.is_none_or(|known| *known < through.0) {
                    return Err(format!("ONCE-2: {egress} of {of} is trimmed to {through}"));
                }
                Fact::EgressTrimmed { egress: egress.clone(), through: through.0 }
            }
            Record::AddressParked { address, .. } => {
                self.cover("an address was parked");
                self.site(of).flights.remove(address);
                self.check_parked_count(of, record)?;
                Fact::Parked(address.clone())
            }
            Record::AddressReleased { address, .. } => {
                self.check_parked_count(of, record)?;
                Fact::Released(address.clone())
            }
            Record::MessagesDropped { address, sequences, .. } => {
                self.cover("messages of a parked address were dropped");
                let droppable = self.site(of).droppable.entry(address.clone()).or_default();
                if let Some(wrong) = sequences.iter().find(|sequence| !droppable.remove(sequence)) {
                    return Err(format!(
                        "ONCE-1: {wrong} of {address} is dropped without an order"
                    ));
                }
                let (messages, now) = (sequences.len(), self.now);
                Fact::Dropped { address: address.clone(), messages, parked: true, now }
            }
            Record::DeadLettered { address, entry, .. } => {
                self.cover("a message left as a dead letter");
                self.site(of).flights.remove(address);
                let (egress, argument) = (entry.egress.clone(), entry.emitted.argument.clone());
                Fact::LetterSent { address: address.clone(), egress, argument, now: self.now }
            }
            Record::ValuesExpired(values) => {
                for value in values {
                    self.check_unseen(of, &value.address)?;
                }
                let names = values.iter().map(|value| (value.address.clone(), value.name.clone()));
                Fact::Expired { values: names.collect(), now: self.now }
            }
            Record::Paused { subject, signature } => {
                self.cover("something was paused");
                if signature.at != self.now || &*signature.by != "operator" {
                    return Err(format!("{subject:?} is paused by {signature:?}"));
                }
                Fact::Paused(subject.clone())
            }
            Record::Resumed { subject, .. } => Fact::Resumed(subject.clone()),
        })
    }

    /// A record says how many addresses are parked from now on.
    fn check_parked_count(&mut self, of: PartitionId, record: &Record) -> Checked {
        let before = self.site(of).live.parked.len() as u64;
        let (expected, found) = match record {
            Record::AddressParked { parked, .. } => (before + 1, *parked),
            Record::AddressReleased { parked, .. } => (before - 1, *parked),
            _ => return Ok(()),
        };
        if found == expected {
            Ok(())
        } else {
            Err(format!("{found} addresses are parked, not {expected}"))
        }
    }

    fn accepted(
        &mut self,
        of: PartitionId,
        provenance: &Provenance,
        delivery: &Delivery,
    ) -> Result<Fact, String> {
        let (from, envelope) = match provenance {
            Provenance::Peer { partition, sequence } => {
                let sender = &self.site(*partition).live;
                let sent =
                    sender.outbox.get(&of).and_then(|sent| sent.get(sequence.0 as usize - 1));
                let envelope = sent.ok_or_else(|| {
                    format!("{of} accepted {sequence} of {partition}, which was never sent")
                })?;
                (From::Peer(*partition, sequence.0), envelope.clone())
            }
            Provenance::Source { source, position, .. } => {
                let (_, watermark) = self.site(of).live.source(source);
                let partitions = self.plan.partitions;
                let script = self.sources.iter().find(|known| known.id == *source);
                let next = script.and_then(|script| script.next_of(partitions, of, watermark));
                let (expected, envelope) = next.ok_or("a source sent more than it has")?;
                if expected != position {
                    return Err(format!(
                        "ONCE-1: {position:?} of {source} is accepted, next is {expected:?}"
                    ));
                }
                (From::Source(source.clone(), *position), envelope.clone())
            }
            Provenance::Client { .. } => self.accepted_client(of, delivery)?,
        };
        let dropped = matches!(delivery, Delivery::Dropped(DiscardReason::UnknownFunction));
        let declared = self.application.policy(&envelope.target.function).is_some();
        if matches!(from, From::Source(..)) && dropped == declared {
            return Err(format!("a message to {} is dropped: {dropped}", envelope.target));
        }
        if matches!(delivery, Delivery::Dropped(DiscardReason::RequestGone)) {
            self.cover("a reply to a dead incarnation was dropped");
        }
        check_delivery(delivery, &envelope)?;
        Ok(Fact::Accepted { from, envelope, dropped })
    }

    fn accepted_client(
        &mut self,
        of: PartitionId,
        delivery: &Delivery,
    ) -> Result<(From, Envelope), String> {
        let Delivery::Local(MailboxEntry { message, .. }) = delivery else {
            return Err(format!("a client's message is delivered as {delivery:?}"));
        };
        let operation = Op::of(&message.argument).id;
        let epoch = self.site(of).live.epoch;
        let client = self.clients.iter_mut().find(|client| client.operation == operation);
        let client = client.ok_or("a client's message was never sent")?;
        client.accepted = true;
        let mut envelope = client.envelope.clone();
        if client.wants_reply {
            let request = match (&client.request, client.ticket) {
                (Some(request), _) => RequestId::Keyed(request.id),
                (None, Some(ticket)) => RequestId::Waiting { epoch, ticket },
                (None, None) => return Err("a client was never heard".into()),
            };
            envelope.caller = Some(Address::of_request(of, request));
        }
        if message.request != client.request {
            return Err(format!("operation {operation} came with {:?}", message.request));
        }
        Ok((From::Client(operation, client.request.clone()), envelope))
    }

    fn committed(&mut self, of: PartitionId, commit: &Commit) -> Result<Fact, String> {
        let (now, application) = (self.now, self.application.clone());
        let address = &commit.address;
        let flight = self.site(of).flights.remove(address);
        let flight =
            flight.ok_or_else(|| format!("FENCE-1: {address} commits but nothing is in flight"))?;
        let response = flight.answered.ok_or_else(|| {
            format!("FENCE-1: {address} commits what its function never answered")
        })?;
        if commit.consumed.len() != flight.messages {
            return Err(format!("{address} consumed {} messages", commit.consumed.len()));
        }
        Ok(Fact::Committed(Rc::new(Committed {
            address: address.clone(),
            messages: flight.messages,
            absent: flight.absent,
            presented: flight.presented,
            response,
            now,
            application,
            rejected: commit.rejected.clone(),
        })))
    }

    fn fired(
        &mut self,
        of: PartitionId,
        timer: TimerKey,
        outcome: &TimerOutcome,
    ) -> Result<Fact, String> {
        let now = self.now;
        let delivery = match outcome {
            TimerOutcome::Forgotten { request, .. } => {
                return Ok(Fact::Forgotten { key: *request });
            }
            TimerOutcome::Delivered(delivery) => delivery,
        };
        self.cover("a timer fired");
        let gone = || format!("timer {timer:?} fired, which is gone");
        let Some(Row::Timer(task)) = self.site(of).fold.get(&RowKey::Timer(timer)).cloned() else {
            return Err(gone());
        };
        let TimerTask::Send { sender, target, argument, .. } = *task else { return Err(gone()) };
        let envelope = Envelope { caller: Some(sender), target, argument };
        check_delivery(delivery, &envelope)?;
        Ok(Fact::Fired { due: timer.fire_at, now, envelope })
    }
}

/// Whether a message is delivered unchanged.
fn check_delivery(delivery: &Delivery, envelope: &Envelope) -> Checked {
    let same = match delivery {
        Delivery::Local(MailboxEntry { target, message }) => {
            *target == envelope.target
                && message.argument == envelope.argument
                && message.caller == envelope.caller
        }
        Delivery::Remote(entry) => entry.envelope == *envelope,
        Delivery::Reply { argument, .. } => *argument == envelope.argument,
        Delivery::Dropped(_) => true,
    };
    if same { Ok(()) } else { Err(format!("{envelope:?} became {delivery:?}")) }
}
