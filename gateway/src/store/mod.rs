//! The state store: rows behind the log, one database per partition. It is snapshot, spill and recovery in one.
//!
//! Keys and rows are bytes here; `tidegate_core::codec::row` gives them their meaning.

pub mod faulty;
pub mod memory;
pub mod slate;

use async_trait::async_trait;
use bytes::Bytes;
use tidegate_core::id::PartitionId;

/// Opens the database of each partition.
#[async_trait]
pub trait StateStore: Send + Sync + 'static {
    /// Opens or creates the database of a partition. Only the owner of a partition may open it.
    async fn open(&self, partition: PartitionId) -> Result<Box<dyn PartitionStore>, StoreError>;

    /// Closes what all databases share. Their own `close` comes first.
    async fn close(&self) -> Result<(), StoreError>;
}

/// The database of one partition.
#[async_trait]
pub trait PartitionStore: Send + Sync + 'static {
    /// The row of a key.
    async fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError>;

    /// Rows from `from` on and below `until`, in order, until `bytes` bytes of keys and rows were read; at least one if
    /// there is one. The flag says whether further rows follow.
    async fn scan(
        &self,
        from: &[u8],
        until: &[u8],
        bytes: usize,
    ) -> Result<(Vec<(Bytes, Bytes)>, bool), StoreError>;

    /// The same for somebody who walks through everything and will not read it again soon: it pushes nothing out of caches.
    async fn walk(
        &self,
        from: &[u8],
        until: &[u8],
        bytes: usize,
    ) -> Result<(Vec<(Bytes, Bytes)>, bool), StoreError> {
        self.scan(from, until, bytes).await
    }

    /// Writes all changes as one, and returns when they are durable: after a crash all are there or none. A change
    /// without a row removes it; of several changes of one key the last one counts; no key is empty. After an error
    /// the changes may or may not be there, now or later: the caller commits them again, or what supersedes them.
    async fn commit(&self, changes: Vec<(Bytes, Option<Bytes>)>) -> Result<(), StoreError>;

    /// Closes the database. Nothing is lost without it.
    async fn close(&self) -> Result<(), StoreError>;
}

/// The store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has opened the database since; this one must stop using it.
    #[error("TG-0260: the database of partition {0} was opened by another owner")]
    Fenced(PartitionId),
    /// It may work later: the device or the object store did not answer well.
    #[error("TG-0261: the store is not available: {0}")]
    Unavailable(String),
    /// It will not work later either: data is damaged, of another version, or access is denied.
    #[error("TG-0262: the store cannot be used: {0}")]
    Unusable(String),
}

impl StoreError {
    /// The stable code, which names a page of `docs/errors/`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Fenced(_) => "TG-0260",
            Self::Unavailable(_) => "TG-0261",
            Self::Unusable(_) => "TG-0262",
        }
    }

    /// The error of a database that was closed before.
    fn closed(partition: PartitionId) -> Self {
        Self::Unusable(format!("the database of partition {partition} was closed"))
    }
}

/// Gathers rows for [`PartitionStore::scan`] until its bound of bytes is reached.
struct Page {
    rows: Vec<(Bytes, Bytes)>,
    room: usize,
}

impl Page {
    fn new(bytes: usize) -> Self {
        Self { rows: Vec::new(), room: bytes }
    }

    /// Whether another row is wanted: the first one always is.
    fn is_full(&self) -> bool {
        self.room == 0 && !self.rows.is_empty()
    }

    fn push(&mut self, key: Bytes, row: Bytes) {
        self.room = self.room.saturating_sub(key.len() + row.len());
        self.rows.push((key, row));
    }
}

/// Refuses changes that no store takes.
fn check_changes(changes: &[(Bytes, Option<Bytes>)]) -> Result<(), StoreError> {
    if changes.iter().any(|(key, _)| key.is_empty()) {
        return Err(StoreError::Unusable("a key is empty".to_owned()));
    }
    Ok(())
}
