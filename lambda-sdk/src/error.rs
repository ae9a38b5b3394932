//! What can go wrong in an author's code, one enum per operation. Texts carry stable codes and never a payload.

use std::error::Error as StdError;

/// What a handler may fail with: any error, or a text by `"...".into()`. A failing handler fails its whole group.
pub type Error = Box<dyn StdError + Send + Sync + 'static>;

/// Why a message or a value cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is of another type than the one asked for.
    #[error("TG-0601: expected a value of type `{expected}`, found `{found}`")]
    WrongType {
        /// The typename that was asked for.
        expected: &'static str,
        /// The typename that is there.
        found: String,
    },
    /// Its bytes are not what its typename promises.
    #[error("TG-0602: the bytes are not a valid `{typename}`")]
    Malformed {
        /// The typename.
        typename: &'static str,
        /// What the decoder says; not part of the text above.
        source: Error,
    },
    /// The function was declared without this value.
    #[error(transparent)]
    Undeclared(#[from] UndeclaredValue),
}

/// Why a value cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// It cannot be turned into bytes.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The function was declared without this value.
    #[error(transparent)]
    Undeclared(#[from] UndeclaredValue),
}

/// Why a message or an egress record cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// It cannot be turned into bytes.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The target has an empty id.
    #[error("TG-0606: a message to `{function}` has an empty id")]
    EmptyId {
        /// The target's function type.
        function: String,
    },
    /// A cancellation token is what tells one delayed message from another, so it must not be empty.
    #[error("TG-0607: a cancellation token is empty")]
    EmptyToken,
}

/// A value was used that its function does not declare, so the gateway does not keep it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("TG-0603: function `{function}` does not declare a value `{name}` of type `{typename}`")]
pub struct UndeclaredValue {
    /// The function type.
    pub function: String,
    /// The value's name.
    pub name: &'static str,
    /// The value's type.
    pub typename: &'static str,
}

/// A value cannot be turned into bytes.
#[derive(Debug, thiserror::Error)]
#[error("TG-0605: a `{typename}` cannot be encoded")]
pub struct EncodeError {
    /// The type.
    pub typename: &'static str,
    /// What the encoder says.
    pub source: Error,
}

/// An error with all its causes in one line.
pub(crate) fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
