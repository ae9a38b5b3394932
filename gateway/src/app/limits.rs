//! The limits that a module declares for its functions over the whole node.

use crate::config::module::{Endpoint, FunctionPattern};
use crate::driver::turns::{Limit, Limits};

/// The limits of all functions that are declared.
pub(super) fn limits(endpoints: &[Endpoint]) -> Limits {
    let mut limits = Limits::default();
    for endpoint in endpoints {
        let treatment = &endpoint.treatment;
        let (groups, messages_per_second) = (treatment.groups, treatment.messages_per_second);
        let limit = Limit { groups, messages_per_second };
        match &endpoint.functions {
            FunctionPattern::One(function) => limits.functions.insert(function.clone(), limit),
            FunctionPattern::Namespace(namespace) => {
                limits.namespaces.insert(namespace.clone(), limit)
            }
        };
    }
    limits
}
