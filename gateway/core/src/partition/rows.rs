//! What a record changes in the store: a pure function of the record, so that the rows that are written behind
//! come from durable records and never from live state.

use alloc::boxed::Box;
use alloc::sync::Arc;

use super::record::{
    Commit, Delivery, EgressEntry, ExpiredValue, Provenance, Record, TimerOutcome, ValueChange,
};
use super::row::{RequestRow, Row, RowKey, Timer};
use crate::address::Address;
use crate::id::{Sequence, Timestamp};
use crate::message::{Message, RequestProgress, TypedValue};

/// Calls `change` for every row that the record writes or removes, in order.
pub fn changes(record: &Record, change: &mut impl FnMut(RowKey, Option<Row>)) {
    note(record, &mut Each(change));
}

/// Tells `changes` every row that the record writes or removes, in order.
pub(super) fn note(record: &Record, changes: &mut impl Changes) {
    let mut rows = Rows { changes, last_sequence: Sequence::NONE };
    rows.record(record);
    if rows.last_sequence != Sequence::NONE {
        rows.changes.number(rows.last_sequence.next());
    }
}

/// Who wants to know what changes. The rows that nearly every message changes have calls of their own, for those who keep
/// them without their keys.
pub(super) trait Changes {
    fn put(&mut self, key: RowKey, row: Row);

    fn remove(&mut self, key: RowKey);

    /// The next number for messages and timers is this one.
    fn number(&mut self, next: Sequence) {
        self.put(RowKey::NextSequence, Row::Sequence(next));
    }

    /// A message enters a mailbox.
    fn enqueue(&mut self, address: &Address, message: &Arc<Message>) {
        let key = RowKey::Mailbox(address.clone(), message.sequence);
        self.put(key, Row::Message(message.clone()));
    }

    /// Messages leave the head of a mailbox.
    fn dequeue(&mut self, address: &Address, sequences: &[Sequence]) {
        for sequence in sequences {
            self.remove(RowKey::Mailbox(address.clone(), *sequence));
        }
    }

    /// A value becomes another one.
    fn value(&mut self, address: &Address, name: &Arc<str>, value: &TypedValue, until: Timestamp) {
        let key = RowKey::Value(address.clone(), name.clone());
        self.put(key, Row::Value(value.clone(), until));
    }
}

struct Each<'a, F>(&'a mut F);

impl<F: FnMut(RowKey, Option<Row>)> Changes for Each<'_, F> {
    fn put(&mut self, key: RowKey, row: Row) {
        (self.0)(key, Some(row));
    }

    fn remove(&mut self, key: RowKey) {
        (self.0)(key, None);
    }
}

struct Rows<'a, C> {
    changes: &'a mut C,
    /// The highest number that the record takes from the partition's numbering.
    last_sequence: Sequence,
}

impl<C: Changes> Rows<'_, C> {
    fn put(&mut self, key: RowKey, row: Row) {
        self.changes.put(key, row);
    }

    fn remove(&mut self, key: RowKey) {
        self.changes.remove(key);
    }

    fn record(&mut self, record: &Record) {
        match record {
            Record::PartitionAdopted { epoch } => self.put(RowKey::Epoch, Row::Epoch(*epoch)),
            Record::SourceOpened { source, epoch, watermark } => {
                self.put(RowKey::Source(source.clone()), Row::Source(*epoch, *watermark));
            }
            Record::MessageAccepted { provenance, delivery } => {
                self.provenance(provenance);
                self.delivery(delivery);
            }
            Record::ReplyRecorded { address, consumed, row } => {
                self.changes.dequeue(address, &[*consumed]);
                if let Some(row) = row {
                    self.put(RowKey::Request(row.request.id), Row::Request(Box::new(row.clone())));
                }
            }
            Record::ValuesRegistered { function, specs } => {
                self.put(RowKey::Specs(function.clone()), Row::Specs(specs.clone()));
            }
            Record::BatchCommitted(commit) => self.commit(commit),
            Record::TimerFired { timer, token, outcome } => {
                self.remove(RowKey::Timer(*timer));
                if let Some((owner, token)) = token {
                    self.remove(RowKey::Token(owner.clone(), token.clone()));
                }
                self.outcome(outcome);
            }
            Record::OutboxTrimmed { destination, from, through } => {
                for sequence in from.0..=through.0 {
                    self.remove(RowKey::Outbox(*destination, Sequence(sequence)));
                }
                self.put(RowKey::OutboxTrimmed(*destination), Row::Sequence(*through));
            }
            Record::EgressTrimmed { egress, from, through } => {
                for sequence in from.0..=through.0 {
                    self.remove(RowKey::Egress(egress.clone(), Sequence(sequence)));
                }
                self.put(RowKey::EgressTrimmed(egress.clone()), Row::Sequence(*through));
            }
            Record::AddressParked { address, why, parked } => {
                self.put(RowKey::parked(address.clone()), Row::Parked(why.clone()));
                self.put(RowKey::Parked(address.clone()), Row::Parked(why.clone()));
                self.put(RowKey::ParkedCount, Row::Count(*parked));
            }
            Record::AddressReleased { address, parked, .. } => {
                self.remove(RowKey::parked(address.clone()));
                self.remove(RowKey::Parked(address.clone()));
                self.put(RowKey::ParkedCount, Row::Count(*parked));
            }
            Record::MessagesDropped { address, sequences, completed, .. } => {
                self.changes.dequeue(address, sequences);
                completed.iter().for_each(|completed| self.completed(completed));
            }
            Record::DeadLettered { address, sequence, entry, completed } => {
                self.changes.dequeue(address, &[*sequence]);
                self.emit(entry);
                completed.iter().for_each(|completed| self.completed(completed));
            }
            Record::ValuesExpired(values) => {
                for ExpiredValue { address, name, refreshable } in values {
                    self.value(address, name, &ValueChange::Delete { refreshable: *refreshable });
                }
            }
            Record::Paused { subject, signature } => {
                self.put(RowKey::Pause(subject.clone()), Row::Pause(signature.clone()));
            }
            Record::Resumed { subject, .. } => self.remove(RowKey::Pause(subject.clone())),
        }
    }

    fn provenance(&mut self, provenance: &Provenance) {
        match provenance {
            Provenance::Peer { partition, sequence } => {
                self.put(RowKey::Peer(*partition), Row::Sequence(*sequence));
            }
            Provenance::Source { source, epoch, position } => {
                self.put(RowKey::Source(source.clone()), Row::Source(*epoch, *position));
            }
            Provenance::Client { keys: Some(keys) } => self.put(RowKey::Keys, Row::Count(*keys)),
            Provenance::Client { keys: None } => {}
        }
    }

    fn delivery(&mut self, delivery: &Delivery) {
        match delivery {
            Delivery::Local(entry) => {
                self.last_sequence = self.last_sequence.max(entry.message.sequence);
                self.changes.enqueue(&entry.target, &entry.message);
                if let Some(request) = &entry.message.request {
                    self.request(&RequestRow {
                        target: entry.target.clone(),
                        request: request.clone(),
                        progress: RequestProgress { consumed_at: None, reply: None },
                    });
                }
            }
            Delivery::Remote(entry) => {
                let key = RowKey::Outbox(entry.destination, entry.sequence);
                self.put(key, Row::Envelope(Box::new(entry.envelope.clone())));
                self.put(
                    RowKey::OutboxNext(entry.destination),
                    Row::Sequence(entry.sequence.next()),
                );
            }
            Delivery::Reply { .. } | Delivery::Dropped(_) => {}
        }
    }

    fn outcome(&mut self, outcome: &TimerOutcome) {
        match outcome {
            TimerOutcome::Delivered(delivery) => self.delivery(delivery),
            TimerOutcome::Forgotten { request, keys } => {
                self.remove(RowKey::Request(*request));
                self.put(RowKey::Keys, Row::Count(*keys));
            }
        }
    }

    fn commit(&mut self, commit: &Commit) {
        self.changes.dequeue(&commit.address, &commit.consumed);
        for (name, change) in &commit.values {
            self.value(&commit.address, name, change);
        }
        for delivery in &commit.sends {
            self.delivery(delivery);
        }
        // Before the new timers: one of them may take a token that was freed just now.
        for (timer, token) in &commit.cancelled {
            self.remove(RowKey::Timer(*timer));
            self.remove(RowKey::Token(commit.address.clone(), token.clone()));
        }
        for timer in &commit.timers {
            self.timer(timer);
            if let Some((owner, token)) = timer.task.token() {
                self.put(RowKey::Token(owner.clone(), token.clone()), Row::Token(timer.key));
            }
        }
        commit.egress.iter().for_each(|entry| self.emit(entry));
        for row in &commit.completed {
            self.request(row);
        }
    }

    fn emit(&mut self, entry: &EgressEntry) {
        let key = RowKey::Egress(entry.egress.clone(), entry.sequence);
        self.put(key, Row::Emitted(Box::new(entry.emitted.clone())));
        let next = Row::Sequence(entry.sequence.next());
        self.put(RowKey::EgressNext(entry.egress.clone()), next);
    }

    fn completed(&mut self, (request, timer): &(RequestRow, Timer)) {
        self.request(request);
        self.timer(timer);
    }

    fn value(&mut self, address: &Address, name: &Arc<str>, change: &ValueChange) {
        let expiry = || RowKey::Expiry(address.clone(), name.clone());
        match change {
            ValueChange::Put { value, expires_at, refreshable: false } => {
                self.changes.value(address, name, value, *expires_at);
            }
            ValueChange::Put { value, expires_at, refreshable: true } => {
                self.changes.value(address, name, value, Timestamp::NEVER);
                self.put(expiry(), Row::Expiry(*expires_at));
            }
            ValueChange::Refresh { expires_at } => self.put(expiry(), Row::Expiry(*expires_at)),
            ValueChange::Delete { refreshable } => {
                self.remove(RowKey::Value(address.clone(), name.clone()));
                if *refreshable {
                    self.remove(expiry());
                }
            }
        }
    }

    fn timer(&mut self, timer: &Timer) {
        self.last_sequence = self.last_sequence.max(timer.key.id);
        self.put(RowKey::Timer(timer.key), Row::Timer(Box::new(timer.task.clone())));
    }

    fn request(&mut self, row: &RequestRow) {
        self.put(RowKey::Request(row.request.id), Row::Request(Box::new(row.clone())));
    }
}
