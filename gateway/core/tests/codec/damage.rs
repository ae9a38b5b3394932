//! Whatever the bytes, decoding gives a value or an error that says what is wrong.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use tidegate_core::address::Typename;
use tidegate_core::codec::DecodeError;
use tidegate_core::codec::record::{decode_step, encode_step_to_bytes};
use tidegate_core::codec::row::{decode_key, decode_row, encode_key, encode_row};
use tidegate_core::id::{Epoch, Lsn, PartitionId};
use tidegate_core::partition::record::Record;
use tidegate_core::partition::row::{Row, RowKey};

use crate::strategies::{entry, key, step};

/// A frame around any bytes that is right, so that the decoder behind the checksum is reached.
fn sealed(body: &[u8]) -> Bytes {
    let mut bytes = vec![1];
    bytes.extend_from_slice(body);
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
    bytes.into()
}

/// The body of what was sealed.
fn unsealed(bytes: &[u8]) -> &[u8] {
    &bytes[1..bytes.len() - 4]
}

proptest! {
    #[test]
    fn a_changed_byte_is_noticed(records in step(), at in any::<prop::sample::Index>(), flip in 1..=u8::MAX) {
        let mut bytes = encode_step_to_bytes(&records).to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        let refused = decode_step(bytes.into()).unwrap_err();
        if at == 0 {
            let is_version = matches!(refused, DecodeError::UnknownVersion { supported: 1, .. });
            prop_assert!(is_version, "{}", refused);
        } else {
            let is_checksum = matches!(refused, DecodeError::ChecksumMismatch { .. });
            prop_assert!(is_checksum, "{}", refused);
        }
    }

    #[test]
    fn a_changed_byte_of_a_row_is_noticed((key, row) in entry(), at in any::<prop::sample::Index>(), flip in 1..=u8::MAX) {
        let mut bytes = encode_row(&row);
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        prop_assert!(decode_row(&key, bytes.into()).is_err());
    }

    #[test]
    fn what_was_cut_off_is_noticed(records in step(), left in any::<prop::sample::Index>()) {
        let mut bytes = encode_step_to_bytes(&records);
        bytes.truncate(left.index(bytes.len()));
        prop_assert!(decode_step(bytes).is_err());
    }

    /// A key has no checksum: a part of it may be one, but never one that encodes to other bytes.
    #[test]
    fn a_key_has_one_encoding(key in key(), edits in vec((any::<prop::sample::Index>(), any::<u8>()), 0..3), left in any::<prop::sample::Index>()) {
        let mut bytes = encode_key(&key);
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(left.index(bytes.len() + 1));
        if let Ok(key) = decode_key(&bytes) {
            prop_assert_eq!(encode_key(&key), bytes);
        }
    }

    #[test]
    fn any_key_bytes_are_decoded_or_refused(bytes in any::<Vec<u8>>()) {
        if let Ok(key) = decode_key(&bytes) {
            prop_assert_eq!(encode_key(&key), bytes);
        }
    }

    #[test]
    fn any_step_bytes_are_decoded_or_refused(body in any::<Vec<u8>>(), kind in 0..16_u8) {
        let _ = decode_step(body.clone().into());
        let bytes = sealed(&[&[kind], &*body].concat());
        if let Ok(records) = decode_step(bytes.clone()) {
            prop_assert_eq!(encode_step_to_bytes(&records), bytes);
        }
    }

    #[test]
    fn any_row_bytes_are_decoded_or_refused((key, row) in entry(), body in any::<Vec<u8>>()) {
        let _ = decode_row(&key, body.clone().into());
        let kind = encode_row(&row)[1];
        let bytes = sealed(&[&[kind], &*body].concat());
        if let Ok(row) = decode_row(&key, bytes.clone()) {
            prop_assert_eq!(encode_row(&row), bytes);
        }
    }

    /// Changes that the checksum agrees with, as a faulty writer would make them.
    #[test]
    fn a_wrong_body_is_decoded_or_refused(records in step(), edits in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let mut body = unsealed(&encode_step_to_bytes(&records)).to_vec();
        prop_assume!(!body.is_empty());
        for (at, byte) in edits {
            let at = at.index(body.len());
            body[at] = byte;
        }
        let bytes = sealed(&body);
        if let Ok(records) = decode_step(bytes.clone()) {
            prop_assert_eq!(encode_step_to_bytes(&records), bytes);
        }
    }

    #[test]
    fn a_row_under_a_key_of_another_kind_is_refused((key, row) in entry(), (other, _) in entry()) {
        let found = decode_row(&other, encode_row(&row).into());
        if found.is_ok() {
            // Tables may hold rows of one kind.
            let shared = matches!(row, Row::Sequence(_) | Row::Parked(_) | Row::Count(_));
            prop_assert!(shared || std::mem::discriminant(&key) == std::mem::discriminant(&other));
        }
    }
}

#[test]
fn trailing_bytes_are_refused() {
    let row = encode_row(&Row::Lsn(Lsn(7)));
    let longer = sealed(&[unsealed(&row), &[0]].concat());
    assert_eq!(decode_row(&RowKey::Applied, longer), Err(DecodeError::TrailingBytes(1)));
    let mut key = encode_key(&RowKey::Applied);
    key.push(0);
    assert_eq!(decode_key(&key), Err(DecodeError::TrailingBytes(1)));
}

#[test]
fn a_row_of_the_wrong_kind_is_refused() {
    let row = encode_row(&Row::Epoch(Epoch(7)));
    let refused = decode_row(&RowKey::Applied, row.into());
    assert_eq!(refused, Err(DecodeError::WrongRow { found: 2, expected: 1 }));
}

#[test]
fn a_key_under_a_foreign_prefix_is_refused() {
    let mut key = encode_key(&RowKey::Peer(PartitionId(3)));
    key[0] = 0;
    let refused = DecodeError::MisplacedKey { table: 5, found: 0x00ff, expected: 0xffff };
    assert_eq!(decode_key(&key), Err(refused));
}

#[test]
fn unknown_kinds_are_refused() {
    let refused = DecodeError::UnknownOrdinal { kind: "kind of record", ordinal: 99 };
    assert_eq!(decode_step(sealed(&[99])), Err(refused));
    let refused = DecodeError::UnknownOrdinal { kind: "table", ordinal: 99 };
    assert_eq!(decode_key(&[0xff, 0xff, 99]), Err(refused));
}

#[test]
fn a_number_longer_than_need_be_is_refused() {
    let adopted = |number: &[u8]| decode_step(sealed(&[&[1], number].concat()));
    assert_eq!(adopted(&[0x05]), Ok(vec![Record::PartitionAdopted { epoch: Epoch(5) }]));
    assert_eq!(adopted(&[0x85, 0x00]), Err(DecodeError::MalformedNumber { at: 1 }));
    assert_eq!(adopted(&[0xff; 11]), Err(DecodeError::Truncated { at: 12, needed: 1, left: 0 }));
    let wider = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
    assert_eq!(adopted(&wider), Err(DecodeError::MalformedNumber { at: 1 }));
    assert_eq!(adopted(&[0xff; 30]), Err(DecodeError::MalformedNumber { at: 1 }));
}

#[test]
fn an_announced_length_is_not_believed() {
    // A list of specs, and a text, that claim to have 2^62 items.
    let huge = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40];
    let specs = decode_row(
        &RowKey::Specs(Typename::parse("a/b").unwrap()),
        sealed(&[&[6], &huge[..]].concat()),
    );
    assert!(
        matches!(specs, Err(DecodeError::Truncated { needed, left: 0, .. }) if needed == 1 << 62)
    );
    let source = decode_step(sealed(&[&[2], &huge[..]].concat()));
    assert!(
        matches!(source, Err(DecodeError::Truncated { needed, left: 0, .. }) if needed == 1 << 62)
    );
}
