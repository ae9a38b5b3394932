//! What waits for an endpoint, and what is known about it: which groups go next, in which form, and whether they may.
//!
//! What waits is bounded by the partitions, each of which has only so many groups in flight.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_core::address::FunctionType;
use tidegate_core::id::PartitionId;
use tidegate_core::partition::event::Event;
use tokio::time::Instant;

use super::config::EndpointConfig;
use super::lane::{Dialect, Lane};
use super::pace::{Jitter, Pace};
use super::packing::{Parcel, Pending};
use super::telemetry::Meters;

/// Lanes are forgotten when they are idle and there are more than this: names of functions come from outside.
const LANES_KEPT: usize = 256;

/// Which lane: the function, where it decides the URL.
pub(super) type LaneKey = Option<FunctionType>;

/// A request under way.
pub(super) struct UnderWay {
    pub(super) lane: LaneKey,
    pub(super) parcel: Parcel,
    pub(super) dialect: Dialect,
    pub(super) begun: Instant,
}

/// What waits, and what is known.
pub(super) struct Queue {
    pub(super) config: Arc<EndpointConfig>,
    pub(super) meters: Arc<Meters>,
    /// What partitions must be told, in this order, once nobody has to wait for that.
    pub(super) told: Vec<(PartitionId, Event)>,
    /// Whether some lane has just begun a pause.
    pub(super) has_paused: bool,
    lanes: BTreeMap<LaneKey, Lane>,
    under_way: usize,
    /// Whether a slot was started and has not begun its first request.
    is_starting: bool,
    has_retired: bool,
    arrivals: u64,
    jitter: Jitter,
    /// The pace as it was last shown.
    shown: Option<(usize, usize)>,
}

impl Queue {
    pub(super) fn new(config: Arc<EndpointConfig>, meters: Arc<Meters>, jitter: Jitter) -> Self {
        Self {
            config,
            meters,
            told: Vec::new(),
            has_paused: false,
            lanes: BTreeMap::new(),
            under_way: 0,
            is_starting: false,
            has_retired: false,
            arrivals: 0,
            jitter,
            shown: None,
        }
    }

    /// Lets a group wait behind all others.
    pub(super) fn enqueue(&mut self, pending: Pending) {
        let function = &pending.group.address.function;
        let key = self.config.url.differs_by_name().then(|| function.clone());
        let arrival = self.next_arrival();
        self.lane(&key).enqueue(Parcel::open(pending, arrival));
        self.meters.waiting.increment(1.0);
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

    /// Whether one more slot has something to do. It must be started then, and must say so when it has [`started`](Self::started).
    pub(super) fn wants_slot(&mut self, now: Instant) -> bool {
        let wants = !self.is_starting
            && self.may_begin()
            && self.lanes.values().any(|lane| lane.ready(now).is_some());
        self.is_starting |= wants;
        wants
    }

    /// The slot that was wanted begins its first request next.
    pub(super) fn started(&mut self) {
        self.is_starting = false;
    }

    /// Takes out the next request's worth, if a request may begin: that of the groups that arrived first.
    pub(super) fn begin(&mut self, now: Instant) -> Option<UnderWay> {
        if !self.may_begin() {
            return None;
        }
        let ready = self.lanes.iter().filter_map(|(key, lane)| Some((lane.ready(now)?, key)));
        let lane = ready.min().map(|(_, key)| key.clone())?;
        let (parcel, dialect) = self.lanes.get_mut(&lane)?.begin()?;
        self.under_way += 1;
        Some(UnderWay { lane, parcel, dialect, begun: now })
    }

    /// A request came to its end, whichever.
    pub(super) fn ended(&mut self, lane: &LaneKey) {
        self.under_way -= 1;
        self.lane(lane).ended();
        if self.lanes.len() > LANES_KEPT {
            self.lanes.retain(|_, lane| !lane.is_idle());
        }
    }

    /// Begins no further requests.
    pub(super) fn retire(&mut self) {
        self.has_retired = true;
    }

    pub(super) fn has_retired(&self) -> bool {
        self.has_retired
    }

    /// Whether no request is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.under_way == 0
    }

    /// Takes out everything that waits.
    pub(super) fn give_up_waiting(&mut self) -> Vec<Pending> {
        let parcels = self.lanes.values_mut().flat_map(Lane::give_up_waiting);
        let waiting: Vec<_> = parcels.flat_map(|parcel| parcel.groups).collect();
        self.meters.waiting.decrement(waiting.len() as f64);
        waiting
    }

    /// When the next pause ends.
    pub(super) fn wakes(&self, now: Instant) -> Option<Instant> {
        self.paces().filter_map(Pace::held_until).filter(|until| *until > now).min()
    }

    /// Shows how fast the endpoint may be called, if that has changed.
    pub(super) fn show_pace(&mut self, now: Instant) {
        let most = self.config.concurrency.get();
        let allowed = self.paces().map(Pace::allowed).sum::<usize>();
        // Before the first request nothing is known to stand against it.
        let allowed = if self.lanes.is_empty() { most } else { allowed.min(most) };
        let held = self.paces().filter(|pace| pace.is_held(now)).count();
        if self.shown.replace((allowed, held)) != Some((allowed, held)) {
            self.meters.paced(allowed, held);
        }
    }

    fn paces(&self) -> impl Iterator<Item = &Pace> {
        self.lanes.values().map(|lane| &lane.pace)
    }

    fn may_begin(&self) -> bool {
        !self.has_retired && self.under_way < self.config.concurrency.get()
    }
}
