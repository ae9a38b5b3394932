//! The faulty store does what its faults say, so that tests which use it test something.

use std::sync::Arc;

use tidegate::store::faulty::FaultyStore;
use tidegate::store::memory::MemoryStore;
use tidegate::store::{StateStore, StoreError};

use crate::fixture::{P0, bytes, put};

fn faulty() -> (MemoryStore, FaultyStore) {
    let memory = MemoryStore::new();
    (memory.clone(), FaultyStore::new(Arc::new(memory)))
}

#[tokio::test]
async fn refused_calls_do_nothing() {
    let (memory, stores) = faulty();
    let store = stores.open(P0).await.unwrap();
    stores.faults().refuse(2);
    let error = store.commit(vec![put("a", "1")]).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)));
    assert!(store.get(b"a").await.is_err());
    assert_eq!(memory.rows(P0), []);
    store.commit(vec![put("a", "1")]).await.unwrap();
    assert_eq!(memory.rows(P0), [(bytes("a"), bytes("1"))]);
}

#[tokio::test]
async fn a_commit_may_land_and_say_otherwise() {
    let (memory, stores) = faulty();
    let store = stores.open(P0).await.unwrap();
    stores.faults().lose_answers(1);
    let error = store.commit(vec![put("a", "1")]).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)));
    assert_eq!(memory.rows(P0), [(bytes("a"), bytes("1"))]);
    store.commit(vec![put("a", "2")]).await.unwrap();
}

#[tokio::test]
async fn held_calls_wait_until_they_are_released() {
    let (memory, stores) = faulty();
    let store = stores.open(P0).await.unwrap();
    let faults = stores.faults();
    faults.hold();
    let commit = tokio::spawn(async move { store.commit(vec![put("a", "1")]).await });
    faults.waiting(1).await;
    assert_eq!(memory.rows(P0), []);
    faults.release();
    commit.await.unwrap().unwrap();
    assert_eq!(memory.rows(P0).len(), 1);
}
