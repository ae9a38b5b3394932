//! Bytes of records and rows: what the log and the store hold, and what any later version must read.
//!
//! [`record`] encodes the records of one step, [`row`] the names and contents of rows. Both are
//! persisted, so everything in this module is under one rule: **add, never renumber**. Ordinals
//! start at 1, so that zeroed bytes are never a valid item, and an ordinal that was used once is
//! never used for anything else.
//!
//! What the formats uphold:
//!
//! - One encoding for each value: what decodes encodes again to the same bytes.
//! - A version in front and a checksum behind, so that damage is noticed before anything is read.
//! - Decoding is total: any input gives a value or a [`DecodeError`], never a panic, and what it
//!   allocates is proportional to the bytes that are there, never to a length that they announce.
//! - Payloads are not copied: a decoded payload is a slice of the input. Who keeps one for long
//!   keeps the whole input alive, and may want to copy it.
//! - Decoding does not apply [`limits`](crate::limits): what was once accepted stays readable when
//!   a limit is lowered.
//!
//! There is one version of each format. When a second one comes, the conversion of the first
//! moves to `codec::upgrade`, one function for each step of versions, and the golden files of
//! `tests/golden/v1` stay as the proof that the first is still read.

mod durable;
mod error;
mod message;
mod order;
mod reader;
pub mod record;
pub mod row;
mod sealed;
mod task;
mod writer;

pub use error::DecodeError;
