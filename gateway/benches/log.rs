//! How many steps per second a log in files makes durable, and how long one step waits, by steps in flight.
//!
//! `cargo bench -p tidegate --bench log [directory]`: the directory should be on the disk in question.
#![allow(clippy::print_stdout)] // its output is its purpose
#![allow(clippy::unwrap_used)] // a measurement that cannot be taken has failed

use std::collections::VecDeque;
use std::env;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tidegate::log::file::{FileLog, FileLogOptions, SealedLog};
use tidegate::log::lock::DirectoryLock;
use tidegate::log::{FrameNumber, NodeLog, Step};
use tidegate_core::id::{Lsn, PartitionId};
use ulid::Ulid;

const PARTITIONS: u16 = 8;
const RUN: Duration = Duration::from_secs(2);
const BACKLOG_BYTES_MAX: u64 = 256 << 20;

fn main() {
    // Cargo itself passes flags such as `--bench`.
    let directory = env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let directory =
        directory.map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    let data = tempfile::TempDir::new_in(directory).unwrap();
    let lock = DirectoryLock::acquire(data.path()).unwrap();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.unwrap();
    println!("bytes  in flight    steps/s    MB/s  syncs/s  p50 ms  p99 ms");
    for bytes in [100, 1000] {
        for in_flight in [1, 64, 1024, 8192] {
            runtime.block_on(measure(&lock, bytes, in_flight));
        }
    }
    measure_recovery(&lock, &runtime);
}

async fn measure(lock: &DirectoryLock, bytes: usize, in_flight: usize) {
    let incarnation = Ulid::generate();
    let log = Arc::new(FileLog::create(lock, incarnation, &FileLogOptions::default()).unwrap());
    let drivers = usize::from(PARTITIONS).min(in_flight);
    let tasks = (0..drivers).map(|driver| {
        tokio::spawn(drive(Arc::clone(&log), driver as u16, bytes, in_flight / drivers))
    });
    let start = Instant::now();
    let mut latencies = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        latencies.extend(task.await.unwrap());
    }
    let seconds = start.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let rate = latencies.len() as f64 / seconds;
    println!(
        "{bytes:5} {in_flight:10} {rate:10.0} {:7.1} {:8.0} {:7.2} {:7.2}",
        rate * bytes as f64 / 1e6,
        log.durable().borrow().frame.0 as f64 / seconds,
        latencies[latencies.len() / 2].as_secs_f64() * 1e3,
        latencies[latencies.len() * 99 / 100].as_secs_f64() * 1e3,
    );
    drop(log);
    tidegate::log::file::remove(lock, incarnation).unwrap();
}

/// Keeps some steps of one partition in flight, and gives how long each took to become durable.
async fn drive(log: Arc<FileLog>, partition: u16, bytes: usize, window: usize) -> Vec<Duration> {
    let records = Bytes::from(vec![7; bytes]);
    let end = Instant::now() + RUN;
    let mut durable = log.durable();
    let mut waiting = VecDeque::new();
    let mut latencies = Vec::new();
    let mut lsn = Lsn::NONE;
    while Instant::now() < end {
        while waiting.len() < window {
            log.room().await;
            lsn = lsn.next();
            let step = Step {
                partition: PartitionId(partition),
                first: lsn,
                last: lsn,
                records: records.clone(),
            };
            waiting.push_back((log.append(step), Instant::now()));
        }
        durable.changed().await.unwrap();
        let seen = *durable.borrow_and_update();
        let now = Instant::now();
        while let Some((_, since)) = waiting.pop_front_if(|(ticket, _)| *ticket <= seen.through) {
            latencies.push(now - since);
        }
        if seen.backlog_bytes > BACKLOG_BYTES_MAX {
            log.trim(seen.frame);
        }
    }
    latencies
}

/// How long it takes to open and read a log as large as the backlog may be.
fn measure_recovery(lock: &DirectoryLock, runtime: &tokio::runtime::Runtime) {
    let incarnation = Ulid::generate();
    let log = FileLog::create(lock, incarnation, &FileLogOptions::default()).unwrap();
    runtime.block_on(async {
        let mut lsn = Lsn::NONE;
        while log.durable().borrow().backlog_bytes < BACKLOG_BYTES_MAX {
            log.room().await;
            lsn = lsn.next();
            let partition = PartitionId(lsn.0 as u16 % PARTITIONS);
            let records = Bytes::from_static(&[7; 1000]);
            log.append(Step { partition, first: lsn, last: lsn, records });
        }
        log.close().await.unwrap();
    });
    drop(log);
    let start = Instant::now();
    let log = SealedLog::open(lock, incarnation).unwrap();
    let opened = start.elapsed();
    let partitions = (0..PARTITIONS).map(PartitionId);
    let count: usize = partitions.map(|it| log.steps(it, FrameNumber::FIRST).count()).sum();
    println!(
        "recovery of {} MB: opened in {opened:.0?}, {count} steps read in {:.0?}",
        log.bytes() / 1_000_000,
        start.elapsed() - opened,
    );
}
