//! The node log: single frames, and logs whose files are damaged.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use bytes::Bytes;
use tempfile::TempDir;
use tidegate::log::file::{BLOCK_BYTES, FileLog, FileLogOptions, SealedLog};
use tidegate::log::frame::{FrameHeader, HEADER_BYTES, decode, encode};
use tidegate::log::lock::DirectoryLock;
use tidegate::log::{FrameNumber, NodeLog, Step};
use tidegate_core::id::{Lsn, PartitionId};
use ulid::Ulid;

const INCARNATION: Ulid = Ulid::from_bytes([1; 16]);
const STEPS: u64 = 12;
/// Where the checksum of the index stands in a header.
const INDEX_CHECKSUM: usize = HEADER_BYTES - 8;

/// A frame that is read holds steps that are written and read again as they are; nothing is read past its end.
pub(crate) fn frame(input: &[u8]) {
    for frame in [input.to_vec(), with_checksums(input)] {
        let frame = Bytes::from(frame);
        let Ok((header, steps)) = decode(&frame) else { continue };
        assert!(header.frame_bytes() <= frame.len());
        let bytes: usize = steps.iter().map(|step| step.records.len()).sum();
        assert!(bytes <= frame.len(), "steps overlap");
        // A writer puts the steps of a partition together.
        let mut written = Vec::new();
        encode(header.incarnation, header.number, steps.clone(), &mut written);
        let mut sorted = steps;
        sorted.sort_by_key(|step| step.partition);
        assert_eq!(decode(&written.into()).unwrap().1, sorted);
    }
}

/// The same frame with the checksums of its header and its index set right, as far as it has them.
fn with_checksums(input: &[u8]) -> Vec<u8> {
    let mut frame = input.to_vec();
    if frame.len() < HEADER_BYTES {
        return frame;
    }
    seal_header(&mut frame);
    if let Ok(header) = FrameHeader::decode(&frame)
        && let Some(index) = frame.get(HEADER_BYTES..HEADER_BYTES + header.index_bytes())
    {
        let checksum = crc32c::crc32c(index);
        frame[INDEX_CHECKSUM..INDEX_CHECKSUM + 4].copy_from_slice(&checksum.to_le_bytes());
        seal_header(&mut frame);
    }
    frame
}

fn seal_header(frame: &mut [u8]) {
    let checksum = crc32c::crc32c(&frame[..HEADER_BYTES - 4]);
    frame[HEADER_BYTES - 4..HEADER_BYTES].copy_from_slice(&checksum.to_le_bytes());
}

/// The files of a log, by name, as a crash left them; and the steps that it holds.
struct Written {
    files: Vec<(PathBuf, Vec<u8>)>,
    steps: Vec<Step>,
}

static WRITTEN: LazyLock<Written> = LazyLock::new(write);

fn step(lsn: u64) -> Step {
    let records: Bytes = (0..700).map(|at| (at as u64 * 31 + lsn) as u8).collect();
    Step { partition: PartitionId(0), first: Lsn(lsn), last: Lsn(lsn), records }
}

/// A folder in memory where there is one: recovery syncs, which a disk would be slow at.
fn folder() -> TempDir {
    TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap()
}

fn write() -> Written {
    let folder = folder();
    let lock = DirectoryLock::acquire(folder.path()).unwrap();
    let options = FileLogOptions {
        segment_bytes: 8 * BLOCK_BYTES,
        frame_bytes_max: 3 * BLOCK_BYTES,
        buffer_bytes: 6 * BLOCK_BYTES,
        ..FileLogOptions::default()
    };
    let log = FileLog::create(&lock, INCARNATION, &options).unwrap();
    let steps: Vec<_> = (1..=STEPS).map(step).collect();
    futures::executor::block_on(async {
        for step in &steps {
            log.room().await;
            let ticket = log.append(step.clone());
            log.durable().wait_for(|durable| durable.through >= ticket).await.unwrap();
        }
    });
    drop(log);
    let directory = Path::new("log").join(INCARNATION.to_string());
    let mut names: Vec<_> = fs::read_dir(folder.path().join(&directory))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| name.to_string_lossy().ends_with(".segment"))
        .collect();
    names.sort();
    let read = |name| {
        let path = directory.join(name);
        let bytes = fs::read(folder.path().join(&path)).unwrap();
        (path, bytes)
    };
    Written { files: names.into_iter().map(read).collect(), steps }
}

/// Whatever happens to the files: recovery gives steps that were written, in a row, or says that it is damaged. What it gives
/// once, it gives again.
pub(crate) fn recovery(input: &[u8]) {
    let mut files = WRITTEN.files.clone();
    for damage in input.chunks_exact(6).take(16) {
        hurt(&mut files, damage.try_into().unwrap());
    }
    let folder = folder();
    for (path, bytes) in &files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    let Some(first) = recovered(folder.path()) else { return };
    // A log without its first segments is one that was trimmed: whoever needs them notices that positions are missing.
    let trimmed = files.first().is_none_or(|(path, _)| *path != WRITTEN.files[0].0);
    let begin = first.first().map_or(0, |first| first.first.0 as usize - 1);
    assert!(trimmed || begin == 0, "the first steps are missing");
    assert!(WRITTEN.steps[begin..].starts_with(&first), "{} steps, and not in a row", first.len());
    let again = recovered(folder.path());
    assert_eq!(again.as_deref(), Some(&*first), "a second recovery gives something else");
}

fn recovered(data: &Path) -> Option<Vec<Step>> {
    let lock = DirectoryLock::acquire(data).unwrap();
    let log = SealedLog::open(&lock, INCARNATION).ok()?;
    let steps = log.steps(PartitionId(0), FrameNumber::FIRST);
    steps.map(|step| step.ok().map(|step| step.step)).collect()
}

/// Flips a bit, clears a stretch, cuts a file off, removes it, or lays one stretch over another one.
fn hurt(files: &mut Vec<(PathBuf, Vec<u8>)>, damage: [u8; 6]) {
    let [kind, file, at_high, at_low, length, value] = damage;
    if files.is_empty() {
        return;
    }
    let file = usize::from(file) % files.len();
    let at = usize::from(u16::from_le_bytes([at_low, at_high]));
    let length = usize::from(length) * 16;
    let bytes = &mut files[file].1;
    let at = at % bytes.len().max(1);
    let end = (at + length).min(bytes.len());
    match kind % 5 {
        0 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= value;
            }
        }
        1 => bytes[at.min(end)..end].fill(0),
        2 => bytes.truncate(at),
        3 => drop(files.remove(file)),
        _ => {
            let from = (usize::from(value) * 128).min(bytes.len());
            let stretch = bytes[from..(from + length).min(bytes.len())].to_vec();
            let room = (bytes.len() - at.min(bytes.len())).min(stretch.len());
            bytes[at..at + room].copy_from_slice(&stretch[..room]);
        }
    }
}
