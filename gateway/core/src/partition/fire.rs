//! Time has passed: back-offs end, timers fire, unacknowledged messages are handed out again.

use alloc::sync::Arc;

use super::Partition;
use super::effect::{Effect, Effects, LoadRequest, Report, RowRange};
use super::loads::Purpose;
use super::overlay::Merged;
use super::place::Placement;
use super::planted::Bug;
use super::record::{Delivery, Record, TimerOutcome};
use super::row::{Row, RowKey, Timer, TimerKey, TimerTask};
use crate::id::Timestamp;
use crate::limits::{MESSAGE_BYTES_MAX, TIMERS_PER_STEP};
use crate::message::Envelope;

impl Partition {
    pub(super) fn deadline_reached(&mut self, now: Timestamp, out: &mut Effects) {
        while let Some(address) = self.schedule.next_backed_off(now) {
            self.wake(now, &address, out);
        }
        let mut bytes = 0;
        for _ in 0..TIMERS_PER_STEP {
            // A step holds one large message, or many small ones; the rest is due at once, in the next step.
            let Some(timer) = self.state.timers.due(now).filter(|_| bytes < MESSAGE_BYTES_MAX)
            else {
                break;
            };
            bytes += timer.task.cost();
            self.fire(now, timer, out);
        }
        self.resend(now);
    }

    fn fire(&mut self, now: Timestamp, timer: Timer, out: &mut Effects) {
        let mut token = timer.task.token().map(|(owner, token)| (owner.clone(), token.clone()));
        if self.state.planted.has(Bug::TokenNotFreed) {
            token = None;
        }
        let outcome = match timer.task {
            TimerTask::Forget(request) => {
                TimerOutcome::Forgotten { request, keys: self.state.keys.saturating_sub(1) }
            }
            TimerTask::Send { sender, target, mut argument, .. } => {
                if let Some(trace) = &mut argument.trace {
                    Arc::make_mut(trace).sent_at = now;
                }
                let envelope = Envelope { caller: Some(sender), target: target.clone(), argument };
                let delivery = Placement::new(&self.state).place(envelope, None);
                if let Delivery::Dropped(reason) = delivery {
                    out.actions.push(Effect::Report(Report::Discarded { target, reason }));
                }
                TimerOutcome::Delivered(delivery)
            }
        };
        self.commit(now, Record::TimerFired { timer: timer.key, token, outcome }, out);
    }

    /// Has the next timers read if few are in memory.
    pub(super) fn load_timers(&mut self, out: &mut Effects) {
        if !self.state.timers.wants_rows(self.limits.timer_bytes / 4) {
            return;
        }
        let from = self.state.timers.horizon();
        let range = RowRange {
            from: RowKey::Timer(from),
            until: RowKey::Timer(TimerKey::END),
            bytes: self.limits.load_bytes.min(self.limits.timer_bytes / 2),
        };
        let rows = LoadRequest { keys: alloc::vec::Vec::new(), range: Some(range) };
        self.state.timers.load = Some(self.load(Purpose::Timers(from), rows, out));
    }

    pub(super) fn timers_loaded(&mut self, from: TimerKey, rows: Merged) {
        let until = match rows.more_after {
            Some(RowKey::Timer(last)) => TimerKey { fire_at: last.fire_at, id: last.id.next() },
            _ => TimerKey::END,
        };
        let timers = rows.rows.into_iter().filter_map(|(key, row)| match (key, row) {
            (RowKey::Timer(key), Row::Timer(task)) => Some(Timer { key, task: *task }),
            _ => None,
        });
        self.state.timers.load = None;
        self.state.timers.refill(from, until, timers);
    }
}
