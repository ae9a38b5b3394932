//! The bytes of row keys: their order is the order in which the store keeps rows.
//!
//! ```text
//! prefix u16 | table u8 | fields
//! ```
//!
//! Numbers are big endian. A text is followed by `00 00`, and each zero byte in it is written
//! `00 ff`, so that texts compare as their bytes do and no key begins another one.
//!
//! The large tables that belong to one address, `Value` and `Expiry`, lie under the key group of
//! that address, so that a partition can be split by ranges of key groups. All others lie under
//! [`PARTITION_WIDE`]. Within a table, and there within a key group, the order of keys is that of
//! [`RowKey`]; in particular all rows of one address lie together, by name.

use alloc::vec::Vec;

use super::key_reader::KeyReader;
use crate::address::Address;
use crate::codec::DecodeError;
use crate::codec::order::subject;
use crate::partition::effect::RowRange;
use crate::partition::order::Subject;
use crate::partition::row::{RowKey, TimerKey};
use crate::route::{KEY_GROUPS, key_group};

/// The prefix of tables that are not bound to a key group.
const PARTITION_WIDE: u16 = 0xffff;

const _: () = assert!(KEY_GROUPS < PARTITION_WIDE);

/// Persisted: add, never renumber. Tables that are read whole when a partition is restored stay below `HEAD_END`.
mod table {
    pub(super) const APPLIED: u8 = 1;
    pub(super) const EPOCH: u8 = 2;
    pub(super) const NEXT_SEQUENCE: u8 = 3;
    pub(super) const KEYS: u8 = 4;
    pub(super) const PEER: u8 = 5;
    pub(super) const SOURCE: u8 = 6;
    pub(super) const SPECS: u8 = 7;
    pub(super) const OUTBOX_NEXT: u8 = 8;
    pub(super) const OUTBOX_TRIMMED: u8 = 9;
    pub(super) const EGRESS_NEXT: u8 = 10;
    pub(super) const EGRESS_TRIMMED: u8 = 11;
    pub(super) const PAUSE: u8 = 12;
    pub(super) const PARKED_COUNT: u8 = 13;

    pub(super) const HEAD_END: u8 = 32;

    pub(super) const MAILBOX: u8 = 32;
    pub(super) const TIMER: u8 = 33;
    pub(super) const TOKEN: u8 = 34;
    pub(super) const OUTBOX: u8 = 35;
    pub(super) const EGRESS: u8 = 36;
    pub(super) const REQUEST: u8 = 37;
    pub(super) const VALUE: u8 = 38;
    pub(super) const EXPIRY: u8 = 39;
    pub(super) const PARKED: u8 = 40;
}

/// The bytes of a key.
#[must_use]
pub fn encode_key(key: &RowKey) -> Vec<u8> {
    let mut out = Vec::new();
    append_key(key, &mut out);
    out
}

/// Appends the bytes of a key to `out`.
pub fn append_key(key: &RowKey, out: &mut Vec<u8>) {
    out.extend_from_slice(&place_of(key));
    match key {
        RowKey::Applied
        | RowKey::Epoch
        | RowKey::NextSequence
        | RowKey::Keys
        | RowKey::ParkedCount => {}
        RowKey::Parked(address) => put_address(out, address),
        RowKey::Peer(partition)
        | RowKey::OutboxNext(partition)
        | RowKey::OutboxTrimmed(partition) => put_u16(out, partition.0),
        RowKey::Source(source) => put_text(out, source),
        RowKey::Specs(name) | RowKey::EgressNext(name) | RowKey::EgressTrimmed(name) => {
            put_text(out, name.as_str());
        }
        RowKey::Pause(subject) => put_subject(out, subject),
        RowKey::Mailbox(address, sequence) => {
            put_address(out, address);
            put_u64(out, sequence.0);
        }
        RowKey::Timer(timer) => {
            put_u64(out, timer.fire_at.0);
            put_u64(out, timer.id.0);
        }
        RowKey::Token(address, text)
        | RowKey::Value(address, text)
        | RowKey::Expiry(address, text) => {
            put_address(out, address);
            put_text(out, text);
        }
        RowKey::Outbox(partition, sequence) => {
            put_u16(out, partition.0);
            put_u64(out, sequence.0);
        }
        RowKey::Egress(egress, sequence) => {
            put_text(out, egress.as_str());
            put_u64(out, sequence.0);
        }
        RowKey::Request(request) => out.extend_from_slice(&request.0.to_be_bytes()),
    }
}

/// The key of bytes that `encode_key` wrote. It is an error if it lies where it does not belong.
pub fn decode_key(bytes: &[u8]) -> Result<RowKey, DecodeError> {
    let mut input = KeyReader::new(bytes);
    let prefix = input.u16()?;
    let key = read_fields(&mut input)?;
    input.finish()?;
    let [high, low, table] = place_of(&key);
    let expected = u16::from_be_bytes([high, low]);
    if prefix == expected {
        Ok(key)
    } else {
        Err(DecodeError::MisplacedKey { table, found: prefix, expected })
    }
}

/// The bytes between which a range lies: the first that may be in it, and the first that is not.
///
/// # Panics
///
/// If one of the bounds lies in a key group and the other one does not lie in the same table of it: what
/// lies between them in the store would not be what lies between them in the order of [`RowKey`], and rows would be missed.
/// The partition-wide tables lie in the order of [`RowKey`], so a range may end with the next table.
#[must_use]
pub fn encode_range(range: &RowRange) -> (Vec<u8>, Vec<u8>) {
    assert!(
        place_of(&range.from) == place_of(&range.until)
            || (is_partition_wide(&range.from) && is_partition_wide(&range.until)),
        "a range lies within one key group, or outside of all"
    );
    (encode_key(&range.from), encode_key(&range.until))
}

/// The bytes between which everything lies that is read whole when a partition is restored: the
/// tables from `Applied` to `ParkedCount`.
#[must_use]
pub fn head_range() -> (Vec<u8>, Vec<u8>) {
    let bound = |table| place(PARTITION_WIDE, table).to_vec();
    (bound(table::APPLIED), bound(table::HEAD_END))
}

/// The bytes between which all values of all addresses lie, with their expiries.
#[must_use]
pub fn value_range() -> (Vec<u8>, Vec<u8>) {
    (0_u16.to_be_bytes().to_vec(), PARTITION_WIDE.to_be_bytes().to_vec())
}

fn is_partition_wide(key: &RowKey) -> bool {
    place_of(key)[..2] == PARTITION_WIDE.to_be_bytes()
}

/// What a key begins with: where it lies, and its table.
fn place_of(key: &RowKey) -> [u8; 3] {
    match key {
        RowKey::Applied => place(PARTITION_WIDE, table::APPLIED),
        RowKey::Epoch => place(PARTITION_WIDE, table::EPOCH),
        RowKey::NextSequence => place(PARTITION_WIDE, table::NEXT_SEQUENCE),
        RowKey::Keys => place(PARTITION_WIDE, table::KEYS),
        RowKey::Peer(_) => place(PARTITION_WIDE, table::PEER),
        RowKey::Source(_) => place(PARTITION_WIDE, table::SOURCE),
        RowKey::Specs(_) => place(PARTITION_WIDE, table::SPECS),
        RowKey::OutboxNext(_) => place(PARTITION_WIDE, table::OUTBOX_NEXT),
        RowKey::OutboxTrimmed(_) => place(PARTITION_WIDE, table::OUTBOX_TRIMMED),
        RowKey::EgressNext(_) => place(PARTITION_WIDE, table::EGRESS_NEXT),
        RowKey::EgressTrimmed(_) => place(PARTITION_WIDE, table::EGRESS_TRIMMED),
        RowKey::Pause(_) => place(PARTITION_WIDE, table::PAUSE),
        RowKey::ParkedCount => place(PARTITION_WIDE, table::PARKED_COUNT),
        RowKey::Parked(_) => place(PARTITION_WIDE, table::PARKED),
        RowKey::Mailbox(..) => place(PARTITION_WIDE, table::MAILBOX),
        RowKey::Timer(_) => place(PARTITION_WIDE, table::TIMER),
        RowKey::Token(..) => place(PARTITION_WIDE, table::TOKEN),
        RowKey::Outbox(..) => place(PARTITION_WIDE, table::OUTBOX),
        RowKey::Egress(..) => place(PARTITION_WIDE, table::EGRESS),
        RowKey::Request(_) => place(PARTITION_WIDE, table::REQUEST),
        RowKey::Value(address, _) => place(key_group(&address.id), table::VALUE),
        RowKey::Expiry(address, _) => place(key_group(&address.id), table::EXPIRY),
    }
}

fn place(prefix: u16, table: u8) -> [u8; 3] {
    let [high, low] = prefix.to_be_bytes();
    [high, low, table]
}

fn read_fields(input: &mut KeyReader<'_>) -> Result<RowKey, DecodeError> {
    Ok(match input.u8()? {
        table::APPLIED => RowKey::Applied,
        table::EPOCH => RowKey::Epoch,
        table::NEXT_SEQUENCE => RowKey::NextSequence,
        table::KEYS => RowKey::Keys,
        table::PEER => RowKey::Peer(input.partition()?),
        table::SOURCE => RowKey::Source(input.text()?.into()),
        table::SPECS => RowKey::Specs(input.typename()?),
        table::OUTBOX_NEXT => RowKey::OutboxNext(input.partition()?),
        table::OUTBOX_TRIMMED => RowKey::OutboxTrimmed(input.partition()?),
        table::EGRESS_NEXT => RowKey::EgressNext(input.typename()?),
        table::EGRESS_TRIMMED => RowKey::EgressTrimmed(input.typename()?),
        table::PAUSE => RowKey::Pause(read_subject(input)?),
        table::PARKED_COUNT => RowKey::ParkedCount,
        table::PARKED => RowKey::Parked(input.address()?),
        table::MAILBOX => RowKey::Mailbox(input.address()?, input.sequence()?),
        table::TIMER => {
            RowKey::Timer(TimerKey { fire_at: input.timestamp()?, id: input.sequence()? })
        }
        table::TOKEN => RowKey::Token(input.address()?, input.text()?.into()),
        table::OUTBOX => RowKey::Outbox(input.partition()?, input.sequence()?),
        table::EGRESS => RowKey::Egress(input.typename()?, input.sequence()?),
        table::REQUEST => RowKey::Request(input.request()?),
        table::VALUE => RowKey::Value(input.address()?, input.text()?.into()),
        table::EXPIRY => RowKey::Expiry(input.address()?, input.text()?.into()),
        ordinal => return Err(DecodeError::UnknownOrdinal { kind: "table", ordinal }),
    })
}

fn put_subject(out: &mut Vec<u8>, subject: &Subject) {
    let (ordinal, name) = match subject {
        Subject::Function(name) => (subject::FUNCTION, name),
        Subject::Ingress(name) => (subject::INGRESS, name),
    };
    out.push(ordinal);
    put_text(out, name.as_str());
}

fn read_subject(input: &mut KeyReader<'_>) -> Result<Subject, DecodeError> {
    match input.u8()? {
        subject::FUNCTION => Ok(Subject::Function(input.typename()?)),
        subject::INGRESS => Ok(Subject::Ingress(input.typename()?)),
        ordinal => Err(DecodeError::UnknownOrdinal { kind: "kind of subject", ordinal }),
    }
}

fn put_u16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_be_bytes());
}

fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_be_bytes());
}

fn put_address(out: &mut Vec<u8>, address: &Address) {
    put_text(out, address.function.as_str());
    put_text(out, &address.id);
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    for (index, part) in text.as_bytes().split(|&byte| byte == 0).enumerate() {
        if index > 0 {
            out.extend_from_slice(&[0x00, 0xff]);
        }
        out.extend_from_slice(part);
    }
    out.extend_from_slice(&[0x00, 0x00]);
}
