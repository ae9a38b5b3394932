//! One process works in a data directory.

use tempfile::TempDir;
use tidegate::log::lock::{DirectoryLock, LockError};

#[test]
fn a_second_holder_is_refused_and_told_who_holds_it() {
    let directory = TempDir::new().unwrap();
    let _held = DirectoryLock::acquire(directory.path()).unwrap();
    let refused = DirectoryLock::acquire(directory.path()).unwrap_err();
    assert_eq!(refused.code(), "TG-0200");
    let LockError::Held { process, .. } = refused else { panic!("{refused}") };
    assert_eq!(process, Some(std::process::id()));
}

#[test]
fn the_lock_ends_with_its_holder() {
    let directory = TempDir::new().unwrap();
    drop(DirectoryLock::acquire(directory.path()).unwrap());
    DirectoryLock::acquire(directory.path()).unwrap();
}

#[test]
fn a_missing_directory_is_created() {
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("some/where");
    let lock = DirectoryLock::acquire(&data).unwrap();
    assert_eq!(lock.directory(), data);
    assert!(data.is_dir());
}

#[test]
fn a_directory_that_cannot_be_one_is_refused() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert_eq!(DirectoryLock::acquire(&file.join("data")).unwrap_err().code(), "TG-0201");
}
