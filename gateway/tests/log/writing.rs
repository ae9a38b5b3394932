//! Appending, group commit, and what `durable` says of it.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tidegate::log::file::{BLOCK_BYTES, CreateError, FileLog};
use tidegate::log::{AppendTicket, FrameNumber, NodeLog};

use crate::support::{
    Data, FRAME_BYTES_MAX, INCARNATION, append_durably, durable_through, read, step, steps,
};

#[tokio::test]
async fn what_was_durable_is_recovered_in_order_for_each_partition() {
    let data = Data::new();
    let log = data.create();
    for lsn in 1..=20 {
        append_durably(&log, step(lsn as u16 % 3, lsn, 1000)).await;
    }
    drop(log);
    let log = data.open().unwrap();
    assert_eq!((log.first(), log.end()), (FrameNumber(1), FrameNumber(21)));
    for partition in 0..3 {
        let lsns = (1..=20).filter(|lsn| *lsn as u16 % 3 == partition);
        let expected: Vec<_> = lsns.map(|lsn| step(partition, lsn, 1000)).collect();
        assert_eq!(read(&log, partition, FrameNumber::FIRST), expected);
    }
    assert!(read(&log, 3, FrameNumber::FIRST).is_empty());
}

#[tokio::test]
async fn reading_starts_at_any_frame() {
    let data = Data::written(&steps(15)).await;
    let log = data.open().unwrap();
    for from in 1..=16 {
        let expected = &steps(15)[from - 1..];
        assert_eq!(read(&log, 0, FrameNumber(from as u64)), expected);
    }
    assert!(read(&log, 0, FrameNumber(99)).is_empty());
}

#[tokio::test]
async fn what_gathers_during_a_sync_goes_into_one_frame() {
    let data = Data::new();
    let log = data.create();
    let before = data.disk.syncs();
    data.disk.hold_syncs();
    log.append(step(0, 1, 10));
    data.disk.wait_for_held_sync();
    for lsn in 2..=100 {
        log.append(step((lsn % 4) as u16, lsn, 10));
    }
    assert_eq!(log.durable().borrow().through, AppendTicket(0));
    data.disk.release_syncs();
    let durable = durable_through(&log, AppendTicket(100)).await;
    assert_eq!((durable.through, durable.frame), (AppendTicket(100), FrameNumber(2)));
    assert_eq!(data.disk.syncs() - before, 2);
}

#[tokio::test]
async fn steps_beyond_the_largest_frame_go_into_several() {
    let data = Data::new();
    let log = data.create();
    data.disk.hold_syncs();
    log.append(step(0, 1, 10));
    data.disk.wait_for_held_sync();
    for lsn in 2..=5 {
        log.append(step(0, lsn, FRAME_BYTES_MAX / 2));
    }
    data.disk.release_syncs();
    let durable = durable_through(&log, AppendTicket(5)).await;
    assert_eq!(durable.frame, FrameNumber(5));
    drop(log);
    assert_eq!(data.recovered(0).len(), 5);
}

#[tokio::test]
async fn room_waits_at_the_bound_and_comes_back() {
    let data = Data::new();
    let log = data.create();
    data.disk.hold_syncs();
    log.append(step(0, 1, 10));
    data.disk.wait_for_held_sync();
    for lsn in 2..=6 {
        log.append(step(0, lsn, FRAME_BYTES_MAX / 2));
    }
    assert!(log.room().now_or_never().is_none());
    data.disk.release_syncs();
    log.room().await;
}

#[tokio::test]
#[should_panic(expected = "a step does not fit into a frame")]
async fn a_step_beyond_the_largest_frame_is_a_bug() {
    Data::new().create().append(step(0, 1, FRAME_BYTES_MAX));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_drivers_share_syncs_and_keep_their_order() {
    let data = Data::new();
    let log = Arc::new(data.create());
    let driver = |partition| {
        let log = Arc::clone(&log);
        tokio::spawn(async move {
            for lsn in 1..=500 {
                log.room().await;
                let ticket = log.append(step(partition, lsn, 20));
                if lsn % 50 == 0 {
                    durable_through(&log, ticket).await;
                }
            }
        })
    };
    for task in (0..8).map(driver).collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let durable = *log.durable().borrow();
    assert_eq!(durable.through, AppendTicket(4000));
    assert!(durable.frame.0 < 4000, "no step shared a frame");
    drop(log);
    for partition in 0..8 {
        let expected: Vec<_> = (1..=500).map(|lsn| step(partition, lsn, 20)).collect();
        assert_eq!(data.recovered(partition), expected);
    }
}

#[tokio::test]
async fn a_lingering_log_waits_for_company_until_a_frame_is_full() {
    let data = Data::new();
    let mut options = data.options();
    options.linger = Duration::from_secs(3600);
    let log = FileLog::create(&data.lock, INCARNATION, &options).unwrap();
    for lsn in 1..=10 {
        log.append(step(0, lsn, 10));
    }
    log.append(step(0, 11, FRAME_BYTES_MAX / 2));
    assert_eq!(log.durable().borrow().through, AppendTicket(0));
    log.append(step(0, 12, FRAME_BYTES_MAX / 2));
    let durable = durable_through(&log, AppendTicket(1)).await;
    assert_eq!((durable.through, durable.frame), (AppendTicket(11), FrameNumber(1)));
    log.close().await.unwrap();
    assert_eq!(log.durable().borrow().through, AppendTicket(12));
}

#[tokio::test]
async fn syncs_frames_and_bytes_are_counted() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).unwrap();
    let data = Data::written(&steps(2)).await;
    let metrics = handle.render();
    let names = ["syncs_total", "frames_total", "bytes_total", "sync_seconds_count"];
    for name in names {
        let prefix = format!("tidegate_log_{name} ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&prefix)).unwrap();
        assert!(line.parse::<f64>().unwrap() >= 2.0, "{prefix}{line}");
    }
    drop(data);
}

#[tokio::test]
async fn closing_makes_durable_what_is_left() {
    let data = Data::new();
    let log = data.create();
    let mut durable = log.durable();
    for step in steps(50) {
        log.append(step);
    }
    log.close().await.unwrap();
    assert_eq!(durable.borrow_and_update().through, AppendTicket(50));
    assert!(durable.changed().await.is_err(), "the channel of a closed log is closed");
    log.append(step(0, 51, 10));
    log.close().await.unwrap_err();
    drop(log);
    assert_eq!(data.recovered(0), steps(50));
}

#[tokio::test]
async fn the_backlog_is_what_is_durable_and_not_trimmed() {
    let data = Data::new();
    let log = data.create();
    for step in steps(3) {
        append_durably(&log, step).await;
    }
    assert_eq!(log.durable().borrow().backlog_bytes, 3 * BLOCK_BYTES as u64);
    log.trim(FrameNumber(3));
    let mut durable = log.durable();
    durable.wait_for(|durable| durable.backlog_bytes == BLOCK_BYTES as u64).await.unwrap();
}

#[test]
fn an_incarnation_has_one_log() {
    let data = Data::new();
    drop(data.create());
    let again = FileLog::create(&data.lock, INCARNATION, &data.options());
    let error = again.unwrap_err();
    assert_eq!(error.code(), "TG-0214");
    assert!(matches!(error, CreateError::Exists { .. }));
    data.open().unwrap();
}
