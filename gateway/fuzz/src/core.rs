//! What the core persists: steps of records, rows, and the keys of rows.
//!
//! Checksums keep nearly every input out, so each is tried as it is, and once more with the right checksum.

use bytes::Bytes;
use tidegate_core::codec::record::{decode_step, encode_step_to_bytes};
use tidegate_core::codec::row::{decode_key, decode_row, encode_key, encode_row};

/// The version that formats have.
const VERSION: u8 = 1;

fn sealed(body: &[u8]) -> Bytes {
    let mut sealed = [&[VERSION], body].concat();
    sealed.extend_from_slice(&crc32fast::hash(&sealed).to_le_bytes());
    sealed.into()
}

/// A step that is read is written such that the same is read again, and takes no more memory than its bytes justify.
pub(crate) fn step(input: &[u8]) {
    for step in [Bytes::copy_from_slice(input), sealed(input)] {
        let length = step.len();
        let Ok(records) = decode_step(step) else { continue };
        assert!(records.len() <= length, "a record has at least a byte");
        let written = encode_step_to_bytes(&records);
        assert_eq!(decode_step(written).unwrap(), records);
    }
}

/// A row that is read for a key is written such that the same is read again.
pub(crate) fn row(input: &[u8]) {
    let Some((&split, rest)) = input.split_first() else { return };
    let (key, row) = rest.split_at(usize::from(split).min(rest.len()));
    let Ok(key) = decode_key(key) else { return };
    for row in [Bytes::copy_from_slice(row), sealed(row)] {
        let Ok(row) = decode_row(&key, row) else { continue };
        assert_eq!(decode_row(&key, encode_row(&row).into()).unwrap(), row);
    }
}

/// A key has one form in bytes, so that no row is there twice; and keys sort as their bytes do, in front of the end of all.
pub(crate) fn key(input: &[u8]) {
    let Ok(key) = decode_key(input) else { return };
    assert_eq!(encode_key(&key), input);
}
