//! The trait of everything that records and rows are made of, for numbers, texts and collections.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use super::DecodeError;
use super::reader::Reader;
use super::writer::{put_bytes, put_length, put_text, put_u64};
use crate::address::{Address, Typename};
use crate::id::{Epoch, Lsn, PartitionId, Sequence, Ticket, Timestamp};

/// A list announces its length, which is not believed beyond this many items.
const ITEMS_RESERVED_MAX: usize = 64;

const NO: u8 = 0;
const YES: u8 = 1;

/// Something with a persisted form. It takes at least one byte, so that a count of items is bounded by the bytes left.
pub(super) trait Durable: Sized {
    /// Appends the persisted form.
    fn write(&self, out: &mut Vec<u8>);

    /// Reads what `write` wrote, and nothing beyond it.
    fn read(input: &mut Reader) -> Result<Self, DecodeError>;
}

macro_rules! durable_counter {
    ($($name:ident),+) => {$(
        impl Durable for $name {
            fn write(&self, out: &mut Vec<u8>) {
                put_u64(out, self.0);
            }

            fn read(input: &mut Reader) -> Result<Self, DecodeError> {
                Ok(Self(input.u64()?))
            }
        }
    )+};
}

durable_counter!(Lsn, Epoch, Sequence, Ticket);

impl Durable for u64 {
    fn write(&self, out: &mut Vec<u8>) {
        put_u64(out, *self);
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        input.u64()
    }
}

impl Durable for u32 {
    fn write(&self, out: &mut Vec<u8>) {
        put_u64(out, u64::from(*self));
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        input.u32()
    }
}

impl Durable for bool {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(if *self { YES } else { NO });
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        match input.u8()? {
            NO => Ok(false),
            YES => Ok(true),
            ordinal => Err(DecodeError::UnknownOrdinal { kind: "flag", ordinal }),
        }
    }
}

impl Durable for PartitionId {
    fn write(&self, out: &mut Vec<u8>) {
        put_u64(out, u64::from(self.0));
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self(input.u16()?))
    }
}

/// One more than the moment, so that `NEVER`, which most values carry, is the single byte 0.
impl Durable for Timestamp {
    fn write(&self, out: &mut Vec<u8>) {
        put_u64(out, self.0.wrapping_add(1));
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self(input.u64()?.wrapping_sub(1)))
    }
}

impl Durable for Bytes {
    fn write(&self, out: &mut Vec<u8>) {
        put_bytes(out, self);
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        input.bytes()
    }
}

impl Durable for Arc<str> {
    fn write(&self, out: &mut Vec<u8>) {
        put_text(out, self);
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(input.text()?.into())
    }
}

impl Durable for Typename {
    fn write(&self, out: &mut Vec<u8>) {
        put_text(out, self.as_str());
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        input.typename()
    }
}

impl Durable for Address {
    fn write(&self, out: &mut Vec<u8>) {
        self.function.write(out);
        self.id.write(out);
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self { function: Durable::read(input)?, id: Durable::read(input)? })
    }
}

impl<T: Durable> Durable for Option<T> {
    fn write(&self, out: &mut Vec<u8>) {
        self.is_some().write(out);
        if let Some(item) = self {
            item.write(out);
        }
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        if bool::read(input)? { T::read(input).map(Some) } else { Ok(None) }
    }
}

impl<T: Durable> Durable for Vec<T> {
    fn write(&self, out: &mut Vec<u8>) {
        write_items(self, out);
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        let count = input.count()?;
        read_items(input, count)
    }
}

impl<T: Durable> Durable for Arc<[T]> {
    fn write(&self, out: &mut Vec<u8>) {
        write_items(self, out);
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        Vec::read(input).map(Arc::from)
    }
}

impl<T: Durable> Durable for Box<T> {
    fn write(&self, out: &mut Vec<u8>) {
        T::write(self, out);
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        T::read(input).map(Self::new)
    }
}

impl<A: Durable, B: Durable> Durable for (A, B) {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
        self.1.write(out);
    }

    fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        Ok((A::read(input)?, B::read(input)?))
    }
}

/// Reads a number of items. The vector grows as they turn out to be there.
pub(super) fn read_items<T: Durable>(
    input: &mut Reader,
    count: usize,
) -> Result<Vec<T>, DecodeError> {
    let mut items = Vec::with_capacity(count.min(ITEMS_RESERVED_MAX));
    for _ in 0..count {
        items.push(T::read(input)?);
    }
    Ok(items)
}

fn write_items<T: Durable>(items: &[T], out: &mut Vec<u8>) {
    put_length(out, items.len());
    for item in items {
        item.write(out);
    }
}
