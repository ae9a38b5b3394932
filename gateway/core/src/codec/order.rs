//! The persisted form of what operators ordered: who, when, why, and what.

use alloc::vec::Vec;

use super::DecodeError;
use super::durable::Durable;
use super::reader::Reader;
use crate::partition::order::{Signature, Subject};

/// Persisted, in records and in keys: add, never renumber.
pub(super) mod subject {
    pub(in crate::codec) const FUNCTION: u8 = 1;
    pub(in crate::codec) const INGRESS: u8 = 2;
}

impl Durable for Signature {
    fn write(&self, out: &mut Vec<u8>) {
        self.at.write(out);
        self.by.write(out);
        self.reason.write(out);
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self {
            at: Durable::read(input)?,
            by: Durable::read(input)?,
            reason: Durable::read(input)?,
        })
    }
}

impl Durable for Subject {
    fn write(&self, out: &mut Vec<u8>) {
        let (ordinal, name) = match self {
            Self::Function(name) => (subject::FUNCTION, name),
            Self::Ingress(name) => (subject::INGRESS, name),
        };
        out.push(ordinal);
        name.write(out);
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        match input.u8()? {
            subject::FUNCTION => Ok(Self::Function(Durable::read(input)?)),
            subject::INGRESS => Ok(Self::Ingress(Durable::read(input)?)),
            ordinal => Err(DecodeError::UnknownOrdinal { kind: "kind of subject", ordinal }),
        }
    }
}
