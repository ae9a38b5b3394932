//! The store of tests: rows in memory that survive a simulated restart.
//!
//! Clones share their content, so a test restarts a node by opening the partitions of a clone. Like the real store
//! it fences: the last one to open a partition owns it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use tidegate_core::id::PartitionId;

use super::{Page, PartitionStore, StateStore, StoreError, check_changes};

/// Databases in memory, shared by all clones.
#[derive(Clone, Default)]
pub struct MemoryStore {
    databases: Arc<Mutex<BTreeMap<PartitionId, Database>>>,
}

#[derive(Default)]
struct Database {
    rows: BTreeMap<Bytes, Bytes>,
    opened: u64,
}

impl MemoryStore {
    /// A store without rows.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Every row of a partition in order, whoever owns it.
    #[must_use]
    pub fn rows(&self, partition: PartitionId) -> Vec<(Bytes, Bytes)> {
        let databases = self.lock();
        let rows = databases.get(&partition).map(|database| database.rows.clone());
        rows.unwrap_or_default().into_iter().collect()
    }

    /// A panic of another test thread leaves whole rows behind: each change is one call of the map.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<PartitionId, Database>> {
        self.databases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl StateStore for MemoryStore {
    async fn open(&self, partition: PartitionId) -> Result<Box<dyn PartitionStore>, StoreError> {
        let mut databases = self.lock();
        let database = databases.entry(partition).or_default();
        database.opened += 1;
        Ok(Box::new(MemoryPartition {
            store: self.clone(),
            partition,
            opened: database.opened,
            closed: AtomicBool::new(false),
        }))
    }

    async fn close(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

struct MemoryPartition {
    store: MemoryStore,
    partition: PartitionId,
    opened: u64,
    closed: AtomicBool,
}

impl MemoryPartition {
    fn with_rows<T>(
        &self,
        work: impl FnOnce(&mut BTreeMap<Bytes, Bytes>) -> T,
    ) -> Result<T, StoreError> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(StoreError::closed(self.partition));
        }
        match self.store.lock().get_mut(&self.partition) {
            Some(database) if database.opened == self.opened => Ok(work(&mut database.rows)),
            _ => Err(StoreError::Fenced(self.partition)),
        }
    }
}

#[async_trait]
impl PartitionStore for MemoryPartition {
    async fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.with_rows(|rows| rows.get(key).cloned())
    }

    async fn scan(
        &self,
        from: &[u8],
        until: &[u8],
        bytes: usize,
    ) -> Result<(Vec<(Bytes, Bytes)>, bool), StoreError> {
        self.with_rows(|rows| scan(rows, from, until, bytes))
    }

    async fn commit(&self, changes: Vec<(Bytes, Option<Bytes>)>) -> Result<(), StoreError> {
        check_changes(&changes)?;
        self.with_rows(|rows| {
            for (key, row) in changes {
                match row {
                    Some(row) => rows.insert(key, row),
                    None => rows.remove(&key),
                };
            }
        })
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.closed.store(true, Ordering::SeqCst);
        Ok(())
    }
}

fn scan(
    rows: &BTreeMap<Bytes, Bytes>,
    from: &[u8],
    until: &[u8],
    bytes: usize,
) -> (Vec<(Bytes, Bytes)>, bool) {
    let mut page = Page::new(bytes);
    if from >= until {
        return (page.rows, false);
    }
    for (key, row) in
        rows.range::<[u8], _>((std::ops::Bound::Included(from), std::ops::Bound::Excluded(until)))
    {
        if page.is_full() {
            return (page.rows, true);
        }
        page.push(key.clone(), row.clone());
    }
    (page.rows, false)
}
