//! The disk as the log sees it: files of a fixed size that are written in place and synced.
//!
//! A trait, so that tests can take a full or failing disk for it ([`super::super::faulty`]).
//!
//! How the space is prepared decides what a sync costs. Measured on ext4, p50 of writing 8 KiB and `fdatasync`:
//! growing the file 0.13 ms, after `fallocate` 0.12 ms, after writing zeros to the whole file 0.09 ms, `fallocate` plus
//! zeros written 1 MiB ahead of the frames 0.07 ms. The first two change metadata with each sync, which the journal of
//! the file system must then hold as well. Zeros ahead cost nothing at start, where filling 64 MiB took 65 ms. So
//! [`LocalDisk`] allocates, and the writer of a fresh segment keeps [`ZERO_AHEAD_BYTES`] of zeros in front of itself.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// How far a fresh segment is filled with zeros in front of its frames.
pub const ZERO_AHEAD_BYTES: usize = 1 << 20;

/// Opens the files that become segments.
pub trait Disk: Send + Sync + 'static {
    /// Creates a file with all its space allocated, reading as zeros. If that fails, nothing is left behind. A file
    /// that is there already is replaced.
    fn create(&self, path: &Path, bytes: u64) -> io::Result<Box<dyn SegmentFile>>;

    /// Opens a file again that `create` made.
    fn open(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>>;
}

/// An open file of a log.
pub trait SegmentFile: Send {
    /// Writes all bytes at this offset.
    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Returns when all that was written is durable.
    fn sync(&mut self) -> io::Result<()>;
}

/// The file system of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalDisk;

impl Disk for LocalDisk {
    fn create(&self, path: &Path, bytes: u64) -> io::Result<Box<dyn SegmentFile>> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(true).open(path)?;
        if let Err(error) = allocate(&file, bytes).and_then(|()| file.sync_all()) {
            // The first error is the one that says why.
            let _ = fs::remove_file(path);
            return Err(error);
        }
        Ok(Box::new(file))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        Ok(Box::new(OpenOptions::new().read(true).write(true).open(path)?))
    }
}

impl SegmentFile for File {
    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        FileExt::write_all_at(self, bytes, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

fn allocate(file: &File, bytes: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;
    match fallocate(file, FallocateFlags::empty(), 0, bytes) {
        Ok(()) => Ok(()),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => fill_with_zeros(file, bytes),
        Err(errno) => Err(errno.into()),
    }
}

fn fill_with_zeros(file: &File, bytes: u64) -> io::Result<()> {
    let zeros = vec![0; ZERO_AHEAD_BYTES];
    let mut offset = 0;
    while offset < bytes {
        let length = bytes.saturating_sub(offset).min(zeros.len() as u64);
        FileExt::write_all_at(file, &zeros[..length as usize], offset)?;
        offset += length;
    }
    Ok(())
}

/// Whether the error says that there is no space, as opposed to a disk that fails.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
