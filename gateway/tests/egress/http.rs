//! The sink of HTTP egresses: wakes readers, gives up what is too old or too much.

use std::time::Duration;

use tidegate::egress::http::{HttpSink, Retention};
use tidegate::egress::{Awaited, Sink};
use tidegate_core::id::{PartitionId, Sequence, Timestamp};

use super::{Acknowledged, egress, emitted};

/// What one empty record counts for.
fn record_bytes() -> usize {
    emitted(0, b"").argument.cost()
}

fn sink(age: Duration, records: usize) -> (HttpSink, Acknowledged) {
    let acknowledged = Acknowledged::default();
    let retention = Retention { age, bytes: records * record_bytes() };
    (HttpSink::new(egress(), retention, acknowledged.callback()), acknowledged)
}

fn emit(sink: &HttpSink, partition: u16, sequence: u64, at: u64) {
    sink.emit(PartitionId(partition), Sequence(sequence), emitted(at, b""));
}

#[test]
fn the_oldest_records_go_when_there_are_too_many_bytes() {
    let (sink, acknowledged) = sink(Duration::MAX, 2);
    emit(&sink, 1, 1, 20);
    emit(&sink, 0, 1, 10);
    assert_eq!(acknowledged.all(), []);
    emit(&sink, 1, 2, 30);
    assert_eq!(acknowledged.all(), [(0, 1)]);
    emit(&sink, 1, 3, 40);
    assert_eq!(acknowledged.all(), [(0, 1), (1, 1)]);
}

#[test]
fn what_readers_acknowledged_does_not_count() {
    let (sink, acknowledged) = sink(Duration::MAX, 2);
    emit(&sink, 0, 1, 10);
    emit(&sink, 0, 2, 20);
    sink.acknowledged(PartitionId(0), Sequence(2));
    emit(&sink, 0, 3, 30);
    emit(&sink, 0, 4, 40);
    assert_eq!(acknowledged.all(), []);
}

#[test]
fn a_record_that_is_handed_out_again_counts_once() {
    let (sink, acknowledged) = sink(Duration::MAX, 1);
    emit(&sink, 0, 1, 10);
    emit(&sink, 0, 1, 10);
    assert_eq!(acknowledged.all(), []);
}

#[test]
fn old_records_go() {
    let (sink, acknowledged) = sink(Duration::from_millis(100), 100);
    for (partition, sequence, at) in [(0, 1, 10), (0, 2, 20), (1, 1, 30), (0, 3, 40)] {
        emit(&sink, partition, sequence, at);
    }
    sink.expire(Timestamp(110));
    assert_eq!(acknowledged.all(), [], "a record may be exactly as old as the age");
    sink.expire(Timestamp(131));
    assert_eq!(acknowledged.all(), [(0, 2), (1, 1)]);
    sink.expire(Timestamp(131));
    assert_eq!(acknowledged.all().len(), 2);
}

#[tokio::test]
async fn readers_are_woken() {
    let (sink, _) = sink(Duration::MAX, 100);
    let mut first = std::pin::pin!(sink.changed());
    let mut second = std::pin::pin!(sink.changed());
    assert!(futures::poll!(first.as_mut()).is_pending());
    assert!(futures::poll!(second.as_mut()).is_pending());
    emit(&sink, 0, 1, 10);
    assert!(futures::poll!(first).is_ready());
    assert!(futures::poll!(second).is_ready());
}
