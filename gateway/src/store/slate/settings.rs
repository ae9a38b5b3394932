//! How a database is tuned: many per process, small memtables, write-behind batches, one flush for each.

use std::time::Duration;

use slatedb::Settings;
use slatedb::config::{
    CompactionWorkerOptions, CompactorOptions, GarbageCollectorDirectoryOptions,
    GarbageCollectorOptions,
};

/// What an operator may tune. All sizes in bytes.
#[derive(Clone, Debug)]
pub struct SlateOptions {
    /// Rows and indexes that are cached, for all databases of the process together.
    pub cache_bytes: usize,
    /// A database writes a file when its rows in memory reach this size, and at the end of each commit.
    pub memtable_bytes: usize,
}

impl Default for SlateOptions {
    fn default() -> Self {
        Self { cache_bytes: 64 << 20, memtable_bytes: 8 << 20 }
    }
}

/// Failed operations of the device or the object store are repeated this often, with growing pauses of 0.1 to 1 s. Left
/// alone, the engine would repeat them for ever, a full disk and a refused access among them.
const RETRIES: Option<u32> = Some(5);

/// Each commit makes one file of level 0, and at the limit commits wait for the compactor. The engine's own limit
/// of 8 was measured to stall the eighth commit for half a minute.
const LEVEL_0_FILES_MAX: usize = 64;

/// The settings of every database.
pub(super) fn settings(options: &SlateOptions) -> Settings {
    Settings {
        // The node log is the write-ahead log.
        wal_enabled: false,
        // A commit flushes; nothing else needs to be durable at any time.
        flush_interval: None,
        // Only who owns the partition writes here, so there is nothing to poll for but our own compactor's work.
        manifest_poll_interval: Duration::from_secs(60),
        l0_sst_size_bytes: options.memtable_bytes,
        // More than a memtable: a commit may be written while the one before is flushed.
        max_unflushed_bytes: options.memtable_bytes.saturating_mul(4),
        l0_max_ssts: LEVEL_0_FILES_MAX,
        l0_max_ssts_per_key: LEVEL_0_FILES_MAX,
        l0_flush_parallelism: 1,
        compactor_options: Some(compactor()),
        garbage_collector_options: Some(garbage_collector()),
        // Rows disappear by records only.
        default_ttl_millis: None,
        object_store_max_retries: RETRIES,
        ..Settings::default()
    }
}

fn compactor() -> CompactorOptions {
    CompactorOptions {
        poll_interval: Duration::from_secs(5),
        max_concurrent_compactions: 1,
        worker: Some(CompactionWorkerOptions {
            max_concurrent_compactions: 1,
            max_subcompactions: 1,
            compactions_poll_interval: Duration::from_secs(5),
            // The index and the filter of a file are cached whole: large files would not fit a small cache.
            max_sst_size: 64 << 20,
            // Read ahead for each of up to eight inputs, times the number of databases that compact at once.
            bytes_to_fetch: 256 << 10,
            max_fetch_tasks: 2,
            ..CompactionWorkerOptions::default()
        }),
        object_store_max_retries: RETRIES,
        ..CompactorOptions::default()
    }
}

fn garbage_collector() -> GarbageCollectorOptions {
    let directory = GarbageCollectorDirectoryOptions {
        interval: Some(Duration::from_secs(600)),
        min_age: Duration::from_secs(300),
        dry_run: false,
    };
    GarbageCollectorOptions {
        manifest_options: Some(directory),
        compacted_options: Some(directory),
        compactions_options: Some(directory),
        wal_options: Some(directory),
        // What fences an older owner is never deleted.
        wal_fence_options: None,
        detach_options: None,
        // A local directory cannot overwrite conditionally, without which the collector would delete nothing at all.
        // What the boundary files protect from, a stale process that wakes up, is kept out by the directory lock.
        boundary_files_enabled: false,
        object_store_max_retries: RETRIES,
        ..GarbageCollectorOptions::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_accepts_the_settings() {
        settings(&SlateOptions::default()).validate().expect("consistent settings");
        let small = SlateOptions { cache_bytes: 1 << 20, memtable_bytes: 1 << 20 };
        settings(&small).validate().expect("consistent settings");
    }
}
