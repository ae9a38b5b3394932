//! What a partition asks for is done, or held at the gate until the log is durable. What passes the gate is checked
//! against the model of the durable history (DUR-1).

use tidegate_core::id::{Lsn, PartitionId, Sequence, Ticket};
use tidegate_core::message::{Envelope, RequestId, RequestProgress};
use tidegate_core::partition::effect::{
    ClientAnswer, ClientRefusal, Effect, LoadRequest, Report, SourceRefusal,
};
use tidegate_core::partition::group::Group;
use tidegate_core::partition::row::{Row, RowKey};

use crate::bank::AUDIT;
use crate::network::{Call, Flight, Gated, InTransit, Leaving, Packet};
use crate::world::{Checked, World};

impl World {
    pub fn act(&mut self, of: PartitionId, lsn: Lsn, action: Effect) -> Checked {
        match action {
            Effect::Invoke { group, after } => self.invoke(of, lsn, group, after),
            Effect::Load { load, rows } => {
                self.cover_load(&rows);
                let site = &mut self.sites[usize::from(of.0)];
                site.store.issue(load, rows, &mut self.random);
                Ok(())
            }
            Effect::Deliver { destination, sequence, envelope, after } => {
                self.check_sent(of, destination, sequence, &envelope, false)?;
                let packet = Packet::Message { from: of, sequence, envelope };
                self.send(of, lsn, destination, packet, after)
            }
            Effect::AcknowledgePeer { partition, through, after } => {
                self.send(of, lsn, partition, Packet::Acknowledgement { from: of, through }, after)
            }
            Effect::ReportGap { partition, expected } => {
                self.cover("a gap between partitions was reported");
                let packet = Packet::Gap { from: of, expected };
                self.packets.push(InTransit { to: partition, packet, within: None });
                Ok(())
            }
            Effect::Emit { egress, sequence, emitted, after } => {
                self.gate(of, lsn, after, Leaving::Emit { egress, sequence, emitted })
            }
            Effect::AcknowledgeSource { source, position, after } => {
                self.gate(of, lsn, after, Leaving::SourceAcknowledgement { source, position })
            }
            Effect::RefuseSource { source, refusal } => {
                self.refuse_source(of, &source, refusal);
                Ok(())
            }
            Effect::AnswerClient { ticket, answer, after } => {
                self.check_answer(of, ticket, &answer)?;
                self.gate(of, lsn, after, Leaving::Answer { ticket, answer })
            }
            Effect::Reply { request, argument, after } => {
                self.gate(of, lsn, after, Leaving::Reply { request, argument })
            }
            Effect::ShowRows { rows, after, .. } => {
                self.check_shown(of, &rows)?;
                self.gate(of, lsn, after, Leaving::Shown)
            }
            Effect::AnswerOperator { ticket, outcome, after } => {
                self.check_outcome(of, ticket, outcome)?;
                // Other orders may be carried out in the same step, after this one.
                self.gate(of, after, after, Leaving::Shown)
            }
            Effect::PauseChanged { subject, paused, after } => {
                self.gate(of, lsn, after, Leaving::Pause(subject, paused.is_some()))
            }
            Effect::AskTurns { function, count } => self.ask_turns(of, &function, count),
            Effect::ReturnTurns { count, .. } => self.return_turns(of, count),
            Effect::Report(Report::ImpossibleAcknowledgement) => {
                Err(format!("partition {of} got an acknowledgement of what it never sent"))
            }
            Effect::Report(Report::StaleAnswer) => {
                self.cover("a stale answer was refused");
                Ok(())
            }
            Effect::Report(_) => Ok(()),
        }
    }

    fn send(
        &mut self,
        of: PartitionId,
        lsn: Lsn,
        to: PartitionId,
        packet: Packet,
        after: Lsn,
    ) -> Checked {
        let incarnation = self.site(of).incarnation;
        let local = self.site(to).incarnation == incarnation && self.site(to).partition.is_some();
        // A partition does not send to itself while it is lent out: it is never its own peer.
        if local && self.random.chance(70) {
            self.cover("a message went ahead of the log");
            self.packets.push(InTransit { to, packet, within: Some(incarnation) });
            return Ok(());
        }
        self.gate(of, lsn, after, Leaving::Packet(to, packet))
    }

    fn gate(&mut self, of: PartitionId, asked_at: Lsn, after: Lsn, effect: Leaving) -> Checked {
        if after <= self.site(of).durable {
            return self.leave(of, Gated { after, asked_at, effect });
        }
        self.site(of).gate.push_back(Gated { after, asked_at, effect });
        Ok(())
    }

    /// Lets everything pass that has become durable.
    pub fn open_gate(&mut self, of: PartitionId) -> Checked {
        let mut waiting = std::mem::take(&mut self.site(of).gate);
        while let Some(gated) = waiting.pop_front() {
            if gated.after <= self.site(of).durable {
                self.leave(of, gated)?;
            } else {
                self.site(of).gate.push_back(gated);
            }
        }
        Ok(())
    }

    fn leave(&mut self, of: PartitionId, gated: Gated) -> Checked {
        match gated.effect {
            Leaving::Packet(to, packet) => {
                self.check_packet(of, to, &packet)?;
                self.packets.push(InTransit { to, packet, within: None });
                Ok(())
            }
            Leaving::Emit { egress, sequence, emitted } => {
                let kept = self.site(of).kept.egress.get(&egress);
                let kept = kept.and_then(|kept| kept.get(sequence.0 as usize - 1)).cloned();
                if kept != Some((emitted.sender.clone(), emitted.argument.clone())) {
                    return Err(format!(
                        "DUR-1: {egress} {sequence} of {of} is {emitted:?}, durable {kept:?}"
                    ));
                }
                self.sink.take(of, &egress, sequence, &emitted)
            }
            Leaving::Answer { ticket, answer } => self.answer_client(of, ticket, answer),
            Leaving::Reply { request, argument } => {
                let kept = self.site(of).kept.replies.get(&request);
                if kept.is_none_or(|kept| !kept.contains(&argument)) {
                    return Err(format!("DUR-1: reply {argument:?} to {request:?} is not durable"));
                }
                self.reply_to_client(request, &argument)
            }
            Leaving::SourceAcknowledgement { source, position } => {
                let (_, watermark) = self.site(of).kept.source(&source);
                if position > watermark {
                    return Err(format!(
                        "DUR-1: {of} acknowledges {position:?} of {source}, durable is {watermark:?}"
                    ));
                }
                let known = self.sources.iter_mut().find(|known| known.id == source);
                known.ok_or("an unknown source")?.acknowledge(of, position);
                Ok(())
            }
            Leaving::Call(call) => {
                let durable = self.site(of).kept.check_messages(&call.group);
                durable.map_err(|error| format!("DUR-1: {error}"))?;
                self.calls.push(call);
                Ok(())
            }
            Leaving::Shown if gated.asked_at > self.site(of).durable => {
                Err(format!("DUR-1: rows as of {} are shown", gated.asked_at))
            }
            Leaving::Shown => Ok(()),
            Leaving::Pause(subject, paused) => {
                let told = &mut self.site(of).told_paused;
                if paused {
                    told.insert(subject)
                } else {
                    told.remove(&subject)
                };
                Ok(())
            }
        }
    }

    fn check_packet(&mut self, of: PartitionId, to: PartitionId, packet: &Packet) -> Checked {
        match packet {
            Packet::Message { sequence, envelope, .. } => {
                self.check_sent(of, to, *sequence, envelope, true)
            }
            Packet::Acknowledgement { through, .. } => {
                let kept = self.site(of).kept.peers.get(&to).copied().unwrap_or_default();
                if through.0 > kept {
                    return Err(format!(
                        "DUR-1: {of} acknowledges {through} to {to}, durable is {kept}"
                    ));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// What goes to another partition is what was committed.
    fn check_sent(
        &mut self,
        of: PartitionId,
        to: PartitionId,
        sequence: Sequence,
        envelope: &Envelope,
        durably: bool,
    ) -> Checked {
        let site = self.site(of);
        let model = if durably { &site.kept } else { &site.live };
        let sent = model.outbox.get(&to).and_then(|sent| sent.get(sequence.0 as usize - 1));
        if sent != Some(envelope) {
            let law = if durably { "DUR-1" } else { "ONCE-2" };
            return Err(format!(
                "{law}: {sequence} from {of} to {to} is {envelope:?}, expected {sent:?}"
            ));
        }
        Ok(())
    }

    fn invoke(&mut self, of: PartitionId, lsn: Lsn, group: Group, after: Lsn) -> Checked {
        let now = self.now;
        self.use_turn(of, &group.address.function)?;
        self.last_call += 1;
        let call = self.last_call;
        let site = self.site(of);
        site.live.check_group(&group, now)?;
        let shown = group.values.iter().filter(|(_, value)| value.is_none());
        let flight = Flight {
            call,
            messages: group.messages.len(),
            absent: shown.map(|(name, _)| name.clone()).collect(),
            presented: group.values.len(),
            answered: None,
        };
        if site.flights.insert(group.address.clone(), flight).is_some() {
            return Err(format!("ORD-1: two groups of {} are in flight", group.address));
        }
        let declared = self.application.policy(&group.address.function).is_some();
        if !declared {
            return Err(format!("{} is not declared but invoked", group.address));
        }
        let speculative = group.address.function.as_str() != AUDIT;
        let call = Call { number: call, partition: of, group };
        if speculative {
            self.calls.push(call);
            return Ok(());
        }
        self.gate(of, lsn, after, Leaving::Call(call))
    }

    fn refuse_source(&mut self, of: PartitionId, source: &str, refusal: SourceRefusal) {
        self.cover("a source was refused");
        let Some(known) = self.sources.iter_mut().find(|known| *known.id == *source) else {
            return;
        };
        match refusal {
            SourceRefusal::Fenced { .. } => known.fenced(of),
            SourceRefusal::Gap { watermark } => known.gap(of, watermark),
        }
    }

    /// An answer to a client agrees with the model when it is given.
    fn check_answer(&mut self, of: PartitionId, ticket: Ticket, answer: &ClientAnswer) -> Checked {
        let limit = self.plan.limits.idempotency_keys;
        let asked =
            self.tickets.get(&ticket).and_then(|index| self.clients[*index].request.clone());
        let live = &self.site(of).live;
        match answer {
            ClientAnswer::Refused(ClientRefusal::KeyReused) => {
                let asked = asked.ok_or("a client without a key is told that it was used")?;
                let known = live.requests.get(&asked.id);
                if known.is_none_or(|known| known.request == asked) {
                    return Err(format!("key {} is called used, known is {known:?}", asked.key));
                }
                self.cover("a key came with another body");
                Ok(())
            }
            ClientAnswer::Repeated { request: RequestId::Keyed(key), progress } => {
                let known = live.requests.get(key).map(|known| RequestProgress {
                    consumed_at: known.consumed_at,
                    reply: known.reply.clone(),
                });
                if known.as_ref() != Some(progress) {
                    return Err(format!("a repetition is told {progress:?} instead of {known:?}"));
                }
                self.cover("a client repeated a request");
                Ok(())
            }
            ClientAnswer::Refused(ClientRefusal::TooManyKeys)
                if (live.requests.len() as u64) < limit =>
            {
                Err(format!("{} keys are too many", live.requests.len()))
            }
            _ => Ok(()),
        }
    }

    /// Rows that are shown are those of the model.
    fn check_shown(&mut self, of: PartitionId, rows: &[(RowKey, Row)]) -> Checked {
        let fold = &self.site(of).fold;
        for (key, row) in rows {
            if fold.get(key) != Some(row) {
                return Err(format!("{key:?} is shown as {row:?}, it is {:?}", fold.get(key)));
            }
        }
        Ok(())
    }

    fn cover_load(&mut self, rows: &LoadRequest) {
        for key in &rows.keys {
            match key {
                RowKey::Token(..) => self.cover("a commit waited for a token"),
                RowKey::Request(_) => self.cover("a door or a reply waited for a request"),
                _ => {}
            }
        }
        let what = match rows.range.as_ref().map(|range| (&range.from, &range.until)) {
            Some((RowKey::Mailbox(..), RowKey::Timer(_))) => "cold addresses were looked for",
            Some((RowKey::Mailbox(_, Sequence::FIRST), _)) => "an unknown mailbox was read",
            Some((RowKey::Mailbox(..), _)) => "the tail of a mailbox was read",
            Some((RowKey::Timer(from), _)) if from.fire_at.0 > 0 => "the timer horizon moved",
            Some((RowKey::Outbox(..), _)) => "the tail of an outbox was read",
            Some((RowKey::Egress(..), _)) => "the tail of an egress was read",
            _ => return,
        };
        self.cover(what);
    }
}
