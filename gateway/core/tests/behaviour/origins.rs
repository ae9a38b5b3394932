//! A repetition is recognised by where it comes from.

use tidegate_core::id::{Epoch, Lsn, PartitionId, Sequence};
use tidegate_core::message::{Origin, SourcePosition};
use tidegate_core::partition::effect::{Effect, SourceRefusal};
use tidegate_core::partition::event::Event;

use crate::bench::{Bench, address};

fn at(record: u128) -> SourcePosition {
    SourcePosition { record, part: 0 }
}

fn read(bench: &mut Bench, epoch: u64, predecessor: u128, position: u128) {
    let (predecessor, position) = (at(predecessor), at(position));
    let origin =
        Origin::Source { source: "shard-0".into(), epoch: Epoch(epoch), predecessor, position };
    bench.receive(origin, address("a"), "record");
}

fn open(bench: &mut Bench, epoch: u64, checkpoint: u128) {
    let checkpoint = at(checkpoint);
    bench.tell(Event::SourceOpened { source: "shard-0".into(), epoch: Epoch(epoch), checkpoint });
}

#[test]
fn a_repeated_peer_message_is_acknowledged_but_not_accepted() {
    let mut bench = Bench::with(tidegate_core::limits::Limits::default(), 2);
    bench.receive_from_peer(1, "one");
    let accepted = bench.partition.lsn();
    bench.take_effects();
    bench.receive_from_peer(1, "one");
    assert_eq!(bench.partition.lsn(), accepted);
    assert!(matches!(
        bench.take_effects()[..],
        [Effect::AcknowledgePeer { partition: PartitionId(1), through: Sequence(1), after }]
            if after == accepted
    ));
}

#[test]
fn a_peer_message_after_a_gap_is_not_accepted() {
    let mut bench = Bench::with(tidegate_core::limits::Limits::default(), 2);
    bench.receive_from_peer(2, "two");
    assert!(matches!(
        bench.take_effects()[..],
        [Effect::ReportGap { partition: PartitionId(1), expected: Sequence(1) }]
    ));
}

#[test]
fn a_source_goes_on_from_its_predecessor() {
    let mut bench = Bench::new();
    open(&mut bench, 1, 0);
    read(&mut bench, 1, 0, 10);
    read(&mut bench, 1, 10, 25);
    bench.take_effects();
    read(&mut bench, 1, 0, 10);
    let acknowledged = bench.take_effects();
    assert!(matches!(
        &acknowledged[..],
        [Effect::AcknowledgeSource { position, .. }] if *position == at(25)
    ));
    read(&mut bench, 1, 30, 40);
    assert!(matches!(
        bench.take_effects()[..],
        [Effect::RefuseSource { refusal: SourceRefusal::Gap { watermark }, .. }]
            if watermark == at(25)
    ));
}

#[test]
fn a_new_reader_fences_the_old_one_and_raises_the_watermark() {
    let mut bench = Bench::new();
    open(&mut bench, 1, 0);
    open(&mut bench, 2, 100);
    bench.take_effects();
    read(&mut bench, 1, 0, 10);
    assert!(matches!(
        bench.take_effects()[..],
        [Effect::RefuseSource { refusal: SourceRefusal::Fenced { by: Epoch(2) }, .. }]
    ));
    read(&mut bench, 2, 100, 110);
    assert!(matches!(
        &bench.take_effects()[..],
        [Effect::AcknowledgeSource { position, after, .. }]
            if *position == at(110) && *after > Lsn::NONE
    ));
}
