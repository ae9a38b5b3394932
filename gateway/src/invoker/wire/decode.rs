//! Answers to what the core understands. What cannot be named, such as a send to an empty id, becomes a rejection of
//! that part; what cannot be understood makes the answer invalid.

use std::collections::HashMap;

use bytes::Bytes;
use tidegate_core::address::{Address, EgressId, FunctionType};
use tidegate_core::id::{BatchId, PartitionId};
use tidegate_core::limits::ANSWER_BYTES_MAX;
use tidegate_core::message::TypedValue;
use tidegate_core::partition::group::{
    Delayed, Expiration, Mutation, Rejection, RejectionReason, Response, ValueSpec,
};
use tidegate_protocol::batch::group_response::Result as GroupResult;
use tidegate_protocol::reqreply::from_function::expiration_spec::ExpireMode;
use tidegate_protocol::reqreply::from_function::persisted_value_mutation::MutationType;
use tidegate_protocol::reqreply::from_function::{
    self, DelayedInvocation, EgressMessage, IncompleteInvocationContext, InvocationResponse,
    PersistedValueMutation, PersistedValueSpec,
};
use tidegate_protocol::{Message, batch, reqreply, typename};

use super::{GroupAnswer, InvalidAnswer, excerpt};
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
pub(in crate::invoker) fn decode_single(body: Bytes) -> Result<GroupAnswer, InvalidAnswer> {
    let reader = Reader { body_bytes: body.len() };
    match reqreply::FromFunction::decode(body)?.response {
        None => Ok(GroupAnswer::Succeeded(Box::default())),
        Some(from_function::Response::InvocationResult(result)) => reader.response(result),
        Some(from_function::Response::IncompleteInvocationContext(context)) => missing(context),
    }
}

/// Reads the answer of the batch extension, given the groups of the request.
pub(in crate::invoker) fn decode_batch(
    body: Bytes,
    groups: &[(PartitionId, BatchId, u32)],
) -> Result<BatchAnswer, InvalidAnswer> {
    let reader = Reader { body_bytes: body.len() };
    let places: HashMap<_, _> =
        groups.iter().enumerate().map(|(place, echo)| (*echo, place)).collect();
    let mut answer = BatchAnswer { results: vec![None; groups.len()], unmatched: 0 };
    for group in batch::BatchResponse::decode(body)?.groups {
        let result = echo(&group)
            .and_then(|echo| places.get(&echo))
            .map(|place| &mut answer.results[*place]);
        match result {
            Some(vacant @ None) => *vacant = Some(reader.group(group.result)),
            Some(Some(_)) | None => answer.unmatched += 1,
        }
    }
    Ok(answer)
}

fn echo(group: &batch::GroupResponse) -> Option<(PartitionId, BatchId, u32)> {
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
    fn group(&self, result: Option<GroupResult>) -> GroupAnswer {
        let answer = match result {
            Some(GroupResult::InvocationResult(result))
                if result.encoded_len() > ANSWER_BYTES_MAX =>
            {
                return GroupAnswer::Failed(InvokeError::AnswerTooLarge {
                    limit: ANSWER_BYTES_MAX,
                });
            }
            Some(GroupResult::InvocationResult(result)) => self.response(result),
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

    fn response(&self, result: InvocationResponse) -> Result<GroupAnswer, InvalidAnswer> {
        let mut response = Response::default();
        for mutation in result.state_mutations {
            response.mutations.push(self.mutation(mutation)?);
        }
        for from_function::Invocation { target, argument } in result.outgoing_messages {
            match address(target) {
                Ok(target) => response.sends.push((target, self.typed_value(argument))),
                Err(rejection) => response.malformed.push(rejection),
            }
        }
        for delayed in result.delayed_invocations {
            match self.delayed(delayed) {
                Ok(delayed) => response.delayed.push(delayed),
                Err(rejection) => response.malformed.push(rejection),
            }
        }
        for EgressMessage { egress_namespace, egress_type, argument } in result.outgoing_egresses {
            match EgressId::new(&egress_namespace, &egress_type) {
                Ok(egress) => response.egress.push((egress, self.typed_value(argument))),
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

    fn delayed(&self, delayed: DelayedInvocation) -> Result<Delayed, Rejection> {
        let token = delayed.cancellation_token;
        if delayed.is_cancellation_request {
            return Ok(Delayed::Cancel { token: token.into() });
        }
        Ok(Delayed::Send {
            delay_ms: delayed.delay_in_ms,
            target: address(delayed.target)?,
            argument: self.typed_value(delayed.argument),
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
