//! The sink of HTTP egresses: wakes readers, gives up what is too old and nothing else.

use std::time::Duration;

use tidegate::egress::http::HttpSink;
use tidegate::egress::{Awaited, Sink};
use tidegate_core::id::{PartitionId, Sequence, Timestamp};

use super::{Acknowledged, egress, emitted};

fn sink(age: Duration) -> (HttpSink, Acknowledged) {
    let acknowledged = Acknowledged::default();
    (HttpSink::new(egress(), age, acknowledged.callback()), acknowledged)
}

fn emit(sink: &HttpSink, partition: u16, sequence: u64, at: u64) {
    sink.emit(PartitionId(partition), Sequence(sequence), emitted(at, b""));
}

#[test]
fn what_readers_acknowledged_is_not_given_up() {
    let (sink, acknowledged) = sink(Duration::from_millis(100));
    emit(&sink, 0, 1, 10);
    emit(&sink, 0, 2, 20);
    sink.acknowledged(PartitionId(0), Sequence(2));
    sink.expire(Timestamp(1_000));
    assert_eq!(acknowledged.all(), []);
}

#[test]
fn a_record_that_is_handed_out_again_is_given_up_once() {
    let (sink, acknowledged) = sink(Duration::from_millis(100));
    emit(&sink, 0, 1, 10);
    emit(&sink, 0, 1, 10);
    sink.expire(Timestamp(1_000));
    assert_eq!(acknowledged.all(), [(0, 1)]);
}

#[test]
fn without_an_age_nothing_is_given_up_however_much_it_is() {
    let (sink, acknowledged) = sink(Duration::MAX);
    (1..=1_000).for_each(|sequence| emit(&sink, 0, sequence, 10));
    sink.expire(Timestamp(u64::MAX));
    assert_eq!(acknowledged.all(), []);
}

#[test]
fn old_records_go() {
    let (sink, acknowledged) = sink(Duration::from_millis(100));
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
    let (sink, _) = sink(Duration::MAX);
    let mut first = std::pin::pin!(sink.changed());
    let mut second = std::pin::pin!(sink.changed());
    assert!(futures::poll!(first.as_mut()).is_pending());
    assert!(futures::poll!(second.as_mut()).is_pending());
    emit(&sink, 0, 1, 10);
    assert!(futures::poll!(first).is_ready());
    assert!(futures::poll!(second).is_ready());
}
