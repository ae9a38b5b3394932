//! The state store on SlateDB: one log-structured tree per partition, below one directory.
//!
//! Upholds of the store contract: a commit is atomic and durable when it returns; the last one to open a database
//! fences all others; memory is bounded by the shared cache and a small memtable for each partition; a wall clock
//! that goes back stops nothing. The formats of SlateDB are stable between adjacent releases only, so its version is
//! pinned exactly.

mod background;
mod clock;
mod failure;
mod meters;
mod partition;
mod settings;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
pub use settings::SlateOptions;
use slatedb::admin::Admin;
use slatedb::db_cache::foyer::{FoyerCache, FoyerCacheOptions};
use slatedb::db_cache::{DbCache, SplitCache};
use slatedb::object_store::ObjectStore;
use slatedb::object_store::local::LocalFileSystem;
use slatedb::{Db, Settings};
use tidegate_core::id::PartitionId;

use self::background::Background;
use self::clock::{DatabaseClock, last_timestamp_ms};
use self::meters::Meters;
use self::partition::SlatePartition;
use super::{PartitionStore, StateStore, StoreError};

/// The share of the cache that holds rows; the rest holds indexes and filters, without which no row is found.
const ROWS_IN_CACHE: (u64, u64) = (3, 4);
/// Parts of a cache that are locked one by one. Few, because an index must fit into its part.
const CACHE_SHARDS: usize = 2;

/// The databases of all partitions of this node.
pub struct SlateStore {
    databases: Arc<Databases>,
}

impl SlateStore {
    /// A store below a local directory, which is created if need be. Whoever calls holds the lock of the data
    /// directory; blocks for a moment.
    pub fn in_directory(directory: &Path, options: &SlateOptions) -> Result<Self, StoreError> {
        let unusable = |error: &dyn std::fmt::Display| {
            StoreError::Unusable(format!("{}: {error}", directory.display()))
        };
        create_durably(directory).map_err(|error| unusable(&error))?;
        let files =
            LocalFileSystem::new_with_prefix(directory).map_err(|error| unusable(&error))?;
        let background = Background::start().map_err(|error| unusable(&error))?;
        Ok(Self::on(Arc::new(files.with_fsync(true)), background, options))
    }

    fn on(objects: Arc<dyn ObjectStore>, background: Background, options: &SlateOptions) -> Self {
        metrics::gauge!("tidegate_store_cache_capacity_bytes").set(options.cache_bytes as f64);
        let cache = Arc::new(cache(options.cache_bytes));
        let settings = settings::settings(options);
        Self { databases: Arc::new(Databases { objects, cache, settings, background }) }
    }
}

#[async_trait]
impl StateStore for SlateStore {
    async fn open(&self, partition: PartitionId) -> Result<Box<dyn PartitionStore>, StoreError> {
        let databases = Arc::clone(&self.databases);
        Ok(Box::new(SlatePartition::open(partition, databases).await?))
    }

    async fn close(&self) -> Result<(), StoreError> {
        let closed = self.databases.cache.close().await;
        closed.map_err(|error| StoreError::Unavailable(format!("the cache: {error}")))
    }
}

/// What all databases share.
struct Databases {
    objects: Arc<dyn ObjectStore>,
    cache: Arc<SplitCache>,
    settings: Settings,
    background: Background,
}

impl Databases {
    async fn open(&self, partition: PartitionId) -> Result<Db, slatedb::Error> {
        let path = database_path(partition);
        let admin = Admin::builder(path.clone(), Arc::clone(&self.objects)).build();
        let builder = Db::builder(path, Arc::clone(&self.objects))
            .with_settings(self.settings.clone())
            .with_metrics_recorder(Arc::new(Meters(partition)))
            .with_db_cache(Arc::clone(&self.cache) as Arc<dyn DbCache>, u64::from(partition.0));
        let opening = async move {
            let clock = DatabaseClock::starting_at(last_timestamp_ms(&admin).await?);
            builder.with_system_clock(Arc::new(clock)).build().await
        };
        self.background.run(Box::pin(opening)).await
    }
}

/// Part of the durable layout.
fn database_path(partition: PartitionId) -> String {
    format!("partition-{:04}", partition.0)
}

fn cache(bytes: usize) -> SplitCache {
    let bytes = bytes as u64;
    let row_bytes = bytes / ROWS_IN_CACHE.1 * ROWS_IN_CACHE.0;
    SplitCache::new()
        .with_block_cache(Some(Arc::new(cache_part(row_bytes))))
        .with_meta_cache(Some(Arc::new(cache_part(bytes - row_bytes))))
        .build()
}

fn cache_part(bytes: u64) -> FoyerCache {
    FoyerCache::new_with_opts(FoyerCacheOptions { max_capacity: bytes, shards: CACHE_SHARDS })
}

/// Creates a directory and sees to it that the one above names it for good.
fn create_durably(directory: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(directory)?;
    let parent = directory.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.map_or_else(|| PathBuf::from("."), Path::to_path_buf);
    std::fs::File::open(parent)?.sync_all()
}
