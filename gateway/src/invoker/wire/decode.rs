//! Answers to what the core understands. What cannot be named, such as a send to an empty id, becomes a rejection of
//! that part; what cannot be understood makes the answer invalid.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use tidegate_core::address::{Address, EgressId, FunctionType};
use tidegate_core::id::{BatchId, PartitionId};
use tidegate_core::limits::ANSWER_BYTES_MAX;
use tidegate_core::message::TypedValue;
use tidegate_core::partition::group::{
    Delayed, Expiration, Mutation, Rejection, RejectionReason, Response, ValueSpec,
};
use tidegate_core::trace::TraceContext;
use tidegate_protocol::batch::group_response::Result as GroupResult;
use tidegate_protocol::reqreply::from_function::expiration_spec::ExpireMode;
use tidegate_protocol::reqreply::from_function::persisted_value_mutation::MutationType;
use tidegate_protocol::reqreply::from_function::{
    self, DelayedInvocation, EgressMessage, IncompleteInvocationContext, InvocationResponse,
    PersistedValueMutation, PersistedValueSpec,
};
use tidegate_protocol::{Message, batch, reqreply, typename};

use super::{GroupAnswer, InvalidAnswer, Origins, excerpt};
use crate::invoker::fault::InvokeError;

/// The results of a request with many groups.
#[derive(Debug)]
pub(in crate::invoker) struct BatchAnswer {
    /// A result for each group of the request, in its order; none where the endpoint gave none.
    pub(in crate::invoker) results: Vec<Option<GroupAnswer>>,
    /// Results that name no group of the request, or one that has a result already.
    pub(in crate::invoker) unmatched: usize,
}

/// Reads the answer of protocol v3.
pub(in crate::invoker) fn decode_single(
    body: Bytes,
    origins: &Origins,
) -> Result<GroupAnswer, InvalidAnswer> {
    let reader = Reader { body_bytes: body.len() };
    match reqreply::FromFunction::decode(body)?.response {
        None => Ok(GroupAnswer::Succeeded(Box::default())),
        Some(from_function::Response::InvocationResult(result)) => {
            reader.response(result, &batch::Causes::default(), origins)
        }
        Some(from_function::Response::IncompleteInvocationContext(context)) => missing(context),
    }
}

/// Reads the answer of the batch extension, given the groups of the request, and their origins as far as they have traces.
pub(in crate::invoker) fn decode_batch(
    body: Bytes,
    groups: &[Echo],
    origins: &[Origins],
) -> Result<BatchAnswer, InvalidAnswer> {
    let reader = Reader { body_bytes: body.len() };
    let mut places = Places::new(groups);
    let mut answer = BatchAnswer { results: vec![None; groups.len()], unmatched: 0 };
    for group in batch::BatchResponse::decode(body)?.groups {
        let place = echo(&group).and_then(|echo| places.find(&echo));
        match place.map(|place| (place, &mut answer.results[place])) {
            Some((place, vacant @ None)) => {
                let none = Origins::default();
                let origins = origins.get(place).unwrap_or(&none);
                let causes = group.causes.unwrap_or_default();
                *vacant = Some(reader.group(group.result, &causes, origins));
            }
            Some((_, Some(_))) | None => answer.unmatched += 1,
        }
    }
    Ok(answer)
}

/// What names a group in a request and in its answer.
type Echo = (PartitionId, BatchId, u32);

/// Finds the groups of a request by what their results echo. Most answers have the order of the request; only for others it is
/// worth a table.
struct Places<'a> {
    groups: &'a [Echo],
    next: usize,
    table: Option<HashMap<Echo, usize>>,
}

impl<'a> Places<'a> {
    fn new(groups: &'a [Echo]) -> Self {
        Self { groups, next: 0, table: None }
    }

    fn find(&mut self, echo: &Echo) -> Option<usize> {
        let place = if self.groups.get(self.next) == Some(echo) {
            self.next
        } else {
            let all = || self.groups.iter().enumerate().map(|(place, echo)| (*echo, place));
            self.table.get_or_insert_with(|| all().collect()).get(echo).copied()?
        };
        self.next = place + 1;
        Some(place)
    }
}

fn echo(group: &batch::GroupResponse) -> Option<Echo> {
    let id = group.batch?;
    let partition = PartitionId(u16::try_from(id.partition).ok()?);
    let batch = BatchId { epoch: tidegate_core::id::Epoch(id.epoch), number: id.number };
    Some((partition, batch, group.attempt))
}

/// What must be known of a body to read its parts.
struct Reader {
    body_bytes: usize,
}

impl Reader {
    /// A fault in one result is a failure of its group alone.
    fn group(
        &self,
        result: Option<GroupResult>,
        causes: &batch::Causes,
        origins: &Origins,
    ) -> GroupAnswer {
        let answer = match result {
            Some(GroupResult::InvocationResult(result))
                if result.encoded_len() > ANSWER_BYTES_MAX =>
            {
                return GroupAnswer::Failed(InvokeError::AnswerTooLarge {
                    limit: ANSWER_BYTES_MAX,
                });
            }
            Some(GroupResult::InvocationResult(result)) => self.response(result, causes, origins),
            Some(GroupResult::IncompleteInvocationContext(context)) => missing(context),
            Some(GroupResult::Failure(failure)) => {
                return GroupAnswer::Failed(InvokeError::FunctionFailed {
                    text: excerpt(&failure.text).as_ref().into(),
                });
            }
            Some(GroupResult::NotRun(_)) => return GroupAnswer::NotRun,
            None => Err(InvalidAnswer::UnknownResult),
        };
        answer.unwrap_or_else(|invalid| GroupAnswer::Failed(invalid.into()))
    }

    fn response(
        &self,
        result: InvocationResponse,
        causes: &batch::Causes,
        origins: &Origins,
    ) -> Result<GroupAnswer, InvalidAnswer> {
        let mut response = Response::default();
        for mutation in result.state_mutations {
            response.mutations.push(self.mutation(mutation)?);
        }
        let sends = result.outgoing_messages.into_iter().enumerate();
        for (place, from_function::Invocation { target, argument }) in sends {
            match address(target) {
                Ok(target) => {
                    // A reply leaves the system of messages, and with it the trace.
                    let trace = if target.is_reply() {
                        None
                    } else {
                        origins.context(causes.outgoing_messages.get(place))
                    };
                    response.sends.push((target, self.typed_value(argument).traced(trace)));
                }
                Err(rejection) => response.malformed.push(rejection),
            }
        }
        for (place, delayed) in result.delayed_invocations.into_iter().enumerate() {
            let trace = origins.context(causes.delayed_invocations.get(place));
            match self.delayed(delayed, trace) {
                Ok(delayed) => response.delayed.push(delayed),
                Err(rejection) => response.malformed.push(rejection),
            }
        }
        let records = result.outgoing_egresses.into_iter().enumerate();
        for (place, EgressMessage { egress_namespace, egress_type, argument }) in records {
            match EgressId::new(&egress_namespace, &egress_type) {
                Ok(egress) => {
                    let trace = origins.context(causes.outgoing_egresses.get(place));
                    response.egress.push((egress, self.typed_value(argument).traced(trace)));
                }
                Err(_) => response.malformed.push(Rejection {
                    reason: RejectionReason::UnknownEgress,
                    subject: excerpt(&format!("{egress_namespace}/{egress_type}")),
                }),
            }
        }
        Ok(GroupAnswer::Succeeded(Box::new(response)))
    }

    fn mutation(&self, mutation: PersistedValueMutation) -> Result<Mutation, InvalidAnswer> {
        let name = mutation.state_name.into();
        match MutationType::try_from(mutation.mutation_type) {
            Ok(MutationType::Delete) => Ok(Mutation::Delete(name)),
            Ok(MutationType::Modify) => {
                Ok(Mutation::Modify(name, self.typed_value(mutation.state_value)))
            }
            Err(_) => Err(InvalidAnswer::UnknownMutation(mutation.mutation_type)),
        }
    }

    fn delayed(
        &self,
        delayed: DelayedInvocation,
        trace: Option<Arc<TraceContext>>,
    ) -> Result<Delayed, Rejection> {
        let token = delayed.cancellation_token;
        if delayed.is_cancellation_request {
            return Ok(Delayed::Cancel { token: token.into() });
        }
        Ok(Delayed::Send {
            delay_ms: delayed.delay_in_ms,
            target: address(delayed.target)?,
            argument: self.typed_value(delayed.argument).traced(trace),
            token: if token.is_empty() { None } else { Some(token.into()) },
        })
    }

    fn typed_value(&self, value: Option<reqreply::TypedValue>) -> TypedValue {
        let value = value.unwrap_or_default();
        TypedValue {
            typename: value.typename.into(),
            has_value: value.has_value,
            value: self.keep(value.value),
            metadata: value.metadata.into_iter().map(|entry| self.keep(entry)).collect(),
            trace: None,
        }
    }

    /// A payload is a slice of the body, and while a slice lives, so does the whole body: a counter of four bytes in a state cache
    /// would pin 32 MiB. So all payloads are copied out but one that is most of the body itself.
    fn keep(&self, slice: Bytes) -> Bytes {
        if slice.len() > self.body_bytes / 2 { slice } else { Bytes::copy_from_slice(&slice) }
    }
}

fn address(address: Option<reqreply::Address>) -> Result<Address, Rejection> {
    let reqreply::Address { namespace, r#type, id } = address.unwrap_or_default();
    FunctionType::new(&namespace, &r#type).and_then(|function| Address::new(function, &id)).map_err(
        |_| Rejection {
            reason: RejectionReason::InvalidAddress,
            subject: excerpt(&format!("{namespace}/{type}/{id}")),
        },
    )
}

fn missing(context: IncompleteInvocationContext) -> Result<GroupAnswer, InvalidAnswer> {
    context
        .missing_values
        .into_iter()
        .map(value_spec)
        .collect::<Result<_, _>>()
        .map(GroupAnswer::Incomplete)
}

fn value_spec(spec: PersistedValueSpec) -> Result<ValueSpec, InvalidAnswer> {
    let expiration = spec.expiration_spec.unwrap_or_default();
    let after = expiration.expire_after_millis;
    let expire_after =
        || u64::try_from(after).map_err(|_| InvalidAnswer::NegativeExpiration(after));
    let expiration = match ExpireMode::try_from(expiration.mode) {
        Ok(ExpireMode::None) => Expiration::Never,
        Ok(ExpireMode::AfterWrite) => Expiration::AfterWrite(expire_after()?),
        Ok(ExpireMode::AfterInvoke) => Expiration::AfterInvoke(expire_after()?),
        Err(_) => return Err(InvalidAnswer::UnknownExpiration(expiration.mode)),
    };
    let typename = if spec.type_typename.is_empty() {
        typename::UNSET.into()
    } else {
        spec.type_typename.into()
    };
    Ok(ValueSpec { name: spec.state_name.into(), typename, expiration })
}
