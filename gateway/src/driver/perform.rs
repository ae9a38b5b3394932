//! Performs effects: records into the log first, then everything else, without waiting.

use std::sync::Arc;

use tidegate_core::id::{BatchId, LoadId, Lsn, PartitionId};
use tidegate_core::limits::STEP_GATHERED_BYTES;
use tidegate_core::message::Origin;
use tidegate_core::partition::effect::{Effect, LoadRequest, Report};
use tidegate_core::partition::event::Event;
use tidegate_core::partition::group::Group;
use tokio::time::Instant;

use super::loader::{Loaded, load};
use super::run::Driver;
use crate::log::Step;

impl Driver {
    /// Lets the core decide. What follows waits for the end of the step.
    pub(super) fn handle(&mut self, event: Event) {
        let now = self.shared.clock.now();
        self.meters.at(now);
        self.partition.handle(now, event, &mut self.effects);
        self.gather();
    }

    /// Adds what was just decided to the step.
    pub(super) fn gather(&mut self) {
        let records = &mut self.effects.records;
        self.step.add(records);
        self.meters.count(records, &self.shared.labels);
        records.clear();
    }

    /// Whether the step takes no further event.
    pub(super) const fn is_step_full(&self) -> bool {
        self.step.bytes() >= STEP_GATHERED_BYTES
    }

    /// Ends the step: appends its records, then performs its effects or has them wait at the gate.
    pub(super) fn perform(&mut self) {
        self.append();
        let mut actions = std::mem::take(&mut self.effects.actions);
        for effect in actions.drain(..) {
            let effect = match self.depends_on(&effect) {
                Some(after) => self.gate.pass(after, effect),
                None => Some(effect),
            };
            if let Some(effect) = effect {
                self.perform_now(effect);
            }
        }
        // Nothing that is performed adds to the effects; the room is used again.
        self.effects.actions = actions;
    }

    fn append(&mut self) {
        let records = self.step.records();
        if records == 0 {
            return;
        }
        let last = self.partition.lsn();
        let first = Lsn(last.0 + 1 - records);
        if self.gate.is_settled() {
            // Nothing was awaited of the log, so it was not listened to.
            let frame = self.around.durable.borrow_and_update().frame;
            self.backlog.advance(None, frame);
        }
        self.backlog.append(last);
        let step =
            Step { partition: self.partition.id(), first, last, records: self.step.finish() };
        let ticket = self.shared.log.append(step);
        self.gate.appended(last, ticket);
    }

    /// The position that must be durable before an effect is performed, if any. What stays on the node's own log
    /// depends on nothing.
    fn depends_on(&self, effect: &Effect) -> Option<Lsn> {
        match effect {
            Effect::Invoke { group, after } => {
                (self.shared.durable_input)(&group.address.function).then_some(*after)
            }
            Effect::Load { .. }
            | Effect::Report(_)
            | Effect::ReportGap { .. }
            | Effect::AskTurns { .. }
            | Effect::ReturnTurns { .. }
            | Effect::RefuseSource { .. } => None,
            Effect::Deliver { .. } | Effect::AcknowledgePeer { .. } => None,
            Effect::Emit { after, .. }
            | Effect::AcknowledgeSource { after, .. }
            | Effect::AnswerClient { after, .. }
            | Effect::Reply { after, .. }
            | Effect::AnswerOperator { after, .. }
            | Effect::PauseChanged { after, .. }
            | Effect::ShowRows { after, .. } => Some(*after),
        }
    }

    pub(super) fn perform_now(&mut self, effect: Effect) {
        match effect {
            Effect::Invoke { group, .. } => self.invoke(group),
            Effect::Load { load, rows } => self.start_load(load, rows),
            Effect::Deliver { destination, sequence, envelope, .. } => {
                let origin = Origin::Peer { partition: self.partition.id(), sequence };
                self.tell_peer(destination, Event::MessageReceived { origin, envelope });
            }
            Effect::AcknowledgePeer { partition, through, .. } => {
                let destination = self.partition.id();
                self.tell_peer(partition, Event::OutboxAcknowledged { destination, through });
            }
            Effect::ReportGap { partition, expected } => {
                let destination = self.partition.id();
                self.tell_peer(partition, Event::OutboxGapReported { destination, expected });
            }
            Effect::Emit { egress, sequence, emitted, .. } => {
                self.emit(&egress, sequence, emitted);
            }
            Effect::AnswerClient { ticket, answer, .. } => self.waiters.answer(ticket, answer),
            Effect::Reply { request, argument, .. } => self.waiters.reply(request, &argument),
            Effect::ShowRows { ticket, rows, .. } => self.waiters.rows(ticket, rows),
            Effect::AcknowledgeSource { source, .. } | Effect::RefuseSource { source, .. } => {
                // Only a reader's own messages lead here, and this node has no readers of sources.
                tracing::error!(%source, "an effect for a source that nobody reads");
            }
            Effect::AskTurns { function, count } => {
                self.shared.turns.ask(self.partition.id(), &function, count);
            }
            Effect::ReturnTurns { function, count } => {
                self.shared.turns.give_back(self.partition.id(), &function, count);
            }
            Effect::AnswerOperator { ticket, outcome, .. } => self.waiters.ordered(ticket, outcome),
            Effect::PauseChanged { subject, paused, .. } => {
                self.shared.pauses.changed(self.partition.id(), subject, paused);
            }
            Effect::Report(report) => self.report(&report),
        }
    }

    fn invoke(&mut self, mut group: Group) {
        // A stopping node leaves its groups to the next life.
        if self.patience.is_none() {
            self.invoked += 1;
            self.begin_turn(&group);
            self.meters.invoking(&group, &self.shared.labels);
            self.spans.invoking(self.meters.now(), &mut group);
            self.shared.invoker.submit(self.partition.id(), group);
        }
    }

    /// A group of a function with a limit for the whole node uses its turn.
    fn begin_turn(&mut self, group: &Group) {
        let function = &group.address.function;
        if self.shared.turns.is_limited(function) {
            self.shared.turns.begin(self.partition.id(), function, group.messages.len());
            self.turns.insert(group.batch, function.clone());
        }
    }

    /// A group was answered.
    pub(super) fn end_turn(&mut self, batch: BatchId) {
        if let Some(function) = self.turns.remove(&batch) {
            self.shared.turns.end(self.partition.id(), &function);
        }
    }

    fn tell_peer(&self, partition: PartitionId, event: Event) {
        if let Some(peer) = self.shared.peers.get(usize::from(partition.0)) {
            peer.happened(event);
        }
    }

    fn start_load(&mut self, name: LoadId, request: LoadRequest) {
        let (store, slots) = (Arc::clone(&self.store), Arc::clone(&self.shared.load_slots));
        let meters = self.meters.loads.clone();
        self.loads.spawn(async move {
            let begun = Instant::now();
            // Nobody closes the slots; a load without one would still be a load.
            let slot = slots.acquire_owned().await.ok();
            let (rows, more) = load(&*store, &request).await?;
            meters.loaded(rows.len(), begun.elapsed());
            Ok(Loaded { load: name, rows, more, slot })
        });
    }

    fn report(&self, report: &Report) {
        let partition = self.partition.id();
        let trace_id = self.spans.trace_id();
        let trace_id = trace_id.as_deref();
        let kind = match report {
            Report::Rejected { address, rejection } => {
                let reason = rejection.reason;
                tracing::warn!(%partition, %address, trace_id, ?reason, subject = %rejection.subject, "TG-0460: a part of an answer was rejected");
                "rejected"
            }
            Report::Failed { address, failures, messages, text, .. } => {
                tracing::warn!(%partition, %address, trace_id, failures, messages, %text, "a group failed and is tried again");
                "failed"
            }
            Report::Parked { address, text } => {
                tracing::error!(%partition, %address, trace_id, %text, "TG-0461: an address was parked");
                "parked"
            }
            Report::DeadLettered { address, egress, text } => {
                tracing::error!(%partition, %address, %egress, %text, "TG-0463: a message left as a dead letter");
                "dead_lettered"
            }
            Report::Discarded { target, reason } => {
                tracing::warn!(%partition, %target, ?reason, "TG-0462: a message goes nowhere");
                "discarded"
            }
            Report::StaleAnswer => "stale_answer",
            Report::ImpossibleAcknowledgement => {
                tracing::error!(%partition, "TG-0291: an acknowledgement names a number that was never sent");
                "impossible_acknowledgement"
            }
        };
        metrics::counter!("tidegate_reports_total", "kind" => kind).increment(1);
    }
}
