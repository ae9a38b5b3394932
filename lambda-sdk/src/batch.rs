//! The batch extension: many addresses in one request. Groups run side by side; what becomes of one is of no concern to others.

use futures::StreamExt;
use tidegate_protocol::batch::group_response::Result as GroupResult;
use tidegate_protocol::batch::{
    BatchId as WireBatchId, BatchRequest, BatchResponse, Causes as WireCauses, GroupFailure,
    GroupRequest, GroupResponse, MessageTrace,
};
use tidegate_protocol::{Bytes, Message as _};

use crate::context::{Attempt, BatchId};
use crate::effects::Causes;
use crate::functions::StatefulFunctions;
use crate::invocation::{Group, Outcome, Traces};
use crate::trace::TraceContext;
use crate::wire::{self, RequestError};

/// Answers a `BatchRequest`. A group that cannot be read fails alone, as long as it can be named.
pub(crate) async fn answer(
    functions: &StatefulFunctions,
    body: Bytes,
) -> Result<Bytes, RequestError> {
    let request = BatchRequest::decode(body)?;
    if request.groups.is_empty() {
        return Err(RequestError::Lacks("groups"));
    }
    if request.groups.iter().any(|group| group.batch.is_none()) {
        return Err(RequestError::Lacks("batch id of a group"));
    }
    let groups = futures::stream::iter(request.groups);
    let answers = groups.map(|group| answer_group(functions, group));
    let groups = answers.buffer_unordered(functions.group_limit()).collect().await;
    Ok(BatchResponse { groups }.encode_to_vec().into())
}

async fn answer_group(functions: &StatefulFunctions, request: GroupRequest) -> GroupResponse {
    let (batch, attempt) = (request.batch, request.attempt);
    let (result, causes) = match read(request) {
        Ok(group) => result(functions.run(group).await),
        Err(error) => (failure(error.to_string()), None),
    };
    GroupResponse { batch, attempt, causes, result: Some(result) }
}

fn read(request: GroupRequest) -> Result<Group, RequestError> {
    let batch = request.batch.ok_or(RequestError::Lacks("batch id of a group"))?;
    let invocation = request.invocation.ok_or(RequestError::Lacks("invocation"))?;
    let attempt = Attempt { batch: batch_id(batch), number: request.attempt };
    let trace =
        |it: MessageTrace| Some((it.message, TraceContext::new(it.traceparent, it.tracestate)?));
    let traces = Traces::Each(request.traces.into_iter().filter_map(trace).collect());
    wire::group(invocation, Some(attempt), traces)
}

fn result(outcome: Outcome) -> (GroupResult, Option<WireCauses>) {
    match outcome {
        Outcome::Done { mutations, mut effects } => {
            let causes = causes(std::mem::take(&mut effects.causes));
            (GroupResult::InvocationResult(wire::response(mutations, effects)), causes)
        }
        Outcome::Incomplete(missing) => {
            (GroupResult::IncompleteInvocationContext(wire::incomplete(&missing)), None)
        }
        Outcome::Failed(cause) => (failure(cause.to_string()), None),
    }
}

fn causes(causes: Causes) -> Option<WireCauses> {
    let Causes { sends, delayed, egress } = &causes;
    let any = ![sends, delayed, egress].iter().all(|list| list.is_empty());
    any.then_some(WireCauses {
        outgoing_messages: causes.sends,
        delayed_invocations: causes.delayed,
        outgoing_egresses: causes.egress,
    })
}

fn failure(text: String) -> GroupResult {
    GroupResult::Failure(GroupFailure { text })
}

fn batch_id(id: WireBatchId) -> BatchId {
    BatchId { partition: id.partition, epoch: id.epoch, number: id.number }
}
