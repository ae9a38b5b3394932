//! The contract of a store: what a driver relies on, whichever store it has.

use tidegate::store::StoreError;

use crate::fixture::{Fixture, P0, P1, bytes, delete, keys, put, scan};

macro_rules! for_every_store {
    ($($case:ident)*) => {
        mod memory {
            $(#[tokio::test] async fn $case() { super::$case(&super::Fixture::memory()).await; })*
        }
        mod slate {
            $(#[tokio::test] async fn $case() { super::$case(&super::Fixture::slate()).await; })*
        }
    };
}

for_every_store! {
    a_row_is_read_as_it_was_committed
    rows_are_scanned_in_the_order_of_their_bytes
    a_scan_stops_at_its_bound_and_says_that_more_follow
    a_scan_gives_one_row_however_small_its_bound
    a_scan_of_nothing_is_empty
    deleted_rows_are_gone
    the_last_change_of_a_key_counts
    a_commit_of_nothing_is_done
    an_empty_key_is_refused_with_the_whole_commit
    partitions_do_not_see_each_other
    what_was_committed_is_there_after_a_restart_without_close
    what_was_committed_is_there_after_close
    many_commits_leave_the_state_of_the_last_ones
    who_opened_last_fences_the_one_before
    a_closed_database_says_so
}

async fn a_row_is_read_as_it_was_committed(fixture: &Fixture) {
    let store = fixture.open().await;
    assert_eq!(store.get(b"a").await.unwrap(), None);
    store.commit(vec![put("a", "1"), put("empty", "")]).await.unwrap();
    assert_eq!(store.get(b"a").await.unwrap(), Some(bytes("1")));
    assert_eq!(store.get(b"empty").await.unwrap(), Some(bytes("")));
    assert_eq!(store.get(b"aa").await.unwrap(), None);
}

async fn rows_are_scanned_in_the_order_of_their_bytes(fixture: &Fixture) {
    let store = fixture.open().await;
    store.commit(vec![put("b", "2"), put("a", "1")]).await.unwrap();
    store.commit(vec![put("c", "3"), put("ab", "12"), put("B", "0")]).await.unwrap();
    assert_eq!(keys(&*store).await, ["B", "a", "ab", "b", "c"]);

    let (rows, more) = scan(&*store, "a", "b", 1000).await;
    assert_eq!(rows, [("a".into(), "1".into()), ("ab".into(), "12".into())]);
    assert!(!more);
}

async fn a_scan_stops_at_its_bound_and_says_that_more_follow(fixture: &Fixture) {
    let store = fixture.open().await;
    let changes = (0..10).map(|number| put(&format!("k{number}"), "123456")).collect();
    store.commit(changes).await.unwrap();

    let (rows, more) = scan(&*store, "k", "l", 24).await;
    assert_eq!((rows.len(), more), (3, true));
    let (rows, more) = scan(&*store, "k", "l", 25).await;
    assert_eq!((rows.len(), more), (4, true));
    let (rows, more) = scan(&*store, "k3", "l", 56).await;
    assert_eq!((rows.len(), more), (7, false));
    let (rows, more) = scan(&*store, "k", "k3", 24).await;
    assert_eq!((rows.len(), more), (3, false), "what follows the range does not count");
}

async fn a_scan_gives_one_row_however_small_its_bound(fixture: &Fixture) {
    let store = fixture.open().await;
    store.commit(vec![put("a", "1"), put("b", "2")]).await.unwrap();
    let (rows, more) = scan(&*store, "a", "c", 0).await;
    assert_eq!((rows.len(), more), (1, true));
    let (rows, more) = scan(&*store, "b", "c", 0).await;
    assert_eq!((rows.len(), more), (1, false));
}

async fn a_scan_of_nothing_is_empty(fixture: &Fixture) {
    let store = fixture.open().await;
    assert_eq!(scan(&*store, "a", "z", 10).await, (vec![], false));
    store.commit(vec![put("a", "1")]).await.unwrap();
    assert_eq!(scan(&*store, "b", "z", 10).await, (vec![], false));
    assert_eq!(scan(&*store, "a", "a", 10).await, (vec![], false));
    assert_eq!(scan(&*store, "z", "a", 10).await, (vec![], false));
}

async fn deleted_rows_are_gone(fixture: &Fixture) {
    let store = fixture.open().await;
    store.commit(vec![put("a", "1"), put("b", "2"), put("c", "3")]).await.unwrap();
    store.commit(vec![delete("b"), delete("never was")]).await.unwrap();
    assert_eq!(store.get(b"b").await.unwrap(), None);
    assert_eq!(keys(&*store).await, ["a", "c"]);

    let store = fixture.open().await;
    assert_eq!(keys(&*store).await, ["a", "c"]);
    let (rows, more) = scan(&*store, "a", "c", 2).await;
    assert_eq!((rows.len(), more), (1, false), "a deleted row is not one that follows");
    store.commit(vec![put("b", "again")]).await.unwrap();
    assert_eq!(store.get(b"b").await.unwrap(), Some(bytes("again")));
}

async fn the_last_change_of_a_key_counts(fixture: &Fixture) {
    let store = fixture.open().await;
    let changes =
        vec![put("a", "1"), put("a", "2"), put("b", "1"), delete("b"), delete("c"), put("c", "3")];
    store.commit(changes).await.unwrap();
    assert_eq!(store.get(b"a").await.unwrap(), Some(bytes("2")));
    assert_eq!(store.get(b"b").await.unwrap(), None);
    assert_eq!(store.get(b"c").await.unwrap(), Some(bytes("3")));
}

async fn a_commit_of_nothing_is_done(fixture: &Fixture) {
    let store = fixture.open().await;
    store.commit(vec![]).await.unwrap();
}

async fn an_empty_key_is_refused_with_the_whole_commit(fixture: &Fixture) {
    let store = fixture.open().await;
    let error = store.commit(vec![put("a", "1"), put("", "2")]).await.unwrap_err();
    assert!(matches!(error, StoreError::Unusable(_)));
    assert_eq!(store.get(b"a").await.unwrap(), None);
}

async fn partitions_do_not_see_each_other(fixture: &Fixture) {
    let stores = fixture.start();
    let (first, second) = (stores.open(P0).await.unwrap(), stores.open(P1).await.unwrap());
    first.commit(vec![put("a", "first")]).await.unwrap();
    second.commit(vec![put("a", "second"), put("b", "")]).await.unwrap();
    assert_eq!(first.get(b"a").await.unwrap(), Some(bytes("first")));
    assert_eq!(second.get(b"a").await.unwrap(), Some(bytes("second")));
    assert_eq!(keys(&*first).await, ["a"]);
}

async fn what_was_committed_is_there_after_a_restart_without_close(fixture: &Fixture) {
    for life in 0..4 {
        let store = fixture.open().await;
        let expected: Vec<String> = (0..life).map(|life| format!("life {life}")).collect();
        assert_eq!(keys(&*store).await, expected);
        store.commit(vec![put(&format!("life {life}"), "")]).await.unwrap();
    }
}

async fn what_was_committed_is_there_after_close(fixture: &Fixture) {
    let stores = fixture.start();
    let store = stores.open(P0).await.unwrap();
    store.commit(vec![put("a", "1")]).await.unwrap();
    store.close().await.unwrap();
    stores.close().await.unwrap();
    assert_eq!(fixture.open().await.get(b"a").await.unwrap(), Some(bytes("1")));
}

/// More commits than files of level 0 may pile up, so that compaction has to keep up.
async fn many_commits_leave_the_state_of_the_last_ones(fixture: &Fixture) {
    let store = fixture.open().await;
    for round in 0..80 {
        let key = format!("k{}", round % 7);
        let change = if round % 3 == 0 { delete(&key) } else { put(&key, &round.to_string()) };
        store.commit(vec![change, put("applied", &round.to_string())]).await.unwrap();
    }
    let store = fixture.open().await;
    let expected = [("applied", "79"), ("k1", "78 deleted"), ("k2", "79"), ("k3", "73")];
    for (key, row) in expected {
        let row = (!row.ends_with("deleted")).then(|| bytes(row));
        assert_eq!(store.get(key.as_bytes()).await.unwrap(), row, "{key}");
    }
}

async fn who_opened_last_fences_the_one_before(fixture: &Fixture) {
    let old = fixture.open().await;
    old.commit(vec![put("a", "old")]).await.unwrap();

    let new = fixture.open().await;
    assert_eq!(new.get(b"a").await.unwrap(), Some(bytes("old")));
    let error = old.commit(vec![put("a", "zombie")]).await.unwrap_err();
    assert!(matches!(error, StoreError::Fenced(P0)), "{error}");
    let error = old.commit(vec![put("b", "zombie")]).await.unwrap_err();
    assert!(matches!(error, StoreError::Fenced(P0)), "{error}");

    new.commit(vec![put("c", "new")]).await.unwrap();
    assert_eq!(keys(&*new).await, ["a", "c"]);
    assert_eq!(keys(&*fixture.open().await).await, ["a", "c"]);
}

async fn a_closed_database_says_so(fixture: &Fixture) {
    let store = fixture.open().await;
    store.close().await.unwrap();
    store.close().await.unwrap();
    assert!(matches!(store.get(b"a").await, Err(StoreError::Unusable(_))));
    assert!(matches!(store.commit(vec![put("a", "1")]).await, Err(StoreError::Unusable(_))));
}
