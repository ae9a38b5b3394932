//! A process that is killed in the middle of commits: what it was told to be durable is there, and no commit is there
//! by half.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use bytes::Bytes;
use tempfile::TempDir;
use tidegate::store::StateStore;
use tidegate::store::slate::{SlateOptions, SlateStore};

use crate::fixture::P0;

const DIRECTORY: &str = "TIDEGATE_TEST_KILLED_DIRECTORY";
const ROWS: u8 = 20;
const COMMITS_BEFORE_KILL: usize = 25;

fn store_in(directory: &Path) -> SlateStore {
    SlateStore::in_directory(directory, &SlateOptions::default()).unwrap()
}

/// Every row says the same number, plus bytes so that a commit takes a while.
fn changes(number: u32) -> Vec<(Bytes, Option<Bytes>)> {
    let mut row = number.to_be_bytes().to_vec();
    row.resize(20_000, 7);
    (0..ROWS).map(|key| (Bytes::from(vec![b'k', key]), Some(Bytes::from(row.clone())))).collect()
}

/// The process that is killed. As a test of its own it has nothing to do.
#[tokio::test]
async fn commits_until_it_is_killed() {
    let Ok(directory) = std::env::var(DIRECTORY) else { return };
    let store = store_in(Path::new(&directory)).open(P0).await.unwrap();
    for number in 1.. {
        store.commit(changes(number)).await.unwrap();
        writeln!(std::io::stdout(), "\ncommitted {number}").unwrap();
    }
}

/// Returns the last commit that the killed process was told to be durable.
fn run_and_kill(directory: &Path) -> u32 {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::commits_until_it_is_killed", "--nocapture"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut commits =
        lines.filter_map(|line| line.unwrap().strip_prefix("committed ")?.parse().ok());
    let last = commits.by_ref().take(COMMITS_BEFORE_KILL).last();
    process.kill().unwrap();
    process.wait().unwrap();
    // What it said between the last line that was waited for and the kill counts too.
    commits.last().or(last).expect("the process committed")
}

#[tokio::test]
async fn a_killed_process_leaves_whole_commits_and_all_that_it_was_told() {
    let directory = TempDir::new().unwrap();
    let told = run_and_kill(directory.path());
    let store = store_in(directory.path()).open(P0).await.unwrap();
    let (rows, more) = store.scan(b"k", b"l", usize::MAX).await.unwrap();
    assert!(!more);
    assert_eq!(rows.len(), usize::from(ROWS));
    let numbers: Vec<u32> =
        rows.iter().map(|(_, row)| u32::from_be_bytes(row[..4].try_into().unwrap())).collect();
    assert!(
        numbers.iter().all(|number| *number == numbers[0]),
        "a commit is there by half: {numbers:?}"
    );
    assert!(numbers[0] >= told, "commit {told} was durable, {} is there", numbers[0]);
}
