//! A message arrives: is it new, and where does it go?

use super::dedup::{PeerVerdict, SourceVerdict};
use super::effect::{Effect, Effects, Report, SourceRefusal};
use super::place::Placement;
use super::planted::Bug;
use super::record::{Delivery, DiscardReason, Provenance, Record};
use super::{Partition, doors::Knock};
use crate::address::Address;
use crate::id::{Epoch, Lsn, PartitionId, Sequence, Timestamp};
use crate::message::{Envelope, Origin, SourceId, SourcePosition};

impl Partition {
    pub(super) fn receive(
        &mut self,
        now: Timestamp,
        origin: Origin,
        envelope: Envelope,
        out: &mut Effects,
    ) {
        match origin {
            Origin::Peer { partition, sequence } => {
                self.receive_from_peer(now, partition, sequence, envelope, out);
            }
            Origin::Source { source, epoch, predecessor, position } => {
                self.receive_from_source(now, source, epoch, predecessor, position, envelope, out);
            }
            Origin::Client { ticket, wants_reply, request } => {
                self.knock(now, Knock { ticket, wants_reply, request, envelope }, out);
            }
        }
    }

    fn receive_from_peer(
        &mut self,
        now: Timestamp,
        partition: PartitionId,
        sequence: Sequence,
        envelope: Envelope,
        out: &mut Effects,
    ) {
        match self.state.dedup.judge_peer(partition, sequence, &self.state.planted) {
            PeerVerdict::Gap { expected } => {
                out.actions.push(Effect::ReportGap { partition, expected });
            }
            PeerVerdict::Repeated { watermark } => {
                let hasty = self.state.planted.has(Bug::UngatedDuplicateAcknowledgement);
                let after = if hasty { Lsn::NONE } else { self.state.lsn };
                out.actions.push(Effect::AcknowledgePeer { partition, through: watermark, after });
            }
            PeerVerdict::New => {
                let provenance = Provenance::Peer { partition, sequence };
                let delivery = Placement::new(&self.state).place(envelope, None);
                let blocks = self.state.planted.has(Bug::ReplyToDeadIncarnationBlocks);
                if blocks && matches!(delivery, Delivery::Dropped(_)) {
                    return;
                }
                self.commit(now, Record::MessageAccepted { provenance, delivery }, out);
                let after = self.acknowledgement_gate();
                out.actions.push(Effect::AcknowledgePeer { partition, through: sequence, after });
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one kind of origin")]
    fn receive_from_source(
        &mut self,
        now: Timestamp,
        source: SourceId,
        epoch: Epoch,
        predecessor: SourcePosition,
        position: SourcePosition,
        envelope: Envelope,
        out: &mut Effects,
    ) {
        match self.state.dedup.judge_source(
            &source,
            epoch,
            predecessor,
            position,
            &self.state.planted,
        ) {
            SourceVerdict::Fenced { by } => {
                out.actions
                    .push(Effect::RefuseSource { source, refusal: SourceRefusal::Fenced { by } });
            }
            SourceVerdict::Gap { watermark } => {
                out.actions.push(Effect::RefuseSource {
                    source,
                    refusal: SourceRefusal::Gap { watermark },
                });
            }
            SourceVerdict::Repeated { watermark } => {
                let after = self.state.lsn;
                out.actions.push(Effect::AcknowledgeSource { source, position: watermark, after });
            }
            SourceVerdict::New => {
                let provenance = Provenance::Source { source: source.clone(), epoch, position };
                let delivery = self.place_from_source(envelope, out);
                self.commit(now, Record::MessageAccepted { provenance, delivery }, out);
                let after = self.acknowledgement_gate();
                out.actions.push(Effect::AcknowledgeSource { source, position, after });
            }
        }
    }

    /// A source cannot be told that a message is wrong; its position is used up all the same, so that one bad
    /// record never stops the rest.
    fn place_from_source(&self, envelope: Envelope, out: &mut Effects) -> Delivery {
        if self.application.policy(&envelope.target.function).is_some() {
            return Placement::new(&self.state).place(envelope, None);
        }
        let reason = DiscardReason::UnknownFunction;
        out.actions.push(Effect::Report(Report::Discarded { target: envelope.target, reason }));
        Delivery::Dropped(reason)
    }

    fn acknowledgement_gate(&self) -> Lsn {
        if self.state.planted.has(Bug::AcknowledgeBeforeDurable) {
            Lsn::NONE
        } else {
            self.state.lsn
        }
    }

    pub(super) fn open_source(
        &mut self,
        now: Timestamp,
        source: SourceId,
        epoch: Epoch,
        checkpoint: SourcePosition,
        out: &mut Effects,
    ) {
        let (current, watermark) = self.state.dedup.source(&source);
        if epoch < current {
            let refusal = SourceRefusal::Fenced { by: current };
            out.actions.push(Effect::RefuseSource { source, refusal });
            return;
        }
        let raised = watermark.max(checkpoint);
        if epoch > current || raised > watermark {
            let record = Record::SourceOpened { source: source.clone(), epoch, watermark: raised };
            self.commit(now, record, out);
        }
        let after = self.state.lsn;
        out.actions.push(Effect::AcknowledgeSource { source, position: raised, after });
    }

    /// Makes sure that a message that is about to enter a mailbox finds what it needs in memory, if there
    /// is room; otherwise it waits in its row. Its address shares its texts with the one in memory from then on, so that it is
    /// compared quickly.
    pub(super) fn prepare(&mut self, target: &mut Address) {
        if self.state.unify(target) {
            return;
        }
        if self.state.residents.bytes() >= self.limits.resident_bytes {
            return self.note_cold(target);
        }
        self.state.admit(target, self.cold.mailbox_of_a_stranger());
        self.state.unify(target);
    }
}
