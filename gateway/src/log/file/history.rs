//! The logs of earlier incarnations in a data directory, for recovery.

use std::sync::Arc;

use tidegate_core::id::PartitionId;
use ulid::Ulid;

use super::super::lock::DirectoryLock;
use super::super::{FrameNumber, History, HistoryError, LoggedStep, Sealed};
use super::{SealedLog, list, remove};

/// The logs in a data directory that this process has locked.
pub struct FileHistory {
    lock: Arc<DirectoryLock>,
}

impl FileHistory {
    /// The logs beside the lock.
    #[must_use]
    pub fn new(lock: Arc<DirectoryLock>) -> Self {
        Self { lock }
    }
}

impl History for FileHistory {
    fn open(&self, incarnation: Ulid) -> Result<Box<dyn Sealed>, HistoryError> {
        let log = SealedLog::open(&self.lock, incarnation).map_err(HistoryError::new)?;
        Ok(Box::new(log))
    }

    fn remove(&self, incarnation: Ulid) -> Result<(), HistoryError> {
        remove(&self.lock, incarnation).map_err(HistoryError::new)
    }

    fn list(&self) -> Result<Vec<Ulid>, HistoryError> {
        list(&self.lock).map_err(HistoryError::new)
    }
}

impl Sealed for SealedLog {
    fn steps(
        &self,
        partition: PartitionId,
    ) -> Box<dyn Iterator<Item = Result<LoggedStep, HistoryError>> + '_> {
        let steps = Self::steps(self, partition, FrameNumber::FIRST);
        Box::new(steps.map(|step| step.map_err(HistoryError::new)))
    }
}
