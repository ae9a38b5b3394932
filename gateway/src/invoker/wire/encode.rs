//! Groups to requests.

use bytes::Bytes;
use tidegate_core::address::Address;
use tidegate_core::id::{BatchId, PartitionId};
use tidegate_core::message::{Message as CoreMessage, TypedValue};
use tidegate_core::partition::group::Group;
use tidegate_protocol::reqreply::to_function::{
    Invocation, InvocationBatchRequest, PersistedValue,
};
use tidegate_protocol::{Message, batch, reqreply};

/// The body of a protocol v3 request.
pub(in crate::invoker) fn encode_single(group: &Group) -> Bytes {
    reqreply::ToFunction::from(invocation(group)).encode_to_vec().into()
}

/// The body of a request with many groups.
pub(in crate::invoker) fn encode_batch<'a>(
    groups: impl Iterator<Item = (PartitionId, &'a Group)>,
) -> Bytes {
    let groups = groups
        .map(|(partition, group)| batch::GroupRequest {
            batch: Some(batch_id(partition, group.batch)),
            attempt: group.attempt,
            invocation: Some(invocation(group)),
        })
        .collect();
    batch::BatchRequest { groups }.encode_to_vec().into()
}

/// What a result must repeat.
pub(super) fn batch_id(partition: PartitionId, batch: BatchId) -> batch::BatchId {
    batch::BatchId { epoch: batch.epoch.0, number: batch.number, partition: partition.0.into() }
}

fn invocation(group: &Group) -> InvocationBatchRequest {
    InvocationBatchRequest {
        target: Some(address(&group.address)),
        // A registered value that is absent is sent by name alone, so that the function knows it is registered.
        state: group
            .values
            .iter()
            .map(|(name, value)| PersistedValue {
                state_name: name.to_string(),
                state_value: value.as_ref().map(typed_value),
            })
            .collect(),
        invocations: group.messages.iter().map(|it| message(it)).collect(),
    }
}

fn message(message: &CoreMessage) -> Invocation {
    Invocation {
        caller: message.caller.as_ref().map(address),
        argument: Some(typed_value(&message.argument)),
    }
}

fn address(address: &Address) -> reqreply::Address {
    reqreply::Address::new(address.function.namespace(), address.function.name(), &*address.id)
}

fn typed_value(value: &TypedValue) -> reqreply::TypedValue {
    reqreply::TypedValue {
        typename: value.typename.to_string(),
        has_value: value.has_value,
        value: value.value.clone(),
        metadata: value.metadata.clone(),
    }
}
