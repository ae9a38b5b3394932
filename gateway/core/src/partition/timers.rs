//! Messages to be sent later. The near ones are in memory, the rest in rows only.

use alloc::collections::BTreeMap;

use super::planted::{Bug, Planted};
use super::row::{Timer, TimerKey, TimerTask};
use crate::id::{LoadId, Sequence, Timestamp};

#[derive(Debug)]
pub(super) struct Timers {
    /// Every timer before the horizon.
    near: BTreeMap<TimerKey, TimerTask>,
    bytes: usize,
    horizon: TimerKey,
    /// Whether rows may hold timers at the horizon or after it.
    beyond: bool,
    /// The load that moves the horizon.
    pub(super) load: Option<LoadId>,
}

impl TimerKey {
    pub(super) const FIRST: Self = Self { fire_at: Timestamp(0), id: Sequence::NONE };
    pub(super) const END: Self = Self { fire_at: Timestamp::NEVER, id: Sequence(u64::MAX) };
}

impl Timers {
    /// Of all timers only rows know.
    pub(super) const fn unknown() -> Self {
        Self { near: BTreeMap::new(), bytes: 0, horizon: TimerKey::FIRST, beyond: true, load: None }
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) const fn near(&self) -> &BTreeMap<TimerKey, TimerTask> {
        &self.near
    }

    /// Whether rows may hold further timers.
    pub(super) const fn is_beyond(&self) -> bool {
        self.beyond
    }

    pub(super) const fn horizon(&self) -> TimerKey {
        self.horizon
    }

    /// Whether the next timers must be read from rows: few are in memory and there may be more.
    pub(super) const fn wants_rows(&self, enough: usize) -> bool {
        self.beyond && self.load.is_none() && self.bytes < enough
    }

    /// When the next timer in memory fires.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.near.keys().next().map(|key| key.fire_at)
    }

    /// A timer that is due.
    pub(super) fn due(&self, now: Timestamp) -> Option<Timer> {
        let (key, task) = self.near.iter().next()?;
        (key.fire_at <= now).then(|| Timer { key: *key, task: task.clone() })
    }

    pub(super) fn insert(&mut self, timer: &Timer) {
        if timer.key < self.horizon {
            self.bytes += timer.task.cost();
            self.near.insert(timer.key, timer.task.clone());
        } else {
            self.beyond = true;
        }
    }

    pub(super) fn remove(&mut self, key: TimerKey) {
        if let Some(task) = self.near.remove(&key) {
            self.bytes -= task.cost();
        }
    }

    /// Leaves the latest timers in memory to the rows until the rest fits, but never so many that they would be read back
    /// at once: a single large one may exceed the bound.
    pub(super) fn spill(&mut self, bytes: usize, enough: usize) {
        while self.bytes > bytes
            && let Some((key, task)) = self.near.last_key_value()
            && self.bytes - task.cost() >= enough
        {
            self.bytes -= task.cost();
            self.horizon = *key;
            self.beyond = true;
            self.near.pop_last();
        }
    }

    /// The timers from `from` on were read; those before `until` are complete now.
    pub(super) fn refill(
        &mut self,
        from: TimerKey,
        until: TimerKey,
        timers: impl Iterator<Item = Timer>,
    ) {
        if from != self.horizon {
            // The horizon moved while the load was under way: what lies between would be missing.
            return;
        }
        self.horizon = until;
        self.beyond = until < TimerKey::END;
        for timer in timers {
            self.insert(&timer);
        }
    }

    /// For the simulation: a flush makes timers in rows unreachable.
    pub(super) const fn flush_committed(&mut self, planted: &Planted) {
        if planted.has(Bug::TimerLostAtFlush) {
            self.beyond = false;
        }
    }
}
