//! What a function wants done, collected while it runs.

use std::time::Duration;

use crate::address::{Address, EgressId};
use crate::value::Value;

/// Everything that handlers of one group asked for beside changes of values; each list in the order of asking.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Effects {
    pub(crate) sends: Vec<(Address, Value)>,
    pub(crate) delayed: Vec<Delayed>,
    pub(crate) egress: Vec<(EgressId, Value)>,
    pub(crate) causes: Causes,
}

/// For each entry of the lists, the place of the message that it follows from. Empty unless somebody wants to know.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Causes {
    pub(crate) sends: Vec<u32>,
    pub(crate) delayed: Vec<u32>,
    pub(crate) egress: Vec<u32>,
}

/// A message that was sent to arrive later, or its withdrawal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Delayed {
    /// Send later.
    Send {
        /// How long after the commit.
        delay: Duration,
        /// To whom.
        target: Address,
        /// What.
        argument: Value,
        /// A name under which it may be withdrawn.
        token: Option<String>,
    },
    /// Do not send after all.
    Cancel {
        /// The name it was sent under.
        token: String,
    },
}
