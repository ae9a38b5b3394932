//! The files of `tests/golden/v1` were written once and hold the formats in place: they decode to the samples, and the
//! samples encode to them.
//!
//! A failure here means that logs and stores that exist can no longer be read. A new kind gets a new file:
//! `TIDEGATE_REWRITE_GOLDEN=1 cargo test -p tidegate-core --test codec golden` writes all files; run it
//! again without the variable, and review that files were only added. To change an existing one is right only before the first release.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use tidegate_core::codec::record::{decode_step, encode_step_to_bytes};
use tidegate_core::codec::row::{decode_key, decode_row, encode_key, encode_row};

use crate::samples;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1")
}

/// The file's bytes; with `TIDEGATE_REWRITE_GOLDEN` it is first made to hold what is encoded now.
fn golden(name: &str, encoded: &[u8]) -> Vec<u8> {
    let path = folder().join(name);
    if std::env::var_os("TIDEGATE_REWRITE_GOLDEN").is_some() {
        fs::write(&path, encoded).unwrap();
    }
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn steps_are_read_and_written_as_ever() {
    for (name, records) in samples::steps() {
        let encoded = encode_step_to_bytes(&records);
        let golden = golden(&format!("step-{name}.bin"), &encoded);
        assert_eq!(decode_step(golden.clone().into()), Ok(records), "{name}");
        assert_eq!(encoded, golden, "{name}");
    }
}

#[test]
fn keys_are_read_and_written_as_ever() {
    for (name, key, _) in samples::rows() {
        let encoded = encode_key(&key);
        let golden = golden(&format!("key-{name}.bin"), &encoded);
        assert_eq!(decode_key(&golden), Ok(key), "{name}");
        assert_eq!(encoded, golden, "{name}");
    }
}

#[test]
fn rows_are_read_and_written_as_ever() {
    for (name, key, row) in samples::rows() {
        let encoded = encode_row(&row);
        let golden = golden(&format!("row-{name}.bin"), &encoded);
        assert_eq!(decode_row(&key, golden.clone().into()), Ok(row), "{name}");
        assert_eq!(encoded, golden, "{name}");
    }
}

#[test]
fn no_file_is_forgotten() {
    let steps = samples::steps().into_iter().map(|(name, _)| format!("step-{name}.bin"));
    let rows = samples::rows();
    let rows =
        rows.iter().flat_map(|(name, ..)| ["key", "row"].map(|part| format!("{part}-{name}.bin")));
    let expected: BTreeSet<String> = steps.chain(rows).collect();
    let found: BTreeSet<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(found, expected);
}
