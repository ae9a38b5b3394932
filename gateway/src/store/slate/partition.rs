//! The database of one partition.
//!
//! A commit is one batch and one flush of the memtable, which returns when the manifest that names the new file is
//! committed. Between commits nothing is in memory only, so a database that broke down (a full disk, a panic in one of
//! its background tasks) is simply opened anew for the next call: the caller's retry brings the rows that it lost.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use slatedb::config::{CloseOptions, FlushOptions, FlushType, ScanOptions};
use slatedb::{CloseReason, Db, DbIterator, WriteBatch};
use tidegate_core::id::PartitionId;
use tokio::sync::RwLock;

use super::Databases;
use super::failure::classify;
use crate::store::{Page, PartitionStore, StoreError, check_changes};

/// A commit that takes longer is reported, so that its caller can say so: the engine itself tries for ever to write a
/// file, on a full disk too.
const PATIENCE: Duration = Duration::from_secs(30);
/// Scans read this many bytes at once: few enough for the values of one address, which are most scans.
const READ_AHEAD_BYTES: usize = 16 << 10;

pub(super) struct SlatePartition {
    partition: PartitionId,
    databases: Arc<Databases>,
    database: RwLock<Arc<Db>>,
}

impl SlatePartition {
    pub(super) async fn open(
        partition: PartitionId,
        databases: Arc<Databases>,
    ) -> Result<Self, StoreError> {
        let database = open_in_time(partition, &databases).await?;
        Ok(Self { partition, databases, database: RwLock::new(Arc::new(database)) })
    }

    /// The database, opened anew if it broke down since the last call.
    async fn database(&self) -> Result<Arc<Db>, StoreError> {
        let database = Arc::clone(&*self.database.read().await);
        match close_reason(&database) {
            None => Ok(database),
            Some(CloseReason::Fenced) => Err(StoreError::Fenced(self.partition)),
            Some(CloseReason::Clean) => Err(StoreError::closed(self.partition)),
            Some(_) => self.open_anew().await,
        }
    }

    async fn open_anew(&self) -> Result<Arc<Db>, StoreError> {
        let mut current = self.database.write().await;
        if close_reason(&current).is_none() {
            return Ok(Arc::clone(&current));
        }
        tracing::warn!(partition = %self.partition, "the database broke down and is opened anew");
        let database = Arc::new(open_in_time(self.partition, &self.databases).await?);
        let broken = std::mem::replace(&mut *current, Arc::clone(&database));
        // Its tasks may hang on the device that failed; they are fenced, so nobody has to wait for them.
        tokio::spawn(async move {
            if let Err(error) = close_without_flush(&broken).await {
                tracing::debug!(%error, "the broken database could not be closed");
            }
        });
        Ok(database)
    }

    fn failure(&self, error: &slatedb::Error) -> StoreError {
        classify(self.partition, error)
    }

    async fn read(
        &self,
        from: &[u8],
        until: &[u8],
        bytes: usize,
        cache_blocks: bool,
    ) -> Result<(Vec<(Bytes, Bytes)>, bool), StoreError> {
        if from >= until {
            return Ok((Vec::new(), false));
        }
        let options = ScanOptions::default()
            .with_cache_blocks(cache_blocks)
            .with_read_ahead_bytes(bytes.clamp(1, READ_AHEAD_BYTES));
        let database = self.database().await?;
        let rows = database.scan_with_options(from..until, &options).await;
        self.read_page(rows.map_err(|error| self.failure(&error))?, bytes).await
    }

    async fn read_page(
        &self,
        mut rows: DbIterator,
        bytes: usize,
    ) -> Result<(Vec<(Bytes, Bytes)>, bool), StoreError> {
        let mut page = Page::new(bytes);
        while let Some(next) = rows.next().await.map_err(|error| self.failure(&error))? {
            if page.is_full() {
                return Ok((page.rows, true));
            }
            page.push(next.key, next.value);
        }
        Ok((page.rows, false))
    }
}

#[async_trait]
impl PartitionStore for SlatePartition {
    async fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let database = self.database().await?;
        database.get(key).await.map_err(|error| self.failure(&error))
    }

    async fn scan(
        &self,
        from: &[u8],
        until: &[u8],
        bytes: usize,
    ) -> Result<(Vec<(Bytes, Bytes)>, bool), StoreError> {
        self.read(from, until, bytes, true).await
    }

    async fn walk(
        &self,
        from: &[u8],
        until: &[u8],
        bytes: usize,
    ) -> Result<(Vec<(Bytes, Bytes)>, bool), StoreError> {
        self.read(from, until, bytes, false).await
    }

    async fn commit(&self, changes: Vec<(Bytes, Option<Bytes>)>) -> Result<(), StoreError> {
        check_changes(&changes)?;
        if changes.is_empty() {
            return Ok(());
        }
        let database = self.database().await?;
        in_time(self.partition, "a commit", write_and_flush(&database, batch_of(changes)))
            .await?
            .map_err(|error| self.failure(&error))
    }

    async fn close(&self) -> Result<(), StoreError> {
        let database = Arc::clone(&*self.database.read().await);
        match in_time(self.partition, "closing", close_without_flush(&database)).await? {
            // Nothing is lost with a database that closed itself, or that was closed before.
            Err(error) if !matches!(error.kind(), slatedb::ErrorKind::Closed(_)) => {
                Err(self.failure(&error))
            }
            _ => Ok(()),
        }
    }
}

fn close_reason(database: &Db) -> Option<CloseReason> {
    database.subscribe().borrow().close_reason
}

fn batch_of(changes: Vec<(Bytes, Option<Bytes>)>) -> WriteBatch {
    let mut batch = WriteBatch::new();
    for (key, row) in changes {
        match row {
            Some(row) => batch.put_bytes(key, row),
            None => batch.delete(key),
        }
    }
    batch
}

async fn write_and_flush(database: &Db, batch: WriteBatch) -> Result<(), slatedb::Error> {
    database.write(batch).await?;
    database.flush_with_options(FlushOptions { flush_type: FlushType::MemTable }).await
}

/// Every commit has flushed; what remains in memory was never promised.
async fn close_without_flush(database: &Db) -> Result<(), slatedb::Error> {
    database.close_with_options(CloseOptions::default().with_flush_type(None)).await
}

async fn open_in_time(partition: PartitionId, databases: &Databases) -> Result<Db, StoreError> {
    in_time(partition, "opening", databases.open(partition))
        .await?
        .map_err(|error| classify(partition, &error))
}

async fn in_time<T>(
    partition: PartitionId,
    what: &str,
    work: impl Future<Output = T>,
) -> Result<T, StoreError> {
    tokio::time::timeout(PATIENCE, Box::pin(work)).await.map_err(|_| {
        let seconds = PATIENCE.as_secs();
        StoreError::Unavailable(format!(
            "partition {partition}: {what} takes over {seconds} s; the device may be full or slow"
        ))
    })
}
