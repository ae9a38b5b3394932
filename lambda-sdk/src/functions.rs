//! The functions that one endpoint serves.

use std::collections::BTreeMap;

use crate::address::FunctionType;
use crate::function::Function;

/// How many groups of one request are processed at the same time, unless set otherwise.
const CONCURRENT_GROUPS: usize = 64;

/// The functions that one endpoint serves, by name.
#[derive(Clone, Debug)]
pub struct StatefulFunctions {
    functions: BTreeMap<FunctionType, Function>,
    concurrent_groups: usize,
}

impl StatefulFunctions {
    /// Serves nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self { functions: BTreeMap::new(), concurrent_groups: CONCURRENT_GROUPS }
    }

    /// Serves one more function.
    ///
    /// # Panics
    /// If a function of that name is served already.
    #[must_use]
    pub fn with(mut self, function: Function) -> Self {
        let name = function.name().clone();
        assert!(!self.functions.contains_key(&name), "TG-0608: `{name}` is declared twice");
        self.functions.insert(name, function);
        self
    }

    /// Sets how many groups of one request are processed at the same time; at least one is.
    #[must_use]
    pub fn concurrent_groups(mut self, groups: usize) -> Self {
        self.concurrent_groups = groups.max(1);
        self
    }

    pub(crate) fn group_limit(&self) -> usize {
        self.concurrent_groups
    }

    pub(crate) fn function(&self, name: &FunctionType) -> Option<&Function> {
        self.functions.get(name)
    }

    /// The names, for texts: the gateway's configuration and the code have drifted apart.
    pub(crate) fn names(&self) -> String {
        let names: Vec<_> = self.functions.keys().map(FunctionType::as_str).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    }
}

impl Default for StatefulFunctions {
    fn default() -> Self {
        Self::new()
    }
}
