//! A disk that fails on demand, around one that works: what tests of the file log put under it.

use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::file::disk::{Disk, LocalDisk, SegmentFile};

/// What happens to a write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WriteFault {
    /// It fails, and nothing was written.
    Refused,
    /// It fails after this many bytes.
    Torn(usize),
}

/// A disk with faults. Clones share them.
#[derive(Clone, Default)]
pub struct FaultyDisk {
    disk: LocalDisk,
    faults: Arc<Faults>,
}

#[derive(Default)]
struct Faults {
    plan: Mutex<Plan>,
    changed: Condvar,
}

#[derive(Default)]
struct Plan {
    full: bool,
    refused_creations: u64,
    next_write: Option<WriteFault>,
    fail_next_sync: bool,
    hold_syncs: bool,
    held: bool,
    syncs: u64,
}

impl FaultyDisk {
    /// Has creating files fail for want of space, until told otherwise.
    pub fn set_full(&self, full: bool) {
        self.faults.change(|plan| plan.full = full);
    }

    /// Waits until files could not be created this many times for want of space.
    pub fn wait_for_refused_creations(&self, count: u64) {
        drop(self.faults.wait_while(|plan| plan.refused_creations < count));
    }

    /// Has the next write fail.
    pub fn fail_next_write(&self, fault: WriteFault) {
        self.faults.change(|plan| plan.next_write = Some(fault));
    }

    /// Has the next sync fail. What it should have synced is there or not: here it is.
    pub fn fail_next_sync(&self) {
        self.faults.change(|plan| plan.fail_next_sync = true);
    }

    /// Has syncs wait until `release_syncs`.
    pub fn hold_syncs(&self) {
        self.faults.change(|plan| plan.hold_syncs = true);
    }

    /// Waits until a sync is held.
    pub fn wait_for_held_sync(&self) {
        drop(self.faults.wait_while(|plan| !plan.held));
    }

    /// Lets the syncs go on that were held.
    pub fn release_syncs(&self) {
        self.faults.change(|plan| plan.hold_syncs = false);
    }

    /// How many syncs have succeeded.
    pub fn syncs(&self) -> u64 {
        self.faults.lock().syncs
    }
}

impl Disk for FaultyDisk {
    fn create(&self, path: &Path, bytes: u64) -> io::Result<Box<dyn SegmentFile>> {
        let mut plan = self.faults.lock();
        if plan.full {
            plan.refused_creations += 1;
            self.faults.changed.notify_all();
            return Err(io::ErrorKind::StorageFull.into());
        }
        drop(plan);
        Ok(self.wrap(self.disk.create(path, bytes)?))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        Ok(self.wrap(self.disk.open(path)?))
    }
}

impl FaultyDisk {
    fn wrap(&self, file: Box<dyn SegmentFile>) -> Box<dyn SegmentFile> {
        Box::new(FaultyFile { file, faults: Arc::clone(&self.faults) })
    }
}

struct FaultyFile {
    file: Box<dyn SegmentFile>,
    faults: Arc<Faults>,
}

impl SegmentFile for FaultyFile {
    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let fault = self.faults.lock().next_write.take();
        match fault {
            None => self.file.write_all_at(bytes, offset),
            Some(WriteFault::Refused) => Err(io::Error::other("a planned fault of a write")),
            Some(WriteFault::Torn(written)) => {
                self.file.write_all_at(&bytes[..written.min(bytes.len())], offset)?;
                Err(io::Error::other("a planned tear of a write"))
            }
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        self.faults.change(|plan| plan.held = plan.hold_syncs);
        let mut plan = self.faults.wait_while(|plan| plan.hold_syncs);
        plan.held = false;
        let fails = std::mem::take(&mut plan.fail_next_sync);
        drop(plan);
        self.file.sync()?;
        if fails {
            return Err(io::Error::other("a planned fault of a sync"));
        }
        self.faults.change(|plan| plan.syncs += 1);
        Ok(())
    }
}

impl Faults {
    fn change(&self, change: impl FnOnce(&mut Plan)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    fn wait_while(&self, mut condition: impl FnMut(&Plan) -> bool) -> MutexGuard<'_, Plan> {
        let waited = self.changed.wait_while(self.lock(), |plan| condition(plan));
        waited.unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
