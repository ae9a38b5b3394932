//! The gate at the node's door: an effect that leaves waits until the log is durable up to what it depends on. Upholds DUR-1.

use std::collections::VecDeque;

use tidegate_core::id::Lsn;
use tidegate_core::partition::effect::Effect;

use crate::log::AppendTicket;

/// Maps the partition's positions to those of the node log, and keeps what must wait.
#[derive(Debug, Default)]
pub(super) struct Gate {
    durable: Lsn,
    /// Steps that are not durable yet: their last record, and their place in the log.
    steps: VecDeque<(Lsn, AppendTicket)>,
    /// In the order in which they were emitted, which is the order of what they depend on.
    held: VecDeque<(Lsn, Effect)>,
}

impl Gate {
    /// A gate behind which everything up to a position is durable.
    pub(super) fn at(durable: Lsn) -> Self {
        Self { durable, ..Self::default() }
    }

    /// How far the log is durable for this partition.
    pub(super) const fn durable(&self) -> Lsn {
        self.durable
    }

    /// A step was appended.
    pub(super) fn appended(&mut self, last: Lsn, ticket: AppendTicket) {
        self.steps.push_back((last, ticket));
    }

    /// The log is durable up to a step of any partition. Says how far this partition is durable, if that is news.
    pub(super) fn advance(&mut self, through: AppendTicket) -> Option<Lsn> {
        let before = self.durable;
        while let Some((last, _)) = self.steps.pop_front_if(|(_, ticket)| *ticket <= through) {
            self.durable = last;
        }
        (self.durable > before).then_some(self.durable)
    }

    /// Gives an effect back if it may leave now; otherwise it waits.
    pub(super) fn pass(&mut self, after: Lsn, effect: Effect) -> Option<Effect> {
        if after <= self.durable && self.held.is_empty() {
            return Some(effect);
        }
        self.held.push_back((after, effect));
        None
    }

    /// The next effect that waited and may leave now.
    pub(super) fn release(&mut self) -> Option<Effect> {
        self.held.pop_front_if(|(after, _)| *after <= self.durable).map(|(_, effect)| effect)
    }

    /// Drops effects that wait, and that nobody shall see.
    pub(super) fn forget(&mut self, which: impl Fn(&Effect) -> bool) {
        self.held.retain(|(_, effect)| !which(effect));
    }

    /// Whether everything that was appended is durable.
    pub(super) fn is_settled(&self) -> bool {
        self.steps.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_core::id::PartitionId;

    fn effect(number: u64) -> Effect {
        let through = tidegate_core::id::Sequence(number);
        Effect::AcknowledgePeer { partition: PartitionId(0), through, after: Lsn(number) }
    }

    fn number(effect: &Option<Effect>) -> Option<u64> {
        match effect {
            Some(Effect::AcknowledgePeer { through, .. }) => Some(through.0),
            _ => None,
        }
    }

    #[test]
    fn an_effect_waits_for_the_step_that_it_depends_on() {
        let mut gate = Gate::at(Lsn(4));
        gate.appended(Lsn(6), AppendTicket(10));
        gate.appended(Lsn(7), AppendTicket(12));
        assert_eq!(number(&gate.pass(Lsn(4), effect(4))), Some(4));
        assert_eq!(number(&gate.pass(Lsn(6), effect(6))), None);
        assert_eq!(number(&gate.pass(Lsn(7), effect(7))), None);
        assert_eq!(gate.advance(AppendTicket(9)), None);
        assert_eq!(gate.advance(AppendTicket(11)), Some(Lsn(6)));
        assert_eq!(number(&gate.release()), Some(6));
        assert_eq!(number(&gate.release()), None);
        assert_eq!(gate.advance(AppendTicket(12)), Some(Lsn(7)));
        assert_eq!(number(&gate.release()), Some(7));
        assert!(gate.is_settled());
    }

    #[test]
    fn effects_leave_in_the_order_in_which_they_were_emitted() {
        let mut gate = Gate::at(Lsn(1));
        gate.appended(Lsn(2), AppendTicket(1));
        assert_eq!(number(&gate.pass(Lsn(2), effect(2))), None);
        assert_eq!(
            number(&gate.pass(Lsn(1), effect(1))),
            None,
            "not before what was emitted earlier"
        );
        gate.advance(AppendTicket(1));
        assert_eq!((number(&gate.release()), number(&gate.release())), (Some(2), Some(1)));
    }
}
