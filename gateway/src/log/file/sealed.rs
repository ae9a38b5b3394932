//! The log of an earlier incarnation: opened once per start, ended with a seal, and read.
//!
//! After a crash the page cache may hold what the disk does not: a write whose sync never came, or failed. So opening
//! writes the last frame again in place, writes the seal behind it, and syncs both before any step is handed out. What
//! is read once is then there for good, and what was cut off never comes back. A crash in between changes nothing:
//! the same bytes are written again. Every open does this anew, since a seal may itself be only in the page cache.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use bytes::Bytes;
use tidegate_core::id::PartitionId;
use ulid::Ulid;

use super::super::FrameNumber;
use super::super::frame;
use super::super::lock::DirectoryLock;
use super::layout::{self, BLOCK_BYTES};
use super::reader::StepReader;
use super::recover::{Damage, RecoverError};
use super::scan::{Scan, scan};

/// The log of an incarnation that has ended. Nothing is ever added to it.
pub struct SealedLog {
    incarnation: Ulid,
    scan: Scan,
}

impl SealedLog {
    /// Finds the end of the log, verifies everything before it, and seals it durably.
    ///
    /// # Errors
    /// If the log is missing, damaged before its end, of another version, or cannot be read or written.
    pub fn open(lock: &DirectoryLock, incarnation: Ulid) -> Result<Self, RecoverError> {
        let directory = layout::log(lock.directory(), incarnation);
        let scan = scan(&directory, incarnation)?;
        seal(&scan, incarnation)?;
        let logs = layout::logs(lock.directory());
        for directory in [&directory, &logs] {
            layout::sync_directory(directory).map_err(RecoverError::io("sync", directory))?;
        }
        Ok(Self { incarnation, scan })
    }

    /// Whose log it is.
    pub fn incarnation(&self) -> Ulid {
        self.incarnation
    }

    /// The first frame that is still there; what was before it is trimmed.
    pub fn first(&self) -> FrameNumber {
        self.scan.segments[0].first
    }

    /// The frame after the last one.
    pub fn end(&self) -> FrameNumber {
        self.scan.end
    }

    /// Bytes of the frames that are there.
    pub fn bytes(&self) -> u64 {
        self.scan.frame_bytes
    }

    /// The steps of one partition, in order, from the frame `from` or the first that is there. Holds the steps of one
    /// frame in memory.
    pub fn steps(&self, partition: PartitionId, from: FrameNumber) -> StepReader<'_> {
        StepReader::new(&self.scan, self.incarnation, partition, from)
    }
}

fn seal(scan: &Scan, incarnation: Ulid) -> Result<(), RecoverError> {
    let path = &scan.segments[scan.end_segment].path;
    let file = OpenOptions::new().read(true).write(true).open(path);
    let file = file.map_err(RecoverError::io("open", path))?;
    if let Some((offset, length)) = scan.last {
        let bytes = read(&file, path, offset, length)?;
        frame::decode(&bytes).map_err(|error| {
            let damage = Damage::Changed(error);
            RecoverError::Corrupt { path: path.clone(), offset, damage }
        })?;
        file.write_all_at(&bytes, offset).map_err(RecoverError::io("write", path))?;
    }
    let mut block = [0; BLOCK_BYTES];
    let seal = frame::encode_seal(incarnation, scan.end);
    block[..seal.len()].copy_from_slice(&seal);
    file.write_all_at(&block, scan.seal_offset).map_err(RecoverError::io("seal", path))?;
    file.sync_data().map_err(RecoverError::io("sync", path))
}

fn read(file: &File, path: &Path, offset: u64, length: usize) -> Result<Bytes, RecoverError> {
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, offset).map_err(RecoverError::io("read", path))?;
    Ok(bytes.into())
}
