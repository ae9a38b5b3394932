//! The persisted form of where messages came from, and of why they go nowhere.

use alloc::vec::Vec;

use crate::codec::DecodeError;
use crate::codec::durable::Durable;
use crate::codec::reader::Reader;
use crate::partition::record::{DiscardReason, Provenance};

/// Persisted: add, never renumber.
mod origin {
    pub(super) const PEER: u8 = 1;
    pub(super) const SOURCE: u8 = 2;
    pub(super) const CLIENT: u8 = 3;
}

/// Persisted: add, never renumber.
mod discard_reason {
    pub(super) const REQUEST_GONE: u8 = 1;
    pub(super) const UNKNOWN_FUNCTION: u8 = 2;
}

impl Durable for Provenance {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Peer { partition, sequence } => {
                out.push(origin::PEER);
                partition.write(out);
                sequence.write(out);
            }
            Self::Source { source, epoch, position } => {
                out.push(origin::SOURCE);
                source.write(out);
                epoch.write(out);
                position.write(out);
            }
            Self::Client { keys } => {
                out.push(origin::CLIENT);
                keys.write(out);
            }
        }
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        match input.u8()? {
            origin::PEER => {
                Ok(Self::Peer { partition: Durable::read(input)?, sequence: Durable::read(input)? })
            }
            origin::SOURCE => Ok(Self::Source {
                source: Durable::read(input)?,
                epoch: Durable::read(input)?,
                position: Durable::read(input)?,
            }),
            origin::CLIENT => Ok(Self::Client { keys: Durable::read(input)? }),
            ordinal => Err(DecodeError::UnknownOrdinal { kind: "kind of provenance", ordinal }),
        }
    }
}

impl Durable for DiscardReason {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(match self {
            Self::RequestGone => discard_reason::REQUEST_GONE,
            Self::UnknownFunction => discard_reason::UNKNOWN_FUNCTION,
        });
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        match input.u8()? {
            discard_reason::REQUEST_GONE => Ok(Self::RequestGone),
            discard_reason::UNKNOWN_FUNCTION => Ok(Self::UnknownFunction),
            ordinal => Err(DecodeError::UnknownOrdinal { kind: "reason to discard", ordinal }),
        }
    }
}
