//! Where a log ends after a crash, and what is damage.

use std::fs;

use proptest::prelude::*;
use tidegate::log::FrameNumber;
use tidegate::log::file::{BLOCK_BYTES, RecoverError, list, remove};
use tidegate::log::frame::{HEADER_BYTES, STEP_OVERHEAD_BYTES_MAX};
use ulid::Ulid;

use crate::support::{Data, INCARNATION, SEGMENT_BYTES, flip, overwrite, read, step, steps};

/// Where the nth frame of one block lies, in its segment.
fn frame_offset(number: usize) -> usize {
    number * BLOCK_BYTES
}

fn assert_corrupt(data: &Data, segment: u64, expected: usize) {
    let error = data.open().map(|log| log.end()).unwrap_err();
    assert_eq!(error.code(), "TG-0210", "{error}");
    let RecoverError::Corrupt { path, offset, .. } = error else { panic!("{error}") };
    assert_eq!((path, offset), (data.segment(segment), expected as u64));
}

#[tokio::test]
async fn an_empty_log_is_one() {
    let data = Data::written(&[]).await;
    for _ in 0..2 {
        let log = data.open().unwrap();
        assert_eq!((log.first(), log.end(), log.bytes()), (FrameNumber(1), FrameNumber(1), 0));
        assert!(read(&log, 0, FrameNumber::FIRST).is_empty());
    }
}

/// Leaves only some bytes of the third frame, which begins where it always does and has `records` bytes of records.
async fn assert_torn_tail_is_the_end(records: usize, cuts: impl Fn(usize) -> Vec<usize>) {
    let data = Data::written(&[step(0, 1, 100), step(0, 2, 100), step(0, 3, records)]).await;
    let image = fs::read(data.segment(1)).unwrap();
    let start = frame_offset(3);
    let bytes = HEADER_BYTES + STEP_OVERHEAD_BYTES_MAX + records;
    for cut in cuts(bytes) {
        let mut torn = image.clone();
        torn[start + cut..start + bytes].fill(0);
        // A byte that was zero anyway is not torn.
        if torn == image {
            continue;
        }
        fs::write(data.segment(1), torn).unwrap();
        let log = data.open().unwrap();
        assert_eq!(log.end(), FrameNumber(3), "cut at {cut} of {bytes}");
        assert_eq!(read(&log, 0, FrameNumber::FIRST), steps(2));
    }
}

#[tokio::test]
async fn a_tail_torn_at_any_byte_is_the_end() {
    assert_torn_tail_is_the_end(50, |bytes| (0..bytes).collect()).await;
}

#[tokio::test]
async fn a_tail_torn_at_any_sector_is_the_end() {
    assert_torn_tail_is_the_end(9000, |bytes| (0..bytes).step_by(512).collect()).await;
}

#[tokio::test]
async fn a_tail_whose_blocks_arrived_out_of_order_is_the_end() {
    let data = Data::written(&[step(0, 1, 100), step(0, 2, 9000)]).await;
    let image = fs::read(data.segment(1)).unwrap();
    for block in 0..3 {
        let mut torn = image.clone();
        torn[frame_offset(2 + block)..frame_offset(3 + block)].fill(0);
        fs::write(data.segment(1), torn).unwrap();
        assert_eq!(data.recovered(0), [step(0, 1, 100)]);
    }
}

#[tokio::test]
async fn what_was_cut_off_never_comes_back() {
    let data = Data::written(&[step(0, 1, 100), step(0, 2, 9000)]).await;
    let image = fs::read(data.segment(1)).unwrap();
    overwrite(&data.segment(1), frame_offset(3), &[0; BLOCK_BYTES]);
    assert_eq!(data.recovered(0), [step(0, 1, 100)]);
    // The block that was missing arrives after all, as from a cache that the crash had kept from the disk.
    overwrite(&data.segment(1), frame_offset(3), &image[frame_offset(3)..frame_offset(4)]);
    assert_eq!(data.recovered(0), [step(0, 1, 100)]);
}

#[tokio::test]
async fn a_flipped_byte_before_the_last_frame_is_damage() {
    let data = Data::written(&steps(3)).await;
    for offset in [0, 10, 30, 47, 48, 80, 120, 199] {
        flip(&data.segment(1), frame_offset(2) + offset);
        assert_corrupt(&data, 1, frame_offset(2));
        flip(&data.segment(1), frame_offset(2) + offset);
    }
    assert_eq!(data.recovered(0), steps(3));
}

#[tokio::test]
async fn a_flipped_byte_in_the_last_frame_of_a_sealed_log_is_damage() {
    let data = Data::written(&steps(3)).await;
    data.open().unwrap();
    flip(&data.segment(1), frame_offset(3) + 100);
    assert_corrupt(&data, 1, frame_offset(3));
}

#[tokio::test]
async fn damage_at_the_end_of_a_full_segment_is_not_taken_for_a_torn_tail() {
    let data = Data::written(&steps(8)).await;
    flip(&data.segment(1), frame_offset(6) + 100);
    assert_corrupt(&data, 1, frame_offset(6));
}

#[tokio::test]
async fn a_torn_first_frame_of_a_segment_is_the_end() {
    let data = Data::written(&steps(7)).await;
    flip(&data.segment(2), frame_offset(1) + 100);
    for _ in 0..2 {
        assert_eq!(data.recovered(0), steps(6));
    }
}

#[tokio::test]
async fn damaged_heads_are_refused() {
    let data = Data::written(&steps(8)).await;
    for segment in [1, 2] {
        flip(&data.segment(segment), 20);
        assert_corrupt(&data, segment, 0);
        flip(&data.segment(segment), 20);
    }
    assert_eq!(data.recovered(0), steps(8));
}

#[tokio::test]
async fn a_segment_of_another_size_is_refused() {
    let data = Data::written(&steps(3)).await;
    let image = fs::read(data.segment(1)).unwrap();
    fs::write(data.segment(1), &image[..SEGMENT_BYTES - 1]).unwrap();
    assert_corrupt(&data, 1, 0);
}

#[tokio::test]
async fn a_missing_segment_is_refused() {
    let data = Data::written(&steps(14)).await;
    fs::remove_file(data.segment(2)).unwrap();
    let error = data.open().map(|log| log.end()).unwrap_err();
    assert_eq!(error.code(), "TG-0211", "{error}");
}

#[test]
fn a_missing_log_is_refused() {
    let error = Data::new().open().map(|log| log.end()).unwrap_err();
    assert_eq!(error.code(), "TG-0211", "{error}");
}

#[tokio::test]
async fn old_frames_behind_the_end_are_no_damage() {
    let data = Data::written(&steps(4)).await;
    let image = fs::read(data.segment(1)).unwrap();
    // As in a recycled segment: frames with lower numbers lie behind the end.
    overwrite(&data.segment(1), frame_offset(4), &[0xAA; 100]);
    for number in [1, 2] {
        let old = &image[frame_offset(number)..frame_offset(number + 1)];
        overwrite(&data.segment(1), frame_offset(number + 4), old);
    }
    assert_eq!(data.recovered(0), steps(3));
}

#[tokio::test]
async fn frames_of_another_incarnation_behind_the_end_are_no_damage() {
    let data = Data::written(&steps(2)).await;
    let mut other = Vec::new();
    let incarnation = Ulid::from_bytes([9; 16]);
    tidegate::log::frame::encode(incarnation, FrameNumber(9), steps(1), &mut other);
    overwrite(&data.segment(1), frame_offset(3), &other);
    assert_eq!(data.recovered(0), steps(2));
}

#[tokio::test]
async fn a_crash_at_any_byte_of_the_seal_changes_nothing() {
    let data = Data::written(&steps(3)).await;
    let unsealed = fs::read(data.segment(1)).unwrap();
    data.open().unwrap();
    let sealed = fs::read(data.segment(1)).unwrap();
    assert_ne!(sealed, unsealed);
    let seal = frame_offset(4);
    for written in 0..=48 {
        let mut image = unsealed.clone();
        image[seal..seal + written].copy_from_slice(&sealed[seal..seal + written]);
        fs::write(data.segment(1), image).unwrap();
        assert_eq!(data.recovered(0), steps(3));
        assert_eq!(fs::read(data.segment(1)).unwrap(), sealed);
    }
}

#[tokio::test]
async fn a_crash_while_sealing_over_a_torn_frame_changes_nothing() {
    let data = Data::written(&[step(0, 1, 100), step(0, 2, 9000)]).await;
    flip(&data.segment(1), frame_offset(3));
    let unsealed = fs::read(data.segment(1)).unwrap();
    data.open().unwrap();
    let sealed = fs::read(data.segment(1)).unwrap();
    let seal = frame_offset(2);
    for written in (0..=48).chain([512, 4096]) {
        let mut image = unsealed.clone();
        image[seal..seal + written].copy_from_slice(&sealed[seal..seal + written]);
        fs::write(data.segment(1), image).unwrap();
        assert_eq!(data.recovered(0), [step(0, 1, 100)], "after {written} bytes of the seal");
    }
}

#[tokio::test]
async fn logs_are_listed_and_removed() {
    let data = Data::written(&steps(3)).await;
    let logs = data.lock.directory().join("log");
    fs::create_dir(logs.join(format!("{}.removed", Ulid::from_bytes([2; 16])))).unwrap();
    assert_eq!(list(&data.lock).unwrap(), [INCARNATION]);
    remove(&data.lock, INCARNATION).unwrap();
    remove(&data.lock, INCARNATION).unwrap();
    assert!(list(&data.lock).unwrap().is_empty());
    assert_eq!(fs::read_dir(logs).unwrap().count(), 0);
}

#[test]
fn a_new_data_directory_has_no_logs() {
    assert!(list(&Data::new().lock).unwrap().is_empty());
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    // Whatever one flip does, recovery gives all, gives all but the last frame, or refuses: it never invents or skips.
    #[test]
    fn one_flipped_bit_never_yields_another_history(
        sizes in prop::collection::vec(0usize..10_000, 1..12),
        at in any::<prop::sample::Index>(),
        bit in 0..8u8,
    ) {
        let written: Vec<_> = (1..).zip(&sizes).map(|(lsn, size)| step(0, lsn, *size)).collect();
        let data = runtime().block_on(Data::written(&written));
        let segments = data.files(".segment");
        let at = at.index(segments.len() * SEGMENT_BYTES);
        let path = data.log_directory().join(&segments[at / SEGMENT_BYTES]);
        let mut image = fs::read(&path).unwrap();
        image[at % SEGMENT_BYTES] ^= 1u8 << bit;
        fs::write(&path, image).unwrap();
        match data.open() {
            Ok(log) => {
                let recovered = read(&log, 0, FrameNumber::FIRST);
                prop_assert!(recovered.len() + 1 >= written.len());
                prop_assert_eq!(&recovered[..], &written[..recovered.len()]);
            }
            Err(error) => prop_assert_eq!(error.code(), "TG-0210"),
        }
    }
}
