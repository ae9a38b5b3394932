//! What it costs to make steps durable in a log in files, by their size and by how many are in flight; and to open and read a log
//! as large as the backlog may be.
//!
//! `cargo bench -p tidegate --bench log`. The log lies below the target directory, or where `BENCH_DIRECTORY` says: it should be on
//! the disk in question. One element is one step; with one in flight, its time is that of a sync.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot be taken has failed")]

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tidegate::log::file::{FileLog, FileLogOptions, SealedLog};
use tidegate::log::lock::DirectoryLock;
use tidegate::log::{FrameNumber, NodeLog, Step};
use tidegate_core::id::{Lsn, PartitionId};
use tokio::runtime::Runtime;
use ulid::Ulid;

const PARTITIONS: u16 = 8;
const BACKLOG_BYTES_MAX: u64 = 256 << 20;

/// Where logs are made, and what makes them.
struct Bench {
    lock: DirectoryLock,
    runtime: Runtime,
    _data: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let directory = std::env::var_os("BENCH_DIRECTORY");
        let directory =
            directory.map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
        let data = tempfile::TempDir::new_in(directory).unwrap();
        let lock = DirectoryLock::acquire(data.path()).unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        Self { lock, runtime: runtime.unwrap(), _data: data }
    }

    fn create(&self) -> (Ulid, Arc<FileLog>) {
        let incarnation = Ulid::generate();
        let log = FileLog::create(&self.lock, incarnation, &FileLogOptions::default());
        (incarnation, Arc::new(log.unwrap()))
    }
}

/// One partition that appends steps of a size and keeps some of them in flight.
struct Appender {
    log: Arc<FileLog>,
    partition: PartitionId,
    records: Bytes,
    window: usize,
    last: Lsn,
}

impl Appender {
    /// Appends so many steps and waits until they are durable.
    async fn append(mut self, steps: u64) -> Self {
        let mut durable = self.log.durable();
        let mut waiting = VecDeque::new();
        let mut left = steps;
        while left > 0 || !waiting.is_empty() {
            while left > 0 && waiting.len() < self.window {
                self.log.room().await;
                self.last = self.last.next();
                let (partition, records) = (self.partition, self.records.clone());
                let step = Step { partition, first: self.last, last: self.last, records };
                waiting.push_back(self.log.append(step));
                left -= 1;
            }
            durable.changed().await.unwrap();
            let seen = *durable.borrow_and_update();
            while waiting.pop_front_if(|ticket| *ticket <= seen.through).is_some() {}
            if seen.backlog_bytes > BACKLOG_BYTES_MAX {
                self.log.trim(seen.frame);
            }
        }
        self
    }
}

/// Has all partitions append so many steps together. Gives how long that took.
fn append(runtime: &Runtime, appenders: &mut Vec<Appender>, steps: u64) -> Duration {
    let share = steps.div_ceil(appenders.len() as u64);
    runtime.block_on(async {
        let begun = Instant::now();
        let tasks: Vec<_> =
            appenders.drain(..).map(|appender| tokio::spawn(appender.append(share))).collect();
        for task in tasks {
            appenders.push(task.await.unwrap());
        }
        begun.elapsed()
    })
}

fn appending(criterion: &mut Criterion) {
    let bench = Bench::new();
    let mut group = criterion.benchmark_group("log/append");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(2))
        .throughput(Throughput::Elements(1));
    for bytes in [100, 1000] {
        for in_flight in [1, 64, 1024, 8192] {
            let (incarnation, log) = bench.create();
            let partitions = PARTITIONS.min(in_flight);
            let appender = |partition| Appender {
                log: Arc::clone(&log),
                partition: PartitionId(partition),
                records: Bytes::from(vec![7; bytes]),
                window: usize::from(in_flight / partitions),
                last: Lsn::NONE,
            };
            let mut appenders: Vec<_> = (0..partitions).map(appender).collect();
            group.bench_function(format!("{bytes} bytes, {in_flight} in flight"), |bencher| {
                bencher.iter_custom(|steps| append(&bench.runtime, &mut appenders, steps));
            });
            drop((appenders, log));
            tidegate::log::file::remove(&bench.lock, incarnation).unwrap();
        }
    }
}

fn recovering(criterion: &mut Criterion) {
    let bench = Bench::new();
    let (incarnation, log) = bench.create();
    bench.runtime.block_on(async {
        let mut lsns = [Lsn::NONE; PARTITIONS as usize];
        for partition in (0..PARTITIONS).cycle() {
            if log.durable().borrow().backlog_bytes >= BACKLOG_BYTES_MAX {
                break;
            }
            log.room().await;
            let lsn = &mut lsns[usize::from(partition)];
            *lsn = lsn.next();
            let records = Bytes::from_static(&[7; 1000]);
            let partition = PartitionId(partition);
            log.append(Step { partition, first: *lsn, last: *lsn, records });
        }
        log.close().await.unwrap();
    });
    drop(log);
    let mut group = criterion.benchmark_group("log/recover");
    group.sample_size(10).throughput(Throughput::Bytes(BACKLOG_BYTES_MAX));
    group.bench_function("open", |bencher| {
        bencher.iter(|| SealedLog::open(&bench.lock, incarnation).unwrap());
    });
    let log = SealedLog::open(&bench.lock, incarnation).unwrap();
    group.bench_function("read all partitions", |bencher| {
        bencher.iter(|| {
            let partitions = (0..PARTITIONS).map(PartitionId);
            partitions.map(|it| log.steps(it, FrameNumber::FIRST).count()).sum::<usize>()
        });
    });
}

criterion_group!(benches, appending, recovering);
criterion_main!(benches);
