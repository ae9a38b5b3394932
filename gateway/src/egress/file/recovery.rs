//! What an egress file holds: the last sequence of each partition, and where the last whole line ends.
//!
//! Appending after a crash leaves a prefix of what was being written, so only the last line can be torn: it has no line feed. It
//! was never acknowledged and is cut off. A whole line that cannot be read is something else, damage by a device or a hand,
//! perhaps to records that were acknowledged; then nobody but the operator may decide.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use serde::Deserialize;
use tidegate_core::id::{PartitionId, Sequence, Timestamp};

const BUFFER_BYTES: usize = 256 << 10;

/// What is known of one partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Written {
    /// The last sequence in the file.
    pub through: Sequence,
    /// The latest moment at which a record in the file was emitted.
    pub latest: Timestamp,
}

/// What is known of a file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Recovered {
    /// Each partition that has a line.
    pub written: BTreeMap<PartitionId, Written>,
    /// Where the last whole line ends.
    pub bytes: u64,
}

/// A whole line that is not one of ours.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Damage {
    /// It is no JSON object with a place.
    #[error("the line at byte {at} is not a record of an egress")]
    Unreadable {
        /// Where the line begins.
        at: u64,
    },
    /// Sequences of one partition must ascend.
    #[error("the line at byte {at} repeats or goes back behind an earlier record of its partition")]
    Unordered {
        /// Where the line begins.
        at: u64,
    },
}

#[derive(Deserialize)]
struct Place {
    partition: u16,
    sequence: u64,
    at: u64,
}

/// Reads a file from its beginning to its end.
///
/// # Errors
/// The outer error is the operating system's, the inner one says that the content is damaged.
pub fn recover(file: &mut (impl Read + Seek)) -> io::Result<Result<Recovered, Damage>> {
    file.seek(SeekFrom::Start(0))?;
    let mut lines = BufReader::with_capacity(BUFFER_BYTES, file);
    let mut recovered = Recovered::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        lines.read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            return Ok(Ok(recovered));
        }
        if let Err(damage) = recovered.take(&line) {
            return Ok(Err(damage));
        }
    }
}

impl Recovered {
    fn take(&mut self, line: &[u8]) -> Result<(), Damage> {
        let at = self.bytes;
        let place: Place = serde_json::from_slice(line).map_err(|_| Damage::Unreadable { at })?;
        let written = self.written.entry(PartitionId(place.partition)).or_default();
        if Sequence(place.sequence) <= written.through {
            return Err(Damage::Unordered { at });
        }
        written.through = Sequence(place.sequence);
        written.latest = written.latest.max(Timestamp(place.at));
        self.bytes += line.len() as u64;
        Ok(())
    }
}
