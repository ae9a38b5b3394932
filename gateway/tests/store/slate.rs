//! What the store on disk does beyond the contract.

use std::fs;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use slatedb::Settings;
use slatedb::object_store::local::LocalFileSystem;
use slatedb_common::{DefaultSystemClock, SystemClock, SystemClockTicker};
use tempfile::TempDir;
use tidegate::store::{StateStore, StoreError};

use crate::fixture::{P0, bytes, put, slate_in};

/// Flips a byte in the middle of every file of rows.
fn damage(directory: &Path) -> usize {
    let mut damaged = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            damaged += damage(&path);
        } else if path.parent().unwrap().ends_with("compacted") {
            let mut content = fs::read(&path).unwrap();
            content[8] ^= 0xff;
            fs::write(&path, content).unwrap();
            damaged += 1;
        }
    }
    damaged
}

#[tokio::test]
async fn damaged_rows_are_reported_and_never_returned() {
    let directory = TempDir::new().unwrap();
    let store = slate_in(&directory).open(P0).await.unwrap();
    store.commit(vec![put("a", &"row".repeat(100))]).await.unwrap();
    store.close().await.unwrap();
    assert!(damage(directory.path()) > 0);

    let store = slate_in(&directory).open(P0).await.unwrap();
    let error = store.get(b"a").await.unwrap_err();
    assert!(matches!(error, StoreError::Unusable(_)), "{error}");
    assert_eq!(error.code(), "TG-0262");
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_unusable() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("state"), "a file").unwrap();
    let options = tidegate::store::slate::SlateOptions::default();
    let opened =
        tidegate::store::slate::SlateStore::in_directory(&directory.path().join("state"), &options);
    assert!(matches!(opened.err(), Some(StoreError::Unusable(_))));
}

/// A database whose background work broke down must not stay down: the caller's next try opens it anew.
#[tokio::test]
async fn a_database_that_lost_its_directory_for_a_while_works_again() {
    let directory = TempDir::new().unwrap();
    let store = slate_in(&directory).open(P0).await.unwrap();
    store.commit(vec![put("a", "1")]).await.unwrap();

    let (state, elsewhere) = (directory.path().join("state"), directory.path().join("elsewhere"));
    fs::rename(&state, &elsewhere).unwrap();
    fs::write(&state, "no directory").unwrap();
    let error = store.commit(vec![put("b", "2")]).await.err();
    fs::remove_file(&state).unwrap();
    fs::rename(&elsewhere, &state).unwrap();

    assert!(error.is_some());
    store.commit(vec![put("b", "2")]).await.unwrap();
    assert_eq!(store.get(b"a").await.unwrap(), Some(bytes("1")));
    let store = slate_in(&directory).open(P0).await.unwrap();
    assert_eq!(store.get(b"b").await.unwrap(), Some(bytes("2")));
}

/// The wall clock of a machine that is an hour ahead.
#[derive(Debug, Default)]
struct ClockAhead(DefaultSystemClock);

impl SystemClock for ClockAhead {
    fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.0.now() + Duration::from_secs(3600)
    }

    fn sleep<'a>(&'a self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        self.0.sleep(duration)
    }

    fn ticker<'a>(&'a self, duration: Duration) -> SystemClockTicker<'a> {
        self.0.ticker(duration)
    }
}

/// The engine refuses writes whose time lies before that of earlier ones, after it has waited for ten seconds.
#[tokio::test]
async fn a_wall_clock_that_went_back_stops_nothing() {
    let directory = TempDir::new().unwrap();
    let state = directory.path().join("state");
    fs::create_dir(&state).unwrap();
    let files = LocalFileSystem::new_with_prefix(&state).unwrap();
    let settings = Settings { wal_enabled: false, ..Settings::default() };
    let ahead = slatedb::Db::builder("partition-0000", Arc::new(files))
        .with_settings(settings)
        .with_system_clock(Arc::new(ClockAhead::default()))
        .build()
        .await
        .unwrap();
    ahead.put(b"a", b"1").await.unwrap();
    ahead.close().await.unwrap();

    let store = slate_in(&directory).open(P0).await.unwrap();
    store.commit(vec![put("b", "2")]).await.unwrap();
    assert_eq!(store.get(b"a").await.unwrap(), Some(bytes("1")));
    assert_eq!(store.get(b"b").await.unwrap(), Some(bytes("2")));
}
