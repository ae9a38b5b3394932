//! Finds the end of a log that its writer has left, and tells a torn tail from damage.
//!
//! The writer syncs frame n before it writes frame n + 1. So a bad frame with nothing later behind it is the write
//! that the crash has cut off, and nobody was told that it is durable: the log ends before it. A bad frame with a later
//! one behind it was durable once, and is damage. Frames with lower numbers, or of other incarnations, are what a
//! recycled segment held before. A header alone proves that its frame was begun: its checksum is its own.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use ulid::Ulid;

use super::super::FrameNumber;
use super::super::frame::{FrameError, FrameHeader, HEADER_BYTES};
use super::layout::{self, BLOCK_BYTES, HeadError, SegmentHead, whole_blocks};
use super::recover::{Damage, RecoverError};

/// How much is read at once when later frames are looked for.
const CHUNK_BYTES: usize = 1 << 20;

pub(super) struct Segment {
    pub(super) path: PathBuf,
    pub(super) first: FrameNumber,
    bytes: u64,
}

pub(super) struct Scan {
    /// All segments, in order; at least one.
    pub(super) segments: Vec<Segment>,
    /// The frame after the last one: the number of the seal.
    pub(super) end: FrameNumber,
    /// The segment that holds the last frame, or the first segment of a log without frames.
    pub(super) end_segment: usize,
    /// The last frame: where it begins, and its bytes.
    pub(super) last: Option<(u64, usize)>,
    /// Where the seal belongs, or is.
    pub(super) seal_offset: u64,
    /// Bytes of frames.
    pub(super) frame_bytes: u64,
}

enum Found {
    Frame(FrameHeader),
    Seal,
    Nothing(FrameError),
}

/// Reads and verifies the whole log.
pub(super) fn scan(directory: &Path, incarnation: Ulid) -> Result<Scan, RecoverError> {
    let segments = open_segments(directory, incarnation)?;
    let mut scan = Scan {
        end: segments[0].first,
        segments,
        end_segment: 0,
        last: None,
        seal_offset: BLOCK_BYTES as u64,
        frame_bytes: 0,
    };
    for index in 0..scan.segments.len() {
        if index > 0 && scan.segments[index].first != scan.end {
            break;
        }
        if scan_segment(&mut scan, index, incarnation)? {
            break;
        }
    }
    Ok(scan)
}

/// Walks the frames of one segment. Gives whether the log ends in it.
fn scan_segment(scan: &mut Scan, index: usize, incarnation: Ulid) -> Result<bool, RecoverError> {
    let segment = Reading::open(&scan.segments[index], incarnation)?;
    let mut offset = BLOCK_BYTES as u64;
    loop {
        match segment.inspect(offset, scan.end)? {
            Found::Frame(header) => {
                let taken = whole_blocks(header.frame_bytes()) as u64;
                scan.end_segment = index;
                scan.last = Some((offset, header.frame_bytes()));
                scan.end = scan.end.next();
                scan.frame_bytes += taken;
                offset += taken;
                scan.seal_offset = offset;
            }
            Found::Seal => return Ok(true),
            Found::Nothing(error) => {
                let next = scan.segments.get(index + 1).map(|next| next.first);
                let damaged = match next {
                    Some(first) => first != scan.end,
                    None => segment.has_later(offset, scan.end)?,
                };
                if damaged {
                    return Err(segment.corrupt(offset, Damage::Frame(error)));
                }
                return Ok(next.is_none());
            }
        }
    }
}

fn open_segments(directory: &Path, incarnation: Ulid) -> Result<Vec<Segment>, RecoverError> {
    let missing = |path: PathBuf| RecoverError::Missing { incarnation, path };
    if !directory.is_dir() {
        return Err(missing(directory.into()));
    }
    let listed = layout::segment_numbers(directory).map_err(RecoverError::io("list", directory))?;
    let lowest = *listed.first().ok_or_else(|| missing(layout::segment(directory, 1)))?;
    let mut segments = Vec::with_capacity(listed.len());
    for (expected, number) in (lowest..).zip(listed) {
        if number != expected {
            return Err(missing(layout::segment(directory, expected)));
        }
        segments.push(open_segment(directory, incarnation, number)?);
    }
    Ok(segments)
}

fn open_segment(directory: &Path, incarnation: Ulid, number: u64) -> Result<Segment, RecoverError> {
    let path = layout::segment(directory, number);
    let corrupt = |damage| RecoverError::Corrupt { path: path.clone(), offset: 0, damage };
    let file = File::open(&path).map_err(RecoverError::io("open", &path))?;
    let bytes = file.metadata().map_err(RecoverError::io("inspect", &path))?.len();
    if bytes < BLOCK_BYTES as u64 {
        return Err(corrupt(Damage::Size));
    }
    let mut block = [0; BLOCK_BYTES];
    file.read_exact_at(&mut block, 0).map_err(RecoverError::io("read", &path))?;
    let head = match SegmentHead::decode(&block) {
        Ok(head) => head,
        Err(HeadError::Damaged) => return Err(corrupt(Damage::Head)),
        Err(HeadError::Version(version)) => return Err(RecoverError::Version { path, version }),
    };
    if (head.incarnation, head.number) != (incarnation, number) {
        return Err(corrupt(Damage::Head));
    }
    if head.bytes != bytes {
        return Err(corrupt(Damage::Size));
    }
    Ok(Segment { path, first: head.first, bytes })
}

/// One segment while it is walked.
struct Reading<'a> {
    segment: &'a Segment,
    file: File,
    incarnation: Ulid,
}

impl<'a> Reading<'a> {
    fn open(segment: &'a Segment, incarnation: Ulid) -> Result<Self, RecoverError> {
        let file = File::open(&segment.path).map_err(RecoverError::io("open", &segment.path))?;
        Ok(Self { segment, file, incarnation })
    }

    /// Whether the frame with the expected number is here, whole.
    fn inspect(&self, offset: u64, expected: FrameNumber) -> Result<Found, RecoverError> {
        if offset + BLOCK_BYTES as u64 > self.segment.bytes {
            return Ok(Found::Nothing(FrameError::Absent));
        }
        let header = match FrameHeader::decode(&self.read(offset, HEADER_BYTES)?) {
            Ok(header) => header,
            Err(FrameError::Version(version)) => {
                let path = self.segment.path.clone();
                return Err(RecoverError::Version { path, version });
            }
            Err(error) => return Ok(Found::Nothing(error)),
        };
        if (header.incarnation, header.number) != (self.incarnation, expected) {
            return Ok(Found::Nothing(FrameError::Absent));
        }
        match self.verify(offset, &header)? {
            Ok(()) if header.seal => Ok(Found::Seal),
            Ok(()) => Ok(Found::Frame(header)),
            Err(error) => Ok(Found::Nothing(error)),
        }
    }

    fn verify(
        &self,
        offset: u64,
        header: &FrameHeader,
    ) -> Result<Result<(), FrameError>, RecoverError> {
        if offset + header.frame_bytes() as u64 > self.segment.bytes {
            return Ok(Err(FrameError::Short));
        }
        let index = self.read(offset + HEADER_BYTES as u64, header.index_bytes())?;
        let entries = match header.decode_index(&index) {
            Ok(entries) => entries,
            Err(error) => return Ok(Err(error)),
        };
        for entry in entries {
            let section = self.read(offset + entry.offset as u64, entry.bytes)?;
            if let Err(error) = entry.verify(&section) {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }

    /// Whether a frame with a higher number was begun at or after this offset.
    fn has_later(&self, offset: u64, number: FrameNumber) -> Result<bool, RecoverError> {
        let mut offset = offset;
        while offset < self.segment.bytes {
            let length = (self.segment.bytes - offset).min(CHUNK_BYTES as u64) as usize;
            let chunk = self.read(offset, length)?;
            let mut headers = chunk.chunks(BLOCK_BYTES).flat_map(FrameHeader::decode);
            if headers.any(|it| it.incarnation == self.incarnation && it.number > number) {
                return Ok(true);
            }
            offset += length as u64;
        }
        Ok(false)
    }

    fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>, RecoverError> {
        let mut bytes = vec![0; length];
        let read = self.file.read_exact_at(&mut bytes, offset);
        read.map_err(RecoverError::io("read", &self.segment.path))?;
        Ok(bytes)
    }

    fn corrupt(&self, offset: u64, damage: Damage) -> RecoverError {
        RecoverError::Corrupt { path: self.segment.path.clone(), offset, damage }
    }
}
