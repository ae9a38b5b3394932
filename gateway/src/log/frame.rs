//! The frame codec: what one sync makes durable, as bytes.
//!
//! A frame is a header, an index, and one section of steps for each partition that has any. The index gives the byte
//! range and the checksum of each section, so that whoever adopts one partition reads and verifies only its part.
//! All numbers are little-endian.
//!
//! ```text
//! header   48   magic 4 | version 1 | flags 1 | zero 2 | incarnation 16 | number 8 | body bytes 4
//!               | sections 4 | crc32c of the index 4 | crc32c of the header before it 4
//! index    32 * sections, ascending by partition:
//!               partition 2 | zero 2 | crc32c 4 | offset in the frame 4 | bytes 4 | first LSN 8 | last LSN 8
//! section       steps in order: first LSN 8 | last LSN 8 | bytes 4 | records
//! ```
//!
//! Every byte is under one of the three checksums. A header whose own checksum holds proves that the writer of this
//! incarnation got as far as this number, even if its body is damaged: recovery builds on that.

use bytes::{Buf, BufMut, Bytes};
use tidegate_core::id::{Lsn, PartitionId};
use ulid::Ulid;

use super::{FrameNumber, Step};

/// The format that this build writes, and the only one that it reads.
pub const FRAME_VERSION: u8 = 1;
/// Bytes of the header of a frame.
pub const HEADER_BYTES: usize = 48;
/// Bytes of one entry of the index.
pub const ENTRY_BYTES: usize = 32;
/// Bytes in front of the records of each step.
pub const STEP_HEADER_BYTES: usize = 20;
/// The most that a step adds to a frame beside its records: it may be alone in its section.
pub const STEP_OVERHEAD_BYTES_MAX: usize = ENTRY_BYTES + STEP_HEADER_BYTES;

const MAGIC: [u8; 4] = *b"TGLF";
const FLAG_SEAL: u8 = 1;

/// What the first bytes of a frame say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameHeader {
    /// Whose log the frame belongs to.
    pub incarnation: Ulid,
    /// The place of the frame in that log.
    pub number: FrameNumber,
    /// Whether this is the seal: it holds no steps, and nothing after it counts.
    pub seal: bool,
    /// Bytes of index and sections together.
    pub body_bytes: usize,
    /// How many partitions have a section.
    pub sections: usize,
    index_checksum: u32,
}

/// Where the steps of one partition lie in a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IndexEntry {
    /// Whose steps the section holds.
    pub partition: PartitionId,
    /// Where the section begins, counted from the first byte of the frame.
    pub offset: usize,
    /// Bytes of the section.
    pub bytes: usize,
    /// The first LSN of its first step.
    pub first: Lsn,
    /// The last LSN of its last step.
    pub last: Lsn,
    checksum: u32,
}

/// The bytes are no frame of a version that this build reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FrameError {
    /// The magic bytes are missing: zeros of a fresh segment, or the middle of something else.
    #[error("there is no frame")]
    Absent,
    /// Fewer bytes than the frame says.
    #[error("the frame is cut off")]
    Short,
    /// The checksum of this part does not match.
    #[error("the checksum of the {0} does not match")]
    Checksum(&'static str),
    /// The checksums hold, but the parts contradict each other.
    #[error("the {0} contradicts the rest of the frame")]
    Inconsistent(&'static str),
    /// Written by another version of this software.
    #[error("frame format {0} is unknown")]
    Version(u8),
}

/// Appends the frame that holds `steps` to `out`. The order of the steps of each partition is kept.
pub fn encode(incarnation: Ulid, number: FrameNumber, mut steps: Vec<Step>, out: &mut Vec<u8>) {
    steps.sort_by_key(|step| step.partition);
    let sections: Vec<&[Step]> =
        steps.chunk_by(|one, next| one.partition == next.partition).collect();
    let start = out.len();
    out.resize(start + HEADER_BYTES + sections.len() * ENTRY_BYTES, 0);
    let mut index = Vec::with_capacity(sections.len() * ENTRY_BYTES);
    for section in &sections {
        let offset = out.len() - start;
        put_section(section, out);
        put_entry(section, offset, &out[start + offset..], &mut index);
    }
    let header = FrameHeader {
        incarnation,
        number,
        seal: false,
        body_bytes: out.len() - start - HEADER_BYTES,
        sections: sections.len(),
        index_checksum: crc32c::crc32c(&index),
    };
    out[start..start + HEADER_BYTES].copy_from_slice(&header.to_bytes());
    out[start + HEADER_BYTES..][..index.len()].copy_from_slice(&index);
}

/// The seal: the frame that ends a log.
pub fn encode_seal(incarnation: Ulid, number: FrameNumber) -> [u8; HEADER_BYTES] {
    let index_checksum = crc32c::crc32c(&[]);
    FrameHeader { incarnation, number, seal: true, body_bytes: 0, sections: 0, index_checksum }
        .to_bytes()
}

fn put_section(steps: &[Step], out: &mut Vec<u8>) {
    for step in steps {
        out.put_u64_le(step.first.0);
        out.put_u64_le(step.last.0);
        out.put_u32_le(size(step.records.len()));
        out.put_slice(&step.records);
    }
}

fn put_entry(steps: &[Step], offset: usize, section: &[u8], index: &mut Vec<u8>) {
    let (Some(first), Some(last)) = (steps.first(), steps.last()) else { return };
    index.put_u16_le(first.partition.0);
    index.put_u16_le(0);
    index.put_u32_le(crc32c::crc32c(section));
    index.put_u32_le(size(offset));
    index.put_u32_le(size(section.len()));
    index.put_u64_le(first.first.0);
    index.put_u64_le(last.last.0);
}

fn size(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("a frame is bounded far below 4 GiB")
}

impl FrameHeader {
    /// Bytes of the frame.
    pub fn frame_bytes(&self) -> usize {
        HEADER_BYTES + self.body_bytes
    }

    /// Bytes of the index.
    pub fn index_bytes(&self) -> usize {
        self.sections * ENTRY_BYTES
    }

    /// Reads the header at the start of `bytes`. What follows it is not looked at.
    pub fn decode(bytes: &[u8]) -> Result<Self, FrameError> {
        let mut header = bytes.get(..HEADER_BYTES).ok_or(FrameError::Short)?;
        if header[..MAGIC.len()] != MAGIC {
            return Err(FrameError::Absent);
        }
        let (content, mut checksum) = header.split_at(HEADER_BYTES - 4);
        if crc32c::crc32c(content) != checksum.get_u32_le() {
            return Err(FrameError::Checksum("header"));
        }
        header.advance(MAGIC.len());
        let version = header.get_u8();
        let flags = header.get_u8();
        if version != FRAME_VERSION || flags & !FLAG_SEAL != 0 {
            return Err(FrameError::Version(version));
        }
        header.advance(2);
        let mut incarnation = [0; 16];
        header.copy_to_slice(&mut incarnation);
        let header = Self {
            incarnation: Ulid::from_bytes(incarnation),
            number: FrameNumber(header.get_u64_le()),
            seal: flags & FLAG_SEAL != 0,
            body_bytes: header.get_u32_le() as usize,
            sections: header.get_u32_le() as usize,
            index_checksum: header.get_u32_le(),
        };
        let fits = header.sections.checked_mul(ENTRY_BYTES).is_some_and(|b| b <= header.body_bytes);
        if fits { Ok(header) } else { Err(FrameError::Inconsistent("index")) }
    }

    /// Reads the index, given exactly its bytes.
    pub fn decode_index(&self, bytes: &[u8]) -> Result<Vec<IndexEntry>, FrameError> {
        if bytes.len() != self.index_bytes() {
            return Err(FrameError::Short);
        }
        if crc32c::crc32c(bytes) != self.index_checksum {
            return Err(FrameError::Checksum("index"));
        }
        let entries: Vec<IndexEntry> =
            bytes.chunks_exact(ENTRY_BYTES).map(IndexEntry::decode).collect();
        // The sections follow each other without a gap, so that no byte escapes the checksums.
        let mut expected = HEADER_BYTES + self.index_bytes();
        for entry in &entries {
            if entry.offset != expected {
                return Err(FrameError::Inconsistent("index"));
            }
            expected = expected.saturating_add(entry.bytes);
        }
        if expected != self.frame_bytes() {
            return Err(FrameError::Inconsistent("index"));
        }
        Ok(entries)
    }

    fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let mut out = &mut bytes[..];
        out.put_slice(&MAGIC);
        out.put_u8(FRAME_VERSION);
        out.put_u8(if self.seal { FLAG_SEAL } else { 0 });
        out.put_u16_le(0);
        out.put_slice(&self.incarnation.to_bytes());
        out.put_u64_le(self.number.0);
        out.put_u32_le(size(self.body_bytes));
        out.put_u32_le(size(self.sections));
        out.put_u32_le(self.index_checksum);
        let checksum = crc32c::crc32c(&bytes[..HEADER_BYTES - 4]);
        bytes[HEADER_BYTES - 4..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }
}

impl IndexEntry {
    fn decode(mut bytes: &[u8]) -> Self {
        let partition = PartitionId(bytes.get_u16_le());
        bytes.advance(2);
        Self {
            partition,
            checksum: bytes.get_u32_le(),
            offset: bytes.get_u32_le() as usize,
            bytes: bytes.get_u32_le() as usize,
            first: Lsn(bytes.get_u64_le()),
            last: Lsn(bytes.get_u64_le()),
        }
    }

    /// Whether these are the bytes of the section.
    pub fn verify(&self, section: &[u8]) -> Result<(), FrameError> {
        if section.len() != self.bytes {
            return Err(FrameError::Short);
        }
        if crc32c::crc32c(section) != self.checksum {
            return Err(FrameError::Checksum("section"));
        }
        Ok(())
    }

    /// The steps of the section, in the order in which they were appended. Records share its memory.
    pub fn decode_section(&self, mut section: Bytes) -> Result<Vec<Step>, FrameError> {
        self.verify(&section)?;
        let mut steps = Vec::new();
        while !section.is_empty() {
            if section.len() < STEP_HEADER_BYTES {
                return Err(FrameError::Inconsistent("section"));
            }
            let first = Lsn(section.get_u64_le());
            let last = Lsn(section.get_u64_le());
            let bytes = section.get_u32_le() as usize;
            if section.len() < bytes {
                return Err(FrameError::Inconsistent("section"));
            }
            let records = section.split_to(bytes);
            steps.push(Step { partition: self.partition, first, last, records });
        }
        Ok(steps)
    }
}

/// All steps of a frame that lies in memory as a whole, partition by partition.
pub fn decode(frame: &Bytes) -> Result<(FrameHeader, Vec<Step>), FrameError> {
    let header = FrameHeader::decode(frame)?;
    if frame.len() < header.frame_bytes() {
        return Err(FrameError::Short);
    }
    let index = header.decode_index(&frame[HEADER_BYTES..HEADER_BYTES + header.index_bytes()])?;
    let mut steps = Vec::new();
    for entry in &index {
        let section = frame.slice(entry.offset..entry.offset + entry.bytes);
        steps.extend(entry.decode_section(section)?);
    }
    Ok((header, steps))
}

#[cfg(test)]
mod tests;
