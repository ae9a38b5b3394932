//! The loop of a driver.
//!
//! Nothing starves: rows that were read and what happened to the log come before commands, and however many commands wait,
//! the clock is looked at after each turn of them, and other tasks have their turn too.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use tidegate_core::address::{EgressId, FunctionType};
use tidegate_core::codec::record::StepBuilder;
use tidegate_core::id::{BatchId, Lsn, Ticket, Timestamp};
use tidegate_core::message::{ClientRequest, Envelope, Origin};
use tidegate_core::partition::Partition;
use tidegate_core::partition::effect::Effects;
use tidegate_core::partition::event::Event;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::budget::Pressure;
use super::doors::Room;
use super::gate::Gate;
use super::loader::{Loaded, RowError};
use super::meters::Meters;
use super::retention::Backlog;
use super::spans::Spans;
use super::waiters::{SendAnswer, Waiters};
use super::writeback::{Flush, Turn, WriteBehind};
use super::{Command, DriverFailure, Inbox, Shared};
use crate::ingress::Inbound;
use crate::log::Durable;
use crate::store::PartitionStore;

/// Most commands that are taken before the driver looks at the log and the clock again.
const COMMANDS_PER_TURN: usize = 256;

/// The part of the dirty bytes at which a flush is due anyway, as a divisor, that is worth a flush while the node uses too
/// much memory. Flushes of less free nothing, and fill the store with small files faster than it can merge them.
const WORTH_A_FLUSH: usize = 8;

/// Drives one partition.
pub struct Driver {
    pub(super) partition: Partition,
    pub(super) shared: Arc<Shared>,
    pub(super) store: Arc<dyn PartitionStore>,
    inbox: Inbox,
    pub(super) around: Surroundings,
    pub(super) loads: JoinSet<Result<Loaded, RowError>>,
    pub(super) effects: Effects,
    pub(super) gate: Gate,
    pub(super) backlog: Backlog,
    pub(super) waiters: Waiters,
    pub(super) meters: Meters,
    pub(super) spans: Spans,
    /// Room of messages that were handled, kept until it was noted what they take now.
    handled: Vec<Room>,
    /// Groups under way that have a turn, with their functions.
    pub(super) turns: HashMap<BatchId, FunctionType>,
    /// Groups that functions are processing for us.
    pub(super) invoked: usize,
    /// Until when answers of functions are awaited, once the driver shall finish.
    pub(super) patience: Option<Instant>,
    /// The records of the step that is under way.
    pub(super) step: StepBuilder,
    /// Egresses that are between two sinks.
    pub(super) closed: Vec<EgressId>,
}

/// What goes on around a partition and needs no room in the log to be dealt with.
pub(super) struct Surroundings {
    pub(super) durable: watch::Receiver<Durable>,
    pressure: watch::Receiver<Pressure>,
    long_log: watch::Receiver<bool>,
    writing: WriteBehind,
}

enum Change {
    /// The log is durable further than before.
    LogAdvanced,
    LogEnded,
    /// The memory of the node came under pressure or out of it, or the log has grown long.
    Pressure,
    Flush(Turn),
}

impl Surroundings {
    /// The next change; of the log only if something of ours waits for it, for it changes with each sync. May be dropped and
    /// called again.
    async fn change(&mut self, awaits_log: bool) -> Change {
        tokio::select! {
            biased;
            advanced = self.durable.changed(), if awaits_log => match advanced {
                Ok(()) => Change::LogAdvanced,
                Err(_) => Change::LogEnded,
            },
            // Both are there as long as any driver.
            Ok(()) = self.pressure.changed() => Change::Pressure,
            Ok(()) = self.long_log.changed() => Change::Pressure,
            turn = self.writing.turn() => Change::Flush(turn),
        }
    }
}

/// How a driver ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// As it was told to: the store holds every record.
    Flushed {
        /// The last one.
        last: Lsn,
    },
    /// It could not go on.
    Failed,
}

impl Driver {
    /// A driver for a partition that was just adopted, with the effects of its adoption.
    #[must_use]
    pub fn new(
        partition: Partition,
        adoption: Effects,
        shared: Arc<Shared>,
        store: Arc<dyn PartitionStore>,
        inbox: Inbox,
    ) -> Self {
        // What was replayed is durable; only the adoption itself is not.
        let replayed = Lsn(partition.lsn().0 - adoption.records.len() as u64);
        let around = Surroundings {
            durable: shared.log.durable(),
            pressure: shared.budget.pressure(),
            long_log: shared.retention.long(),
            writing: WriteBehind::new(
                shared.flush.interval,
                partition.id(),
                shared.peers.len(),
                Arc::clone(&shared.flush_slots),
            ),
        };
        Self {
            around,
            loads: JoinSet::new(),
            gate: Gate::at(replayed),
            backlog: Backlog::new(partition.id(), shared.retention.clone(), replayed),
            meters: Meters::new(partition.id()),
            spans: Spans::default(),
            partition,
            shared,
            store,
            inbox,
            effects: adoption,
            waiters: Waiters::default(),
            handled: Vec::new(),
            turns: HashMap::new(),
            invoked: 0,
            patience: None,
            step: StepBuilder::default(),
            closed: Vec::new(),
        }
    }

    /// Runs until it is told to finish, or cannot go on. A partition that panics takes the node down in order: the others
    /// must not work beside one that answers nobody.
    pub async fn run(mut self) -> Ended {
        let partition = self.partition.id();
        let ended = AssertUnwindSafe(self.drive()).catch_unwind().await;
        self.shared.turns.forget(partition);
        match ended.unwrap_or(Err(DriverFailure::Panicked { partition })) {
            Ok(()) => Ended::Flushed { last: self.partition.lsn() },
            Err(failure) => {
                // The node is stopping for the same reason if nobody listens any more.
                drop(self.shared.failed.send(failure));
                Ended::Failed
            }
        }
    }

    async fn drive(&mut self) -> Result<(), DriverFailure> {
        self.wait_for_room().await?;
        // The first record of this life, `PartitionAdopted`.
        self.gather();
        self.perform();
        while !self.is_finished() {
            let deadline = self.deadline();
            let patience = self.patience.filter(|_| self.invoked > 0);
            let awaits_log = !self.gate.is_settled();
            tokio::select! {
                biased;
                change = self.around.change(awaits_log) => self.take_change(change)?,
                Some(loaded) = self.loads.join_next() => self.take_rows(loaded).await?,
                command = self.inbox.0.recv() => match command {
                    Some(command) => self.take_turn(command).await?,
                    None => return Ok(()),
                },
                () = until(deadline) => {}
                () = until(patience) => {}
            }
            self.look_at_the_clock().await?;
            self.open_doors();
            self.flush_if_due();
            if !self.inbox.0.is_empty() {
                // Once everything about this turn is noted and shown.
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    /// When the partition wants to be told that time has passed.
    fn deadline(&self) -> Option<Instant> {
        let deadline = self.partition.next_deadline()?;
        (deadline != Timestamp::NEVER).then(|| self.shared.clock.instant_of(deadline))
    }

    /// Tells the partition that its time has come, and gives functions up that have no time left.
    async fn look_at_the_clock(&mut self) -> Result<(), DriverFailure> {
        if self
            .partition
            .next_deadline()
            .is_some_and(|deadline| deadline <= self.shared.clock.now())
        {
            self.wait_for_room().await?;
            self.handle_alone(Event::DeadlineReached);
        }
        if self.patience.is_some_and(|patience| Instant::now() >= patience) {
            self.invoked = 0;
        }
        Ok(())
    }

    /// Takes a command and those that wait behind it, as far as one step holds them: a burst costs one append and not one for
    /// each.
    async fn take_turn(&mut self, first: Command) -> Result<(), DriverFailure> {
        self.wait_for_room().await?;
        self.take(first);
        let mut left = COMMANDS_PER_TURN - 1;
        while left > 0 && !self.is_step_full() {
            let Ok(command) = self.inbox.0.try_recv() else { break };
            self.take(command);
            left -= 1;
        }
        self.perform();
        Ok(())
    }

    /// Waits until the log has room for a step of any size; there is never a wait within a step. What goes on around is
    /// dealt with meanwhile: a log on a full disk gets room only because rows are flushed. Nothing new is decided upon
    /// then, so if that makes records at all they are few, and the buffer of the log takes them beyond its bound.
    async fn wait_for_room(&mut self) -> Result<(), DriverFailure> {
        let log = Arc::clone(&self.shared.log);
        let mut room = log.room();
        loop {
            tokio::select! {
                biased;
                () = &mut room => return Ok(()),
                change = self.around.change(true) => self.take_change(change)?,
            }
            self.flush_if_due();
        }
    }

    fn take_change(&mut self, change: Change) -> Result<(), DriverFailure> {
        let partition = self.partition.id();
        match change {
            Change::LogAdvanced => self.log_advanced(),
            Change::LogEnded => {
                return Err(DriverFailure::Log { partition, cause: self.shared.log.failure() });
            }
            Change::Flush(Turn::Ended(Ok(applied))) => {
                self.backlog.flush(applied);
                self.handle_alone(Event::FlushCommitted);
            }
            Change::Flush(Turn::Ended(Err(cause))) => {
                return Err(DriverFailure::Rows { partition, cause });
            }
            // Either is looked at after every change.
            Change::Pressure | Change::Flush(Turn::Begin) => {}
        }
        Ok(())
    }

    async fn take_rows(
        &mut self,
        loaded: Result<Result<Loaded, RowError>, JoinError>,
    ) -> Result<(), DriverFailure> {
        // A load is never aborted before its driver ends.
        let loaded = loaded.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()));
        let partition = self.partition.id();
        let Loaded { load, rows, more, slot } =
            loaded.map_err(|cause| DriverFailure::Rows { partition, cause })?;
        self.wait_for_room().await?;
        self.handle_alone(Event::RowsLoaded { load, rows, more });
        drop(slot);
        Ok(())
    }

    fn take(&mut self, command: Command) {
        match command {
            Command::Happened(event) => {
                if let Some(batch) = answered(&event) {
                    self.meters.answered(&event);
                    self.spans.answered(self.partition.id(), &event);
                    self.invoked = self.invoked.saturating_sub(1);
                    self.end_turn(batch);
                }
                let before = self.partition.lsn();
                self.handle(event);
                if self.spans.is_answering() {
                    // What is reported names the trace of this answer and of no later one.
                    self.perform();
                }
                self.spans.handled(before, self.partition.lsn());
            }
            Command::Send { messages, room, answer } => {
                self.take_in(messages, answer);
                self.handled.push(room);
            }
            Command::Call { message, room, answer } => {
                let ticket = self.waiters.caller(answer);
                self.receive(message, ticket, true);
                self.handled.push(room);
            }
            Command::Declare { declaration, done } => self.declare(declaration, done),
            Command::Reopen { egresses } => self.reopen(&egresses),
            Command::Show { read, show, slot } => {
                let ticket = self.waiters.show(show, slot);
                self.handle(Event::ReadRequested { ticket, read });
            }
            Command::Order { order, by, reason, answer } => {
                let ticket = self.waiters.operator(answer);
                self.handle(Event::Ordered { ticket, order, by, reason });
            }
            Command::Sweep { found, answer } => self.sweep(found, answer),
            Command::Describe { answer } => drop(answer.send(self.status())),
            Command::Finish { patience } => self.patience = Some(patience),
        }
    }

    fn take_in(&mut self, messages: Vec<Inbound>, answer: SendAnswer) {
        let mut ticket = self.waiters.sending(messages.len(), answer);
        for message in messages {
            self.receive(message, ticket, false);
            ticket = ticket.next();
        }
    }

    fn receive(&mut self, message: Inbound, ticket: Ticket, wants_reply: bool) {
        let Inbound { target, argument, idempotency } = message;
        let request = idempotency
            .map(|(key, body_hash)| Arc::new(ClientRequest::new(&target, &key, body_hash)));
        let origin = Origin::Client { ticket, wants_reply, request };
        self.handle(Event::MessageReceived {
            origin,
            envelope: Envelope { caller: None, target, argument },
        });
    }

    /// A step of one event.
    pub(super) fn handle_alone(&mut self, event: Event) {
        self.handle(event);
        self.perform();
    }

    /// What waited for the log leaves.
    fn log_advanced(&mut self) {
        let durable = *self.around.durable.borrow_and_update();
        let news = self.gate.advance(durable.through);
        self.backlog.advance(news, durable.frame);
        self.shared.retention.note(durable.backlog_bytes >= self.shared.flush.backlog_bytes);
        if let Some(lsn) = news {
            self.meters.durable(self.gate.is_settled());
            self.spans.durable(lsn);
            self.handle_alone(Event::RecordsDurable { lsn });
            while let Some(effect) = self.gate.release() {
                self.perform_now(effect);
            }
        }
    }

    /// Notes what the partition uses, and gives room back to those who wait at the doors.
    fn open_doors(&mut self) {
        let backlogs = self.shared.egresses.backlogs();
        self.meters.show(&self.partition, &self.waiters, backlogs);
        let memory = self.partition.memory();
        self.shared.budget.note(self.partition.id(), memory, || backlogs.is_any_full());
        self.handled.clear();
    }

    fn flush_if_due(&mut self) {
        let policy = self.shared.flush;
        let dirty = self.partition.memory().dirty;
        let pressing = dirty >= policy.dirty_bytes
            || self.around.durable.borrow().backlog_bytes >= policy.backlog_bytes
            || (dirty >= policy.dirty_bytes / WORTH_A_FLUSH && self.shared.budget.is_pressed())
            || (self.is_settled() && !self.backlog.is_empty());
        if !self.around.writing.may_begin(pressing) {
            return;
        }
        match self.partition.begin_flush() {
            Some(batch) => {
                let flush = Flush {
                    partition: self.partition.id(),
                    store: Arc::clone(&self.store),
                    shared: Arc::clone(&self.shared),
                };
                self.around.writing.begin(flush, batch);
            }
            None => self.around.writing.rest(),
        }
    }

    /// Whether the driver shall finish, waits for functions no longer, and everything is durable.
    fn is_settled(&self) -> bool {
        self.patience.is_some() && self.invoked == 0 && self.gate.is_settled()
    }

    /// Whether the driver shall finish, and has nothing left that would be lost or done again without need.
    fn is_finished(&self) -> bool {
        self.is_settled() && self.backlog.is_empty() && self.around.writing.is_idle()
    }
}

/// The group that an event answers.
const fn answered(event: &Event) -> Option<BatchId> {
    match event {
        Event::InvocationSucceeded { batch, .. }
        | Event::InvocationIncomplete { batch, .. }
        | Event::InvocationFailed { batch, .. } => Some(*batch),
        _ => None,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
