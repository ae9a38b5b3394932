//! Outboxes and egresses: what was committed is handed out, acknowledged, handed out again, and read back from rows.

use alloc::vec::Vec;

use super::Partition;
use super::effect::{Effect, Effects, LoadRequest, Report, RowRange};
use super::loads::Purpose;
use super::overlay::Merged;
use super::planted::Bug;
use super::record::Record;
use super::row::{Row, RowKey};
use crate::address::EgressId;
use crate::id::{LoadId, PartitionId, Sequence, Timestamp};

impl Partition {
    /// Hands out what the receivers have room for, and has rows read where the memory runs low.
    pub(super) fn pump_queues(&mut self, now: Timestamp, out: &mut Effects) {
        self.pump_outbox(now, out);
        self.pump_egresses(out);
    }

    fn pump_outbox(&mut self, now: Timestamp, out: &mut Effects) {
        let (window, after) = (self.limits.queue_bytes, self.gate());
        let resend_at = now.plus_ms(self.limits.resend_after_ms);
        let mut wanted = Vec::new();
        for (destination, queue) in &mut self.state.outbox.0 {
            let destination = *destination;
            while let Some((sequence, envelope)) = queue.send(window) {
                out.actions.push(Effect::Deliver { destination, sequence, envelope, after });
                queue.resend_at = queue.resend_at.min(resend_at);
            }
            queue.spill(window);
            if queue.wants_rows(window) {
                let from = RowKey::Outbox(destination, queue.held_until());
                let until = RowKey::Outbox(destination, Sequence(u64::MAX));
                wanted.push((Purpose::Outbox(destination), from, until));
            }
        }
        for (purpose, from, until) in wanted {
            let Purpose::Outbox(destination) = purpose else { continue };
            let load = self.load_range(purpose, from, until, out);
            self.state.outbox.to(destination).load = Some(load);
        }
    }

    fn pump_egresses(&mut self, out: &mut Effects) {
        let (window, after) = (self.limits.queue_bytes, self.gate());
        let mut wanted = Vec::new();
        for (egress, queue) in &mut self.state.egresses.0 {
            while let Some((sequence, emitted)) = queue.send(window) {
                out.actions.push(Effect::Emit { egress: egress.clone(), sequence, emitted, after });
            }
            queue.spill(window);
            if queue.wants_rows(window) {
                wanted.push((egress.clone(), queue.held_until()));
            }
        }
        for (egress, from) in wanted {
            let until = RowKey::Egress(egress.clone(), Sequence(u64::MAX));
            let from = RowKey::Egress(egress.clone(), from);
            let load = self.load_range(Purpose::Egress(egress.clone()), from, until, out);
            self.state.egresses.to(&egress).load = Some(load);
        }
    }

    fn load_range(
        &mut self,
        purpose: Purpose,
        from: RowKey,
        until: RowKey,
        out: &mut Effects,
    ) -> LoadId {
        let range = Some(RowRange { from, until, bytes: self.limits.load_bytes });
        self.load(purpose, LoadRequest { keys: Vec::new(), range }, out)
    }

    pub(super) fn outbox_loaded(&mut self, destination: PartitionId, rows: Merged) {
        let queue = self.state.outbox.to(destination);
        queue.load = None;
        queue.refill(rows.rows.into_iter().filter_map(|(key, row)| match (key, row) {
            (RowKey::Outbox(_, sequence), Row::Envelope(envelope)) => Some((sequence, *envelope)),
            _ => None,
        }));
    }

    pub(super) fn egress_loaded(&mut self, egress: &EgressId, rows: Merged) {
        let queue = self.state.egresses.to(egress);
        queue.load = None;
        queue.refill(rows.rows.into_iter().filter_map(|(key, row)| match (key, row) {
            (RowKey::Egress(_, sequence), Row::Emitted(emitted)) => Some((sequence, *emitted)),
            _ => None,
        }));
    }

    pub(super) fn outbox_acknowledged(
        &mut self,
        now: Timestamp,
        destination: PartitionId,
        through: Sequence,
        out: &mut Effects,
    ) {
        let early = self.state.planted.has(Bug::OutboxClearedTooEarly);
        let queue = self.state.outbox.to(destination);
        if through >= queue.next() {
            out.actions.push(Effect::Report(Report::ImpossibleAcknowledgement));
            return;
        }
        let through = if early { queue.next().previous() } else { through };
        let from = queue.trimmed().next();
        if through < from {
            return;
        }
        self.commit(now, Record::OutboxTrimmed { destination, from, through }, out);
        let resend_at = now.plus_ms(self.limits.resend_after_ms);
        let queue = self.state.outbox.to(destination);
        queue.resend_at = if queue.sent() > queue.trimmed() { resend_at } else { Timestamp::NEVER };
    }

    pub(super) fn egress_acknowledged(
        &mut self,
        now: Timestamp,
        egress: &EgressId,
        through: Sequence,
        out: &mut Effects,
    ) {
        let queue = self.state.egresses.to(egress);
        if through >= queue.next() {
            out.actions.push(Effect::Report(Report::ImpossibleAcknowledgement));
            return;
        }
        let from = queue.trimmed().next();
        if through >= from {
            self.commit(now, Record::EgressTrimmed { egress: egress.clone(), from, through }, out);
        }
    }

    /// A sink that knows nothing of what was handed out gets it again, from the first record on that is not acknowledged.
    pub(super) fn egress_reopened(&mut self, egress: &EgressId) {
        if let Some(queue) = self.state.egresses.0.get_mut(egress) {
            queue.rewind(queue.trimmed().next());
        }
    }

    /// What was not acknowledged in time is handed out again.
    pub(super) fn resend(&mut self, now: Timestamp) {
        for queue in self.state.outbox.0.values_mut() {
            if queue.resend_at <= now {
                queue.send_again();
                queue.resend_at = Timestamp::NEVER;
            }
        }
    }
}
