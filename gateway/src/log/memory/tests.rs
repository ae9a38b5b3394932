//! The log in memory keeps what the trait promises.
#![allow(clippy::unwrap_used)] // a test that cannot unwrap has failed

use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use tidegate_core::id::Lsn;

use super::*;

fn step(partition: u16, lsn: u64) -> Step {
    let records = Bytes::from(lsn.to_string());
    Step { partition: PartitionId(partition), first: Lsn(lsn), last: Lsn(lsn), records }
}

#[test]
fn an_automatic_log_is_durable_at_once() {
    let log = MemoryLog::new(SyncMode::Automatic);
    let ticket = log.append(step(1, 1));
    let durable = *log.durable().borrow();
    assert_eq!((durable.through, durable.frame), (ticket, FrameNumber(1)));
}

#[test]
fn an_explicit_log_keeps_what_was_synced() {
    let log = MemoryLog::new(SyncMode::Explicit);
    let first = log.append(step(1, 1));
    log.append(step(2, 1));
    log.append(step(1, 2));
    log.sync_through(first);
    assert_eq!(log.durable().borrow().through, first);
    assert_eq!(log.waiting(), [step(2, 1), step(1, 2)]);
    log.sync();
    let frame = FrameNumber(2);
    assert_eq!(log.steps(PartitionId(1), frame), [LoggedStep { frame, step: step(1, 2) }]);
}

#[test]
fn a_trimmed_frame_is_gone() {
    let log = MemoryLog::new(SyncMode::Automatic);
    log.append(step(1, 1));
    log.append(step(1, 2));
    log.trim(FrameNumber(2));
    assert_eq!(log.steps(PartitionId(1), FrameNumber(1)).len(), 1);
    assert_eq!(log.durable().borrow().backlog_bytes, 1);
}

#[tokio::test]
async fn a_failure_closes_the_channel_and_the_door() {
    let log = MemoryLog::new(SyncMode::Explicit);
    let mut durable = log.durable();
    log.append(step(1, 1));
    log.fail(LogFailure::Unknown(Arc::new(std::io::Error::other("test"))));
    log.append(step(1, 2));
    assert!(durable.changed().await.is_err());
    assert!(log.room().now_or_never().is_none());
    assert!(matches!(log.close().await, Err(LogFailure::Unknown(_))));
    assert!(log.steps(PartitionId(1), FrameNumber::FIRST).is_empty());
}

#[tokio::test]
async fn room_waits_for_the_door() {
    let log = MemoryLog::new(SyncMode::Automatic);
    log.room().await;
    log.set_room(false);
    let room = log.room();
    log.set_room(true);
    room.await;
}
