//! The bytes of a step: the records of one call of `handle` or of several in a row, which the log holds or loses together.
//!
//! ```text
//! version u8 | (ordinal u8 | fields)* | CRC-32 of all before, u32 little endian
//! ```
//!
//! Fields follow in the order of declaration. Numbers are LEB128 varints, texts and payloads
//! carry their length, addresses are written in full: an adopter reads one partition's part of a
//! log without any dictionary.

mod commit;
mod delivery;
mod provenance;

use alloc::vec::Vec;

use bytes::Bytes;

use super::DecodeError;
use super::durable::Durable;
use super::reader::Reader;
use super::sealed::{self, Format};
use crate::limits::STEP_GATHERED_BYTES;
use crate::partition::record::Record;

const FORMAT: Format = Format { name: "step", version: 1 };

/// Room for a small message or commit, which most steps consist of.
const STEP_BYTES_USUAL: usize = 256;

/// Persisted: add, never renumber.
mod ordinal {
    pub(super) const PARTITION_ADOPTED: u8 = 1;
    pub(super) const SOURCE_OPENED: u8 = 2;
    pub(super) const MESSAGE_ACCEPTED: u8 = 3;
    pub(super) const REPLY_RECORDED: u8 = 4;
    pub(super) const VALUES_REGISTERED: u8 = 5;
    pub(super) const BATCH_COMMITTED: u8 = 6;
    pub(super) const TIMER_FIRED: u8 = 7;
    pub(super) const OUTBOX_TRIMMED: u8 = 8;
    pub(super) const EGRESS_TRIMMED: u8 = 9;
    pub(super) const ADDRESS_PARKED: u8 = 10;
    pub(super) const ADDRESS_RELEASED: u8 = 11;
    pub(super) const MESSAGES_DROPPED: u8 = 12;
    pub(super) const PAUSED: u8 = 13;
    pub(super) const RESUMED: u8 = 14;
    pub(super) const DEAD_LETTERED: u8 = 15;
    pub(super) const VALUES_EXPIRED: u8 = 16;
}

/// A step that grows: the records of several calls of `handle`, encoded as they come.
#[derive(Debug, Default)]
pub struct StepBuilder {
    bytes: Vec<u8>,
    records: u64,
}

impl StepBuilder {
    /// Adds the records of one call of `handle`, if there are any.
    pub fn add(&mut self, records: &[Record]) {
        if self.bytes.is_empty() && !records.is_empty() {
            FORMAT.begin(&mut self.bytes);
        }
        records.iter().for_each(|record| record.write(&mut self.bytes));
        self.records += records.len() as u64;
    }

    /// How many records it holds.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.records
    }

    /// How many bytes it has so far.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The step, and the next one begins.
    #[must_use]
    pub fn finish(&mut self) -> Bytes {
        sealed::end(&mut self.bytes, 0);
        self.records = 0;
        // The next step is likely to be as long.
        let next = Vec::with_capacity(self.bytes.len().min(STEP_GATHERED_BYTES));
        core::mem::replace(&mut self.bytes, next).into()
    }
}

/// Appends the records of a step to `out`, which the caller reuses.
pub fn encode_step(records: &[Record], out: &mut Vec<u8>) {
    FORMAT.seal(out, |out| records.iter().for_each(|record| record.write(out)));
}

/// The records of a step in bytes of their own. Where many steps are encoded, a reused buffer is faster.
#[must_use]
pub fn encode_step_to_bytes(records: &[Record]) -> Bytes {
    let mut out = Vec::with_capacity(STEP_BYTES_USUAL);
    encode_step(records, &mut out);
    out.into()
}

/// The records of a step. Their payloads are slices of `step`.
pub fn decode_step(step: Bytes) -> Result<Vec<Record>, DecodeError> {
    let mut input = FORMAT.open(step)?;
    let mut records = Vec::new();
    while !input.is_empty() {
        records.push(Record::read(&mut input)?);
    }
    Ok(records)
}

fn ordinal_of(record: &Record) -> u8 {
    match record {
        Record::PartitionAdopted { .. } => ordinal::PARTITION_ADOPTED,
        Record::SourceOpened { .. } => ordinal::SOURCE_OPENED,
        Record::MessageAccepted { .. } => ordinal::MESSAGE_ACCEPTED,
        Record::ReplyRecorded { .. } => ordinal::REPLY_RECORDED,
        Record::ValuesRegistered { .. } => ordinal::VALUES_REGISTERED,
        Record::BatchCommitted(_) => ordinal::BATCH_COMMITTED,
        Record::TimerFired { .. } => ordinal::TIMER_FIRED,
        Record::OutboxTrimmed { .. } => ordinal::OUTBOX_TRIMMED,
        Record::EgressTrimmed { .. } => ordinal::EGRESS_TRIMMED,
        Record::AddressParked { .. } => ordinal::ADDRESS_PARKED,
        Record::AddressReleased { .. } => ordinal::ADDRESS_RELEASED,
        Record::MessagesDropped { .. } => ordinal::MESSAGES_DROPPED,
        Record::DeadLettered { .. } => ordinal::DEAD_LETTERED,
        Record::ValuesExpired(_) => ordinal::VALUES_EXPIRED,
        Record::Paused { .. } => ordinal::PAUSED,
        Record::Resumed { .. } => ordinal::RESUMED,
    }
}

impl Durable for Record {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(ordinal_of(self));
        match self {
            Self::PartitionAdopted { epoch } => epoch.write(out),
            Self::SourceOpened { source, epoch, watermark } => {
                source.write(out);
                epoch.write(out);
                watermark.write(out);
            }
            Self::MessageAccepted { provenance, delivery } => {
                provenance.write(out);
                delivery.write(out);
            }
            Self::ReplyRecorded { address, consumed, row } => {
                address.write(out);
                consumed.write(out);
                row.write(out);
            }
            Self::ValuesRegistered { function, specs } => {
                function.write(out);
                specs.write(out);
            }
            Self::BatchCommitted(commit) => commit.write(out),
            Self::TimerFired { timer, token, outcome } => {
                timer.write(out);
                token.write(out);
                outcome.write(out);
            }
            Self::OutboxTrimmed { destination, from, through } => {
                destination.write(out);
                from.write(out);
                through.write(out);
            }
            Self::EgressTrimmed { egress, from, through } => {
                egress.write(out);
                from.write(out);
                through.write(out);
            }
            Self::AddressParked { address, why, parked } => {
                address.write(out);
                why.write(out);
                parked.write(out);
            }
            Self::AddressReleased { address, parked, signature } => {
                address.write(out);
                parked.write(out);
                signature.write(out);
            }
            Self::MessagesDropped { address, sequences, completed, signature } => {
                address.write(out);
                sequences.write(out);
                completed.write(out);
                signature.write(out);
            }
            Self::DeadLettered { address, sequence, entry, completed } => {
                address.write(out);
                sequence.write(out);
                entry.write(out);
                completed.write(out);
            }
            Self::ValuesExpired(values) => values.write(out),
            Self::Paused { subject, signature } | Self::Resumed { subject, signature } => {
                subject.write(out);
                signature.write(out);
            }
        }
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(match input.u8()? {
            ordinal::PARTITION_ADOPTED => Self::PartitionAdopted { epoch: Durable::read(input)? },
            ordinal::SOURCE_OPENED => Self::SourceOpened {
                source: Durable::read(input)?,
                epoch: Durable::read(input)?,
                watermark: Durable::read(input)?,
            },
            ordinal::MESSAGE_ACCEPTED => Self::MessageAccepted {
                provenance: Durable::read(input)?,
                delivery: Durable::read(input)?,
            },
            ordinal::REPLY_RECORDED => Self::ReplyRecorded {
                address: Durable::read(input)?,
                consumed: Durable::read(input)?,
                row: Durable::read(input)?,
            },
            ordinal::VALUES_REGISTERED => Self::ValuesRegistered {
                function: Durable::read(input)?,
                specs: Durable::read(input)?,
            },
            ordinal::BATCH_COMMITTED => Self::BatchCommitted(Durable::read(input)?),
            ordinal::TIMER_FIRED => Self::TimerFired {
                timer: Durable::read(input)?,
                token: Durable::read(input)?,
                outcome: Durable::read(input)?,
            },
            ordinal::OUTBOX_TRIMMED => Self::OutboxTrimmed {
                destination: Durable::read(input)?,
                from: Durable::read(input)?,
                through: Durable::read(input)?,
            },
            ordinal::EGRESS_TRIMMED => Self::EgressTrimmed {
                egress: Durable::read(input)?,
                from: Durable::read(input)?,
                through: Durable::read(input)?,
            },
            ordinal::ADDRESS_PARKED => Self::AddressParked {
                address: Durable::read(input)?,
                why: Durable::read(input)?,
                parked: Durable::read(input)?,
            },
            ordinal::ADDRESS_RELEASED => Self::AddressReleased {
                address: Durable::read(input)?,
                parked: Durable::read(input)?,
                signature: Durable::read(input)?,
            },
            ordinal::MESSAGES_DROPPED => Self::MessagesDropped {
                address: Durable::read(input)?,
                sequences: Durable::read(input)?,
                completed: Durable::read(input)?,
                signature: Durable::read(input)?,
            },
            ordinal::DEAD_LETTERED => Self::DeadLettered {
                address: Durable::read(input)?,
                sequence: Durable::read(input)?,
                entry: Durable::read(input)?,
                completed: Durable::read(input)?,
            },
            ordinal::VALUES_EXPIRED => Self::ValuesExpired(Durable::read(input)?),
            ordinal::PAUSED => {
                Self::Paused { subject: Durable::read(input)?, signature: Durable::read(input)? }
            }
            ordinal::RESUMED => {
                Self::Resumed { subject: Durable::read(input)?, signature: Durable::read(input)? }
            }
            ordinal => return Err(DecodeError::UnknownOrdinal { kind: "kind of record", ordinal }),
        })
    }
}
