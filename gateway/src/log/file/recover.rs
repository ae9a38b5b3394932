//! What recovery says when it cannot go on, and which logs there are to recover or remove.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ulid::Ulid;

use super::super::frame::FrameError;
use super::super::lock::DirectoryLock;
use super::layout;

const REMOVED_SUFFIX: &str = "removed";

/// A log of an earlier incarnation cannot be used. Starting anyway would lose what was promised to be durable.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The log, or a segment in its middle, is not there.
    #[error("{}: {} of the log of incarnation {incarnation} is missing", self.code(), .path.display())]
    Missing {
        /// Whose log it is.
        incarnation: Ulid,
        /// The directory or file that should be there.
        path: PathBuf,
    },
    /// The log is damaged before its end.
    #[error("{}: the log is damaged at {}, offset {offset}: {damage}", self.code(), .path.display())]
    Corrupt {
        /// The segment.
        path: PathBuf,
        /// The first byte of the frame or head that is damaged.
        offset: u64,
        /// What is wrong there.
        damage: Damage,
    },
    /// Written by another version of this software.
    #[error("{}: {} has log format {version}, which this version cannot read", self.code(), .path.display())]
    Version {
        /// The segment.
        path: PathBuf,
        /// Its format.
        version: u8,
    },
    /// The operating system refused.
    #[error("{}: cannot {action} {}: {source}", self.code(), .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// What is wrong with a damaged log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Damage {
    /// The head of the segment.
    #[error("the head of the segment is not valid")]
    Head,
    /// The file is shorter or longer than its head says.
    #[error("the size of the file is not the size of the segment")]
    Size,
    /// A frame that was durable once: a later one is there.
    #[error("a frame is not valid although later ones follow: {0}")]
    Frame(FrameError),
    /// A frame changed after the log was opened.
    #[error("a frame that was valid at opening is so no more: {0}")]
    Changed(FrameError),
}

impl RecoverError {
    /// The stable code of the error, as in `docs/errors`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Corrupt { .. } => "TG-0210",
            Self::Missing { .. } => "TG-0211",
            Self::Version { .. } => "TG-0212",
            Self::Io { .. } => "TG-0213",
        }
    }

    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.into(), source }
    }
}

/// The incarnations whose logs lie in the data directory; in no order that means anything. A log that no chain names is
/// not needed any more, or is left from a start that did not get far: it may be removed. Finishes removals that
/// a crash has interrupted.
pub fn list(lock: &DirectoryLock) -> Result<Vec<Ulid>, RecoverError> {
    let logs = layout::logs(lock.directory());
    let listing = match fs::read_dir(&logs) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listing => listing.map_err(RecoverError::io("list", &logs))?,
    };
    let mut incarnations = Vec::new();
    for entry in listing {
        let path = entry.map_err(RecoverError::io("list", &logs))?.path();
        if path.extension().is_some_and(|extension| extension == REMOVED_SUFFIX) {
            fs::remove_dir_all(&path).map_err(RecoverError::io("remove", &path))?;
        }
        let name = path.file_name().and_then(|name| name.to_str());
        incarnations.extend(name.and_then(|name| Ulid::from_string(name).ok()));
    }
    Ok(incarnations)
}

/// Removes the log of an earlier incarnation for good. Only when no partition's chain names it any more. A log that
/// is not there is no error.
pub fn remove(lock: &DirectoryLock, incarnation: Ulid) -> Result<(), RecoverError> {
    let logs = layout::logs(lock.directory());
    let directory = layout::log(lock.directory(), incarnation);
    // Renamed first, so that a log that is half removed is never taken for a damaged one.
    let removed = directory.with_extension(REMOVED_SUFFIX);
    match fs::rename(&directory, &removed) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        renamed => renamed.map_err(RecoverError::io("remove", &directory))?,
    }
    layout::sync_directory(&logs).map_err(RecoverError::io("sync", &logs))?;
    fs::remove_dir_all(&removed).map_err(RecoverError::io("remove", &removed))
}
