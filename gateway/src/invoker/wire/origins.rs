//! From which message of a group the parts of its answer follow, so that they go on in its trace.

use std::sync::Arc;

use tidegate_core::id::Timestamp;
use tidegate_core::partition::group::Group;
use tidegate_core::trace::TraceContext;

/// The contexts that parts of an answer get. Empty for a group without traces, which costs nothing.
#[derive(Clone, Debug, Default)]
pub(in crate::invoker) struct Origins {
    /// By the place of the message in the group.
    contexts: Vec<Option<Arc<TraceContext>>>,
}

impl Origins {
    /// Of a group that is answered now.
    pub(in crate::invoker) fn of(group: &Group, now: Timestamp) -> Self {
        let traced = group.messages.iter().any(|message| message.argument.trace.is_some());
        if !traced {
            return Self::default();
        }
        let context = |trace: &Arc<TraceContext>| {
            let mut context = TraceContext::clone(trace);
            context.sent_at = now;
            Arc::new(context)
        };
        let messages = group.messages.iter();
        Self {
            contexts: messages
                .map(|message| message.argument.trace.as_ref().map(context))
                .collect(),
        }
    }

    /// The context of what follows from a message; if the function does not say from which, from the first with a trace.
    pub(super) fn context(&self, cause: Option<&u32>) -> Option<Arc<TraceContext>> {
        match cause {
            Some(cause) => self.contexts.get(usize::try_from(*cause).ok()?)?.clone(),
            None => self.contexts.iter().flatten().next().cloned(),
        }
    }
}
