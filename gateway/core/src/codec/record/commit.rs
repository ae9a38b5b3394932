//! The persisted form of a commit: everything that follows from one processed group.

use alloc::vec::Vec;

use crate::codec::DecodeError;
use crate::codec::durable::{Durable, read_items};
use crate::codec::reader::Reader;
use crate::codec::writer::{put_length, put_u64};
use crate::id::Sequence;
use crate::partition::group::{Rejection, RejectionReason};
use crate::partition::record::{Commit, ExpiredValue, ValueChange};

/// Persisted: add, never renumber.
mod value_change {
    pub(super) const PUT: u8 = 1;
    pub(super) const REFRESH: u8 = 2;
    pub(super) const DELETE: u8 = 3;
}

/// Persisted: add, never renumber.
mod rejection_reason {
    pub(super) const UNKNOWN_FUNCTION: u8 = 1;
    pub(super) const UNKNOWN_EGRESS: u8 = 2;
    pub(super) const INVALID_ADDRESS: u8 = 3;
    pub(super) const DUPLICATE_TOKEN: u8 = 4;
    pub(super) const INVALID_TOKEN: u8 = 5;
    pub(super) const NEGATIVE_DELAY: u8 = 6;
    pub(super) const TOO_LARGE: u8 = 7;
    pub(super) const REQUEST_GONE: u8 = 8;
}

impl Durable for Commit {
    fn write(&self, out: &mut Vec<u8>) {
        self.address.write(out);
        self.at.write(out);
        write_consumed(&self.consumed, out);
        self.values.write(out);
        self.sends.write(out);
        self.timers.write(out);
        self.cancelled.write(out);
        self.egress.write(out);
        self.completed.write(out);
        self.rejected.write(out);
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self {
            address: Durable::read(input)?,
            at: Durable::read(input)?,
            consumed: read_consumed(input)?,
            values: Durable::read(input)?,
            sends: Durable::read(input)?,
            timers: Durable::read(input)?,
            cancelled: Durable::read(input)?,
            egress: Durable::read(input)?,
            completed: Durable::read(input)?,
            rejected: Durable::read(input)?,
        })
    }
}

/// The distance of each number to the one before. They ascend, so the distances are small; the
/// arithmetic wraps, so any other list would still be kept as it is.
fn write_consumed(consumed: &[Sequence], out: &mut Vec<u8>) {
    put_length(out, consumed.len());
    let mut before = Sequence::NONE;
    for &sequence in consumed {
        put_u64(out, sequence.0.wrapping_sub(before.0));
        before = sequence;
    }
}

fn read_consumed(input: &mut Reader) -> Result<Vec<Sequence>, DecodeError> {
    let count = input.count()?;
    let mut consumed: Vec<Sequence> = read_items(input, count)?;
    let mut before = Sequence::NONE;
    for sequence in &mut consumed {
        sequence.0 = sequence.0.wrapping_add(before.0);
        before = *sequence;
    }
    Ok(consumed)
}

impl Durable for ValueChange {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Put { value, expires_at, refreshable } => {
                out.push(value_change::PUT);
                value.write(out);
                expires_at.write(out);
                refreshable.write(out);
            }
            Self::Refresh { expires_at } => {
                out.push(value_change::REFRESH);
                expires_at.write(out);
            }
            Self::Delete { refreshable } => {
                out.push(value_change::DELETE);
                refreshable.write(out);
            }
        }
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        match input.u8()? {
            value_change::PUT => Ok(Self::Put {
                value: Durable::read(input)?,
                expires_at: Durable::read(input)?,
                refreshable: Durable::read(input)?,
            }),
            value_change::REFRESH => Ok(Self::Refresh { expires_at: Durable::read(input)? }),
            value_change::DELETE => Ok(Self::Delete { refreshable: Durable::read(input)? }),
            ordinal => Err(DecodeError::UnknownOrdinal { kind: "change of a value", ordinal }),
        }
    }
}

impl Durable for ExpiredValue {
    fn write(&self, out: &mut Vec<u8>) {
        self.address.write(out);
        self.name.write(out);
        self.refreshable.write(out);
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self {
            address: Durable::read(input)?,
            name: Durable::read(input)?,
            refreshable: Durable::read(input)?,
        })
    }
}

impl Durable for Rejection {
    fn write(&self, out: &mut Vec<u8>) {
        self.reason.write(out);
        self.subject.write(out);
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self { reason: Durable::read(input)?, subject: Durable::read(input)? })
    }
}

impl Durable for RejectionReason {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(match self {
            Self::UnknownFunction => rejection_reason::UNKNOWN_FUNCTION,
            Self::UnknownEgress => rejection_reason::UNKNOWN_EGRESS,
            Self::InvalidAddress => rejection_reason::INVALID_ADDRESS,
            Self::DuplicateToken => rejection_reason::DUPLICATE_TOKEN,
            Self::InvalidToken => rejection_reason::INVALID_TOKEN,
            Self::NegativeDelay => rejection_reason::NEGATIVE_DELAY,
            Self::TooLarge => rejection_reason::TOO_LARGE,
            Self::RequestGone => rejection_reason::REQUEST_GONE,
        });
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(match input.u8()? {
            rejection_reason::UNKNOWN_FUNCTION => Self::UnknownFunction,
            rejection_reason::UNKNOWN_EGRESS => Self::UnknownEgress,
            rejection_reason::INVALID_ADDRESS => Self::InvalidAddress,
            rejection_reason::DUPLICATE_TOKEN => Self::DuplicateToken,
            rejection_reason::INVALID_TOKEN => Self::InvalidToken,
            rejection_reason::NEGATIVE_DELAY => Self::NegativeDelay,
            rejection_reason::TOO_LARGE => Self::TooLarge,
            rejection_reason::REQUEST_GONE => Self::RequestGone,
            ordinal => {
                return Err(DecodeError::UnknownOrdinal { kind: "reason to reject", ordinal });
            }
        })
    }
}
