//! The persisted form of what travels: typed values, messages, requests and positions.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::DecodeError;
use super::durable::{Durable, read_items};
use super::reader::Reader;
use super::writer::{put_bytes, put_text, put_u64, put_u128};
use crate::limits::STEP_BYTES_MAX;
use crate::message::{
    ClientRequest, Envelope, Message, RequestId, RequestKey, RequestProgress, SourcePosition,
    TypedValue,
};
use crate::trace::TraceContext;

/// Persisted: add, never renumber.
mod request_id {
    pub(super) const WAITING: u8 = 1;
    pub(super) const KEYED: u8 = 2;
}

/// Persisted: the flag in a value's shape that says that its trace follows. No step has room for so many entries of
/// metadata that their number could reach it.
const TRACED: u64 = 1 << 27;
const _: () = assert!((STEP_BYTES_MAX as u64) << 1 < TRACED);

/// The number of metadata entries, `has_value` and whether there is a trace share one number, which is one byte nearly always.
impl Durable for TypedValue {
    fn write(&self, out: &mut Vec<u8>) {
        put_text(out, &self.typename);
        let traced = if self.trace.is_some() { TRACED } else { 0 };
        put_u64(out, (self.metadata.len() as u64) << 1 | u64::from(self.has_value) | traced);
        put_bytes(out, &self.value);
        for entry in &self.metadata {
            put_bytes(out, entry);
        }
        if let Some(trace) = &self.trace {
            trace.write(out);
        }
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        let typename = Durable::read(input)?;
        let shape = input.u64()?;
        let value = input.bytes()?;
        let entries = input.fits((shape & !TRACED) >> 1)?;
        let metadata = read_items(input, entries)?;
        let trace = if shape & TRACED == 0 { None } else { Some(Durable::read(input)?) };
        Ok(Self { typename, has_value: shape & 1 == 1, value, metadata, trace })
    }
}

/// Ids are random, so no shorter form is to be had. No state is an empty one.
impl Durable for Arc<TraceContext> {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.trace_id);
        out.extend_from_slice(&self.span_id);
        out.push(self.flags);
        self.sent_at.write(out);
        put_text(out, self.state.as_deref().unwrap_or_default());
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self::new(TraceContext {
            trace_id: input.array()?,
            span_id: input.array()?,
            flags: input.u8()?,
            sent_at: Durable::read(input)?,
            state: Some(input.text()?).filter(|state| !state.is_empty()).map(Box::from),
        }))
    }
}

impl Durable for Message {
    fn write(&self, out: &mut Vec<u8>) {
        self.sequence.write(out);
        self.caller.write(out);
        self.argument.write(out);
        self.request.write(out);
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self {
            sequence: Durable::read(input)?,
            caller: Durable::read(input)?,
            argument: Durable::read(input)?,
            request: Durable::read(input)?,
        })
    }
}

impl Durable for Arc<Message> {
    fn write(&self, out: &mut Vec<u8>) {
        Message::write(self, out);
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        Message::read(input).map(Self::new)
    }
}

impl Durable for Envelope {
    fn write(&self, out: &mut Vec<u8>) {
        self.caller.write(out);
        self.target.write(out);
        self.argument.write(out);
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self {
            caller: Durable::read(input)?,
            target: Durable::read(input)?,
            argument: Durable::read(input)?,
        })
    }
}

impl Durable for Arc<ClientRequest> {
    fn write(&self, out: &mut Vec<u8>) {
        self.id.write(out);
        self.key.write(out);
        out.extend_from_slice(&self.body_hash);
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self::new(ClientRequest {
            id: Durable::read(input)?,
            key: Durable::read(input)?,
            body_hash: input.array()?,
        }))
    }
}

/// A hash, so no shorter form is to be had.
impl Durable for RequestKey {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0.to_be_bytes());
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self(u128::from_be_bytes(input.array()?)))
    }
}

impl Durable for RequestId {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Waiting { epoch, ticket } => {
                out.push(request_id::WAITING);
                epoch.write(out);
                ticket.write(out);
            }
            Self::Keyed(key) => {
                out.push(request_id::KEYED);
                key.write(out);
            }
        }
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        match input.u8()? {
            request_id::WAITING => {
                Ok(Self::Waiting { epoch: Durable::read(input)?, ticket: Durable::read(input)? })
            }
            request_id::KEYED => Ok(Self::Keyed(Durable::read(input)?)),
            ordinal => Err(DecodeError::UnknownOrdinal { kind: "kind of request", ordinal }),
        }
    }
}

impl Durable for RequestProgress {
    fn write(&self, out: &mut Vec<u8>) {
        self.consumed_at.write(out);
        self.reply.write(out);
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self { consumed_at: Durable::read(input)?, reply: Durable::read(input)? })
    }
}

impl Durable for SourcePosition {
    fn write(&self, out: &mut Vec<u8>) {
        put_u128(out, self.record);
        self.part.write(out);
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self { record: input.u128()?, part: Durable::read(input)? })
    }
}
