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

/// What happens to a message that has failed alone as often as its policy allows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Exhausted {
    /// Its address waits for an operator, with all its messages.
    #[default]
    Park,
    /// It leaves as a record of this egress, and its address goes on. An egress that is not declared any more parks it.
    Drop(EgressId),
}

/// How messages are grouped for a function, and what happens when it fails.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FunctionPolicy {
    /// Most messages in one group.
    pub batch_messages: usize,
    /// Most bytes of messages in one group; a single larger message still goes.
    pub batch_bytes: usize,
    /// How often a message that stands alone at the head may fail before it is given up.
    pub attempts: u32,
    /// What happens to a message that is given up.
    pub exhausted: Exhausted,
    /// The wait after the first failure, in milliseconds.
    pub backoff_first_ms: u64,
    /// By how many hundredths the wait is multiplied with each further failure; 200 doubles it.
    pub backoff_factor_percent: u32,
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
        let factor = u64::from(self.backoff_factor_percent.max(100));
        let mut wait = self.backoff_first_ms.min(self.backoff_longest_ms);
        for _ in 1..failures {
            let longer = (wait.saturating_mul(factor) / 100).min(self.backoff_longest_ms);
            if longer <= wait {
                break;
            }
            wait = longer;
        }
        wait
    }
}

impl Default for FunctionPolicy {
    fn default() -> Self {
        Self {
            batch_messages: 1000,
            batch_bytes: 1 << 20,
            attempts: 8,
            exhausted: Exhausted::Park,
            backoff_first_ms: 100,
            backoff_factor_percent: 200,
            backoff_longest_ms: 30_000,
            groups_in_flight: usize::MAX,
            by_turns: false,
        }
    }
}
