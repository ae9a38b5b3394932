//! The state machine of one partition: events in, records and effects out.
//!
//! Read [`event`], [`record`] and [`effect`] first. Then [`Partition::handle`] here: what it calls lies in one file for each
//! thing that can happen (`accept`, `activate`, `answer`, `send`, `fire`, `operate`, `sweep`), while what a partition remembers
//! lies in one file for each durable concept (`dedup`, `mailbox`, `values`, `outbox`, `egress`, `timers`), combined by
//! `state`. `schedule` and `loads` are volatile.

mod accept;
mod activate;
pub mod activity;
mod answer;
mod batch;
mod cold;
pub mod deadletter;
mod dedup;
mod directory;
mod doors;
pub mod effect;
mod egress;
pub mod event;
mod few;
mod fire;
pub mod group;
pub mod invariants;
mod lines;
mod loads;
mod mailbox;
mod operate;
pub mod order;
mod outbox;
mod overlay;
mod pauses;
mod pausing;
mod place;
pub mod planted;
mod queue;
pub mod record;
mod reply;
mod residents;
pub mod restore;
pub mod row;
pub mod rows;
mod schedule;
mod send;
mod show;
mod slots;
mod state;
mod sweep;
mod timers;
mod turns;
mod underway;
mod values;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use self::activity::Tally;
use self::cold::Cold;
use self::doors::Doors;
use self::effect::{Effect, Effects, LoadRequest};
use self::event::Event;
use self::loads::{Loads, Purpose};
use self::operate::Orders;
use self::order::Signature;
pub use self::overlay::FlushBatch;
use self::planted::{Bug, Planted};
use self::record::{Delivery, Record};
use self::row::{Row, RowKey};
use self::schedule::Schedule;
use self::state::State;
use crate::address::{Address, FunctionType};
use crate::id::{Epoch, LoadId, Lsn, PartitionId, Timestamp};
use crate::limits::Limits;
use crate::policy::Application;

/// One partition: a share of all addresses, with everything that is known of them.
#[derive(Debug)]
pub struct Partition {
    state: State,
    schedule: Schedule,
    loads: Loads,
    doors: Doors,
    orders: BTreeMap<Address, Orders>,
    /// Functions that have turns which were granted and not used.
    turns_held: BTreeSet<FunctionType>,
    cold: Cold,
    /// Whether values that look expired are being looked at.
    sweeping: bool,
    application: Arc<Application>,
    limits: Limits,
    tally: Tally,
}

/// How much memory a partition uses, in bytes. What is shared counts once, so that the sum is what a process has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Memory {
    /// Copies of rows that the store has: bounded by the partition itself.
    pub resident: usize,
    /// Rows that wait to be flushed, with what their copies share with them: bounded by flushing in time and by closing the
    /// doors. What is flushed and still in use is resident then.
    pub dirty: usize,
    /// Messages of clients that wait for a look at their idempotency key.
    pub doors: usize,
}

impl Partition {
    /// Says what happened; what follows is added to `out`. The caller appends the records and performs the
    /// effects before it lets time pass, but may handle several events first.
    pub fn handle(&mut self, now: Timestamp, event: Event, out: &mut Effects) {
        if !matches!(event, Event::DeadlineReached) {
            self.try_all_again();
        }
        match event {
            Event::MessageReceived { origin, envelope } => self.receive(now, origin, envelope, out),
            Event::SourceOpened { source, epoch, checkpoint } => {
                self.open_source(now, source, epoch, checkpoint, out);
            }
            Event::RowsLoaded { load, rows, more } => self.loaded(now, load, rows, more, out),
            Event::InvocationSucceeded { batch, response } => {
                self.succeeded(now, batch, response, out);
            }
            Event::InvocationIncomplete { batch, missing } => {
                self.incomplete(now, batch, missing, out);
            }
            Event::InvocationFailed { batch, failure } => self.failed(now, batch, &failure, out),
            Event::DeadlineReached => self.deadline_reached(now, out),
            Event::OutboxAcknowledged { destination, through } => {
                self.outbox_acknowledged(now, destination, through, out);
            }
            Event::OutboxGapReported { destination, expected } => {
                self.state.outbox.to(destination).fill_gap(expected);
            }
            Event::EgressAcknowledged { egress, through } => {
                self.egress_acknowledged(now, &egress, through, out);
            }
            Event::EgressReopened { egress } => self.egress_reopened(&egress),
            Event::Ordered { ticket, order, by, reason } => {
                self.ordered(now, ticket, order, Signature { at: now, by, reason }, out);
            }
            Event::TurnsGranted { function, count } => self.turns_granted(function, count),
            Event::ReadRequested { ticket, read } => self.read(ticket, read, out),
            Event::RecordsDurable { lsn } => self.state.overlay.advance(lsn),
            Event::FlushCommitted => self.state.flush_committed(),
            Event::ExpiryFound { keys } => self.expiry_found(keys, out),
            Event::ApplicationChanged(application) => {
                self.application_changed(now, application, out);
            }
        }
        self.settle(now, out);
    }

    /// When `DeadlineReached` is wanted next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let timers = self.state.timers.next_deadline();
        let resend = self.state.outbox.0.values().map(|queue| queue.resend_at).min();
        let resend = resend.filter(|at| *at != Timestamp::NEVER);
        let at_once = self.is_making_room().then_some(Timestamp(0));
        [self.schedule.next_deadline(), timers, resend, at_once].into_iter().flatten().min()
    }

    /// The rows that the store does not hold yet and may hold now, if any; `FlushCommitted` is awaited before there are
    /// more. They are complete up to the batch's applied LSN.
    pub fn begin_flush(&mut self) -> Option<FlushBatch> {
        let live = self.state.lsn;
        let State { overlay, planted, directory, .. } = &mut self.state;
        overlay.begin_flush(planted, live, directory)
    }

    /// How much memory the partition uses.
    #[must_use]
    pub fn memory(&self) -> Memory {
        Memory {
            resident: self.state.resident_bytes() + self.schedule.bytes(),
            dirty: self.state.dirty_bytes(),
            doors: self.doors.bytes(),
        }
    }

    /// The last record.
    #[must_use]
    pub const fn lsn(&self) -> Lsn {
        self.state.lsn
    }

    /// The epoch of this life.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.state.epoch
    }

    /// Which partition this is.
    #[must_use]
    pub const fn id(&self) -> PartitionId {
        self.state.partition
    }

    /// How many addresses are in memory.
    #[must_use]
    pub fn residents(&self) -> usize {
        self.state.residents.len()
    }

    /// How many groups are in flight.
    #[must_use]
    pub const fn groups_in_flight(&self) -> usize {
        self.schedule.in_flight()
    }

    /// Whether nothing is under way and nothing waits, as far as is in memory.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.schedule.in_flight() == 0
            && self.schedule.ready() == 0
            && self.state.outbox.0.values().all(queue::Queue::is_empty)
            && !self.cold.is_runnable()
    }

    /// The durable position that an effect depends on which is emitted now.
    const fn gate(&self) -> Lsn {
        if self.state.planted.has(Bug::SendBeforeDurable) { Lsn::NONE } else { self.state.lsn }
    }

    /// Makes a record true and lets its messages take effect.
    fn commit(&mut self, now: Timestamp, record: Record, out: &mut Effects) {
        let index = out.records.len();
        // It is large: it is moved to its place first.
        out.records.push(record);
        let record = &mut out.records[index];
        for delivery in record.deliveries_mut() {
            if let Delivery::Local(entry) = delivery {
                self.prepare(&mut entry.target);
            }
        }
        self.state.apply(record);
        let deliveries = record.deliveries().len();
        for delivery in 0..deliveries {
            match &out.records[index].deliveries()[delivery] {
                Delivery::Local(entry) => {
                    let target = entry.target.clone();
                    self.wake(now, &target, out);
                }
                Delivery::Reply { request, argument } => {
                    let (request, argument, after) = (*request, argument.clone(), self.gate());
                    out.actions.push(Effect::Reply { request, argument, after });
                }
                Delivery::Remote(_) | Delivery::Dropped(_) => {}
            }
        }
    }

    /// Has rows read.
    fn load(&mut self, purpose: Purpose, rows: LoadRequest, out: &mut Effects) -> LoadId {
        let load = self.loads.begin(purpose, rows.clone());
        self.state.overlay.load_issued(load);
        out.actions.push(Effect::Load { load, rows });
        load
    }

    fn loaded(
        &mut self,
        now: Timestamp,
        load: LoadId,
        rows: Vec<(RowKey, Row)>,
        more: bool,
        out: &mut Effects,
    ) {
        let Some((purpose, request)) = self.loads.finish(load) else { return };
        let State { overlay, directory, .. } = &mut self.state;
        let (ranged, keyed) = match &request.range {
            Some(range) => {
                rows.into_iter().partition(|(key, _)| range.from <= *key && *key < range.until)
            }
            None => (Vec::new(), rows),
        };
        let keyed = overlay.merge_keys(directory, &request.keys, keyed);
        let ranged =
            request.range.as_ref().map(|range| overlay.merge_range(directory, range, ranged, more));
        self.state.load_returned(load);
        let ranged = ranged.unwrap_or_default();
        match purpose {
            Purpose::Activate { address, known } => {
                self.activated(now, &address, known, &keyed, ranged, out);
            }
            Purpose::Reply(address) => self.record_replies(now, &address, keyed, out),
            Purpose::Commit(address) => self.commit_answer(now, &address, &keyed, out),
            Purpose::Door(address) => self.open_door(now, &address, &keyed, out),
            Purpose::Outbox(destination) => self.outbox_loaded(destination, ranged),
            Purpose::Egress(egress) => self.egress_loaded(&egress, ranged),
            Purpose::Timers(from) => self.timers_loaded(from, ranged),
            Purpose::Scan => self.scanned(now, ranged, out),
            Purpose::Sweep => self.swept(now, keyed, out),
            Purpose::Show(ticket) => {
                let after = self.gate();
                let more = ranged.more_after.is_some();
                let rows = keyed.into_iter().chain(ranged.rows).collect();
                out.actions.push(Effect::ShowRows { ticket, rows, more, after });
            }
        }
    }

    /// Lets everything go on that can: what waits for its turn, queues, timers, memory.
    fn settle(&mut self, now: Timestamp, out: &mut Effects) {
        self.run_ready(now, out);
        self.balance_turns(out);
        self.pump_queues(now, out);
        self.load_timers(out);
        self.make_room();
        self.scan(out);
    }
}

/// What a partition is told once, when it is restored.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Which partition.
    pub partition: PartitionId,
    /// Of how many.
    pub partitions: crate::route::PartitionCount,
    /// What the application declares.
    pub application: Arc<Application>,
    /// How much memory it may use.
    pub limits: Limits,
    /// A bug to plant; none, outside the simulation.
    pub planted: Planted,
}
