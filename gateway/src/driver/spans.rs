//! The spans of recorded messages that functions of a partition process: waiting, processing, committing, and handing records out.
//!
//! What a group carries to its function names the span in which it is processed, so whatever the function sends follows from
//! that. The mailbox keeps what the message came with: another attempt is another span.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::SystemTime;

use tidegate_core::address::{Address, EgressId};
use tidegate_core::id::{Lsn, PartitionId, Sequence, Timestamp};
use tidegate_core::partition::event::Event;
use tidegate_core::partition::group::{FailureScope, Group};
use tidegate_core::partition::record::Emitted;
use tidegate_core::trace::TraceContext;

use crate::telemetry::trace::{self, Kind, Span, wall};

/// What is under way of recorded traces. Empty, and never touched, while none is.
#[derive(Debug, Default)]
pub(super) struct Spans {
    /// By the number of the batch.
    processing: HashMap<u64, Processing>,
    /// What was answered just now, until it is known where its record ends.
    answered: Option<Answered>,
    /// What is not durable yet.
    committing: VecDeque<(Lsn, Answered)>,
}

#[derive(Debug)]
struct Processing {
    address: Address,
    attempt: u32,
    begun: SystemTime,
    messages: Vec<Recorded>,
}

/// One recorded message of a group.
#[derive(Debug)]
struct Recorded {
    sequence: Sequence,
    /// The span that sent it.
    parent: [u8; 8],
    /// The span that processes it.
    context: Arc<TraceContext>,
}

#[derive(Debug)]
struct Answered {
    address: Address,
    at: SystemTime,
    contexts: Vec<Arc<TraceContext>>,
}

impl Spans {
    /// A group goes to its function.
    pub(super) fn invoking(&mut self, now: Timestamp, group: &mut Group) {
        if !trace::is_on() {
            return;
        }
        let begun = SystemTime::now();
        let mut messages = Vec::new();
        for message in &mut group.messages {
            let sent = message.argument.trace.as_ref().filter(|trace| trace.is_sampled());
            let Some(sent) = sent.map(Arc::clone) else { continue };
            Span::below(&sent, Kind::Internal, "wait", wall(sent.sent_at))
                .with("tidegate.address", group.address.to_string())
                .end(begun);
            let context = Arc::new(sent.child(trace::new_span_id(), now));
            // The mailbox shares the message; only the function sees this one.
            Arc::make_mut(message).argument.trace = Some(Arc::clone(&context));
            messages.push(Recorded { sequence: message.sequence, parent: sent.span_id, context });
        }
        if !messages.is_empty() {
            let (address, attempt) = (group.address.clone(), group.attempt);
            let processing = Processing { address, attempt, begun, messages };
            self.processing.insert(group.batch.number, processing);
        }
    }

    /// A group comes back, if the event says so. What is told is the answer of the function, before it is judged.
    pub(super) fn answered(&mut self, partition: PartitionId, event: &Event) {
        if self.processing.is_empty() {
            return;
        }
        let (batch, failure) = match event {
            Event::InvocationSucceeded { batch, .. } => (batch, None),
            Event::InvocationIncomplete { batch, .. } => (batch, Some("values were missing")),
            Event::InvocationFailed { batch, failure } => match failure.scope {
                FailureScope::Group => (batch, Some("the function failed")),
                FailureScope::Endpoint { .. } => (batch, Some("the endpoint does not serve")),
            },
            _ => return,
        };
        let Some(processing) = self.processing.remove(&batch.number) else { return };
        let at = SystemTime::now();
        for message in &processing.messages {
            let span = processing.span(message, partition);
            match failure {
                Some(why) => span.failed(why).end(at),
                None => span.end(at),
            }
        }
        let contexts = processing.messages.into_iter().map(|message| message.context).collect();
        self.answered = Some(Answered { address: processing.address, at, contexts });
    }

    /// What was answered was handled, and the partition's last record is this one. `before` was the last one before.
    pub(super) fn handled(&mut self, before: Lsn, last: Lsn) {
        if let Some(answered) = self.answered.take()
            && last > before
        {
            self.committing.push_back((last, answered));
        }
    }

    /// Whether a recorded answer is being handled.
    pub(super) fn is_answering(&self) -> bool {
        self.answered.is_some()
    }

    /// The trace of what was answered just now, for log lines about it.
    pub(super) fn trace_id(&self) -> Option<String> {
        let context = self.answered.as_ref()?.contexts.first()?;
        context.traceparent().split('-').nth(1).map(str::to_owned)
    }

    /// Everything up to this record is durable.
    pub(super) fn durable(&mut self, through: Lsn) {
        let mut now = None;
        while let Some((_, committed)) = self.committing.pop_front_if(|(last, _)| *last <= through)
        {
            let now = *now.get_or_insert_with(SystemTime::now);
            for context in &committed.contexts {
                Span::below(context, Kind::Internal, "commit", committed.at)
                    .with("tidegate.address", committed.address.to_string())
                    .end(now);
            }
        }
    }
}

impl Processing {
    fn span(&self, message: &Recorded, partition: PartitionId) -> Span {
        let name = format!("process {}", self.address.function);
        Span::of(&message.context, Some(message.parent), Kind::Consumer, name, self.begun)
            .with("tidegate.address", self.address.to_string())
            .with("tidegate.partition", i64::from(partition.0))
            .with("tidegate.sequence", i64::try_from(message.sequence.0).unwrap_or(i64::MAX))
            .with("tidegate.attempt", i64::from(self.attempt))
    }
}

/// A record is handed to its sink: from its commit until then.
pub(super) fn emitted(
    partition: PartitionId,
    egress: &EgressId,
    sequence: Sequence,
    emitted: &Emitted,
) {
    if let Some(context) = &emitted.argument.trace
        && trace::is_recorded(&emitted.argument.trace)
    {
        Span::below(context, Kind::Producer, format!("emit {egress}"), wall(emitted.at))
            .with("tidegate.address", emitted.sender.to_string())
            .with("tidegate.partition", i64::from(partition.0))
            .with("tidegate.sequence", i64::try_from(sequence.0).unwrap_or(i64::MAX))
            .end(SystemTime::now());
    }
}
