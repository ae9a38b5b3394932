//! Why bytes are not what they should be.

use crate::address::AddressError;

/// Why bytes could not be decoded. The bytes themselves are never part of the error.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DecodeError {
    /// Something was cut off, or a length is wrong.
    #[error("the bytes end early: {needed} are needed at offset {at}, {left} are left")]
    Truncated {
        /// Where the item begins.
        at: usize,
        /// How many bytes it needs.
        needed: u64,
        /// How many there are.
        left: usize,
    },
    /// Written by a later version of Tidegate, or not by Tidegate.
    #[error("the {format} has format version {found}, this program reads version {supported}")]
    UnknownVersion {
        /// Which format.
        format: &'static str,
        /// The version that was found.
        found: u8,
        /// The version that can be read.
        supported: u8,
    },
    /// The bytes were damaged after they were written.
    #[error("the checksum of the {format} is {stored:08x}, its bytes give {computed:08x}")]
    ChecksumMismatch {
        /// Which format.
        format: &'static str,
        /// The checksum as stored.
        stored: u32,
        /// The checksum of the bytes that are there.
        computed: u32,
    },
    /// Written by a later version that knows more kinds.
    #[error("{ordinal} is no known {kind}")]
    UnknownOrdinal {
        /// What was to be told apart.
        kind: &'static str,
        /// The number that was found.
        ordinal: u8,
    },
    /// A number does not fit its type, or is longer than it need be.
    #[error("a number at offset {at} is not well formed")]
    MalformedNumber {
        /// Where it begins.
        at: usize,
    },
    /// A text is not UTF-8, or not escaped as keys require.
    #[error("a text at offset {at} is not well formed")]
    MalformedText {
        /// Where it begins.
        at: usize,
    },
    /// A function type or egress has a name that is not one.
    #[error("a name is not valid: {0}")]
    InvalidName(#[from] AddressError),
    /// More bytes than the value needs.
    #[error("{0} bytes follow where nothing should")]
    TrailingBytes(usize),
    /// A key lies under a prefix where its table, or its address, does not belong.
    #[error(
        "a key of table {table} lies under the prefix {found:04x}, it belongs to {expected:04x}"
    )]
    MisplacedKey {
        /// The ordinal of the table.
        table: u8,
        /// The prefix that was found.
        found: u16,
        /// The prefix where the key belongs.
        expected: u16,
    },
    /// A row does not hold what rows of its key hold.
    #[error("a row of kind {found} was found where kind {expected} belongs")]
    WrongRow {
        /// The kind that was found.
        found: u8,
        /// The kind that belongs to the key.
        expected: u8,
    },
}
