//! Primitives of encoding: numbers and lengths as LEB128 varints, bytes and texts with their length.

use alloc::vec::Vec;

const MORE: u8 = 0x80;
const LOW_BITS: u8 = 0x7f;

/// Seven bits to a byte, lowest first; all bytes but the last have the top bit set.
#[inline]
pub(super) fn put_u64(out: &mut Vec<u8>, value: u64) {
    if value < u64::from(MORE) {
        out.push(low_byte(value));
    } else {
        put_long_u64(out, value);
    }
}

/// As `put_u64`, for numbers that are too wide for it.
pub(super) fn put_u128(out: &mut Vec<u8>, mut value: u128) {
    while value >= u128::from(MORE) {
        out.push(value.to_le_bytes()[0] | MORE);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

/// How many bytes or items follow.
#[inline]
pub(super) fn put_length(out: &mut Vec<u8>, length: usize) {
    put_u64(out, length as u64);
}

/// The length, then the bytes.
#[inline]
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_length(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// The length in bytes, then the text.
pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_bytes(out, text.as_bytes());
}

/// Gathered on the stack first, so that the vector grows once.
#[inline(never)]
fn put_long_u64(out: &mut Vec<u8>, mut value: u64) {
    let mut bytes = [0; 10];
    let mut length = 0;
    while value >= u64::from(MORE) {
        bytes[length] = low_byte(value) | MORE;
        value >>= 7;
        length += 1;
    }
    bytes[length] = low_byte(value);
    out.extend_from_slice(&bytes[..=length]);
}

fn low_byte(value: u64) -> u8 {
    value.to_le_bytes()[0] & LOW_BITS
}
