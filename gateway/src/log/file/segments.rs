//! The segments of the running log, as its writer sees them: one that is written to, full ones before it, and a few
//! spare files that were segments once.
//!
//! Upholds what recovery relies on: a segment's head is durable before the file has the name of a segment; segments
//! disappear from the lowest on, each durably before the next; every segment keeps room for a seal at its end.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ulid::Ulid;

use super::super::FrameNumber;
use super::disk::{Disk, SegmentFile, ZERO_AHEAD_BYTES};
use super::layout::{self, BLOCK_BYTES, SegmentHead, whole_blocks};

/// Spare files that are kept; what is trimmed beyond gives its space back.
const SPARES_MAX: usize = 2;

pub(super) struct Segments {
    incarnation: Ulid,
    directory: PathBuf,
    disk: Arc<dyn Disk>,
    bytes: usize,
    active: Active,
    full: VecDeque<Full>,
    spares: Vec<PathBuf>,
    spares_named: u64,
}

struct Active {
    file: Box<dyn SegmentFile>,
    number: u64,
    /// Where the next frame goes.
    offset: usize,
    /// Up to here the file was written to before, so that writing changes no metadata.
    prepared: usize,
}

struct Full {
    number: u64,
    last: FrameNumber,
}

impl Segments {
    /// Creates the directory of the log and its first segment, durably.
    pub(super) fn create(
        disk: Arc<dyn Disk>,
        data: &Path,
        incarnation: Ulid,
        bytes: usize,
    ) -> io::Result<Self> {
        let logs = layout::logs(data);
        let directory = layout::log(data, incarnation);
        fs::create_dir_all(&logs)?;
        fs::create_dir(&directory)?;
        layout::sync_directory(data)?;
        layout::sync_directory(&logs)?;
        let head =
            SegmentHead { incarnation, number: 1, first: FrameNumber::FIRST, bytes: bytes as u64 };
        let active = first_segment(disk.as_ref(), &directory, head).inspect_err(|_| {
            // Nothing names this log yet; the first error is the one that says why.
            let _ = fs::remove_dir_all(&directory);
        })?;
        let (full, spares) = (VecDeque::new(), Vec::new());
        Ok(Self { incarnation, directory, disk, bytes, active, full, spares, spares_named: 1 })
    }

    /// Whether a frame of this size goes into the segment that is written to.
    pub(super) fn fits(&self, frame_bytes: usize) -> bool {
        let seal = BLOCK_BYTES;
        self.active.offset + whole_blocks(frame_bytes) + seal <= self.bytes
    }

    /// Writes a frame and returns when it is durable. `frame` is lengthened by what is written behind it. Gives the
    /// bytes that the frame takes in the segment.
    pub(super) fn write(&mut self, frame: &mut Vec<u8>) -> io::Result<usize> {
        let taken = whole_blocks(frame.len());
        let active = &mut self.active;
        let end = active.offset + taken;
        if end > active.prepared {
            active.prepared = (end + ZERO_AHEAD_BYTES).min(self.bytes);
            frame.resize(active.prepared - active.offset, 0);
        } else {
            frame.resize(taken, 0);
        }
        active.file.write_all_at(frame, active.offset as u64)?;
        active.file.sync()?;
        active.offset = end;
        Ok(taken)
    }

    /// Goes on to the next segment, which begins with frame `first`. May be tried again after an error of a full disk.
    pub(super) fn roll(&mut self, first: FrameNumber) -> io::Result<()> {
        let number = self.active.number + 1;
        let (file, path, prepared) = match self.spares.last() {
            Some(path) => (self.disk.open(path)?, path.clone(), self.bytes),
            None => {
                let path = layout::spare(&self.directory, self.spares_named);
                (self.disk.create(&path, self.bytes as u64)?, path, BLOCK_BYTES)
            }
        };
        let bytes = self.bytes as u64;
        let head = SegmentHead { incarnation: self.incarnation, number, first, bytes };
        let active = activate(file, &self.directory, &path, head, prepared)?;
        if self.spares.pop().is_none() {
            self.spares_named += 1;
        }
        let last = FrameNumber(first.0 - 1);
        self.full.push_back(Full { number: self.active.number, last });
        self.active = active;
        Ok(())
    }

    /// Turns the full segments whose frames are all below into spare files, or removes them.
    pub(super) fn trim(&mut self, below: FrameNumber) -> io::Result<()> {
        while let Some(full) = self.full.pop_front_if(|full| full.last < below) {
            let segment = layout::segment(&self.directory, full.number);
            if self.spares.len() < SPARES_MAX {
                let spare = layout::spare(&self.directory, self.spares_named);
                self.spares_named += 1;
                fs::rename(&segment, &spare)?;
                self.spares.push(spare);
            } else {
                fs::remove_file(&segment)?;
            }
            layout::sync_directory(&self.directory)?;
        }
        Ok(())
    }
}

fn first_segment(disk: &dyn Disk, directory: &Path, head: SegmentHead) -> io::Result<Active> {
    let spare = layout::spare(directory, 0);
    let file = disk.create(&spare, head.bytes)?;
    activate(file, directory, &spare, head, BLOCK_BYTES)
}

fn activate(
    mut file: Box<dyn SegmentFile>,
    directory: &Path,
    spare: &Path,
    head: SegmentHead,
    prepared: usize,
) -> io::Result<Active> {
    file.write_all_at(&head.to_block(), 0)?;
    file.sync()?;
    fs::rename(spare, layout::segment(directory, head.number))?;
    layout::sync_directory(directory)?;
    Ok(Active { file, number: head.number, offset: BLOCK_BYTES, prepared })
}
