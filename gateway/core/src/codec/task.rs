//! The persisted form of what records and rows share beside messages: timers, parked addresses, requests, egress
//! records and declared values.

use alloc::vec::Vec;

use super::DecodeError;
use super::durable::Durable;
use super::reader::Reader;
use crate::partition::group::{Expiration, ValueSpec};
use crate::partition::record::Emitted;
use crate::partition::row::{Parked, RequestRow, Timer, TimerKey, TimerTask};

/// Persisted: add, never renumber.
mod timer_task {
    pub(super) const SEND: u8 = 1;
    pub(super) const FORGET: u8 = 2;
}

/// Persisted: add, never renumber.
mod expiration {
    pub(super) const NEVER: u8 = 1;
    pub(super) const AFTER_WRITE: u8 = 2;
    pub(super) const AFTER_INVOKE: u8 = 3;
}

impl Durable for TimerKey {
    fn write(&self, out: &mut Vec<u8>) {
        self.fire_at.write(out);
        self.id.write(out);
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self { fire_at: Durable::read(input)?, id: Durable::read(input)? })
    }
}

impl Durable for Timer {
    fn write(&self, out: &mut Vec<u8>) {
        self.key.write(out);
        self.task.write(out);
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self { key: Durable::read(input)?, task: Durable::read(input)? })
    }
}

impl Durable for TimerTask {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Send { sender, target, argument, token } => {
                out.push(timer_task::SEND);
                sender.write(out);
                target.write(out);
                argument.write(out);
                token.write(out);
            }
            Self::Forget(request) => {
                out.push(timer_task::FORGET);
                request.write(out);
            }
        }
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        match input.u8()? {
            timer_task::SEND => Ok(Self::Send {
                sender: Durable::read(input)?,
                target: Durable::read(input)?,
                argument: Durable::read(input)?,
                token: Durable::read(input)?,
            }),
            timer_task::FORGET => Ok(Self::Forget(Durable::read(input)?)),
            ordinal => Err(DecodeError::UnknownOrdinal { kind: "kind of timer", ordinal }),
        }
    }
}

impl Durable for Parked {
    fn write(&self, out: &mut Vec<u8>) {
        self.at.write(out);
        self.failures.write(out);
        self.text.write(out);
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self {
            at: Durable::read(input)?,
            failures: Durable::read(input)?,
            text: Durable::read(input)?,
        })
    }
}

impl Durable for RequestRow {
    fn write(&self, out: &mut Vec<u8>) {
        self.target.write(out);
        self.request.write(out);
        self.progress.write(out);
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self {
            target: Durable::read(input)?,
            request: Durable::read(input)?,
            progress: Durable::read(input)?,
        })
    }
}

impl Durable for Emitted {
    fn write(&self, out: &mut Vec<u8>) {
        self.sender.write(out);
        self.at.write(out);
        self.argument.write(out);
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self {
            sender: Durable::read(input)?,
            at: Durable::read(input)?,
            argument: Durable::read(input)?,
        })
    }
}

impl Durable for ValueSpec {
    fn write(&self, out: &mut Vec<u8>) {
        self.name.write(out);
        self.typename.write(out);
        self.expiration.write(out);
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self {
            name: Durable::read(input)?,
            typename: Durable::read(input)?,
            expiration: Durable::read(input)?,
        })
    }
}

impl Durable for Expiration {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Never => out.push(expiration::NEVER),
            Self::AfterWrite(milliseconds) => {
                out.push(expiration::AFTER_WRITE);
                milliseconds.write(out);
            }
            Self::AfterInvoke(milliseconds) => {
                out.push(expiration::AFTER_INVOKE);
                milliseconds.write(out);
            }
        }
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        match input.u8()? {
            expiration::NEVER => Ok(Self::Never),
            expiration::AFTER_WRITE => Ok(Self::AfterWrite(Durable::read(input)?)),
            expiration::AFTER_INVOKE => Ok(Self::AfterInvoke(Durable::read(input)?)),
            ordinal => Err(DecodeError::UnknownOrdinal { kind: "kind of expiration", ordinal }),
        }
    }
}
