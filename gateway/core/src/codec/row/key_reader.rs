//! Decoding of keys: big-endian numbers and escaped texts, for any input at all.

use alloc::string::String;
use alloc::vec::Vec;

use crate::address::{Address, Typename};
use crate::codec::DecodeError;
use crate::id::{PartitionId, Sequence, Timestamp};
use crate::message::RequestKey;

/// Walks over the bytes of a key from front to back.
pub(super) struct KeyReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> KeyReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Refuses what was not read.
    pub(super) fn finish(self) -> Result<(), DecodeError> {
        match self.bytes.len() - self.at {
            0 => Ok(()),
            left => Err(DecodeError::TrailingBytes(left)),
        }
    }

    pub(super) fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn u16(&mut self) -> Result<u16, DecodeError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(super) fn partition(&mut self) -> Result<PartitionId, DecodeError> {
        Ok(PartitionId(self.u16()?))
    }

    pub(super) fn sequence(&mut self) -> Result<Sequence, DecodeError> {
        Ok(Sequence(u64::from_be_bytes(self.array()?)))
    }

    pub(super) fn timestamp(&mut self) -> Result<Timestamp, DecodeError> {
        Ok(Timestamp(u64::from_be_bytes(self.array()?)))
    }

    pub(super) fn request(&mut self) -> Result<RequestKey, DecodeError> {
        Ok(RequestKey(u128::from_be_bytes(self.array()?)))
    }

    pub(super) fn typename(&mut self) -> Result<Typename, DecodeError> {
        Ok(Typename::parse(&self.text()?)?)
    }

    pub(super) fn address(&mut self) -> Result<Address, DecodeError> {
        Ok(Address { function: self.typename()?, id: self.text()?.into() })
    }

    /// A text up to its end mark, the zero bytes in it unescaped.
    pub(super) fn text(&mut self) -> Result<String, DecodeError> {
        let from = self.at;
        let mut text = Vec::new();
        loop {
            let rest = &self.bytes[self.at..];
            let part = rest.iter().position(|&byte| byte == 0).unwrap_or(rest.len());
            text.extend_from_slice(&rest[..part]);
            self.at += part;
            match self.array()? {
                [0x00, 0x00] => break,
                [0x00, 0xff] => text.push(0),
                _ => return Err(DecodeError::MalformedText { at: from }),
            }
        }
        String::from_utf8(text).map_err(|_| DecodeError::MalformedText { at: from })
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let rest = &self.bytes[self.at..];
        let array = rest.first_chunk::<N>().ok_or(DecodeError::Truncated {
            at: self.at,
            needed: N as u64,
            left: rest.len(),
        })?;
        self.at += N;
        Ok(*array)
    }
}
