//! The frame around each persisted item: a version in front, a checksum of all before it behind.

use alloc::vec::Vec;

use bytes::{Buf, Bytes};

use super::DecodeError;
use super::reader::Reader;

const VERSION_BYTES: usize = 1;
const CHECKSUM_BYTES: usize = size_of::<u32>();

/// A format of which this program writes and reads one version.
pub(super) struct Format {
    /// What errors call it.
    pub(super) name: &'static str,
    /// The version that is written.
    pub(super) version: u8,
}

impl Format {
    /// Appends an item to `out`: the version, what `body` writes, and the checksum (CRC-32, little endian).
    pub(super) fn seal(&self, out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
        let start = out.len();
        self.begin(out);
        body(out);
        end(out, start);
    }

    /// Begins an item whose body is written bit by bit, until [`end`].
    pub(super) fn begin(&self, out: &mut Vec<u8>) {
        out.push(self.version);
    }

    /// Checks the frame and gives a reader of the body.
    pub(super) fn open(&self, mut input: Bytes) -> Result<Reader, DecodeError> {
        let Some((covered, stored)) = input.split_last_chunk::<CHECKSUM_BYTES>() else {
            return Err(too_short(input.len()));
        };
        let version = *covered.first().ok_or_else(|| too_short(input.len()))?;
        if version != self.version {
            return Err(DecodeError::UnknownVersion {
                format: self.name,
                found: version,
                supported: self.version,
            });
        }
        let (stored, computed) = (u32::from_le_bytes(*stored), crc32fast::hash(covered));
        if stored != computed {
            return Err(DecodeError::ChecksumMismatch { format: self.name, stored, computed });
        }
        input.truncate(input.len() - CHECKSUM_BYTES);
        input.advance(VERSION_BYTES);
        Ok(Reader::new(input))
    }
}

/// Ends the item that began at `start`.
pub(super) fn end(out: &mut Vec<u8>, start: usize) {
    let checksum = crc32fast::hash(&out[start..]);
    out.extend_from_slice(&checksum.to_le_bytes());
}

fn too_short(left: usize) -> DecodeError {
    DecodeError::Truncated { at: 0, needed: (VERSION_BYTES + CHECKSUM_BYTES) as u64, left }
}
