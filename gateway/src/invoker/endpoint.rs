//! One endpoint: slots that carry requests, and the queue that they share. Groups wait in the order of their arrival. A
//! free slot takes what waits at once; while all slots are taken, groups gather, and the next request takes as many as
//! fit. So requests grow with the load and nobody waits for a timer.
//!
//! A slot is a task that carries one request after another, from the groups in the queue to the answers of the partitions, with no
//! other task between. It begins when something waits that a request may be made of, and ends when nothing does. What was
//! submitted in one go is there when it begins, so that it travels together. A further task, the keeper, only does what no slot
//! does: it looks again when a pause ends, and hands back what waits when the endpoint retires.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidegate_core::id::PartitionId;
use tidegate_core::partition::event::Event;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::Answers;
use super::carry::{Answered, carry};
use super::config::EndpointConfig;
use super::fault::Fault;
use super::pace::Jitter;
use super::packing::Pending;
use super::queue::{Queue, UnderWay};
use super::spans;
use super::telemetry::Meters;
use super::transport::Transport;

/// An endpoint that works.
pub(super) struct Endpoint {
    name: Arc<str>,
    queue: Mutex<Queue>,
    /// Tells the keeper that a pause has begun or the endpoint has retired.
    changed: Notify,
    transport: Arc<dyn Transport>,
    answers: Answers,
    meters: Arc<Meters>,
    runtime: Handle,
    stop: CancellationToken,
}

impl Endpoint {
    /// Starts on the current runtime. Works until it is stopped, which drops what waits or is under way, or until it retires: then
    /// it hands back what waits, and ends with the last request that is under way.
    pub(super) fn start(
        config: EndpointConfig,
        transport: Arc<dyn Transport>,
        answers: Answers,
        jitter: Jitter,
        hand_back: impl Fn(Pending) + Send + Sync + 'static,
        stop: CancellationToken,
    ) -> Arc<Self> {
        let meters = Arc::new(Meters::new(&config.name));
        let name = Arc::clone(&config.name);
        let queue = Mutex::new(Queue::new(Arc::new(config), Arc::clone(&meters), jitter));
        let (changed, runtime) = (Notify::new(), Handle::current());
        let endpoint =
            Arc::new(Self { name, queue, changed, transport, answers, meters, runtime, stop });
        endpoint.runtime.spawn(Arc::clone(&endpoint).keep(hand_back));
        endpoint
    }

    /// Lets a group wait until a slot takes it.
    pub(super) fn submit(self: &Arc<Self>, pending: Pending) {
        let mut queue = self.queue();
        queue.enqueue(pending);
        let wants_slot = queue.wants_slot(Instant::now());
        drop(queue);
        if wants_slot {
            self.start_slot();
        }
    }

    /// Nothing is submitted any more.
    pub(super) fn retire(&self) {
        self.queue().retire();
        self.changed.notify_one();
    }

    async fn keep(self: Arc<Self>, hand_back: impl Fn(Pending) + Send + Sync) {
        while let Some(wake) = self.look_after(&hand_back) {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                () = self.changed.notified() => {}
                () = until(wake) => {}
            }
        }
        drop(self.queue().give_up_waiting());
    }

    /// What the keeper does each time. Says when the next pause ends, if there is one; nothing when all is done.
    fn look_after(self: &Arc<Self>, hand_back: &impl Fn(Pending)) -> Option<Option<Instant>> {
        let now = Instant::now();
        let mut queue = self.queue();
        queue.show_pace(now);
        let (wake, wants_slot) = (queue.wakes(now), queue.wants_slot(now));
        let retired = queue.has_retired();
        let given_up = if retired { queue.give_up_waiting() } else { Vec::new() };
        let is_done = retired && queue.is_idle();
        drop(queue);
        if wants_slot {
            self.start_slot();
        }
        given_up.into_iter().for_each(hand_back);
        (!is_done).then_some(wake)
    }

    fn start_slot(self: &Arc<Self>) {
        let endpoint = Arc::clone(self);
        self.runtime.spawn(async move {
            let stop = endpoint.stop.clone();
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = endpoint.serve() => {}
            }
        });
    }

    /// The work of a slot.
    async fn serve(self: Arc<Self>) {
        let mut told = Vec::new();
        let mut next = self.turn(&mut told, |queue, _| queue.started());
        while let Some(request) = next {
            let outcome = self.carry(&request).await;
            next = self.turn(&mut told, |queue, now| queue.settle(request, outcome, now));
        }
    }

    async fn carry(&self, request: &UnderWay) -> Result<Answered, Fault> {
        let UnderWay { parcel, dialect, begun, .. } = request;
        let load = parcel.load();
        self.meters.begun(load);
        let (trace, span) = spans::begin(&self.name, parcel, *dialect);
        let outcome = carry(&*self.transport, parcel, *dialect, trace).await;
        spans::end(span, &outcome);
        self.meters.ended(load, begun.elapsed());
        outcome
    }

    /// Notes something in the queue, and takes the next request from it. Then partitions are told what follows for them: a request
    /// that has ended takes no place any more when they hear of it.
    fn turn(
        self: &Arc<Self>,
        told: &mut Vec<(PartitionId, Event)>,
        note: impl FnOnce(&mut Queue, Instant),
    ) -> Option<UnderWay> {
        let now = Instant::now();
        let mut queue = self.queue();
        note(&mut queue, now);
        let next = queue.begin(now);
        let wants_slot = queue.wants_slot(now);
        let wants_keeper = std::mem::take(&mut queue.has_paused) || queue.has_retired();
        std::mem::swap(&mut queue.told, told);
        queue.show_pace(now);
        drop(queue);
        if wants_keeper {
            self.changed.notify_one();
        }
        if wants_slot {
            self.start_slot();
        }
        for (partition, event) in told.drain(..) {
            (self.answers)(partition, event);
        }
        next
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
