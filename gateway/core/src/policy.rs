//! What the application declares and how its functions are to be treated: data and pure functions. Only `handle` reads
//! it; every decision that follows from it is written into a record, so that recovery under another configuration
//! gives the same state.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;

use crate::address::{EgressId, FunctionType};

/// The declared functions and egresses.
#[derive(Clone, Debug, Default)]
pub struct Application {
    /// Function types that are declared by name.
    pub functions: BTreeMap<FunctionType, FunctionPolicy>,
    /// Namespaces all of whose functions are declared (`namespace/*`); a name of its own goes first.
    pub namespaces: BTreeMap<Arc<str>, FunctionPolicy>,
    /// Where records may be sent.
    pub egresses: BTreeSet<EgressId>,
}

impl Application {
    /// How to treat a function; nothing if it is not declared.
    #[must_use]
    pub fn policy(&self, function: &FunctionType) -> Option<&FunctionPolicy> {
        self.functions.get(function).or_else(|| self.namespaces.get(function.namespace()))
    }

    /// Whether any function needs turns.
    #[must_use]
    pub fn has_turns(&self) -> bool {
        self.functions.values().chain(self.namespaces.values()).any(|policy| policy.by_turns)
    }
}

/// How messages are grouped for a function, and what happens when it fails.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FunctionPolicy {
    /// Most messages in one group.
    pub batch_messages: usize,
    /// Most bytes of messages in one group; a single larger message still goes.
    pub batch_bytes: usize,
    /// How often a message that stands alone at the head may fail before its address is parked.
    pub attempts: u32,
    /// The wait after the first failure, in milliseconds; it doubles with each further one.
    pub backoff_first_ms: u64,
    /// The longest wait between attempts, in milliseconds.
    pub backoff_longest_ms: u64,
    /// Most groups of one function type in flight at once in one partition. Beside it, each type leaves places to the others.
    pub groups_in_flight: usize,
    /// Whether a limit for the whole node holds: then each group needs a turn, which is asked for beforehand.
    pub by_turns: bool,
}

impl FunctionPolicy {
    /// The wait after the given number of failures (from 1).
    #[must_use]
    pub fn backoff_ms(&self, failures: u32) -> u64 {
        let doublings = failures.saturating_sub(1).min(32);
        self.backoff_first_ms.saturating_mul(1 << doublings).min(self.backoff_longest_ms)
    }
}

impl Default for FunctionPolicy {
    fn default() -> Self {
        Self {
            batch_messages: 1000,
            batch_bytes: 1 << 20,
            attempts: 8,
            backoff_first_ms: 100,
            backoff_longest_ms: 30_000,
            groups_in_flight: usize::MAX,
            by_turns: false,
        }
    }
}
