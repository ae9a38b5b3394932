//! What the core needs to know of a module: how functions are treated, and where records may go.

use std::num::NonZeroUsize;

use tidegate_core::address::EgressId;
use tidegate_core::policy::{Application, Exhausted, FunctionPolicy};

use super::model::{Egress, EgressKind, Endpoint, FunctionPattern, ModuleConfig, Playground};

impl ModuleConfig {
    /// The declared functions and egresses, for the core.
    #[must_use]
    pub fn application(&self) -> Application {
        let mut application = Application::default();
        for endpoint in &self.endpoints {
            let policy = endpoint.policy();
            match &endpoint.functions {
                FunctionPattern::One(function) => {
                    application.functions.insert(function.clone(), policy);
                }
                FunctionPattern::Namespace(namespace) => {
                    application.namespaces.insert(namespace.clone(), policy);
                }
            }
        }
        application.egresses = self.egresses.iter().flat_map(Egress::inside).collect();
        application
    }
}

impl Egress {
    /// The egresses that it is for the core: one, or one for each topic.
    #[must_use]
    pub fn inside(&self) -> Vec<EgressId> {
        match &self.kind {
            EgressKind::Http(_) | EgressKind::File { .. } => vec![self.id.clone()],
            EgressKind::Playground(playground) => {
                playground.topics.iter().filter_map(|topic| Playground::topic_id(topic)).collect()
            }
        }
    }
}

impl Endpoint {
    fn policy(&self) -> FunctionPolicy {
        let treatment = &self.treatment;
        let milliseconds = |duration: std::time::Duration| {
            u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).max(1)
        };
        // A group must not use up more than a second of what is allowed.
        let rate = treatment.messages_per_second.map_or(usize::MAX, |rate| rate.ceil() as usize);
        let batch_messages = self.batch_messages.map_or(usize::MAX, NonZeroUsize::get);
        FunctionPolicy {
            batch_messages: batch_messages.min(rate),
            batch_bytes: usize::try_from(treatment.batch_bytes).unwrap_or(usize::MAX),
            attempts: treatment.attempts,
            exhausted: treatment.dead_letter.clone().map_or(Exhausted::Park, Exhausted::Drop),
            backoff_first_ms: milliseconds(treatment.backoff_first),
            backoff_longest_ms: milliseconds(treatment.backoff_longest),
            backoff_factor_percent: treatment.backoff_factor_percent,
            groups_in_flight: treatment.groups_per_partition.unwrap_or(usize::MAX),
            by_turns: treatment.groups.is_some() || treatment.messages_per_second.is_some(),
        }
    }
}
