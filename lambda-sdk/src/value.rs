//! Payloads with the name of their type, as they travel.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

use crate::error::{EncodeError, ReadError};
use crate::types::Type;

/// A payload with the name of its type. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Value {
    typename: Cow<'static, str>,
    bytes: Bytes,
}

impl Value {
    /// A payload of a type that the program has no Rust type for.
    pub fn new(typename: impl Into<Cow<'static, str>>, bytes: impl Into<Bytes>) -> Self {
        Self { typename: typename.into(), bytes: bytes.into() }
    }

    /// Encodes a typed value.
    pub fn of<T: Type>(value: &T) -> Result<Self, EncodeError> {
        match value.encode() {
            Ok(bytes) => Ok(Self::new(T::TYPENAME, bytes)),
            Err(source) => Err(EncodeError { typename: T::TYPENAME, source }),
        }
    }

    /// The name of the type, by convention `namespace/name`.
    #[must_use]
    pub fn typename(&self) -> &str {
        &self.typename
    }

    /// The payload as it is.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    pub(crate) fn into_parts(self) -> (Cow<'static, str>, Bytes) {
        (self.typename, self.bytes)
    }

    /// Whether it has the typename of `T`.
    #[must_use]
    pub fn is<T: Type>(&self) -> bool {
        self.typename == T::TYPENAME
    }

    /// Decodes it as a `T`, whose typename it must have.
    pub fn get<T: Type>(&self) -> Result<T, ReadError> {
        if !self.is::<T>() {
            let found = self.typename.clone().into_owned();
            return Err(ReadError::WrongType { expected: T::TYPENAME, found });
        }
        T::decode(&self.bytes)
            .map_err(|source| ReadError::Malformed { typename: T::TYPENAME, source })
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} ({} bytes)", self.typename, self.bytes.len())
    }
}

/// What can be sent: every [`Type`], `str`, and a [`Value`] that is ready to go.
pub trait ToValue {
    /// Turns it into bytes with a typename.
    fn to_value(&self) -> Result<Value, EncodeError>;
}

impl<T: Type> ToValue for T {
    fn to_value(&self) -> Result<Value, EncodeError> {
        Value::of(self)
    }
}

impl ToValue for Value {
    fn to_value(&self) -> Result<Value, EncodeError> {
        Ok(self.clone())
    }
}

impl ToValue for str {
    fn to_value(&self) -> Result<Value, EncodeError> {
        Value::of(&self.to_owned())
    }
}
