//! Operators pause functions and ingresses and let them go on. A pause is a record, so it lasts over restarts.

use super::Partition;
use super::effect::{Effect, Effects};
use super::order::{OrderOutcome, Signature, Subject};
use super::record::Record;
use crate::id::Timestamp;

impl Partition {
    pub(super) fn pause(
        &mut self,
        now: Timestamp,
        subject: Subject,
        signature: Signature,
        out: &mut Effects,
    ) -> OrderOutcome {
        if self.state.pauses.get(&subject).is_some() {
            return OrderOutcome::AlreadySo;
        }
        let paused = Some(signature.clone());
        self.commit(now, Record::Paused { subject: subject.clone(), signature }, out);
        if let Subject::Function(function) = &subject {
            self.hold(function);
        }
        let after = self.gate();
        out.actions.push(Effect::PauseChanged { subject, paused, after });
        OrderOutcome::Done
    }

    pub(super) fn resume(
        &mut self,
        now: Timestamp,
        subject: Subject,
        signature: Signature,
        out: &mut Effects,
    ) -> OrderOutcome {
        if self.state.pauses.get(&subject).is_none() {
            return OrderOutcome::AlreadySo;
        }
        self.commit(now, Record::Resumed { subject: subject.clone(), signature }, out);
        let after = self.gate();
        out.actions.push(Effect::PauseChanged { subject, paused: None, after });
        self.reconsider_held(now, out);
        OrderOutcome::Done
    }

    /// Tells what is paused, when a life begins.
    pub(super) fn tell_pauses(&self, out: &mut Effects) {
        let after = self.gate();
        for (subject, signature) in self.state.pauses.iter() {
            let (subject, paused) = (subject.clone(), Some(signature.clone()));
            out.actions.push(Effect::PauseChanged { subject, paused, after });
        }
    }

    /// What is paused, by whom.
    pub fn pauses(&self) -> impl Iterator<Item = (&Subject, &Signature)> {
        self.state.pauses.iter()
    }
}
