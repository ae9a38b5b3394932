//! Protocol v3 to and from our own words: the messages of one address. With `batch`, the only place that knows protobuf.

use std::time::Duration;

use tidegate_protocol::reqreply::from_function::expiration_spec::ExpireMode;
use tidegate_protocol::reqreply::from_function::persisted_value_mutation::MutationType;
use tidegate_protocol::reqreply::from_function::{
    DelayedInvocation, EgressMessage, ExpirationSpec, IncompleteInvocationContext, Invocation,
    InvocationResponse, PersistedValueMutation, PersistedValueSpec,
};
use tidegate_protocol::reqreply::to_function::{
    self, InvocationBatchRequest, PersistedValue, Request,
};
use tidegate_protocol::reqreply::{self, FromFunction, ToFunction, TypedValue};
use tidegate_protocol::{Bytes, DecodeError, Message as _};

use crate::address::{Address, EgressId, FunctionType, InvalidName};
use crate::context::Attempt;
use crate::effects::{Delayed, Effects};
use crate::invocation::{Failure, Group, Outcome, Traces};
use crate::spec::{DeclaredValue, Expiration};
use crate::trace::TraceContext;
use crate::value::Value;
use crate::values::Mutation;

/// Why bytes are not a request.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    #[error("TG-0612: the body is not a request of the protocol: {0}")]
    Malformed(#[from] DecodeError),
    #[error("TG-0612: the request lacks its {0}")]
    Lacks(&'static str),
    #[error(transparent)]
    Name(#[from] InvalidName),
}

/// Reads a `ToFunction`.
pub(crate) fn decode(body: Bytes, trace: Option<TraceContext>) -> Result<Group, RequestError> {
    let Some(Request::Invocation(request)) = ToFunction::decode(body)?.request else {
        return Err(RequestError::Lacks("invocation"));
    };
    group(request, None, Traces::Same(trace))
}

/// Writes a `FromFunction`; a failure has no form in protocol v3.
pub(crate) fn encode(outcome: Outcome) -> Result<Bytes, Failure> {
    let answer: FromFunction = match outcome {
        Outcome::Done { mutations, effects } => response(mutations, effects).into(),
        Outcome::Incomplete(missing) => incomplete(&missing).into(),
        Outcome::Failed(failure) => return Err(failure),
    };
    Ok(answer.encode_to_vec().into())
}

pub(crate) fn group(
    request: InvocationBatchRequest,
    attempt: Option<Attempt>,
    traces: Traces,
) -> Result<Group, RequestError> {
    let target = request.target.ok_or(RequestError::Lacks("target"))?;
    let values = request.state.into_iter().map(named_value).collect();
    let messages = request.invocations.into_iter().map(message).collect::<Result<_, _>>()?;
    Ok(Group { address: address(target)?, attempt, values, messages, traces })
}

fn named_value(value: PersistedValue) -> (String, Option<Value>) {
    (value.state_name, value.state_value.filter(|value| value.has_value).map(untyped))
}

fn message(invocation: to_function::Invocation) -> Result<(Option<Address>, Value), RequestError> {
    let is_somebody = |caller: &reqreply::Address| *caller != reqreply::Address::default();
    let caller = invocation.caller.filter(is_somebody).map(address).transpose()?;
    let argument = invocation.argument.ok_or(RequestError::Lacks("argument of an invocation"))?;
    Ok((caller, untyped(argument)))
}

fn address(address: reqreply::Address) -> Result<Address, InvalidName> {
    Ok(FunctionType::joined(&address.namespace, &address.r#type)?.at(address.id))
}

fn untyped(value: TypedValue) -> Value {
    Value::new(value.typename, value.value)
}

pub(crate) fn response(mutations: Vec<Mutation>, effects: Effects) -> InvocationResponse {
    InvocationResponse {
        state_mutations: mutations.into_iter().map(mutation).collect(),
        outgoing_messages: effects.sends.into_iter().map(outgoing).collect(),
        delayed_invocations: effects.delayed.into_iter().map(delayed).collect(),
        outgoing_egresses: effects.egress.into_iter().map(egress).collect(),
    }
}

fn mutation((name, value): Mutation) -> PersistedValueMutation {
    let kind = if value.is_some() { MutationType::Modify } else { MutationType::Delete };
    PersistedValueMutation {
        mutation_type: kind.into(),
        state_name: name.to_owned(),
        state_value: value.map(typed),
    }
}

fn outgoing((target, argument): (Address, Value)) -> Invocation {
    Invocation { target: Some(wire_address(target)), argument: Some(typed(argument)) }
}

fn delayed(delayed: Delayed) -> DelayedInvocation {
    match delayed {
        Delayed::Send { delay, target, argument, token } => DelayedInvocation {
            delay_in_ms: milliseconds(delay),
            target: Some(wire_address(target)),
            argument: Some(typed(argument)),
            is_cancellation_request: false,
            cancellation_token: token.unwrap_or_default(),
        },
        Delayed::Cancel { token } => DelayedInvocation {
            is_cancellation_request: true,
            cancellation_token: token,
            ..DelayedInvocation::default()
        },
    }
}

fn egress((egress, argument): (EgressId, Value)) -> EgressMessage {
    EgressMessage {
        egress_namespace: egress.namespace().to_owned(),
        egress_type: egress.name().to_owned(),
        argument: Some(typed(argument)),
    }
}

pub(crate) fn incomplete(missing: &[DeclaredValue]) -> IncompleteInvocationContext {
    IncompleteInvocationContext { missing_values: missing.iter().map(value_spec).collect() }
}

fn value_spec(spec: &DeclaredValue) -> PersistedValueSpec {
    let (mode, after) = match spec.expiration {
        Expiration::Never => (ExpireMode::None, Duration::ZERO),
        Expiration::AfterWrite(after) => (ExpireMode::AfterWrite, after),
        Expiration::AfterInvoke(after) => (ExpireMode::AfterInvoke, after),
    };
    PersistedValueSpec {
        state_name: spec.name.to_owned(),
        expiration_spec: Some(ExpirationSpec {
            mode: mode.into(),
            expire_after_millis: milliseconds(after),
        }),
        type_typename: spec.typename.to_owned(),
    }
}

fn wire_address(address: Address) -> reqreply::Address {
    let (function, id) = address.into_parts();
    reqreply::Address::new(function.namespace(), function.name(), id)
}

fn typed(value: Value) -> TypedValue {
    let (typename, bytes) = value.into_parts();
    TypedValue::present(typename, bytes)
}

/// A duration beyond what the field holds is 292 million years; it stays that.
fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
