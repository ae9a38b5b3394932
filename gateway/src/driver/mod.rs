//! The driver of one partition: waits for what happens, lets the core decide, performs what follows.
//!
//! `select` waits, everything after it is synchronous: a step's records are appended to the log's buffer, then its other
//! effects are performed without awaiting; what takes time becomes a task whose end is another event. Effects that leave
//! the node pass the [gate](gate). Other partitions of this node are reached at once: their records come later in the
//! same log, so a crash that keeps theirs keeps ours.

pub mod budget;
mod gate;
pub mod loader;
mod perform;
pub mod retention;
mod waiters;
mod writeback;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tidegate_core::address::{EgressId, FunctionType};
use tidegate_core::id::{Lsn, PartitionId, Timestamp};
use tidegate_core::message::{ClientRequest, Envelope, Origin};
use tidegate_core::partition::Partition;
use tidegate_core::partition::effect::{Effects, ReadRequest};
use tidegate_core::partition::event::Event;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep_until};

use self::budget::{Budget, Room};
use self::gate::Gate;
use self::loader::{LoadSlots, RowError};
use self::retention::{Backlog, LogRetention};
use self::waiters::{Answer, Show, Waiters};
use self::writeback::{Flushing, WriteBehind};
use crate::clock::Clock;
use crate::egress::Sink;
use crate::ingress::Inbound;
use crate::invoker::Invoke;
use crate::log::{Durable, NodeLog};
use crate::ownership::Ownership;
use crate::store::PartitionStore;

/// Most events that are handled before the driver looks at the log and the clock again.
const EVENTS_PER_TURN: usize = 256;
/// The part of the dirty bytes at which a flush is due anyway, as a divisor, that is worth a flush while the node uses too
/// much memory. Flushes of less free nothing, and fill the store with small files faster than it can merge them.
const WORTH_A_FLUSH: usize = 8;
/// How often a driver with closed doors looks whether they may be opened.
const DOOR_INTERVAL: Duration = Duration::from_millis(20);

/// What a driver is told.
pub(crate) enum Command {
    /// Something happened.
    Happened(Event),
    /// A client wants a message delivered.
    Deliver { inbound: Inbound, wants_reply: bool, room: Room, answer: Answer },
    /// Somebody wants to see rows.
    Show { read: ReadRequest, show: Show },
    /// The store has committed a flush.
    Flushed(Result<Lsn, RowError>),
    /// No function is to be invoked any more. Answers are awaited until the given moment; then everything is made
    /// durable and flushed, and the driver ends. It tells its last record, which the store holds then.
    Finish { patience: Instant, finished: oneshot::Sender<Lsn> },
}

/// The way to a driver.
#[derive(Clone)]
pub struct DriverHandle(UnboundedSender<Command>);

impl DriverHandle {
    /// Tells the driver; one that has ended is not told.
    pub(crate) fn tell(&self, command: Command) -> bool {
        self.0.send(command).is_ok()
    }

    /// Tells the driver that something happened.
    pub fn happened(&self, event: Event) {
        self.tell(Command::Happened(event));
    }
}

/// A handle, and the end at which the driver listens.
pub struct Inbox(UnboundedReceiver<Command>);

/// Makes the way to a driver. It is not bounded by itself: clients hold room of the node's budget, peers send within their
/// outbox windows, and functions answer only as many groups as are in flight.
#[must_use]
pub fn inbox() -> (DriverHandle, Inbox) {
    let (sender, receiver) = unbounded_channel();
    (DriverHandle(sender), Inbox(receiver))
}

/// What all drivers of a node share.
pub struct Shared {
    /// The node log.
    pub log: Arc<dyn NodeLog>,
    /// What is still needed of it.
    pub retention: Arc<LogRetention>,
    /// Who owns what.
    pub ownership: Arc<dyn Ownership>,
    /// Deletes the log of an incarnation that no chain names any more.
    pub retire: Arc<dyn Fn(ulid::Ulid) + Send + Sync>,
    /// Has functions process groups.
    pub invoker: Arc<dyn Invoke>,
    /// Whether a function may run only on durable input.
    pub durable_input: Arc<dyn Fn(&FunctionType) -> bool + Send + Sync>,
    /// Where records go.
    pub sinks: HashMap<EgressId, Arc<dyn Sink>>,
    /// The drivers of all partitions, in order.
    pub peers: Vec<DriverHandle>,
    /// The node's memory.
    pub budget: Arc<Budget>,
    /// Keeps the number of loads within bounds.
    pub load_slots: LoadSlots,
    /// When rows are written behind.
    pub flush: FlushPolicy,
    /// Told when a driver cannot go on.
    pub failed: UnboundedSender<DriverFailure>,
}

/// When rows are written behind: whichever comes first.
#[derive(Clone, Copy, Debug)]
pub struct FlushPolicy {
    /// After this time.
    pub interval: Duration,
    /// When this many bytes wait in a partition.
    pub dirty_bytes: usize,
    /// When the node log has grown to this many bytes.
    pub backlog_bytes: u64,
}

/// Why a driver cannot go on. The node must stop; recovery finds everything again.
#[derive(Debug, thiserror::Error)]
pub enum DriverFailure {
    /// The log takes nothing any more.
    #[error("partition {0}: the log has failed")]
    Log(PartitionId),
    /// Its rows cannot be read or written.
    #[error("partition {0}: {1}")]
    Rows(PartitionId, RowError),
}

/// Drives one partition.
pub struct Driver {
    partition: Partition,
    shared: Arc<Shared>,
    store: Arc<dyn PartitionStore>,
    me: DriverHandle,
    inbox: UnboundedReceiver<Command>,
    durable: watch::Receiver<Durable>,
    clock: Clock,
    effects: Effects,
    gate: Gate,
    backlog: Backlog,
    writing: WriteBehind,
    waiters: Waiters,
    /// Room of messages that were handled, kept while the node uses too much memory.
    detained: Vec<Room>,
    /// Groups that functions are processing for us.
    invoked: usize,
    finish: Option<(Instant, oneshot::Sender<Lsn>)>,
    buffer: Vec<u8>,
}

impl Driver {
    /// A driver for a partition that was just adopted, with the effects of its adoption.
    #[must_use]
    pub fn new(
        partition: Partition,
        adoption: Effects,
        shared: Arc<Shared>,
        store: Arc<dyn PartitionStore>,
        (me, inbox): (DriverHandle, Inbox),
    ) -> Self {
        // What was replayed is durable; only the adoption itself is not.
        let replayed = Lsn(partition.lsn().0 - adoption.records.len() as u64);
        let backlog = Backlog::new(partition.id(), shared.retention.clone(), replayed);
        Self {
            durable: shared.log.durable(),
            writing: WriteBehind::new(shared.flush.interval, partition.id(), shared.peers.len()),
            gate: Gate::at(replayed),
            backlog,
            partition,
            shared,
            store,
            me,
            inbox: inbox.0,
            clock: Clock::start(),
            effects: adoption,
            waiters: Waiters::default(),
            detained: Vec::new(),
            invoked: 0,
            finish: None,
            buffer: Vec::new(),
        }
    }

    /// Runs until it is told to finish, or cannot go on.
    pub async fn run(mut self) {
        if let Err(failure) = self.drive().await {
            // The node is stopping for the same reason if nobody listens any more.
            drop(self.shared.failed.send(failure));
        }
    }

    async fn drive(&mut self) -> Result<(), DriverFailure> {
        self.perform();
        loop {
            let deadline = self.deadline();
            let patience = self.patience();
            let due = self.writing.due();
            let doors = (!self.detained.is_empty()).then(|| Instant::now() + DOOR_INTERVAL);
            tokio::select! {
                biased;
                changed = self.durable.changed() => {
                    changed.map_err(|_| DriverFailure::Log(self.partition.id()))?;
                    self.log_advanced();
                }
                command = self.inbox.recv() => {
                    let Some(command) = command else { return Ok(()) };
                    self.take_turn(command).await?;
                }
                () = until(deadline) => self.handle_soon(Event::DeadlineReached).await?,
                () = until(due) => {}
                () = until(doors) => {}
                () = until(patience) => self.invoked = 0,
            }
            self.open_doors();
            self.flush_if_due();
            if self.is_finished() {
                return Ok(());
            }
        }
    }

    /// When the partition wants to be told that time has passed.
    fn deadline(&mut self) -> Option<Instant> {
        let deadline = self.partition.next_deadline()?;
        let now = self.clock.now();
        (deadline != Timestamp::NEVER)
            .then(|| Instant::now() + Duration::from_millis(deadline.0.saturating_sub(now.0)))
    }

    /// When a driver that shall finish stops waiting for functions.
    fn patience(&self) -> Option<Instant> {
        let (patience, _) = self.finish.as_ref()?;
        (self.invoked > 0).then_some(*patience)
    }

    /// Whether the driver was told to finish and waits for functions no longer.
    fn is_finishing(&self) -> bool {
        self.finish.is_some() && self.invoked == 0
    }

    /// Handles a command and those that wait behind it.
    async fn take_turn(&mut self, first: Command) -> Result<(), DriverFailure> {
        let mut next = Some(first);
        for _ in 0..EVENTS_PER_TURN {
            let Some(command) = next else { return Ok(()) };
            self.room().await?;
            self.take(command)?;
            next = self.inbox.try_recv().ok();
        }
        match next {
            Some(command) => {
                self.room().await?;
                self.take(command)
            }
            None => Ok(()),
        }
    }

    /// Waits until the log has room for a step of any size. There is never a wait within a step.
    async fn room(&mut self) -> Result<(), DriverFailure> {
        let log = Arc::clone(&self.shared.log);
        let mut room = log.room();
        if (&mut room).now_or_never().is_some() {
            return Ok(());
        }
        loop {
            tokio::select! {
                biased;
                () = &mut room => return Ok(()),
                changed = self.durable.changed() => {
                    changed.map_err(|_| DriverFailure::Log(self.partition.id()))?;
                    self.log_advanced();
                }
            }
        }
    }

    async fn handle_soon(&mut self, event: Event) -> Result<(), DriverFailure> {
        self.room().await?;
        self.handle(event);
        Ok(())
    }

    fn take(&mut self, command: Command) -> Result<(), DriverFailure> {
        match command {
            Command::Happened(event) => {
                if is_answer(&event) {
                    self.invoked = self.invoked.saturating_sub(1);
                }
                self.handle(event);
            }
            Command::Deliver { inbound, wants_reply, room, answer } => {
                self.deliver(inbound, wants_reply, answer);
                self.detained.push(room);
            }
            Command::Show { read, show } => {
                let ticket = self.waiters.show(show);
                self.handle(Event::ReadRequested { ticket, read });
            }
            Command::Flushed(Ok(applied)) => {
                self.handle(Event::FlushCommitted);
                self.backlog.flush(applied);
                self.writing.done();
            }
            Command::Flushed(Err(error)) => return Err(DriverFailure::Rows(self.partition.id(), error)),
            Command::Finish { patience, finished } => self.finish = Some((patience, finished)),
        }
        Ok(())
    }

    fn deliver(&mut self, inbound: Inbound, wants_reply: bool, answer: Answer) {
        let ticket = self.waiters.client(answer, wants_reply);
        let request = inbound
            .idempotency
            .map(|(key, body_hash)| Arc::new(ClientRequest::new(&inbound.target, &key, body_hash)));
        let origin = Origin::Client { ticket, wants_reply, request };
        let envelope = Envelope { caller: None, target: inbound.target, argument: inbound.argument };
        self.handle(Event::MessageReceived { origin, envelope });
    }

    fn handle(&mut self, event: Event) {
        let now = self.clock.now();
        self.partition.handle(now, event, &mut self.effects);
        self.perform();
    }

    /// The log is durable further than before: what waited for it leaves.
    fn log_advanced(&mut self) {
        let durable = *self.durable.borrow_and_update();
        let news = self.gate.advance(durable.through);
        self.backlog.advance(news, durable.frame);
        if let Some(lsn) = news {
            self.handle(Event::RecordsDurable { lsn });
            while let Some(effect) = self.gate.release() {
                self.perform_now(effect);
            }
        }
    }

    /// Gives room back to those who wait at the doors, unless the node uses too much memory.
    fn open_doors(&mut self) {
        self.shared.budget.note(self.partition.id(), self.partition.memory());
        if !self.shared.budget.is_exceeded() {
            self.detained.clear();
        }
    }

    fn flush_if_due(&mut self) {
        let backlog = self.durable.borrow().backlog_bytes;
        let dirty = self.partition.memory().dirty;
        let last = self.is_finishing() && self.gate.is_settled() && !self.backlog.is_flushed();
        let policy = self.shared.flush;
        let pressed = self.shared.budget.is_exceeded() && dirty >= policy.dirty_bytes / WORTH_A_FLUSH;
        let large = dirty >= policy.dirty_bytes || backlog >= policy.backlog_bytes;
        if !self.writing.may_begin(last, large || pressed) {
            return;
        }
        match self.partition.begin_flush() {
            Some(batch) => {
                let flushing = Flushing {
                    partition: self.partition.id(),
                    store: Arc::clone(&self.store),
                    shared: Arc::clone(&self.shared),
                    me: self.me.clone(),
                };
                self.writing.begin();
                tokio::spawn(flushing.run(batch));
            }
            None => self.writing.nothing_to_do(),
        }
    }

    /// Whether the driver was told to finish, and has nothing left that would be lost or done again without need.
    fn is_finished(&mut self) -> bool {
        let settled = self.gate.is_settled() && self.backlog.is_flushed();
        if !settled || !self.is_finishing() {
            return false;
        }
        let last = self.partition.lsn();
        if let Some((_, finished)) = self.finish.take() {
            // Whoever waited may have run out of patience.
            let _ = finished.send(last);
        }
        true
    }
}

const fn is_answer(event: &Event) -> bool {
    matches!(
        event,
        Event::InvocationSucceeded { .. } | Event::InvocationIncomplete { .. } | Event::InvocationFailed { .. }
    )
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
