//! How far a reader of an egress has come, in all partitions, as one opaque text.
//!
//! Passing a cursor lets the gateway remove records, so a cursor that was cut off, made up, or belongs to another egress must not be
//! taken for a good one: it ends with a checksum over the egress' name and its content.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tidegate_core::address::EgressId;
use tidegate_core::id::{PartitionId, Sequence};

const VERSION: u8 = 1;
const CHECKSUM_BYTES: usize = 4;
const VARINT_BYTES_MAX: usize = 10;

/// The last sequence that is known of each partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cursor(Vec<Sequence>);

impl Cursor {
    /// Before the first record of each of so many partitions.
    #[must_use]
    pub fn start(partitions: u16) -> Self {
        Self(vec![Sequence::NONE; usize::from(partitions)])
    }

    /// The last sequence that is known of a partition.
    #[must_use]
    pub fn get(&self, partition: PartitionId) -> Sequence {
        self.0.get(usize::from(partition.0)).copied().unwrap_or(Sequence::NONE)
    }

    /// Moves on in one partition.
    pub fn advance(&mut self, partition: PartitionId, through: Sequence) {
        if let Some(known) = self.0.get_mut(usize::from(partition.0)) {
            *known = through;
        }
    }

    /// All partitions with what is known of them.
    pub fn iter(&self) -> impl Iterator<Item = (PartitionId, Sequence)> {
        (0..).map(PartitionId).zip(self.0.iter().copied())
    }

    /// The text that a reader passes back.
    #[must_use]
    pub fn encode(&self, egress: &EgressId) -> String {
        let mut bytes = Vec::with_capacity(1 + 2 * self.0.len() + CHECKSUM_BYTES);
        bytes.push(VERSION);
        for sequence in &self.0 {
            put_varint(&mut bytes, sequence.0);
        }
        let checksum = checksum(egress, &bytes);
        bytes.extend_from_slice(&checksum);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a text back; nothing if it is not a cursor of this egress over exactly so many partitions.
    #[must_use]
    pub fn decode(text: &str, egress: &EgressId, partitions: u16) -> Option<Self> {
        let longest = 1 + usize::from(partitions) * VARINT_BYTES_MAX + CHECKSUM_BYTES;
        if text.len() > longest.div_ceil(3) * 4 {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (content, given) = bytes.split_last_chunk::<CHECKSUM_BYTES>()?;
        if *given != checksum(egress, content) {
            return None;
        }
        let (&VERSION, mut rest) = content.split_first()? else { return None };
        let sequences: Option<Vec<_>> =
            (0..partitions).map(|_| take_varint(&mut rest).map(Sequence)).collect();
        rest.is_empty().then_some(Self(sequences?))
    }
}

fn checksum(egress: &EgressId, content: &[u8]) -> [u8; CHECKSUM_BYTES] {
    crc32c::crc32c_append(crc32c::crc32c(egress.as_str().as_bytes()), content).to_le_bytes()
}

fn put_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let part = u64::from(byte & 0x7f);
        if part << shift >> shift != part {
            return None;
        }
        number |= part << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use proptest::prelude::*;

    use super::*;

    fn egress() -> EgressId {
        EgressId::parse("shop/receipts").unwrap()
    }

    proptest! {
        #[test]
        fn round_trip(sequences in prop::collection::vec(any::<u64>(), 0..80)) {
            let cursor = Cursor(sequences.into_iter().map(Sequence).collect());
            let partitions = u16::try_from(cursor.0.len()).unwrap();
            let text = cursor.encode(&egress());
            prop_assert_eq!(Cursor::decode(&text, &egress(), partitions), Some(cursor));
        }

        #[test]
        fn garbage_is_no_cursor(text in "[A-Za-z0-9_-]{0,60}", partitions in 0_u16..20) {
            prop_assert_eq!(Cursor::decode(&text, &egress(), partitions), None);
        }

        #[test]
        fn a_cursor_that_was_cut_off_is_no_cursor(sequences in prop::collection::vec(any::<u64>(), 1..20), cut in 1_usize..8) {
            let partitions = u16::try_from(sequences.len()).unwrap();
            let mut text = Cursor(sequences.into_iter().map(Sequence).collect()).encode(&egress());
            text.truncate(text.len().saturating_sub(cut));
            prop_assert_eq!(Cursor::decode(&text, &egress(), partitions), None);
        }
    }

    #[test]
    fn a_cursor_of_another_egress_or_partition_count_is_refused() {
        let text = Cursor::start(8).encode(&egress());
        assert!(Cursor::decode(&text, &egress(), 8).is_some());
        assert_eq!(Cursor::decode(&text, &EgressId::parse("shop/other").unwrap(), 8), None);
        assert_eq!(Cursor::decode(&text, &egress(), 16), None);
    }
}
