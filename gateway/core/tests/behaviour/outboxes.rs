//! Messages to another partition: handed out within a window, and again where some are missing.

use tidegate_core::address::Address;
use tidegate_core::id::{PartitionId, Sequence};
use tidegate_core::limits::Limits;
use tidegate_core::partition::effect::Effect;
use tidegate_core::partition::event::Event;
use tidegate_core::partition::group::Response;
use tidegate_core::route::PartitionCount;

use crate::bench::{Bench, address, text};

const OTHER: PartitionId = PartitionId(1);

/// A partition of two that has sent so many messages to the other one; what it handed out is with the test.
fn sending(count: usize, queue_bytes: usize) -> Bench {
    let limits = Limits { queue_bytes, ..Limits::default() };
    let mut bench = Bench::with(limits, 2);
    bench.send(&home_of(PartitionId(0)).id, "send");
    let group = bench.group();
    let sends = (0..count).map(|number| (far(), text(&format!("message {number}")))).collect();
    bench.succeed(&group, Response { sends, ..Response::default() });
    bench
}

fn far() -> Address {
    home_of(OTHER)
}

/// An address that belongs to a partition.
fn home_of(partition: PartitionId) -> Address {
    let partitions = PartitionCount::new(2).unwrap();
    let mut addresses = (0..).map(|number| address(&format!("a{number}")));
    addresses.find(|address| partitions.partition_of(address) == partition).unwrap()
}

/// The numbers of the messages that were handed out since somebody asked.
fn delivered(bench: &mut Bench) -> Vec<u64> {
    let effects = bench.take_effects();
    let number = |effect: &Effect| match effect {
        Effect::Deliver { destination: OTHER, sequence, .. } => Some(sequence.0),
        _ => None,
    };
    effects.iter().filter_map(number).collect()
}

fn report_gap(bench: &mut Bench, expected: u64) {
    let expected = Sequence(expected);
    bench.tell(Event::OutboxGapReported { destination: OTHER, expected });
}

#[test]
fn a_gap_is_filled_once_however_often_it_is_reported() {
    let mut bench = sending(6, 1 << 20);
    assert_eq!(delivered(&mut bench), [1, 2, 3, 4, 5, 6]);
    // The third was lost: those behind it report it, each for itself.
    for _ in 4..=6 {
        report_gap(&mut bench, 3);
    }
    assert_eq!(delivered(&mut bench), [3, 4, 5, 6]);
    // Then the fifth.
    report_gap(&mut bench, 5);
    assert_eq!(delivered(&mut bench), [5, 6]);
    // A report that comes late is about what was filled.
    report_gap(&mut bench, 3);
    assert!(delivered(&mut bench).is_empty());
}

#[test]
fn what_filled_a_gap_and_was_lost_too_is_handed_out_when_its_time_is_over() {
    let mut bench = sending(4, 1 << 20);
    report_gap(&mut bench, 2);
    delivered(&mut bench);
    report_gap(&mut bench, 2);
    assert!(delivered(&mut bench).is_empty());
    bench.wait(Limits::default().resend_after_ms);
    assert_eq!(delivered(&mut bench), [1, 2, 3, 4]);
    report_gap(&mut bench, 2);
    assert_eq!(delivered(&mut bench), [2, 3, 4]);
}

#[test]
fn a_gap_does_not_widen_the_window() {
    let mut bench = sending(100, 1_000);
    let window = delivered(&mut bench);
    assert!(window.len() < 50, "{} of 100 messages are under way", window.len());
    report_gap(&mut bench, 1);
    assert_eq!(delivered(&mut bench), window);
    // What was acknowledged is not handed out again, and what was never handed out is no gap.
    let through = Sequence(2);
    bench.tell(Event::OutboxAcknowledged { destination: OTHER, through });
    delivered(&mut bench);
    report_gap(&mut bench, 2);
    report_gap(&mut bench, 90);
    assert!(delivered(&mut bench).is_empty());
}
