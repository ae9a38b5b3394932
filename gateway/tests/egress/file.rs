//! The file egress: each record exactly once, whatever a crash leaves behind.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate::egress::Sink;
use tidegate::egress::file::{FileEgressConfig, FileEgressError, FileSink};
use tidegate_core::id::{PartitionId, Sequence};

use super::{Acknowledged, egress, emitted};

fn open(path: &Path) -> Result<(FileSink, Acknowledged), FileEgressError> {
    let acknowledged = Acknowledged::default();
    let config = FileEgressConfig { id: egress(), path: path.to_owned() };
    FileSink::open(config, acknowledged.callback()).map(|sink| (sink, acknowledged))
}

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("receipts.ndjson");
    (folder, path)
}

/// Three records in each of two partitions, as the core hands them out after a crash: from the first one that is not acknowledged.
fn emit_all(sink: &FileSink) {
    for sequence in 1..=3 {
        for partition in [0, 7] {
            let record = emitted(1000 + sequence, b"{\"paid\":\n true}");
            sink.emit(PartitionId(partition), Sequence(sequence), record);
        }
    }
}

fn lines(path: &Path) -> Vec<Value> {
    fs::read_to_string(path)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The whole file after all records were written, and what was acknowledged for it.
fn written(path: &Path) -> Vec<u8> {
    let (sink, acknowledged) = open(path).unwrap();
    emit_all(&sink);
    drop(sink);
    let mut last = acknowledged.all();
    last.sort_unstable();
    assert_eq!(last.iter().rfind(|(partition, _)| *partition == 0), Some(&(0, 3)));
    assert_eq!(last.iter().rfind(|(partition, _)| *partition == 7), Some(&(7, 3)));
    fs::read(path).unwrap()
}

#[test]
fn records_are_lines_in_order() {
    let (_folder, path) = folder();
    written(&path);
    let lines = lines(&path);
    assert_eq!(lines.len(), 6);
    let first = json!({
        "partition": 0, "sequence": 1, "from": "shop/cart/ann", "at": 1001, "type": "shop/receipt", "value": {"paid": true},
    });
    assert_eq!(lines[0], first);
    let of_seven = lines
        .iter()
        .filter(|line| line["partition"] == 7)
        .map(|line| line["sequence"].as_u64().unwrap());
    assert!(of_seven.eq(1..=3));
}

#[test]
fn a_crash_at_any_byte_neither_loses_nor_repeats_a_record() {
    let (_folder, path) = folder();
    let whole = written(&path);
    // Every byte of a line is hit over the lines; each step costs several syncs.
    for cut in (0..=whole.len()).step_by(7) {
        fs::write(&path, &whole[..cut]).unwrap();
        assert_eq!(written(&path), whole, "cut at byte {cut}");
    }
}

#[test]
fn zeros_behind_the_last_line_are_torn_too() {
    let (_folder, path) = folder();
    let whole = written(&path);
    let mut torn = whole.clone();
    torn.extend_from_slice(&[0; 100]);
    fs::write(&path, torn).unwrap();
    assert_eq!(written(&path), whole);
}

#[test]
fn new_records_follow_the_old_ones() {
    let (_folder, path) = folder();
    written(&path);
    let (sink, acknowledged) = open(&path).unwrap();
    sink.emit(PartitionId(0), Sequence(3), emitted(1003, b"{}"));
    sink.emit(PartitionId(0), Sequence(4), emitted(1004, b"{}"));
    drop(sink);
    assert_eq!(acknowledged.all().last(), Some(&(0, 4)));
    assert_eq!(lines(&path).len(), 7);
    assert_eq!(lines(&path)[6]["sequence"], 4);
}

#[test]
fn a_damaged_line_stops_the_start_and_leaves_the_file_alone() {
    let (_folder, path) = folder();
    let whole = String::from_utf8(written(&path)).unwrap();
    let second = whole.find('\n').unwrap() + 1;
    let (head, tail) = whole.split_at(second);
    for damaged in
        [format!("{head}x{tail}"), format!("{head}\n{tail}"), format!("{head}{head}{tail}")]
    {
        fs::write(&path, &damaged).unwrap();
        let error = open(&path).map(|_| ()).unwrap_err().to_string();
        assert!(
            error.starts_with("TG-0501") && error.contains(&format!("byte {second} ")),
            "{error}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), damaged);
    }
}

#[test]
fn a_file_has_one_writer() {
    let (_folder, path) = folder();
    let (sink, _) = open(&path).unwrap();
    assert!(matches!(open(&path), Err(FileEgressError::InUse { .. })));
    drop(sink);
    assert!(open(&path).is_ok());
}

#[test]
fn a_missing_folder_is_an_error() {
    let (folder, _) = folder();
    let error = open(&folder.path().join("missing/receipts.ndjson")).map(|_| ()).unwrap_err();
    assert!(error.to_string().starts_with("TG-0505"));
}

#[test]
fn records_of_another_deployment_are_not_taken_for_repetitions() {
    let (_folder, path) = folder();
    let whole = written(&path);
    let (sink, acknowledged) = open(&path).unwrap();
    sink.emit(PartitionId(0), Sequence(1), emitted(2000, b"{}"));
    drop(sink);
    assert_eq!(acknowledged.all(), []);
    assert_eq!(fs::read(&path).unwrap(), whole);
}
