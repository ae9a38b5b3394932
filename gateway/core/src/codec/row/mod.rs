//! The bytes of rows and of their keys: what the store of a partition holds.
//!
//! ```text
//! version u8 | kind u8 | fields | CRC-32 of all before, u32 little endian
//! ```
//!
//! Fields are encoded as in records. Keys are ordered bytes without a version: a table whose keys
//! must look otherwise gets another ordinal.

mod key;
mod key_reader;

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::Bytes;

pub use self::key::{append_key, decode_key, encode_key, encode_range, head_range, value_range};
use super::DecodeError;
use super::durable::Durable;
use super::reader::Reader;
use super::sealed::Format;
use crate::id::Sequence;
use crate::partition::row::{Row, RowKey};

const FORMAT: Format = Format { name: "row", version: 1 };

/// Persisted: add, never renumber.
mod kind {
    pub(super) const LSN: u8 = 1;
    pub(super) const EPOCH: u8 = 2;
    pub(super) const SEQUENCE: u8 = 3;
    pub(super) const COUNT: u8 = 4;
    pub(super) const SOURCE: u8 = 5;
    pub(super) const SPECS: u8 = 6;
    pub(super) const MESSAGE: u8 = 7;
    pub(super) const PARKED: u8 = 8;
    pub(super) const TIMER: u8 = 9;
    pub(super) const TOKEN: u8 = 10;
    pub(super) const ENVELOPE: u8 = 11;
    pub(super) const EMITTED: u8 = 12;
    pub(super) const REQUEST: u8 = 13;
    pub(super) const VALUE: u8 = 14;
    pub(super) const EXPIRY: u8 = 15;
    pub(super) const PAUSE: u8 = 16;
}

/// The bytes of a row.
#[must_use]
pub fn encode_row(row: &Row) -> Vec<u8> {
    let mut out = Vec::new();
    append_row(row, &mut out);
    out
}

/// Appends the bytes of a row to `out`.
pub fn append_row(row: &Row, out: &mut Vec<u8>) {
    FORMAT.seal(out, |out| row.write(out));
}

/// The row of a key; one of another kind than the key's is an error. Its payload is a slice of `row`.
pub fn decode_row(key: &RowKey, row: Bytes) -> Result<Row, DecodeError> {
    let mut input = FORMAT.open(row)?;
    let row = Row::read(&mut input)?;
    input.finish()?;
    let (expected, found) = (kind_of_key(key), kind_of_row(&row));
    if found == expected { Ok(row) } else { Err(DecodeError::WrongRow { found, expected }) }
}

fn kind_of_key(key: &RowKey) -> u8 {
    match key {
        RowKey::Applied => kind::LSN,
        RowKey::Epoch => kind::EPOCH,
        RowKey::Keys | RowKey::ParkedCount => kind::COUNT,
        RowKey::NextSequence
        | RowKey::Peer(_)
        | RowKey::OutboxNext(_)
        | RowKey::OutboxTrimmed(_)
        | RowKey::EgressNext(_)
        | RowKey::EgressTrimmed(_) => kind::SEQUENCE,
        RowKey::Source(_) => kind::SOURCE,
        RowKey::Specs(_) => kind::SPECS,
        RowKey::Pause(_) => kind::PAUSE,
        RowKey::Mailbox(_, Sequence::NONE) | RowKey::Parked(_) => kind::PARKED,
        RowKey::Mailbox(..) => kind::MESSAGE,
        RowKey::Timer(_) => kind::TIMER,
        RowKey::Token(..) => kind::TOKEN,
        RowKey::Outbox(..) => kind::ENVELOPE,
        RowKey::Egress(..) => kind::EMITTED,
        RowKey::Request(_) => kind::REQUEST,
        RowKey::Value(..) => kind::VALUE,
        RowKey::Expiry(..) => kind::EXPIRY,
    }
}

fn kind_of_row(row: &Row) -> u8 {
    match row {
        Row::Lsn(_) => kind::LSN,
        Row::Epoch(_) => kind::EPOCH,
        Row::Sequence(_) => kind::SEQUENCE,
        Row::Count(_) => kind::COUNT,
        Row::Source(..) => kind::SOURCE,
        Row::Specs(_) => kind::SPECS,
        Row::Pause(_) => kind::PAUSE,
        Row::Message(_) => kind::MESSAGE,
        Row::Parked(_) => kind::PARKED,
        Row::Timer(_) => kind::TIMER,
        Row::Token(_) => kind::TOKEN,
        Row::Envelope(_) => kind::ENVELOPE,
        Row::Emitted(_) => kind::EMITTED,
        Row::Request(_) => kind::REQUEST,
        Row::Value(..) => kind::VALUE,
        Row::Expiry(_) => kind::EXPIRY,
    }
}

impl Durable for Row {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(kind_of_row(self));
        match self {
            Self::Lsn(lsn) => lsn.write(out),
            Self::Epoch(epoch) => epoch.write(out),
            Self::Sequence(sequence) => sequence.write(out),
            Self::Count(count) => count.write(out),
            Self::Source(epoch, watermark) => {
                epoch.write(out);
                watermark.write(out);
            }
            Self::Specs(specs) => specs.write(out),
            Self::Pause(signature) => signature.write(out),
            Self::Message(message) => message.write(out),
            Self::Parked(parked) => parked.write(out),
            Self::Timer(task) => task.write(out),
            Self::Token(timer) => timer.write(out),
            Self::Envelope(envelope) => envelope.write(out),
            Self::Emitted(emitted) => emitted.write(out),
            Self::Request(request) => request.write(out),
            Self::Value(value, expires_at) => {
                value.write(out);
                expires_at.write(out);
            }
            Self::Expiry(expires_at) => expires_at.write(out),
        }
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(match input.u8()? {
            kind::LSN => Self::Lsn(Durable::read(input)?),
            kind::EPOCH => Self::Epoch(Durable::read(input)?),
            kind::SEQUENCE => Self::Sequence(Durable::read(input)?),
            kind::COUNT => Self::Count(Durable::read(input)?),
            kind::SOURCE => Self::Source(Durable::read(input)?, Durable::read(input)?),
            kind::SPECS => Self::Specs(Durable::read(input)?),
            kind::MESSAGE => Self::Message(Durable::read(input)?),
            kind::PARKED => Self::Parked(Durable::read(input)?),
            kind::TIMER => Self::Timer(Box::new(Durable::read(input)?)),
            kind::TOKEN => Self::Token(Durable::read(input)?),
            kind::ENVELOPE => Self::Envelope(Box::new(Durable::read(input)?)),
            kind::EMITTED => Self::Emitted(Box::new(Durable::read(input)?)),
            kind::REQUEST => Self::Request(Box::new(Durable::read(input)?)),
            kind::VALUE => Self::Value(Durable::read(input)?, Durable::read(input)?),
            kind::EXPIRY => Self::Expiry(Durable::read(input)?),
            kind::PAUSE => Self::Pause(Durable::read(input)?),
            ordinal => return Err(DecodeError::UnknownOrdinal { kind: "kind of row", ordinal }),
        })
    }
}
