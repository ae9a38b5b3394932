//! The persisted form of where messages go: mailboxes, outboxes, egresses, requests.

use alloc::vec::Vec;

use crate::codec::DecodeError;
use crate::codec::durable::Durable;
use crate::codec::reader::Reader;
use crate::partition::record::{Delivery, EgressEntry, MailboxEntry, OutboxEntry, TimerOutcome};

/// Persisted: add, never renumber.
mod destination {
    pub(super) const LOCAL: u8 = 1;
    pub(super) const REMOTE: u8 = 2;
    pub(super) const REPLY: u8 = 3;
    pub(super) const DROPPED: u8 = 4;
}

/// Persisted: add, never renumber.
mod timer_outcome {
    pub(super) const DELIVERED: u8 = 1;
    pub(super) const FORGOTTEN: u8 = 2;
}

impl Durable for MailboxEntry {
    fn write(&self, out: &mut Vec<u8>) {
        self.target.write(out);
        self.message.write(out);
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self { target: Durable::read(input)?, message: Durable::read(input)? })
    }
}

impl Durable for OutboxEntry {
    fn write(&self, out: &mut Vec<u8>) {
        self.destination.write(out);
        self.sequence.write(out);
        self.envelope.write(out);
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self {
            destination: Durable::read(input)?,
            sequence: Durable::read(input)?,
            envelope: Durable::read(input)?,
        })
    }
}

impl Durable for EgressEntry {
    fn write(&self, out: &mut Vec<u8>) {
        self.egress.write(out);
        self.sequence.write(out);
        self.emitted.write(out);
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self {
            egress: Durable::read(input)?,
            sequence: Durable::read(input)?,
            emitted: Durable::read(input)?,
        })
    }
}

impl Durable for Delivery {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Local(entry) => {
                out.push(destination::LOCAL);
                entry.write(out);
            }
            Self::Remote(entry) => {
                out.push(destination::REMOTE);
                entry.write(out);
            }
            Self::Reply { request, argument } => {
                out.push(destination::REPLY);
                request.write(out);
                argument.write(out);
            }
            Self::Dropped(reason) => {
                out.push(destination::DROPPED);
                reason.write(out);
            }
        }
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        match input.u8()? {
            destination::LOCAL => Ok(Self::Local(Durable::read(input)?)),
            destination::REMOTE => Ok(Self::Remote(Durable::read(input)?)),
            destination::REPLY => {
                Ok(Self::Reply { request: Durable::read(input)?, argument: Durable::read(input)? })
            }
            destination::DROPPED => Ok(Self::Dropped(Durable::read(input)?)),
            ordinal => Err(DecodeError::UnknownOrdinal { kind: "kind of delivery", ordinal }),
        }
    }
}

impl Durable for TimerOutcome {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Delivered(delivery) => {
                out.push(timer_outcome::DELIVERED);
                delivery.write(out);
            }
            Self::Forgotten { request, keys } => {
                out.push(timer_outcome::FORGOTTEN);
                request.write(out);
                keys.write(out);
            }
        }
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        match input.u8()? {
            timer_outcome::DELIVERED => Ok(Self::Delivered(Durable::read(input)?)),
            timer_outcome::FORGOTTEN => {
                Ok(Self::Forgotten { request: Durable::read(input)?, keys: Durable::read(input)? })
            }
            ordinal => Err(DecodeError::UnknownOrdinal { kind: "outcome of a timer", ordinal }),
        }
    }
}
