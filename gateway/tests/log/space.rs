//! Segments: trimmed, recycled, and what happens when the disk is full.

use futures::FutureExt;
use tidegate::log::file::{CreateError, FileLog};
use tidegate::log::{Durable, FrameNumber, NodeLog};

use crate::support::{Data, INCARNATION, append_durably, durable_through, read, step, steps};

async fn trim(log: &FileLog, below: u64) {
    let before = log.durable().borrow().backlog_bytes;
    log.trim(FrameNumber(below));
    let smaller = |durable: &Durable| durable.backlog_bytes < before;
    log.durable().wait_for(smaller).await.unwrap();
}

#[tokio::test]
async fn a_segment_goes_when_all_its_frames_are_trimmed() {
    let data = Data::new();
    let log = data.create();
    for step in steps(14) {
        append_durably(&log, step).await;
    }
    assert_eq!(data.files(".segment").len(), 3);
    trim(&log, 6).await;
    assert_eq!(data.files(".segment").len(), 3);
    trim(&log, 7).await;
    assert_eq!(data.files(".segment").len(), 2);
    drop(log);
    let log = data.open().unwrap();
    assert_eq!((log.first(), log.end()), (FrameNumber(7), FrameNumber(15)));
    assert_eq!(read(&log, 0, FrameNumber::FIRST), &steps(14)[6..]);
}

#[tokio::test]
async fn trimming_everything_keeps_the_segment_that_is_written_to() {
    let data = Data::new();
    let log = data.create();
    for step in steps(13) {
        append_durably(&log, step).await;
    }
    trim(&log, 1000).await;
    assert_eq!(log.durable().borrow().backlog_bytes, 0);
    append_durably(&log, step(0, 14, 10)).await;
    drop(log);
    assert_eq!(data.recovered(0).last().unwrap(), &step(0, 14, 10));
}

#[tokio::test]
async fn recycled_segments_keep_their_old_bytes_out_of_the_log() {
    let data = Data::new();
    let log = data.create();
    for round in 0..20 {
        for lsn in round * 7 + 1..=round * 7 + 7 {
            append_durably(&log, step(0, lsn, 100)).await;
        }
        trim(&log, round * 7 + 5).await;
        assert!(data.files(".segment").len() + data.files(".spare").len() <= 4);
    }
    drop(log);
    let log = data.open().unwrap();
    assert_eq!(log.end(), FrameNumber(141));
    let recovered = read(&log, 0, FrameNumber(138));
    assert_eq!(recovered, [138, 139, 140].map(|lsn| step(0, lsn, 100)));
}

#[tokio::test]
async fn a_full_disk_stalls_the_log_until_there_is_space() {
    let data = Data::new();
    let log = data.create();
    for step in steps(6) {
        append_durably(&log, step).await;
    }
    data.disk.set_full(true);
    let ticket = log.append(step(0, 7, 100));
    data.disk.wait_for_refused_creations(3);
    assert!(log.room().now_or_never().is_none(), "a stalled log has no room");
    assert!(log.failure().is_none());
    data.disk.set_full(false);
    durable_through(&log, ticket).await;
    log.room().await;
    drop(log);
    assert_eq!(data.recovered(0), steps(7));
}

#[tokio::test]
async fn trimming_ends_a_stall() {
    let data = Data::new();
    let log = data.create();
    for step in steps(12) {
        append_durably(&log, step).await;
    }
    data.disk.set_full(true);
    let ticket = log.append(step(0, 13, 100));
    data.disk.wait_for_refused_creations(1);
    log.trim(FrameNumber(7));
    durable_through(&log, ticket).await;
    log.room().await;
    drop(log);
    assert_eq!(data.recovered(0), &steps(13)[6..]);
}

#[tokio::test]
async fn a_stalled_log_can_be_dropped() {
    let data = Data::new();
    let log = data.create();
    for step in steps(6) {
        append_durably(&log, step).await;
    }
    data.disk.set_full(true);
    log.append(step(0, 7, 100));
    data.disk.wait_for_refused_creations(1);
    drop(log);
    assert_eq!(data.recovered(0), steps(6));
}

#[test]
fn a_disk_that_is_full_at_start_is_refused_and_nothing_is_left() {
    let data = Data::new();
    data.disk.set_full(true);
    let error = FileLog::create(&data.lock, INCARNATION, &data.options()).unwrap_err();
    assert_eq!(error.code(), "TG-0220");
    assert!(matches!(error, CreateError::DiskFull { .. }));
    assert!(!data.log_directory().exists());
}
