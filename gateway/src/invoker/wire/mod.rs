//! Between the core's words and the wire: the only place of the gateway that names types of `tidegate_protocol`.

mod decode;
mod encode;
mod origins;

use std::sync::Arc;

use tidegate_core::partition::group::{Response, ValueSpec};
pub(super) use tidegate_protocol::media;

pub(super) use self::decode::{BatchAnswer, decode_batch, decode_single};
pub(super) use self::encode::{encode_batch, encode_single};
pub(super) use self::origins::Origins;
use super::fault::InvokeError;

/// What a function made of one group.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum GroupAnswer {
    /// It was processed.
    Succeeded(Box<Response>),
    /// Values are needed first.
    Incomplete(Vec<ValueSpec>),
    /// Its code failed, or the answer for this group cannot be used.
    Failed(InvokeError),
    /// It was not begun.
    NotRun,
}

/// Why an answer cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum InvalidAnswer {
    #[error("{0}")]
    NotProtobuf(#[from] tidegate_protocol::DecodeError),
    #[error("mutation type {0} is unknown")]
    UnknownMutation(i32),
    #[error("expiration mode {0} is unknown")]
    UnknownExpiration(i32),
    #[error("a value expires after {0} milliseconds")]
    NegativeExpiration(i64),
    #[error("the result of the group is of an unknown kind")]
    UnknownResult,
}

impl From<InvalidAnswer> for InvokeError {
    fn from(invalid: InvalidAnswer) -> Self {
        Self::InvalidAnswer { cause: invalid.to_string() }
    }
}

/// The start of a text that came from outside, for errors and reports that are kept.
fn excerpt(text: &str) -> Arc<str> {
    const EXCERPT_BYTES_MAX: usize = 2048;
    text[..text.floor_char_boundary(EXCERPT_BYTES_MAX)].into()
}

#[cfg(test)]
pub(super) mod double;
#[cfg(test)]
mod tests;
