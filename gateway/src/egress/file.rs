//! Kind `io.tidegate.file.v1/egress`: records as lines of JSON in a file, each exactly once.
//!
//! The file is its own memory: every line names its partition and sequence, and on opening the last sequence of each
//! partition is read back (`recovery`). A record that the core hands out again is recognised by it. A record is acknowledged
//! only after `fdatasync` (`writer`), so what was acknowledged is in the file, and what is in the file is never written again.
//! Lines of one partition are in order; lines of an address therefore too.
//!
//! An operator may move the file away while the gateway is stopped; then records that were in it but not yet
//! acknowledged come again in the new one.

pub mod recovery;
mod writer;

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

use tidegate_core::address::EgressId;
use tidegate_core::id::{PartitionId, Sequence};
use tidegate_core::partition::record::Emitted;

use self::recovery::{Damage, recover};
use self::writer::Writer;
use super::{Acknowledge, Sink};

/// A file egress.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileEgressConfig {
    /// Its name.
    pub id: EgressId,
    /// Where the lines go. The folder must exist.
    pub path: PathBuf,
}

/// The file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileEgressError {
    /// A whole line is not one of ours.
    #[error("TG-0501: the egress file {path} is damaged: {damage}")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Where and how.
        damage: Damage,
    },
    /// Two writers would mix their lines.
    #[error("TG-0503: the egress file {path} is in use by another process")]
    InUse {
        /// Which file.
        path: PathBuf,
    },
    /// The operating system says no.
    #[error("TG-0505: the egress file {path} cannot be opened: {cause}")]
    Open {
        /// Which file.
        path: PathBuf,
        /// What it says.
        cause: io::Error,
    },
}

/// One record on its way into the file.
struct Entry {
    partition: PartitionId,
    sequence: Sequence,
    emitted: Emitted,
}

/// Writes the records of one egress into a file, on a thread of its own.
///
/// The queue to that thread has no bound of its own: the core hands out only `Limits::queue_bytes` of each partition before an
/// acknowledgement. Dropping the sink writes what is queued, if the device lets it, and ends the thread.
#[derive(Debug)]
pub struct FileSink {
    queue: Option<Sender<Entry>>,
    writer: Option<JoinHandle<()>>,
}

impl FileSink {
    /// Opens or creates the file, cuts a torn last line off, and remembers what is in it. Reads the whole file.
    ///
    /// # Errors
    /// See [`FileEgressError`]. A damaged file is left as it is.
    pub fn open(
        config: FileEgressConfig,
        acknowledge: Acknowledge,
    ) -> Result<Self, FileEgressError> {
        let path = config.path;
        let opening = |cause| FileEgressError::Open { path: path.clone(), cause };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(opening)?;
        file.try_lock().map_err(|error| match error {
            std::fs::TryLockError::WouldBlock => FileEgressError::InUse { path: path.clone() },
            std::fs::TryLockError::Error(cause) => opening(cause),
        })?;
        let recovered = recover(&mut file).map_err(opening)?;
        let recovered =
            recovered.map_err(|damage| FileEgressError::Damaged { path: path.clone(), damage })?;
        make_durable(&file, &path, recovered.bytes).map_err(opening)?;
        let (queue, entries) = mpsc::channel();
        let writer = Writer::new(config.id, file, recovered, acknowledge);
        let writer = thread::Builder::new()
            .name("file-egress".to_owned())
            .spawn(move || writer.run(&entries))
            .map_err(opening)?;
        Ok(Self { queue: Some(queue), writer: Some(writer) })
    }
}

/// What recovery has read must be in the file for good before a repeated record is acknowledged because of it.
fn make_durable(file: &File, path: &Path, bytes: u64) -> io::Result<()> {
    file.set_len(bytes)?;
    file.sync_all()?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder)?.sync_all()
}

impl Sink for FileSink {
    fn emit(&self, partition: PartitionId, sequence: Sequence, emitted: Emitted) {
        if let Some(queue) = &self.queue {
            // The thread ends early only when the file belongs to another history, which it has reported; unacknowledged
            // records stay with the core.
            let _ = queue.send(Entry { partition, sequence, emitted });
        }
    }
}

impl Drop for FileSink {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the writer of a file egress has panicked");
        }
    }
}
