//! Stores that can be restarted over the same content.

use std::sync::Arc;

use bytes::Bytes;
use tempfile::TempDir;
use tidegate::store::memory::MemoryStore;
use tidegate::store::slate::{SlateOptions, SlateStore};
use tidegate::store::{PartitionStore, StateStore};
use tidegate_core::id::PartitionId;

pub(crate) const P0: PartitionId = PartitionId(0);
pub(crate) const P1: PartitionId = PartitionId(1);

/// Where the rows lie; each [`Fixture::start`] is a new process over them.
pub(crate) enum Fixture {
    Memory(MemoryStore),
    Slate(TempDir),
}

impl Fixture {
    pub(crate) fn memory() -> Self {
        Self::Memory(MemoryStore::new())
    }

    pub(crate) fn slate() -> Self {
        Self::Slate(TempDir::new().unwrap())
    }

    pub(crate) fn start(&self) -> Arc<dyn StateStore> {
        match self {
            Self::Memory(store) => Arc::new(store.clone()),
            Self::Slate(directory) => Arc::new(slate_in(directory)),
        }
    }

    /// The database of the first partition, opened by a new process.
    pub(crate) async fn open(&self) -> Box<dyn PartitionStore> {
        self.start().open(P0).await.unwrap()
    }
}

pub(crate) fn slate_in(directory: &TempDir) -> SlateStore {
    let options = SlateOptions { cache_bytes: 4 << 20, memtable_bytes: 4 << 20 };
    SlateStore::in_directory(&directory.path().join("state"), &options).unwrap()
}

pub(crate) type Change = (Bytes, Option<Bytes>);

pub(crate) fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

pub(crate) fn put(key: &str, row: &str) -> Change {
    (bytes(key), Some(bytes(row)))
}

pub(crate) fn delete(key: &str) -> Change {
    (bytes(key), None)
}

/// All rows from a key up to another, as text, with whether more follow.
pub(crate) async fn scan(
    store: &dyn PartitionStore,
    from: &str,
    until: &str,
    limit: usize,
) -> (Vec<(String, String)>, bool) {
    let (rows, more) = store.scan(from.as_bytes(), until.as_bytes(), limit).await.unwrap();
    let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).unwrap();
    (rows.into_iter().map(|(key, row)| (text(key), text(row))).collect(), more)
}

pub(crate) async fn keys(store: &dyn PartitionStore) -> Vec<String> {
    let (rows, more) = scan(store, "", "\u{7f}", usize::MAX).await;
    assert!(!more);
    rows.into_iter().map(|(key, _)| key).collect()
}
