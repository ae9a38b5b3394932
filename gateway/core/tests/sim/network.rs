//! What is under way between partitions, sources and sinks: a bag, from which anything may be taken next.

use tidegate_core::address::{Address, EgressId};
use tidegate_core::id::{Epoch, Lsn, PartitionId, Sequence, Ticket};
use tidegate_core::message::{Envelope, RequestId, SourceId, SourcePosition, TypedValue};
use tidegate_core::partition::effect::ClientAnswer;
use tidegate_core::partition::group::Group;
use tidegate_core::partition::order::Subject;
use tidegate_core::partition::record::Emitted;

#[derive(Clone, Debug)]
pub enum Packet {
    Message {
        from: PartitionId,
        sequence: Sequence,
        envelope: Envelope,
    },
    Acknowledgement {
        from: PartitionId,
        through: Sequence,
    },
    Gap {
        from: PartitionId,
        expected: Sequence,
    },
    Open {
        source: SourceId,
        epoch: Epoch,
        checkpoint: SourcePosition,
    },
    Record {
        source: SourceId,
        epoch: Epoch,
        predecessor: SourcePosition,
        position: SourcePosition,
        envelope: Envelope,
    },
}

#[derive(Clone, Debug)]
pub struct InTransit {
    pub to: PartitionId,
    pub packet: Packet,
    /// Speculative: only for a receiver that this incarnation owns.
    pub within: Option<usize>,
}

/// An effect that leaves the node, once the log is durable up to a position.
#[derive(Debug)]
pub struct Gated {
    pub after: Lsn,
    /// The last record when it was asked for.
    pub asked_at: Lsn,
    pub effect: Leaving,
}

#[derive(Debug)]
pub enum Leaving {
    Packet(PartitionId, Packet),
    Emit { egress: EgressId, sequence: Sequence, emitted: Emitted },
    Answer { ticket: Ticket, answer: ClientAnswer },
    Reply { request: RequestId, argument: TypedValue },
    SourceAcknowledgement { source: SourceId, position: SourcePosition },
    Call(Call),
    Shown,
    Pause(Subject, bool),
}

/// A function is processing a group.
#[derive(Clone, Debug)]
pub struct Call {
    pub number: u64,
    pub partition: PartitionId,
    pub group: Group,
}

/// What the world remembers of the group that an address has in flight.
#[derive(Clone, Debug)]
pub struct Flight {
    pub call: u64,
    pub messages: usize,
    pub absent: Vec<std::sync::Arc<str>>,
    pub presented: usize,
    pub answered: Option<std::rc::Rc<tidegate_core::partition::group::Response>>,
}

/// A sink: what it took, from which partition.
#[derive(Debug, Default)]
pub struct Sink {
    pub taken: std::collections::BTreeMap<(PartitionId, EgressId), Vec<(Address, TypedValue)>>,
    pub acknowledged: std::collections::BTreeMap<(PartitionId, EgressId), u64>,
}

impl Sink {
    /// Takes a record: the next one, or one that was taken before.
    pub fn take(
        &mut self,
        partition: PartitionId,
        egress: &EgressId,
        sequence: Sequence,
        emitted: &Emitted,
    ) -> Result<(), String> {
        let taken = self.taken.entry((partition, egress.clone())).or_default();
        let entry = (emitted.sender.clone(), emitted.argument.clone());
        let index = sequence.0 as usize - 1;
        match taken.get(index) {
            Some(before) if *before == entry => Ok(()),
            None if index == taken.len() => {
                taken.push(entry);
                Ok(())
            }
            before => Err(format!(
                "egress {egress} of {partition}: {sequence} is {entry:?}, after {} records, before it was {before:?}",
                taken.len()
            )),
        }
    }
}
