//! A store that fails on demand, around any other store, for tests of those who use one.
//!
//! Three faults matter to a caller: a call that was not done, a call that takes long, and a commit that was done
//! although its answer says otherwise.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use tidegate_core::id::PartitionId;
use tokio::sync::watch;

use super::{PartitionStore, StateStore, StoreError};

/// Wraps a store; what goes wrong is told to its [`Faults`].
pub struct FaultyStore {
    inner: Arc<dyn StateStore>,
    faults: Arc<Faults>,
}

impl FaultyStore {
    /// A store that works until its faults say otherwise.
    #[must_use]
    pub fn new(inner: Arc<dyn StateStore>) -> Self {
        Self { inner, faults: Arc::new(Faults::new()) }
    }

    /// What goes wrong, for the store and all its partitions.
    #[must_use]
    pub fn faults(&self) -> Arc<Faults> {
        Arc::clone(&self.faults)
    }
}

/// What goes wrong next.
pub struct Faults {
    refused: AtomicUsize,
    lost_answers: AtomicUsize,
    held: watch::Sender<bool>,
    waiting: watch::Sender<usize>,
}

impl Faults {
    fn new() -> Self {
        Self {
            refused: AtomicUsize::new(0),
            lost_answers: AtomicUsize::new(0),
            held: watch::Sender::new(false),
            waiting: watch::Sender::new(0),
        }
    }

    /// The next calls, whatever they are, fail as unavailable and do nothing.
    pub fn refuse(&self, calls: usize) {
        self.refused.store(calls, Ordering::SeqCst);
    }

    /// The next commits are done, but answer as unavailable.
    pub fn lose_answers(&self, commits: usize) {
        self.lost_answers.store(commits, Ordering::SeqCst);
    }

    /// Every call from now on waits for [`Faults::release`].
    pub fn hold(&self) {
        self.held.send_replace(true);
    }

    /// Lets all calls go on.
    pub fn release(&self) {
        self.held.send_replace(false);
    }

    /// Resolves once as many calls are waiting.
    pub async fn waiting(&self, calls: usize) {
        let mut waiting = self.waiting.subscribe();
        // The sender is a field of `self`: the channel cannot close while this waits.
        let _ = waiting.wait_for(|count| *count >= calls).await;
    }

    async fn pass(&self) -> Result<(), StoreError> {
        let mut held = self.held.subscribe();
        if *held.borrow_and_update() {
            self.waiting.send_modify(|count| *count += 1);
            let _ = held.wait_for(|held| !held).await;
            self.waiting.send_modify(|count| *count -= 1);
        }
        if take_one(&self.refused) {
            return Err(StoreError::Unavailable("refused by a test".to_owned()));
        }
        Ok(())
    }
}

fn take_one(count: &AtomicUsize) -> bool {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

#[async_trait]
impl StateStore for FaultyStore {
    async fn open(&self, partition: PartitionId) -> Result<Box<dyn PartitionStore>, StoreError> {
        self.faults.pass().await?;
        let inner = self.inner.open(partition).await?;
        Ok(Box::new(FaultyPartition { inner, faults: self.faults() }))
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.faults.pass().await?;
        self.inner.close().await
    }
}

struct FaultyPartition {
    inner: Box<dyn PartitionStore>,
    faults: Arc<Faults>,
}

#[async_trait]
impl PartitionStore for FaultyPartition {
    async fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.faults.pass().await?;
        self.inner.get(key).await
    }

    async fn scan(
        &self,
        from: &[u8],
        until: &[u8],
        bytes: usize,
    ) -> Result<(Vec<(Bytes, Bytes)>, bool), StoreError> {
        self.faults.pass().await?;
        self.inner.scan(from, until, bytes).await
    }

    async fn commit(&self, changes: Vec<(Bytes, Option<Bytes>)>) -> Result<(), StoreError> {
        self.faults.pass().await?;
        self.inner.commit(changes).await?;
        if take_one(&self.faults.lost_answers) {
            return Err(StoreError::Unavailable("the answer was lost by a test".to_owned()));
        }
        Ok(())
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.faults.pass().await?;
        self.inner.close().await
    }
}
