//! The durable state of a partition, as far as it is in memory, over the rows that are not in the store yet.
//!
//! [`State::apply`] is the only function that changes durable state, live and at recovery alike (DUR-2). It looks at
//! nothing but the record: no configuration, no limits, no clock.

use alloc::sync::Arc;

use super::dedup::Dedup;
use super::directory::{Directory, Handle, Holder};
use super::egress::Egresses;
use super::mailbox::Mailbox;
use super::outbox::Outbox;
use super::overlay::{Overlay, Unflushed};
use super::pauses::Pauses;
use super::planted::{Bug, Planted};
use super::queue::Queue;
use super::record::{
    Commit, Delivery, ExpiredValue, Provenance, Record, TimerOutcome, ValueChange,
};
use super::residents::{Fate, Outcome, Resident, Residents};
use super::row::{Row, RowKey, Timer};
use super::rows::{self, Changes};
use super::schedule::Schedule;
use super::timers::Timers;
use super::values::{Held, Specs};
use crate::address::Address;
use crate::id::{Epoch, LoadId, Lsn, PartitionId, Sequence};
use crate::message::Message;
use crate::policy::Application;
use crate::route::PartitionCount;

/// What the tables take for each address in memory.
const BYTES_PER_HANDLE: usize =
    Residents::BYTES_PER_HANDLE + Overlay::BYTES_PER_HANDLE + Schedule::BYTES_PER_HANDLE;

#[derive(Debug)]
pub(super) struct State {
    pub(super) partition: PartitionId,
    pub(super) partitions: PartitionCount,
    pub(super) lsn: Lsn,
    pub(super) epoch: Epoch,
    pub(super) next_sequence: Sequence,
    /// How many idempotency keys are remembered.
    pub(super) keys: u64,
    /// How many addresses are parked.
    pub(super) parked: u64,
    pub(super) directory: Directory,
    pub(super) overlay: Overlay,
    pub(super) dedup: Dedup,
    pub(super) specs: Specs,
    pub(super) residents: Residents,
    pub(super) outbox: Outbox,
    pub(super) egresses: Egresses,
    pub(super) timers: Timers,
    pub(super) pauses: Pauses,
    pub(super) planted: Planted,
    /// Only for the bug that reads it.
    planted_application: Option<Arc<Application>>,
}

/// What a tick of the clock of residents gained.
#[derive(Debug)]
pub(super) enum Smaller {
    /// Nothing.
    No,
    /// A mailbox is smaller.
    Shed,
    /// An address has left.
    Left {
        /// What its handle was.
        handle: Handle,
        /// Who.
        address: Address,
        /// Whether messages wait for it.
        waiting: bool,
    },
}

impl State {
    /// The state of a partition of whose rows only those of the head are known.
    pub(super) fn new(
        partition: PartitionId,
        partitions: PartitionCount,
        applied: Lsn,
        planted: Planted,
    ) -> Self {
        Self {
            partition,
            partitions,
            lsn: applied,
            epoch: Epoch::NONE,
            next_sequence: Sequence::FIRST,
            keys: 0,
            parked: 0,
            directory: Directory::new(BYTES_PER_HANDLE),
            overlay: Overlay::over(applied),
            dedup: Dedup::default(),
            specs: Specs::default(),
            residents: Residents::default(),
            outbox: Outbox::default(),
            egresses: Egresses::default(),
            timers: Timers::unknown(),
            pauses: Pauses::default(),
            planted,
            planted_application: None,
        }
    }

    /// Takes over a row of the head, as the store keeps it.
    pub(super) fn restore(&mut self, key: RowKey, row: Row) {
        match (key, row) {
            (RowKey::Epoch, Row::Epoch(epoch)) => self.epoch = epoch,
            (RowKey::NextSequence, Row::Sequence(next)) => self.next_sequence = next,
            (RowKey::Keys, Row::Count(keys)) => self.keys = keys,
            (RowKey::ParkedCount, Row::Count(parked)) => self.parked = parked,
            (RowKey::Peer(partition), Row::Sequence(watermark)) => {
                self.dedup.set_peer(partition, watermark);
            }
            (RowKey::Source(source), Row::Source(epoch, watermark)) => {
                self.dedup.set_source(source, epoch, watermark);
            }
            (RowKey::Specs(function), Row::Specs(specs)) => self.specs.set(function, specs),
            (RowKey::OutboxNext(destination), Row::Sequence(next)) => {
                let queue = self.outbox.to(destination);
                *queue = Queue::restore(queue.trimmed(), next);
            }
            (RowKey::OutboxTrimmed(destination), Row::Sequence(trimmed)) => {
                let queue = self.outbox.to(destination);
                *queue = Queue::restore(trimmed, queue.next());
            }
            (RowKey::EgressNext(egress), Row::Sequence(next)) => {
                let queue = self.egresses.to(&egress);
                *queue = Queue::restore(queue.trimmed(), next);
            }
            (RowKey::EgressTrimmed(egress), Row::Sequence(trimmed)) => {
                let queue = self.egresses.to(&egress);
                *queue = Queue::restore(trimmed, queue.next());
            }
            (RowKey::Pause(subject), Row::Pause(signature)) => self.pauses.set(subject, signature),
            _ => {}
        }
    }

    /// What is in memory of an address, if anything is.
    pub(super) fn resident(&self, address: &Address) -> Option<&Resident> {
        self.residents.get(self.directory.find(address)?)
    }

    /// Changes what is in memory of an address, if anything is.
    pub(super) fn change_resident<R>(
        &mut self,
        address: &Address,
        change: impl FnOnce(&mut Resident) -> R,
    ) -> Option<R> {
        self.residents.with(self.directory.seek(address)?, change)
    }

    /// Lets an address into memory, with what is known of its mailbox.
    pub(super) fn admit(&mut self, address: &Address, mailbox: Mailbox) {
        let handle = self.directory.hold(address, Holder::Resident);
        self.residents.admit(handle, self.directory.bytes(handle), mailbox);
    }

    /// Has an address that is in memory share its texts with the one that is known there. Says whether it is in memory.
    pub(super) fn unify(&mut self, address: &mut Address) -> bool {
        let Some(handle) = self.directory.seek(address) else { return false };
        self.directory.unify(handle, address);
        self.residents.get(handle).is_some()
    }

    /// Messages of an address were read from rows, as [`Mailbox::refill`] says.
    pub(super) fn refill(
        &mut self,
        address: &Address,
        messages: impl Iterator<Item = Arc<Message>>,
        more_after: Option<Sequence>,
    ) {
        let Some(handle) = self.directory.seek(address) else { return };
        let unflushed = self.overlay.unflushed(handle).messages_from();
        self.residents.with(handle, |resident| {
            resident.mailbox.refill(messages, more_after, unflushed);
        });
    }

    /// The first `known` declared values of an address are known now, as [`Values::learn`](super::values::Values::learn) says.
    pub(super) fn learn(
        &mut self,
        address: &Address,
        known: usize,
        found: impl Iterator<Item = (Arc<str>, Held)>,
    ) {
        let Some(handle) = self.directory.seek(address) else { return };
        let unflushed = self.overlay.unflushed(handle);
        self.residents.with(handle, |resident| {
            resident.values.learn(known, found, |name| unflushed.has_value(name));
        });
    }

    /// The store holds the flush that was begun last.
    pub(super) fn flush_committed(&mut self) {
        let Self { overlay, directory, residents, planted, timers, .. } = self;
        overlay.flush_committed(planted, directory, &mut |handle, left: Unflushed<'_>| {
            residents.flushed(handle, left.messages_from(), |name| left.has_value(name));
        });
        timers.flush_committed(planted);
    }

    /// A load has returned and its rows were merged.
    pub(super) fn load_returned(&mut self, load: LoadId) {
        let Self { overlay, directory, residents, .. } = self;
        overlay.load_returned(load, directory, &mut |handle, left: Unflushed<'_>| {
            residents.flushed(handle, left.messages_from(), |name| left.has_value(name));
        });
    }

    /// Moves the clock of residents by one address, whose fate is decided. One that was used lately does not leave.
    pub(super) fn make_one_smaller(
        &mut self,
        decide: impl FnOnce(Handle, &Address, &Resident) -> Fate,
    ) -> Smaller {
        let Self { residents, directory, .. } = self;
        let decide =
            |handle, resident: &Resident| decide(handle, directory.address(handle), resident);
        match residents.tick(decide) {
            Outcome::Stayed => Smaller::No,
            Outcome::Shed => Smaller::Shed,
            Outcome::Left { handle, waiting } => {
                let address = directory.address(handle).clone();
                directory.release(handle, Holder::Resident);
                Smaller::Left { handle, address, waiting }
            }
        }
    }

    /// Every address that is in memory.
    pub(super) fn residents(&self) -> impl Iterator<Item = (&Address, &Resident)> {
        self.residents.iter().map(|(handle, resident)| (self.directory.address(handle), resident))
    }

    /// What the log says of a row that the store may not have, unless the row is a message: `None` if it says nothing,
    /// `Some(None)` if the row is removed.
    pub(super) fn unflushed(&self, key: &RowKey) -> Option<Option<&Row>> {
        self.overlay.get(&self.directory, key)
    }

    /// Bytes of everything that waits to be flushed. What it shares with copies of rows counts here.
    pub(super) const fn dirty_bytes(&self) -> usize {
        self.overlay.bytes() + self.directory.overlay_bytes()
    }

    /// Bytes of everything that is in memory as a copy of rows.
    pub(super) fn resident_bytes(&self) -> usize {
        let outbox: usize = self.outbox.0.values().map(Queue::bytes).sum();
        let egress: usize = self.egresses.0.values().map(Queue::bytes).sum();
        self.residents.bytes() + self.timers.bytes() + outbox + egress
    }

    /// Makes a record true.
    pub(super) fn apply(&mut self, record: &Record) {
        self.lsn = self.lsn.next();
        rows::note(record, &mut self.overlay.note(self.lsn, &mut self.directory));
        match record {
            Record::PartitionAdopted { epoch } => self.epoch = *epoch,
            Record::SourceOpened { source, epoch, watermark } => {
                self.dedup.set_source(source.clone(), *epoch, *watermark);
            }
            Record::MessageAccepted { provenance, delivery } => {
                self.dedup.note(provenance);
                if let Provenance::Client { keys: Some(keys) } = provenance {
                    self.keys = *keys;
                }
                self.apply_delivery(delivery);
            }
            Record::ReplyRecorded { address, consumed, .. } => self.consume(address, &[*consumed]),
            Record::ValuesRegistered { function, specs } => {
                self.specs.set(function.clone(), specs.clone());
            }
            Record::BatchCommitted(commit) => self.apply_commit(commit),
            Record::TimerFired { timer, outcome, .. } => {
                if !self.planted.has(Bug::TimerFiredTwice) {
                    self.timers.remove(*timer);
                }
                match outcome {
                    TimerOutcome::Delivered(delivery) => self.apply_delivery(delivery),
                    TimerOutcome::Forgotten { keys, .. } => self.keys = *keys,
                }
            }
            Record::OutboxTrimmed { destination, through, .. } => {
                self.outbox.to(*destination).trim(*through);
            }
            Record::EgressTrimmed { egress, through, .. } => {
                self.egresses.to(egress).trim(*through);
            }
            Record::AddressParked { parked, .. } | Record::AddressReleased { parked, .. } => {
                self.parked = *parked;
            }
            Record::MessagesDropped { address, sequences, completed, .. } => {
                self.consume(address, sequences);
                completed.iter().for_each(|(_, timer)| self.add_timer(timer));
            }
            Record::DeadLettered { address, sequence, entry, completed } => {
                self.consume(address, &[*sequence]);
                self.egresses.to(&entry.egress).push(entry.sequence, entry.emitted.clone());
                completed.iter().for_each(|(_, timer)| self.add_timer(timer));
            }
            Record::ValuesExpired(values) => {
                for ExpiredValue { address, name, refreshable } in values {
                    let change = ValueChange::Delete { refreshable: *refreshable };
                    self.change_resident(address, |resident| resident.values.apply(name, &change));
                }
            }
            Record::Paused { subject, signature } => {
                self.pauses.set(subject.clone(), signature.clone());
            }
            Record::Resumed { subject, .. } => self.pauses.remove(subject),
        }
    }

    fn apply_commit(&mut self, commit: &Commit) {
        self.consume(&commit.address, &commit.consumed);
        self.change_resident(&commit.address, |resident| {
            for (name, change) in &commit.values {
                resident.values.apply(name, change);
            }
        });
        for delivery in &commit.sends {
            self.apply_delivery(delivery);
        }
        commit.timers.iter().for_each(|timer| self.add_timer(timer));
        for (timer, _) in &commit.cancelled {
            self.timers.remove(*timer);
        }
        for entry in &commit.egress {
            self.egresses.to(&entry.egress).push(entry.sequence, entry.emitted.clone());
        }
    }

    fn apply_delivery(&mut self, delivery: &Delivery) {
        match delivery {
            Delivery::Local(entry) => {
                self.number(entry.message.sequence);
                if self.drops_by_planted_bug(&entry.target) {
                    let mut noting = self.overlay.note(self.lsn, &mut self.directory);
                    return noting.dequeue(&entry.target, &[entry.message.sequence]);
                }
                let planted = self.planted;
                self.change_resident(&entry.target, |resident| {
                    resident.mailbox.push(entry.message.clone(), &planted);
                });
            }
            Delivery::Remote(entry) => {
                self.outbox.to(entry.destination).push(entry.sequence, entry.envelope.clone());
            }
            Delivery::Reply { .. } | Delivery::Dropped(_) => {}
        }
    }

    fn consume(&mut self, address: &Address, sequences: &[Sequence]) {
        self.change_resident(address, |resident| resident.mailbox.consume(sequences));
    }

    fn add_timer(&mut self, timer: &Timer) {
        self.number(timer.key.id);
        self.timers.insert(timer);
    }

    fn number(&mut self, taken: Sequence) {
        self.next_sequence = self.next_sequence.max(taken.next());
    }

    /// Shows the configuration to the bug that reads it where it must not.
    pub(super) fn tempt(&mut self, application: &Arc<Application>) {
        if self.planted.has(Bug::ConfigurationReadInApply) {
            self.planted_application = Some(application.clone());
        }
    }

    fn drops_by_planted_bug(&self, target: &Address) -> bool {
        self.planted_application.as_ref().is_some_and(|application| {
            !target.is_reply() && application.policy(&target.function).is_none()
        })
    }
}
