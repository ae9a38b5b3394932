//! Where a log lies on disk, and the head of a segment.
//!
//! `<data>/log/<incarnation>/` holds segments named by their number, `00000000000000000001.segment`, and spare
//! files that wait to be used again. A file carries the name of a segment only when its head is durable in it, and it
//! loses that name, durably, before its head is overwritten: so a segment without a valid head is always damage.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use bytes::{Buf, BufMut};
use ulid::Ulid;

use super::super::FrameNumber;

/// Frames begin at multiples of this, so that writing one never touches a block that holds another.
pub const BLOCK_BYTES: usize = 4096;

const MAGIC: [u8; 4] = *b"TGLS";
const VERSION: u8 = 1;
const HEAD_BYTES: usize = 4 + 4 + 16 + 8 + 8 + 8 + 4;
const SEGMENT_SUFFIX: &str = ".segment";

/// What the first block of a segment says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct SegmentHead {
    pub(super) incarnation: Ulid,
    /// The place of the segment in the log, from 1 without a gap.
    pub(super) number: u64,
    /// The first frame that is written to it.
    pub(super) first: FrameNumber,
    /// Bytes of the file.
    pub(super) bytes: u64,
}

/// Why a block is not the head of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum HeadError {
    Damaged,
    Version(u8),
}

impl SegmentHead {
    pub(super) fn to_block(self) -> [u8; BLOCK_BYTES] {
        let mut block = [0; BLOCK_BYTES];
        let mut out = &mut block[..];
        out.put_slice(&MAGIC);
        out.put_u8(VERSION);
        out.put_bytes(0, 3);
        out.put_slice(&self.incarnation.to_bytes());
        out.put_u64_le(self.number);
        out.put_u64_le(self.first.0);
        out.put_u64_le(self.bytes);
        let checksum = crc32c::crc32c(&block[..HEAD_BYTES - 4]);
        block[HEAD_BYTES - 4..HEAD_BYTES].copy_from_slice(&checksum.to_le_bytes());
        block
    }

    pub(super) fn decode(block: &[u8; BLOCK_BYTES]) -> Result<Self, HeadError> {
        let (content, mut checksum) = block[..HEAD_BYTES].split_at(HEAD_BYTES - 4);
        if content[..MAGIC.len()] != MAGIC || crc32c::crc32c(content) != checksum.get_u32_le() {
            return Err(HeadError::Damaged);
        }
        let mut rest = &content[MAGIC.len()..];
        let version = rest.get_u8();
        if version != VERSION {
            return Err(HeadError::Version(version));
        }
        rest.advance(3);
        let mut incarnation = [0; 16];
        rest.copy_to_slice(&mut incarnation);
        Ok(Self {
            incarnation: Ulid::from_bytes(incarnation),
            number: rest.get_u64_le(),
            first: FrameNumber(rest.get_u64_le()),
            bytes: rest.get_u64_le(),
        })
    }
}

/// The directory of all logs.
pub(super) fn logs(data: &Path) -> PathBuf {
    data.join("log")
}

/// The directory of the log of one incarnation.
pub(super) fn log(data: &Path, incarnation: Ulid) -> PathBuf {
    logs(data).join(incarnation.to_string())
}

/// The file of a segment.
pub(super) fn segment(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:020}{SEGMENT_SUFFIX}"))
}

/// A file that waits to become a segment.
pub(super) fn spare(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:020}.spare"))
}

/// The numbers of the segments in a directory, ascending.
pub(super) fn segment_numbers(directory: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(SEGMENT_SUFFIX));
        numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Rounds up to whole blocks.
pub(super) const fn whole_blocks(bytes: usize) -> usize {
    bytes.next_multiple_of(BLOCK_BYTES)
}

/// Makes the names in a directory durable.
pub(super) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
