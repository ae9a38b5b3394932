//! Frames are what was written, or are told apart from it.
#![allow(clippy::unwrap_used)] // a test that cannot unwrap has failed

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const INCARNATION: Ulid = Ulid::from_bytes([7; 16]);

fn step() -> impl Strategy<Value = Step> {
    (0..5u16, any::<u64>(), any::<u64>(), vec(any::<u8>(), 0..200)).prop_map(
        |(partition, first, last, records)| Step {
            partition: PartitionId(partition),
            first: Lsn(first),
            last: Lsn(last),
            records: records.into(),
        },
    )
}

fn encoded(steps: &[Step]) -> Bytes {
    let mut out = Vec::new();
    encode(INCARNATION, FrameNumber(42), steps.to_vec(), &mut out);
    out.into()
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(steps in vec(step(), 0..30)) {
        let (header, decoded) = decode(&encoded(&steps)).unwrap();
        prop_assert_eq!(header.incarnation, INCARNATION);
        prop_assert_eq!(header.number, FrameNumber(42));
        let mut expected = steps;
        expected.sort_by_key(|step| step.partition);
        prop_assert_eq!(decoded, expected);
    }

    #[test]
    fn the_size_is_bounded_by_the_steps(steps in vec(step(), 0..30)) {
        let records: usize = steps.iter().map(|step| step.records.len()).sum();
        let bound = HEADER_BYTES + steps.len() * STEP_OVERHEAD_BYTES_MAX + records;
        prop_assert!(encoded(&steps).len() <= bound);
    }

    #[test]
    fn one_partition_is_read_through_the_index(steps in vec(step(), 1..30)) {
        let frame = encoded(&steps);
        let header = FrameHeader::decode(&frame).unwrap();
        let index = header.decode_index(&frame[HEADER_BYTES..][..header.index_bytes()]).unwrap();
        for entry in index {
            let section = frame.slice(entry.offset..entry.offset + entry.bytes);
            let read = entry.decode_section(section).unwrap();
            let of_partition = |step: &&Step| step.partition == entry.partition;
            let expected: Vec<Step> = steps.iter().filter(of_partition).cloned().collect();
            prop_assert_eq!(entry.first, expected.first().unwrap().first);
            prop_assert_eq!(entry.last, expected.last().unwrap().last);
            prop_assert_eq!(read, expected);
        }
    }

    #[test]
    fn a_flipped_bit_is_found(
        steps in vec(step(), 0..10),
        at in any::<prop::sample::Index>(),
        bit in 0..8u8,
    ) {
        let mut frame = encoded(&steps).to_vec();
        let at = at.index(frame.len());
        frame[at] ^= 1u8 << bit;
        prop_assert!(decode(&frame.into()).is_err());
    }

    #[test]
    fn a_cut_is_found(steps in vec(step(), 0..10), at in any::<prop::sample::Index>()) {
        let frame = encoded(&steps);
        prop_assert_eq!(decode(&frame.slice(..at.index(frame.len()))), Err(FrameError::Short));
    }

    #[test]
    fn noise_is_no_frame(noise in vec(any::<u8>(), 0..500)) {
        prop_assert!(decode(&noise.into()).is_err());
    }
}

#[test]
fn the_seal_is_an_empty_frame_that_says_so() {
    let seal = Bytes::copy_from_slice(&encode_seal(INCARNATION, FrameNumber(9)));
    let (header, steps) = decode(&seal).unwrap();
    assert!(header.seal && steps.is_empty());
    assert_eq!((header.number, header.frame_bytes()), (FrameNumber(9), HEADER_BYTES));
}

#[test]
fn a_later_version_is_named() {
    let mut seal = encode_seal(INCARNATION, FrameNumber(9));
    seal[4] = 2;
    let checksum = crc32c::crc32c(&seal[..HEADER_BYTES - 4]).to_le_bytes();
    seal[HEADER_BYTES - 4..].copy_from_slice(&checksum);
    assert_eq!(FrameHeader::decode(&seal), Err(FrameError::Version(2)));
}

// The format is a promise: logs outlive the build that wrote them.
#[test]
fn the_bytes_are_golden() {
    let records = Bytes::from_static(b"record");
    let step = Step { partition: PartitionId(3), first: Lsn(5), last: Lsn(6), records };
    let hex: String = encoded(&[step]).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, GOLDEN);
}

const GOLDEN: &str = concat!(
    "54474c460100000007070707070707070707070707070707",
    "2a000000000000003a00000001000000bcf87507413459c7",
    "030000003d6565f6500000001a00000005000000000000000600000000000000",
    "0500000000000000060000000000000006000000",
    "7265636f7264",
);
