//! Processes that end: one that is killed while it writes, and one whose disk fails.
//!
//! Each test starts this test binary again, to run the same test with a data directory in its environment.

use std::env;
use std::io::{BufRead, BufReader, Write, stdout};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use tempfile::TempDir;
use tidegate::log::faulty::FaultyDisk;
use tidegate::log::file::{FileLog, FileLogOptions, SealedLog};
use tidegate::log::lock::DirectoryLock;
use tidegate::log::{AppendTicket, FrameNumber, NodeLog};

use crate::support::{INCARNATION, append_durably, durable_through, read, step};

const DATA: &str = "TIDEGATE_TEST_DATA";
const SIGABRT: i32 = 6;
const SIGKILL: i32 = 9;

fn this_test_again(name: &str, data: &Path) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([name, "--exact", "--nocapture"]).env(DATA, data);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

fn data_of_child() -> Option<PathBuf> {
    env::var_os(DATA).map(PathBuf::from)
}

#[tokio::test]
async fn what_a_killed_process_called_durable_is_there() {
    if let Some(data) = data_of_child() {
        return write_until_killed(&data).await;
    }
    let data = TempDir::new().unwrap();
    let name = "process::what_a_killed_process_called_durable_is_there";
    let mut child = this_test_again(name, data.path()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let durable = |line: std::io::Result<String>| {
        line.unwrap().strip_prefix("durable ").and_then(|lsn| lsn.parse::<u64>().ok())
    };
    let mut last = lines.by_ref().filter_map(durable).nth(100).unwrap();
    child.kill().unwrap();
    // A last line that is cut off names a lower step.
    last = lines.filter_map(durable).last().unwrap_or(0).max(last);
    assert_eq!(child.wait().unwrap().signal(), Some(SIGKILL));

    let lock = DirectoryLock::acquire(data.path()).unwrap();
    let log = SealedLog::open(&lock, INCARNATION).unwrap();
    let recovered = read(&log, 0, FrameNumber::FIRST);
    assert!(recovered.len() as u64 >= last, "{} of {last} steps", recovered.len());
    let expected: Vec<_> = (1..=recovered.len() as u64).map(|lsn| step(0, lsn, 3000)).collect();
    assert_eq!(recovered, expected);
}

async fn write_until_killed(data: &Path) {
    let lock = DirectoryLock::acquire(data).unwrap();
    let options = FileLogOptions {
        segment_bytes: 1 << 20,
        frame_bytes_max: 256 << 10,
        ..FileLogOptions::default()
    };
    let log = FileLog::create(&lock, INCARNATION, &options).unwrap();
    let mut out = stdout();
    for lsn in 1.. {
        log.room().await;
        let ticket = log.append(step(0, lsn, 3000));
        if lsn % 5 == 0 {
            durable_through(&log, ticket).await;
            writeln!(out, "durable {lsn}").unwrap();
        }
    }
}

#[tokio::test]
async fn by_default_a_failed_sync_ends_the_process() {
    if let Some(data) = data_of_child() {
        return fail_a_sync(&data).await;
    }
    let data = TempDir::new().unwrap();
    let name = "process::by_default_a_failed_sync_ends_the_process";
    let status = this_test_again(name, data.path()).output().unwrap().status;
    assert_eq!(status.signal(), Some(SIGABRT));
    let lock = DirectoryLock::acquire(data.path()).unwrap();
    let log = SealedLog::open(&lock, INCARNATION).unwrap();
    assert_eq!(read(&log, 0, FrameNumber::FIRST)[0], step(0, 1, 10));
}

async fn fail_a_sync(data: &Path) {
    let lock = DirectoryLock::acquire(data).unwrap();
    let disk = FaultyDisk::default();
    let options = FileLogOptions { disk: Arc::new(disk.clone()), ..FileLogOptions::default() };
    let log = FileLog::create(&lock, INCARNATION, &options).unwrap();
    append_durably(&log, step(0, 1, 10)).await;
    disk.fail_next_sync();
    assert_eq!(log.append(step(0, 2, 10)), AppendTicket(2));
    let mut durable = log.durable();
    // A log that did not end the process lets the child end well, which fails the test.
    while durable.changed().await.is_ok() {}
}
