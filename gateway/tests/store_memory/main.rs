//! State may be far larger than memory: a database of many times its cache is written and read while the process
//! stays small. A test binary of its own, because it measures the whole process.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use bytes::Bytes;
use tempfile::TempDir;
use tidegate::store::slate::{SlateOptions, SlateStore};
use tidegate::store::{PartitionStore, StateStore};
use tidegate_core::id::PartitionId;

const CACHE_BYTES: usize = 4 << 20;
const ROW_BYTES: usize = 1 << 10;
const ROWS_IN_COMMIT: u32 = 2 << 10;
const COMMITS: u32 = 48;
const DATA_BYTES: usize = (ROWS_IN_COMMIT * COMMITS) as usize * ROW_BYTES;
/// A third of the data, twice of what was measured. What is needed beside the cache are memtables, a compaction and what the allocator keeps.
const GROWTH_BYTES_MAX: usize = DATA_BYTES / 3;
const _: () = assert!(DATA_BYTES > 10 * CACHE_BYTES);

fn key(number: u32) -> Bytes {
    Bytes::copy_from_slice(&number.to_be_bytes())
}

/// Bytes that nothing could compress, different for each row.
fn row(number: u32) -> Bytes {
    let mut word = u64::from(number) + 1;
    let mut next = || {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        word.to_le_bytes()
    };
    (0..ROW_BYTES / 8).flat_map(|_| next()).collect()
}

/// Neighbours in time lie far apart in the order of keys, so that each commit touches the whole range.
fn scattered(position: u32) -> u32 {
    position.wrapping_mul(0x9e37_79b1)
}

fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kilobytes: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kilobytes << 10
}

async fn write_all(store: &dyn PartitionStore) {
    for commit in 0..COMMITS {
        let numbers = (commit * ROWS_IN_COMMIT..(commit + 1) * ROWS_IN_COMMIT).map(scattered);
        let changes = numbers.map(|number| (key(number), Some(row(number)))).collect();
        store.commit(changes).await.unwrap();
    }
}

async fn check_gets(store: &dyn PartitionStore) {
    for position in (0..COMMITS * ROWS_IN_COMMIT).step_by(37) {
        let number = scattered(position);
        assert_eq!(store.get(&key(number)).await.unwrap(), Some(row(number)));
    }
}

async fn check_scan(store: &dyn PartitionStore) {
    let (mut from, mut seen) = (vec![0], 0);
    loop {
        let (rows, more) = store.scan(&from, &[0xff; 5], 256 << 10).await.unwrap();
        for (key, value) in &rows {
            let number = u32::from_be_bytes(key[..].try_into().unwrap());
            assert_eq!(*value, row(number));
        }
        seen += rows.len();
        if !more {
            break;
        }
        from = rows.last().unwrap().0.to_vec();
        from.push(0);
    }
    assert_eq!(seen, (COMMITS * ROWS_IN_COMMIT) as usize);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_many_times_its_cache_is_read_in_bounded_memory() {
    let directory = TempDir::new().unwrap();
    let options = SlateOptions { cache_bytes: CACHE_BYTES, memtable_bytes: 4 << 20 };
    let store = SlateStore::in_directory(directory.path(), &options).unwrap();
    let database = store.open(PartitionId(0)).await.unwrap();
    let before = resident_bytes();

    write_all(&*database).await;
    check_gets(&*database).await;
    check_scan(&*database).await;

    let growth = resident_bytes().saturating_sub(before);
    assert!(
        growth < GROWTH_BYTES_MAX,
        "the process grew by {} MB for {} MB of rows",
        growth >> 20,
        DATA_BYTES >> 20
    );
}
