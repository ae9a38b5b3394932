//! What can happen to a request on its way.

use std::fmt;

/// A fault.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Fault {
    /// 500, and the functions have not seen it.
    Refused500,
    /// 503, and the functions have not seen it.
    Refused503,
    /// 429 with `Retry-After`, and the functions have not seen it.
    Throttled429,
    /// 500, although the functions have answered.
    Answer500,
    /// The connection is reset before the functions have seen it.
    ResetBefore,
    /// The connection is reset when the functions have answered.
    ResetAfter,
    /// It comes to the functions too late, and its answer to nobody.
    HeldBefore,
    /// The functions answer in time, and the answer comes too late.
    HeldAfter,
    /// Half of the answer comes.
    Truncated,
    /// The functions see it twice; the first answer counts.
    RepeatedFirst,
    /// The functions see it twice; the second answer counts.
    RepeatedSecond,
    /// The answer comes in drops.
    Slow,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 12] = [
        Self::Refused500,
        Self::Refused503,
        Self::Throttled429,
        Self::Answer500,
        Self::ResetBefore,
        Self::ResetAfter,
        Self::HeldBefore,
        Self::HeldAfter,
        Self::Truncated,
        Self::RepeatedFirst,
        Self::RepeatedSecond,
        Self::Slow,
    ];
}

/// The connection ends here: on purpose, or because nobody is behind the proxy.
#[derive(Debug)]
pub(super) struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the connection ends here")
    }
}

impl std::error::Error for Broken {}
