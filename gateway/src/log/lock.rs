//! The lock on a data directory: at most one process works in it.
//!
//! Everything that opens, creates or removes logs asks for the lock as an argument, so that it cannot be forgotten.
//! The operating system drops it with the process, however that ends: there is never a stale lock to clean up.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// The name of the file in the data directory that is locked. It holds the id of the process.
pub const LOCK_FILE: &str = "lock";

/// Held as long as this process works in the data directory.
#[derive(Debug)]
pub struct DirectoryLock {
    directory: PathBuf,
    _file: File,
}

/// The data directory could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process works in it.
    #[error("{}: the data directory {} is in use by {}", self.code(), .directory.display(), holder(*.process))]
    Held {
        /// The directory.
        directory: PathBuf,
        /// The process that holds it, as far as it has said so.
        process: Option<u32>,
    },
    /// It cannot be created or written.
    #[error("{}: the data directory {} cannot be used: {source}", self.code(), .directory.display())]
    Unusable {
        /// The directory.
        directory: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl LockError {
    /// The stable code of the error, as in `docs/errors`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Held { .. } => "TG-0200",
            Self::Unusable { .. } => "TG-0201",
        }
    }
}

impl DirectoryLock {
    /// Takes the directory, which is created if it is missing, or fails at once.
    pub fn acquire(directory: &Path) -> Result<Self, LockError> {
        let unusable = |source| LockError::Unusable { directory: directory.into(), source };
        let mut file = open(directory).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let process = read_process(&mut file);
                return Err(LockError::Held { directory: directory.into(), process });
            }
            Err(TryLockError::Error(source)) => return Err(unusable(source)),
        }
        write_process(&mut file).map_err(unusable)?;
        Ok(Self { directory: directory.into(), _file: file })
    }

    /// The data directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

fn open(directory: &Path) -> io::Result<File> {
    create_durably(directory)?;
    // Not truncated: until the lock is ours, the file speaks for its holder.
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).open(directory.join(LOCK_FILE))
}

// A directory whose name is not durable would take every synced file in it along.
fn create_durably(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let parent = directory.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    create_durably(parent)?;
    fs::create_dir(directory)?;
    File::open(parent)?.sync_all()
}

fn write_process(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    writeln!(file, "{}", std::process::id())
}

fn read_process(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn holder(process: Option<u32>) -> String {
    process.map_or_else(|| "another process".into(), |id| format!("process {id}"))
}
