//! Turns of functions that have a limit for the whole node: so many groups at once, so many messages per second.
//!
//! A partition asks for a turn before it forms a group, so what waits holds no memory beside its mailbox, and no other function
//! waits with it. Turns are granted in the order in which they were asked for, over all partitions. A group of several messages
//! uses up as many of the rate; what it uses beyond the present is made good before the next turn.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tidegate_core::address::FunctionType;
use tidegate_core::id::PartitionId;
use tidegate_core::partition::event::Event;
use tokio::time::Instant;

use super::DriverHandle;

/// Lines of functions that nobody waits in are kept up to this many.
const LINES_KEPT: usize = 1024;

/// The limits of a function for the whole node.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Limit {
    /// Most groups that are processed at once.
    pub groups: Option<usize>,
    /// Most messages per second in the long run. What was not used counts for one second.
    pub messages_per_second: Option<f64>,
}

/// The functions that have limits.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Limits {
    /// Those with a limit of their own, which may be none.
    pub functions: HashMap<FunctionType, Limit>,
    /// Those of a namespace.
    pub namespaces: HashMap<Arc<str>, Limit>,
}

impl Limits {
    fn of(&self, function: &FunctionType) -> Limit {
        let named = self.functions.get(function);
        named.or_else(|| self.namespaces.get(function.namespace())).copied().unwrap_or_default()
    }

    fn is_empty(&self) -> bool {
        self.functions
            .values()
            .chain(self.namespaces.values())
            .all(|limit| *limit == Limit::default())
    }
}

/// Grants turns. Needs a runtime.
pub struct TurnKeeper {
    limits: RwLock<Limits>,
    /// Whether any function has a limit: nearly never, and it is asked for every group.
    any: AtomicBool,
    drivers: Vec<DriverHandle>,
    lines: Mutex<HashMap<FunctionType, Line>>,
}

/// Who waits for turns of one function, and who has them.
struct Line {
    limit: Limit,
    waiting: VecDeque<PartitionId>,
    /// Turns that were granted and whose groups are not processed yet.
    out: BTreeMap<PartitionId, usize>,
    /// Of these, the ones whose groups have not begun.
    unused: BTreeMap<PartitionId, usize>,
    bucket: Option<Bucket>,
    /// Whether somebody will look again when the rate allows more.
    woken_later: bool,
}

impl Line {
    fn new(limit: Limit, now: Instant) -> Self {
        Self {
            limit,
            waiting: VecDeque::new(),
            out: BTreeMap::new(),
            unused: BTreeMap::new(),
            bucket: limit.messages_per_second.map(|rate| Bucket::full(rate, now)),
            woken_later: false,
        }
    }

    /// Whether anything would be forgotten with it.
    fn is_busy(&mut self, now: Instant) -> bool {
        let wait = self.bucket.as_mut().map_or(Duration::ZERO, |bucket| bucket.wait(now));
        !self.waiting.is_empty() || self.out.values().any(|count| *count > 0) || !wait.is_zero()
    }

    /// Grants the next turn if the limits allow it.
    fn grant(&mut self, now: Instant) -> Option<PartitionId> {
        let out: usize = self.out.values().sum();
        if self.limit.groups.is_some_and(|most| out >= most) {
            return None;
        }
        if let Some(bucket) = &mut self.bucket {
            // How many messages a group has is known when it begins: one after the other.
            let undecided = self.unused.values().any(|count| *count > 0);
            if undecided || bucket.wait(now) > Duration::ZERO {
                return None;
            }
        }
        let partition = self.waiting.pop_front()?;
        *self.out.entry(partition).or_default() += 1;
        *self.unused.entry(partition).or_default() += 1;
        Some(partition)
    }

    fn begin(&mut self, partition: PartitionId, messages: usize, now: Instant) {
        take(&mut self.unused, partition, 1);
        if let Some(bucket) = &mut self.bucket {
            bucket.use_up(messages, now);
        }
    }
}

fn take(counts: &mut BTreeMap<PartitionId, usize>, partition: PartitionId, count: usize) {
    if let Some(known) = counts.get_mut(&partition) {
        *known = known.saturating_sub(count);
    }
}

/// A bucket of tokens, one for each message.
struct Bucket {
    per_second: f64,
    /// Below zero while more was used than there was.
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    fn full(per_second: f64, now: Instant) -> Self {
        Self { per_second, tokens: per_second.max(1.0), filled: now }
    }

    fn fill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens = (self.tokens + elapsed * self.per_second).min(self.per_second.max(1.0));
        self.filled = now;
    }

    /// How long until there is a token.
    fn wait(&mut self, now: Instant) -> Duration {
        self.fill(now);
        let missing = 1.0 - self.tokens;
        // A nanosecond that is lost to rounding must not make anybody wait twice.
        if missing <= 1e-6 {
            return Duration::ZERO;
        }
        Duration::try_from_secs_f64(missing / self.per_second).unwrap_or(Duration::MAX)
    }

    fn use_up(&mut self, messages: usize, now: Instant) {
        self.fill(now);
        self.tokens -= messages as f64;
    }
}

impl TurnKeeper {
    /// Grants turns to the drivers of all partitions, in order.
    #[must_use]
    pub fn new(limits: Limits, drivers: Vec<DriverHandle>) -> Arc<Self> {
        let any = AtomicBool::new(!limits.is_empty());
        Arc::new(Self { limits: RwLock::new(limits), any, drivers, lines: Mutex::default() })
    }

    /// Other limits hold from now on.
    pub fn set_limits(self: &Arc<Self>, limits: Limits) {
        let now = Instant::now();
        let functions: Vec<FunctionType> = self.with_lines(|lines| {
            for (function, line) in lines.iter_mut() {
                let limit = limits.of(function);
                if line.limit != limit {
                    line.bucket = limit.messages_per_second.map(|rate| Bucket::full(rate, now));
                    line.limit = limit;
                    // Whoever has a turn may not have asked for it by these limits.
                    line.out.clear();
                    line.unused.clear();
                }
            }
            lines.keys().cloned().collect()
        });
        self.any.store(!limits.is_empty(), Ordering::Relaxed);
        *self.limits.write().unwrap_or_else(PoisonError::into_inner) = limits;
        functions.iter().for_each(|function| self.pump(function));
    }

    /// A partition wants turns.
    pub(super) fn ask(
        self: &Arc<Self>,
        partition: PartitionId,
        function: &FunctionType,
        count: usize,
    ) {
        let limit = self.limit_of(function);
        self.with_lines(|lines| {
            if lines.len() >= LINES_KEPT {
                lines.retain(|_, line| line.is_busy(Instant::now()));
            }
            let line =
                lines.entry(function.clone()).or_insert_with(|| Line::new(limit, Instant::now()));
            line.waiting.extend(std::iter::repeat_n(partition, count));
        });
        self.pump(function);
    }

    /// Whether a function has a limit.
    pub(super) fn is_limited(&self, function: &FunctionType) -> bool {
        self.any.load(Ordering::Relaxed) && self.limit_of(function) != Limit::default()
    }

    fn limit_of(&self, function: &FunctionType) -> Limit {
        self.limits.read().unwrap_or_else(PoisonError::into_inner).of(function)
    }

    /// A group begins with its turn.
    pub(super) fn begin(
        self: &Arc<Self>,
        partition: PartitionId,
        function: &FunctionType,
        messages: usize,
    ) {
        self.change(function, |line| line.begin(partition, messages, Instant::now()));
    }

    /// A group ended.
    pub(super) fn end(self: &Arc<Self>, partition: PartitionId, function: &FunctionType) {
        self.change(function, |line| take(&mut line.out, partition, 1));
    }

    /// A partition gives turns back that it did not use.
    pub(super) fn give_back(
        self: &Arc<Self>,
        partition: PartitionId,
        function: &FunctionType,
        count: usize,
    ) {
        self.change(function, |line| {
            take(&mut line.unused, partition, count);
            take(&mut line.out, partition, count);
        });
    }

    /// A partition is driven here no more, or is driven anew.
    pub(super) fn forget(self: &Arc<Self>, partition: PartitionId) {
        let functions: Vec<FunctionType> = self.with_lines(|lines| {
            for line in lines.values_mut() {
                line.waiting.retain(|waiting| *waiting != partition);
                line.unused.remove(&partition);
                line.out.remove(&partition);
            }
            lines.keys().cloned().collect()
        });
        functions.iter().for_each(|function| self.pump(function));
    }

    fn change(self: &Arc<Self>, function: &FunctionType, change: impl FnOnce(&mut Line)) {
        self.with_lines(|lines| {
            if let Some(line) = lines.get_mut(function) {
                change(line);
            }
        });
        self.pump(function);
    }

    /// Grants what the limits allow, and sees to it that somebody looks again when they allow more.
    fn pump(self: &Arc<Self>, function: &FunctionType) {
        let now = Instant::now();
        let (granted, later) = self.with_lines(|lines| {
            let Some(line) = lines.get_mut(function) else { return (Vec::new(), None) };
            let granted: Vec<PartitionId> = std::iter::from_fn(|| line.grant(now)).collect();
            let wait = line.bucket.as_mut().map_or(Duration::ZERO, |bucket| bucket.wait(now));
            let later = !line.waiting.is_empty() && !wait.is_zero() && !line.woken_later;
            line.woken_later |= later;
            (granted, later.then_some(wait))
        });
        for partition in granted {
            if let Some(driver) = self.drivers.get(usize::from(partition.0)) {
                driver.happened(Event::TurnsGranted { function: function.clone(), count: 1 });
            }
        }
        if let Some(wait) = later {
            self.pump_after(function.clone(), wait);
        }
    }

    fn pump_after(self: &Arc<Self>, function: FunctionType, wait: Duration) {
        let keeper = Arc::downgrade(self);
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            let Some(keeper) = keeper.upgrade() else { return };
            keeper.with_lines(|lines| {
                if let Some(line) = lines.get_mut(&function) {
                    line.woken_later = false;
                }
            });
            keeper.pump(&function);
        });
    }

    fn with_lines<R>(&self, work: impl FnOnce(&mut HashMap<FunctionType, Line>) -> R) -> R {
        work(&mut self.lines.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::driver::{Command, Inbox, inbox};

    struct World {
        keeper: Arc<TurnKeeper>,
        inboxes: Vec<Inbox>,
    }

    fn function() -> FunctionType {
        FunctionType::parse("shop/cart").unwrap()
    }

    fn world(limit: Limit) -> World {
        let (drivers, inboxes) = (0..2).map(|_| inbox()).unzip();
        let limits = Limits { functions: [(function(), limit)].into(), ..Limits::default() };
        World { keeper: TurnKeeper::new(limits, drivers), inboxes }
    }

    impl World {
        /// How many turns a partition was granted since it was asked last.
        fn granted(&mut self, partition: usize) -> usize {
            let mut granted = 0;
            while let Ok(Command::Happened(Event::TurnsGranted { count, .. })) =
                self.inboxes[partition].0.try_recv()
            {
                granted += count;
            }
            granted
        }
    }

    const ONE: PartitionId = PartitionId(0);
    const OTHER: PartitionId = PartitionId(1);

    #[tokio::test(start_paused = true)]
    async fn so_many_groups_are_under_way_over_all_partitions() {
        let mut world = world(Limit { groups: Some(2), messages_per_second: None });
        world.keeper.ask(ONE, &function(), 2);
        world.keeper.ask(OTHER, &function(), 2);
        assert_eq!((world.granted(0), world.granted(1)), (2, 0));
        world.keeper.begin(ONE, &function(), 100);
        world.keeper.end(ONE, &function());
        assert_eq!((world.granted(0), world.granted(1)), (0, 1));
        world.keeper.give_back(ONE, &function(), 1);
        assert_eq!((world.granted(0), world.granted(1)), (0, 1));
        world.keeper.ask(ONE, &function(), 1);
        world.keeper.forget(OTHER);
        assert_eq!(world.granted(0), 1, "what a partition held comes back when it is gone");
    }

    #[tokio::test(start_paused = true)]
    async fn messages_beyond_the_rate_are_made_good_before_the_next_turn() {
        let mut world = world(Limit { groups: None, messages_per_second: Some(10.0) });
        let started = Instant::now();
        world.keeper.ask(ONE, &function(), 3);
        assert_eq!(world.granted(0), 1, "a turn after the other");
        world.keeper.begin(ONE, &function(), 10);
        world.keeper.end(ONE, &function());
        assert_eq!(world.granted(0), 0);
        tokio::time::sleep(Duration::from_millis(90)).await;
        assert_eq!(world.granted(0), 0);
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(world.granted(0), 1);
        world.keeper.begin(ONE, &function(), 10);
        tokio::time::sleep(Duration::from_millis(980)).await;
        assert_eq!(world.granted(0), 0, "nine too many were used at {:?}", started.elapsed());
        tokio::time::sleep(Duration::from_millis(40)).await;
        assert_eq!(world.granted(0), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn other_limits_hold_at_once() {
        let mut world = world(Limit { groups: Some(1), messages_per_second: None });
        world.keeper.ask(ONE, &function(), 3);
        assert_eq!(world.granted(0), 1);
        world.keeper.set_limits(Limits::default());
        assert_eq!(world.granted(0), 2);
    }
}
