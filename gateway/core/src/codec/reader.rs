//! Primitives of decoding: the counterpart of [`writer`](super::writer), for any input at all.

use bytes::Bytes;

use super::DecodeError;
use crate::address::Typename;

/// Walks over bytes from front to back. No method reads or reserves beyond what is there.
pub(super) struct Reader {
    input: Bytes,
    at: usize,
    /// The last name that was read. Senders and receivers are often of one function type, whose name is then
    /// neither checked nor allocated again.
    name: Option<Typename>,
}

impl Reader {
    pub(super) fn new(input: Bytes) -> Self {
        Self { input, at: 0, name: None }
    }

    /// Whether everything was read.
    pub(super) fn is_empty(&self) -> bool {
        self.left() == 0
    }

    /// Refuses what was not read.
    pub(super) fn finish(self) -> Result<(), DecodeError> {
        if self.is_empty() { Ok(()) } else { Err(DecodeError::TrailingBytes(self.left())) }
    }

    pub(super) fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn u16(&mut self) -> Result<u16, DecodeError> {
        let at = self.at;
        u16::try_from(self.u64()?).map_err(|_| DecodeError::MalformedNumber { at })
    }

    pub(super) fn u32(&mut self) -> Result<u32, DecodeError> {
        let at = self.at;
        u32::try_from(self.u64()?).map_err(|_| DecodeError::MalformedNumber { at })
    }

    pub(super) fn u64(&mut self) -> Result<u64, DecodeError> {
        if let Some(&byte) = self.input.get(self.at)
            && byte < 0x80
        {
            self.at += 1;
            return Ok(u64::from(byte));
        }
        let at = self.at;
        u64::try_from(self.u128()?).map_err(|_| DecodeError::MalformedNumber { at })
    }

    /// Refuses numbers that are longer than they need be: each has one encoding only.
    pub(super) fn u128(&mut self) -> Result<u128, DecodeError> {
        let at = self.at;
        let mut value = 0;
        for shift in (0..u128::BITS).step_by(7) {
            let byte = self.u8()?;
            let bits = u128::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return if byte == 0 && shift > 0 {
                    Err(DecodeError::MalformedNumber { at })
                } else {
                    Ok(value)
                };
            }
        }
        Err(DecodeError::MalformedNumber { at })
    }

    /// A number of items, each of which takes at least one byte.
    pub(super) fn count(&mut self) -> Result<usize, DecodeError> {
        let announced = self.u64()?;
        self.fits(announced)
    }

    /// The same for a number that was read before.
    pub(super) fn fits(&self, announced: u64) -> Result<usize, DecodeError> {
        match usize::try_from(announced) {
            Ok(count) if count <= self.left() => Ok(count),
            _ => Err(DecodeError::Truncated { at: self.at, needed: announced, left: self.left() }),
        }
    }

    /// A slice of the input: nothing is copied.
    pub(super) fn bytes(&mut self) -> Result<Bytes, DecodeError> {
        let length = self.count()?;
        let from = self.at;
        self.at += length;
        Ok(self.input.slice(from..self.at))
    }

    pub(super) fn text(&mut self) -> Result<&str, DecodeError> {
        let at = self.at;
        let length = self.count()?;
        core::str::from_utf8(self.take(length)?).map_err(|_| DecodeError::MalformedText { at })
    }

    pub(super) fn typename(&mut self) -> Result<Typename, DecodeError> {
        let last = self.name.take();
        let text = self.text()?;
        let name = match last {
            Some(last) if last.as_str() == text => last,
            _ => Typename::parse(text)?,
        };
        self.name = Some(name.clone());
        Ok(name)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn take(&mut self, length: usize) -> Result<&[u8], DecodeError> {
        if length > self.left() {
            return Err(DecodeError::Truncated {
                at: self.at,
                needed: length as u64,
                left: self.left(),
            });
        }
        let from = self.at;
        self.at += length;
        Ok(&self.input[from..self.at])
    }

    fn left(&self) -> usize {
        self.input.len() - self.at
    }
}
