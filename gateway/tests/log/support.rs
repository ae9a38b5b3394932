//! A data directory, a log with small segments in it, and steps that can be told apart.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use tempfile::TempDir;
use tidegate::log::faulty::FaultyDisk;
use tidegate::log::file::{BLOCK_BYTES, FileLog, FileLogOptions, RecoverError, SealedLog};
use tidegate::log::lock::DirectoryLock;
use tidegate::log::{AppendTicket, Durable, FrameNumber, NodeLog, Step};
use tidegate_core::id::{Lsn, PartitionId};
use ulid::Ulid;

pub(crate) const INCARNATION: Ulid = Ulid::from_bytes([1; 16]);
pub(crate) const FRAME_BYTES_MAX: usize = 3 * BLOCK_BYTES;
/// A head, six blocks of frames, and room for a seal.
pub(crate) const SEGMENT_BYTES: usize = 8 * BLOCK_BYTES;

/// A data directory that goes with the test.
pub(crate) struct Data {
    pub(crate) lock: DirectoryLock,
    pub(crate) disk: FaultyDisk,
    _directory: TempDir,
}

impl Data {
    pub(crate) fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let lock = DirectoryLock::acquire(directory.path()).unwrap();
        Self { lock, disk: FaultyDisk::default(), _directory: directory }
    }

    pub(crate) fn options(&self) -> FileLogOptions {
        FileLogOptions {
            segment_bytes: SEGMENT_BYTES,
            frame_bytes_max: FRAME_BYTES_MAX,
            buffer_bytes: 2 * FRAME_BYTES_MAX,
            disk_full_retry: std::time::Duration::from_millis(1),
            disk: Arc::new(self.disk.clone()),
            on_failure: Arc::new(|_| {}),
            ..FileLogOptions::default()
        }
    }

    pub(crate) fn create(&self) -> FileLog {
        FileLog::create(&self.lock, INCARNATION, &self.options()).unwrap()
    }

    /// A log that holds these steps, each in a frame of its own, after a crash.
    pub(crate) async fn written(steps: &[Step]) -> Self {
        let data = Self::new();
        data.write(steps).await;
        data
    }

    pub(crate) async fn write(&self, steps: &[Step]) {
        let log = self.create();
        for step in steps {
            append_durably(&log, step.clone()).await;
        }
    }

    pub(crate) fn open(&self) -> Result<SealedLog, RecoverError> {
        SealedLog::open(&self.lock, INCARNATION)
    }

    pub(crate) fn recovered(&self, partition: u16) -> Vec<Step> {
        read(&self.open().unwrap(), partition, FrameNumber::FIRST)
    }

    pub(crate) fn log_directory(&self) -> PathBuf {
        self.lock.directory().join("log").join(INCARNATION.to_string())
    }

    pub(crate) fn segment(&self, number: u64) -> PathBuf {
        self.log_directory().join(format!("{number:020}.segment"))
    }

    pub(crate) fn files(&self, suffix: &str) -> Vec<String> {
        let entries = fs::read_dir(self.log_directory()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name.ends_with(suffix)).collect();
        names.sort();
        names
    }
}

pub(crate) fn read(log: &SealedLog, partition: u16, from: FrameNumber) -> Vec<Step> {
    log.steps(PartitionId(partition), from).map(|step| step.unwrap().step).collect()
}

pub(crate) async fn append_durably(log: &FileLog, step: Step) -> Durable {
    log.room().await;
    let ticket = log.append(step);
    durable_through(log, ticket).await
}

pub(crate) async fn durable_through(log: &FileLog, ticket: AppendTicket) -> Durable {
    *log.durable().wait_for(|durable| durable.through >= ticket).await.unwrap()
}

/// A step whose records say which step it is.
pub(crate) fn step(partition: u16, lsn: u64, bytes: usize) -> Step {
    let records: Bytes = (0..bytes).map(|at| (at as u64 * 31 + lsn) as u8).collect();
    Step { partition: PartitionId(partition), first: Lsn(lsn), last: Lsn(lsn), records }
}

pub(crate) fn steps(count: u64) -> Vec<Step> {
    (1..=count).map(|lsn| step(0, lsn, 100)).collect()
}

pub(crate) fn overwrite(path: &Path, offset: usize, bytes: &[u8]) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(bytes, offset as u64).unwrap();
}

pub(crate) fn flip(path: &Path, offset: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[offset] ^= 0x10;
    fs::write(path, bytes).unwrap();
}
