//! Runs a group: the messages of one instance in order against one set of values. A failure anywhere fails the group as a
//! whole, and never more than the group.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use tracing::{Instrument, Span};

use crate::address::Address;
use crate::context::{Attempt, Context};
use crate::effects::Effects;
use crate::error::chain;
use crate::function::Function;
use crate::functions::StatefulFunctions;
use crate::message::Message;
use crate::spec::DeclaredValue;
use crate::trace::TraceContext;
use crate::value::Value;
use crate::values::{Mutation, Values};

/// One address with its values and the messages to process.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) address: Address,
    pub(crate) attempt: Option<Attempt>,
    pub(crate) values: Vec<(String, Option<Value>)>,
    pub(crate) messages: Vec<(Option<Address>, Value)>,
    pub(crate) traces: Traces,
}

/// Which traces the messages of a group belong to.
#[derive(Clone, Debug)]
pub(crate) enum Traces {
    /// None, or all to the same.
    Same(Option<TraceContext>),
    /// By the place of the message.
    Each(BTreeMap<u32, TraceContext>),
}

impl Traces {
    fn of(&self, message: u32) -> Option<&TraceContext> {
        match self {
            Self::Same(trace) => trace.as_ref(),
            Self::Each(traces) => traces.get(&message),
        }
    }

    /// Whether the gateway wants to know what follows from which message.
    fn are_told_apart(&self) -> bool {
        matches!(self, Self::Each(traces) if !traces.is_empty())
    }
}

/// What became of a group.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// All messages were processed.
    Done { mutations: Vec<Mutation>, effects: Effects },
    /// No code ran: the gateway must learn of these values first.
    Incomplete(Vec<DeclaredValue>),
    /// Nothing of it counts.
    Failed(Failure),
}

/// Why a group failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("TG-0609: function `{function}` is not served here; known functions: {known}")]
    UnknownFunction { function: String, known: String },
    #[error("TG-0610: {address} failed: {cause}")]
    Handler { address: Address, cause: String },
    #[error("TG-0611: {address} panicked: {cause}")]
    Panic { address: Address, cause: String },
}

impl StatefulFunctions {
    pub(crate) async fn run(&self, group: Group) -> Outcome {
        let Some(function) = self.function(group.address.function()) else {
            let function = group.address.function().to_string();
            return Outcome::Failed(Failure::UnknownFunction { function, known: self.names() });
        };
        let values = match Values::take(function.values(), group.values) {
            Ok(values) => values,
            Err(missing) => return Outcome::Incomplete(missing),
        };
        let mut context = Context::new(group.address, group.attempt, values);
        if group.traces.are_told_apart() {
            context.tell_causes();
        }
        let work = process(function, &mut context, group.messages, group.traces);
        let failure = match AssertUnwindSafe(work).catch_unwind().await {
            Ok(Ok(())) => {
                let (values, effects) = context.finish();
                return Outcome::Done { mutations: values.into_mutations(), effects };
            }
            Ok(Err(cause)) => Failure::Handler { address: context.address().clone(), cause },
            Err(panic) => {
                let cause = panic_text(&*panic);
                Failure::Panic { address: context.address().clone(), cause }
            }
        };
        Outcome::Failed(failure)
    }
}

async fn process(
    function: &Function,
    context: &mut Context,
    messages: Vec<(Option<Address>, Value)>,
    traces: Traces,
) -> Result<(), String> {
    for (place, (caller, argument)) in (0..).zip(messages) {
        let trace = traces.of(place).cloned();
        let span = span(context.address(), trace.as_ref());
        context.receive_from(place, caller, trace);
        let called = function.call(context, Message::new(argument)).instrument(span).await;
        called.map_err(|error| chain(&*error))?;
    }
    Ok(())
}

/// What log lines of the function show beside their own fields.
fn span(address: &Address, trace: Option<&TraceContext>) -> Span {
    let trace_id = trace.map(TraceContext::trace_id);
    let parent_span_id = trace.map(TraceContext::span_id);
    tracing::info_span!("process", %address, trace_id, parent_span_id)
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}
