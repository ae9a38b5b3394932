//! One endpoint: a task that owns what waits for it and what is under way. Groups wait in the order of their arrival. A
//! free slot takes what waits at once; while all slots are taken, groups gather, and the next request takes as many as
//! fit. So requests grow with the load and nobody waits for a timer.
//!
//! What waits is bounded by the partitions, each of which has only so many groups in flight.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tidegate_core::address::FunctionType;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::Answers;
use super::config::EndpointConfig;
use super::fault::{Fault, InvokeError};
use super::lane::{Dialect, Lane};
use super::pace::{Jitter, Pace};
use super::packing::{Parcel, Pending};
use super::telemetry::Meters;
use super::transport::{Request, Transport};
use super::wire::{self, BatchAnswer};

/// Lanes are forgotten when they are idle and there are more than this: names of functions come from outside.
const LANES_KEPT: usize = 256;
/// Groups that are taken from the inbox before requests are begun.
const ARRIVALS_PER_TURN: usize = 1024;

/// Which lane: the function, where it decides the URL.
pub(super) type LaneKey = Option<FunctionType>;

/// What the answer to a request says.
pub(super) struct Answered {
    /// Whether the endpoint offered to take batches.
    pub(super) speaks_batch: bool,
    /// What became of each group.
    pub(super) answer: BatchAnswer,
}

/// A request under way. Its groups stay here, so that they have their answer whatever becomes of the task that carries it.
pub(super) struct UnderWay {
    pub(super) lane: LaneKey,
    pub(super) parcel: Arc<Parcel>,
    pub(super) dialect: Dialect,
    pub(super) begun: Instant,
}

/// The state of the task.
pub(super) struct Endpoint {
    pub(super) config: EndpointConfig,
    pub(super) answers: Answers,
    pub(super) meters: Meters,
    lanes: BTreeMap<LaneKey, Lane>,
    transport: Arc<dyn Transport>,
    requests: JoinSet<Result<Answered, Fault>>,
    under_way: HashMap<Id, UnderWay>,
    arrivals: u64,
    jitter: Jitter,
}

impl Endpoint {
    pub(super) fn new(
        config: EndpointConfig,
        transport: Arc<dyn Transport>,
        answers: Answers,
        jitter: Jitter,
    ) -> Self {
        Self {
            meters: Meters::new(&config.name),
            config,
            answers,
            lanes: BTreeMap::new(),
            transport,
            requests: JoinSet::new(),
            under_way: HashMap::new(),
            arrivals: 0,
            jitter,
        }
    }

    /// Works until it is stopped, which drops what waits or is under way, or until it retires because nobody is left who could
    /// submit groups: then it hands back what waits, and ends with the last request that is under way.
    pub(super) async fn run(
        mut self,
        mut inbox: UnboundedReceiver<Pending>,
        hand_back: impl Fn(Pending) + Send,
        stop: CancellationToken,
    ) {
        let mut arrived = Vec::new();
        let mut retires = false;
        loop {
            let now = Instant::now();
            if retires {
                self.give_up_waiting().for_each(&hand_back);
                if self.under_way.is_empty() {
                    return;
                }
            } else {
                self.begin_requests(now);
            }
            self.show_pace(now);
            let wake = self.lanes.values().filter_map(Lane::wakes).filter(|wake| *wake > now).min();
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(ended) = self.requests.join_next_with_id() => self.request_ended(ended),
                count = inbox.recv_many(&mut arrived, ARRIVALS_PER_TURN), if !retires => {
                    retires = count == 0;
                    arrived.drain(..).for_each(|pending| self.enqueue(pending));
                }
                () = sleep_until(wake.unwrap_or(now)), if wake.is_some() => {}
            }
        }
    }

    /// Lets a group wait behind all others.
    fn enqueue(&mut self, pending: Pending) {
        let function = &pending.group.address.function;
        let key = self.config.url.differs_by_name().then(|| function.clone());
        let arrival = self.next_arrival();
        self.lane(&key).enqueue(Parcel::open(pending, arrival));
        self.meters.waiting.increment(1.0);
    }

    /// Takes out everything that waits.
    fn give_up_waiting(&mut self) -> impl Iterator<Item = Pending> {
        let parcels = self.lanes.values_mut().flat_map(Lane::give_up_waiting);
        let waiting: Vec<_> = parcels.flat_map(|parcel| parcel.groups).collect();
        self.meters.waiting.decrement(waiting.len() as f64);
        waiting.into_iter()
    }

    /// The lane, which begins to exist by being used.
    pub(super) fn lane(&mut self, key: &LaneKey) -> &mut Lane {
        let (config, jitter) = (&self.config, &mut self.jitter);
        self.lanes
            .entry(key.clone())
            .or_insert_with(|| Lane::new(config, Jitter::new(jitter.next())))
    }

    /// Numbers what begins to wait now.
    pub(super) fn next_arrival(&mut self) -> u64 {
        self.arrivals += 1;
        self.arrivals
    }

    /// Begins as many requests as there are slots, in the order in which their groups arrived.
    fn begin_requests(&mut self, now: Instant) {
        while self.under_way.len() < self.config.concurrency.get() {
            let ready = self.lanes.iter().filter_map(|(key, lane)| Some((lane.ready(now)?, key)));
            let Some(key) = ready.min().map(|(_, key)| key.clone()) else { break };
            let Some((parcel, dialect)) = self.lanes.get_mut(&key).and_then(Lane::begin) else {
                break;
            };
            self.begin(key, parcel, dialect, now);
        }
        if self.lanes.len() > LANES_KEPT {
            self.lanes.retain(|_, lane| !lane.is_idle());
        }
    }

    fn show_pace(&self, now: Instant) {
        let paces = || self.lanes.values().map(|lane| &lane.pace);
        let allowed = paces().map(Pace::allowed).sum::<usize>();
        let most = self.config.concurrency.get();
        // Before the first request nothing is known to stand against it.
        let allowed = if self.lanes.is_empty() { most } else { allowed.min(most) };
        self.meters.paced(allowed, paces().filter(|pace| pace.is_held(now)).count());
    }

    fn begin(&mut self, lane: LaneKey, parcel: Parcel, dialect: Dialect, now: Instant) {
        self.meters.begun(&parcel);
        let parcel = Arc::new(parcel);
        let carried = carry(Arc::clone(&self.transport), Arc::clone(&parcel), dialect);
        let id = self.requests.spawn(carried).id();
        self.under_way.insert(id, UnderWay { lane, parcel, dialect, begun: now });
    }

    fn request_ended(&mut self, ended: Result<(Id, Result<Answered, Fault>), JoinError>) {
        let (id, outcome) = ended.unwrap_or_else(|error| {
            // The text of a panic may hold anything, so it is not passed on.
            let cause = if error.is_panic() { "it panicked" } else { "it was cancelled" };
            (error.id(), Err(Fault::Request(InvokeError::Defect { cause: cause.into() })))
        });
        if let Some(request) = self.under_way.remove(&id) {
            self.settle(request, outcome);
        }
    }
}

/// Takes groups to the endpoint and brings back what became of them. Encoding and decoding are work, which so is done
/// beside the task of the endpoint.
async fn carry(
    transport: Arc<dyn Transport>,
    parcel: Arc<Parcel>,
    dialect: Dialect,
) -> Result<Answered, Fault> {
    let Some(first) = parcel.groups.first() else {
        return Err(Fault::Request(InvokeError::Defect {
            cause: "a parcel without groups".into(),
        }));
    };
    let body = match dialect {
        Dialect::Single => wire::encode_single(&first.group),
        Dialect::Batch => wire::encode_batch(
            parcel.groups.iter().map(|pending| (pending.partition, &pending.group)),
        ),
    };
    let function = first.group.address.function.clone();
    let reply = transport.exchange(Request { function, dialect, body }).await?;
    let answer = match dialect {
        Dialect::Single => wire::decode_single(reply.body)
            .map(|answer| BatchAnswer { results: vec![Some(answer)], unmatched: 0 }),
        Dialect::Batch => {
            let echoes =
                parcel.groups.iter().map(|it| (it.partition, it.group.batch, it.group.attempt));
            wire::decode_batch(reply.body, &echoes.collect::<Vec<_>>())
        }
    };
    let answer = answer.map_err(|invalid| Fault::Request(invalid.into()))?;
    Ok(Answered { speaks_batch: reply.speaks_batch, answer })
}
