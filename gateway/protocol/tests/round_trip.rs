//! Whatever one side builds, the other side reads.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Debug;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use tidegate_protocol::batch::group_response::Result as GroupResult;
use tidegate_protocol::batch::{
    BatchId, BatchRequest, BatchResponse, GroupFailure, GroupNotRun, GroupRequest, GroupResponse,
};
use tidegate_protocol::reqreply::from_function::{
    DelayedInvocation, EgressMessage, ExpirationSpec, IncompleteInvocationContext, Invocation,
    InvocationResponse, PersistedValueMutation, PersistedValueSpec,
};
use tidegate_protocol::reqreply::to_function::{self, InvocationBatchRequest, PersistedValue};
use tidegate_protocol::reqreply::{Address, FromFunction, ToFunction, TypedValue};
use tidegate_protocol::{Bytes, Message};

fn payload() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..40).prop_map(Bytes::from)
}

prop_compose! {
    fn address()(namespace in ".{0,8}", name in ".{0,8}", id in ".{0,8}") -> Address {
        Address::new(namespace, name, id)
    }
}

prop_compose! {
    fn typed_value()(
        typename in ".{0,12}", has_value: bool, value in payload(), metadata in vec(payload(), 0..3),
    ) -> TypedValue {
        TypedValue { typename, has_value, value, metadata }
    }
}

prop_compose! {
    fn request()(
        target in option::of(address()),
        state in vec((".{0,8}", option::of(typed_value())), 0..4),
        invocations in vec((option::of(address()), option::of(typed_value())), 0..4),
    ) -> InvocationBatchRequest {
        InvocationBatchRequest {
            target,
            state: state.into_iter()
                .map(|(state_name, state_value)| PersistedValue { state_name, state_value }).collect(),
            invocations: invocations.into_iter()
                .map(|(caller, argument)| to_function::Invocation { caller, argument }).collect(),
        }
    }
}

prop_compose! {
    fn delayed()(
        is_cancellation_request: bool, cancellation_token in ".{0,8}", delay_in_ms: i64,
        target in option::of(address()), argument in option::of(typed_value()),
    ) -> DelayedInvocation {
        DelayedInvocation { is_cancellation_request, cancellation_token, delay_in_ms, target, argument }
    }
}

prop_compose! {
    fn response()(
        mutations in vec((any::<i32>(), ".{0,8}", option::of(typed_value())), 0..3),
        messages in vec((option::of(address()), option::of(typed_value())), 0..3),
        delayed_invocations in vec(delayed(), 0..3),
        egresses in vec((".{0,8}", ".{0,8}", option::of(typed_value())), 0..3),
    ) -> InvocationResponse {
        InvocationResponse {
            state_mutations: mutations.into_iter().map(|(mutation_type, state_name, state_value)| {
                PersistedValueMutation { mutation_type, state_name, state_value }
            }).collect(),
            outgoing_messages: messages.into_iter()
                .map(|(target, argument)| Invocation { target, argument }).collect(),
            delayed_invocations,
            outgoing_egresses: egresses.into_iter().map(|(egress_namespace, egress_type, argument)| {
                EgressMessage { egress_namespace, egress_type, argument }
            }).collect(),
        }
    }
}

prop_compose! {
    fn incomplete()(
        specs in vec((".{0,8}", option::of((any::<i32>(), any::<i64>())), ".{0,8}"), 0..4),
    ) -> IncompleteInvocationContext {
        let missing_values = specs.into_iter().map(|(state_name, expiration, type_typename)| PersistedValueSpec {
            state_name,
            expiration_spec: expiration.map(|(mode, expire_after_millis)| ExpirationSpec { mode, expire_after_millis }),
            type_typename,
        }).collect();
        IncompleteInvocationContext { missing_values }
    }
}

prop_compose! {
    fn batch_id()(epoch: u64, number: u64, partition: u32) -> BatchId {
        BatchId { epoch, number, partition }
    }
}

fn group_result() -> impl Strategy<Value = GroupResult> {
    prop_oneof![
        response().prop_map(GroupResult::InvocationResult),
        incomplete().prop_map(GroupResult::IncompleteInvocationContext),
        ".{0,20}".prop_map(|text| GroupResult::Failure(GroupFailure { text })),
        Just(GroupResult::NotRun(GroupNotRun {})),
    ]
}

fn survives<M: Message + Default + PartialEq + Debug>(message: &M) -> Result<(), TestCaseError> {
    let wire = Bytes::from(message.encode_to_vec());
    prop_assert_eq!(wire.len(), message.encoded_len());
    prop_assert_eq!(&M::decode(wire.clone()).unwrap(), message);
    prop_assert_eq!(&M::decode(&wire[..]).unwrap(), message);
    Ok(())
}

proptest! {
    #[test]
    fn requests(request in request()) {
        survives(&ToFunction::from(request))?;
    }

    #[test]
    fn answers(response in response()) {
        survives(&FromFunction::from(response))?;
    }

    #[test]
    fn incomplete_answers(context in incomplete()) {
        survives(&FromFunction::from(context))?;
    }

    #[test]
    fn batches(groups in vec((batch_id(), any::<u32>(), request()), 0..4)) {
        let groups = groups.into_iter().map(|(batch, attempt, invocation)| {
            GroupRequest {
                batch: Some(batch),
                attempt,
                invocation: Some(invocation),
                ..GroupRequest::default()
            }
        }).collect();
        survives(&BatchRequest { groups })?;
    }

    #[test]
    fn batch_answers(groups in vec((batch_id(), any::<u32>(), group_result()), 0..4)) {
        let groups = groups.into_iter().map(|(batch, attempt, result)| {
            GroupResponse {
                batch: Some(batch),
                attempt,
                result: Some(result),
                ..GroupResponse::default()
            }
        }).collect();
        survives(&BatchResponse { groups })?;
    }

    /// A wrong message is an error or another message, never a panic.
    #[test]
    fn any_bytes(wire in vec(any::<u8>(), 0..200)) {
        let _ = FromFunction::decode(&wire[..]);
        let _ = BatchResponse::decode(&wire[..]);
    }
}
