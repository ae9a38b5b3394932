//! What the core means is what the wire says, and the other way round.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use bytes::Bytes;
use tidegate_core::address::{Address, EgressId, FunctionType};
use tidegate_core::id::{BatchId, Epoch, PartitionId, Sequence};
use tidegate_core::limits::ANSWER_BYTES_MAX;
use tidegate_core::message::{Message as CoreMessage, TypedValue};
use tidegate_core::partition::group::{
    Delayed, Expiration, Group, Mutation, RejectionReason, Response, ValueSpec,
};
use tidegate_protocol::batch::group_response::Result as GroupResult;
use tidegate_protocol::batch::{BatchRequest, BatchResponse, GroupResponse};
use tidegate_protocol::reqreply::from_function::{
    DelayedInvocation, EgressMessage, ExpirationSpec, IncompleteInvocationContext, Invocation,
    InvocationResponse, PersistedValueMutation, PersistedValueSpec,
};
use tidegate_protocol::reqreply::to_function::{
    self, InvocationBatchRequest, PersistedValue, Request,
};
use tidegate_protocol::reqreply::{self, FromFunction, ToFunction};
use tidegate_protocol::{Message, batch};

use super::*;

fn address(text: &str) -> Address {
    let (function, id) = text.rsplit_once('/').unwrap();
    Address::new(FunctionType::parse(function).unwrap(), id).unwrap()
}

fn value(text: &'static str) -> TypedValue {
    TypedValue::new("a/b", Bytes::from_static(text.as_bytes()))
}

fn wire_value(text: &'static str) -> reqreply::TypedValue {
    reqreply::TypedValue::present("a/b", text.as_bytes())
}

fn group() -> Group {
    let with_metadata =
        TypedValue { metadata: vec![Bytes::from_static(b"\xFF\x00")], ..value("m") };
    let message = |caller, argument| {
        let sequence = Sequence(1);
        Arc::new(CoreMessage { sequence, caller, argument, request: None })
    };
    Group {
        batch: BatchId { epoch: Epoch(2), number: 3 },
        attempt: 4,
        address: address("n/t/i"),
        values: vec![("there".into(), Some(value("v"))), ("absent".into(), None)],
        messages: vec![message(Some(address("n/c/j")), value("m")), message(None, with_metadata)],
    }
}

fn expected_invocation() -> InvocationBatchRequest {
    let state = |name: &str, state_value| PersistedValue { state_name: name.into(), state_value };
    let mut with_metadata = wire_value("m");
    with_metadata.metadata = vec![Bytes::from_static(b"\xFF\x00")];
    InvocationBatchRequest {
        target: Some(reqreply::Address::new("n", "t", "i")),
        state: vec![state("there", Some(wire_value("v"))), state("absent", None)],
        invocations: vec![
            to_function::Invocation {
                caller: Some(reqreply::Address::new("n", "c", "j")),
                argument: Some(wire_value("m")),
            },
            to_function::Invocation { caller: None, argument: Some(with_metadata) },
        ],
    }
}

#[test]
fn a_group_becomes_a_request() {
    let request = ToFunction::decode(encode_single(&group())).unwrap();
    assert_eq!(request.request, Some(Request::Invocation(expected_invocation())));
}

#[test]
fn groups_become_a_batch() {
    let group = group();
    let body = encode_batch([(PartitionId(9), &group), (PartitionId(8), &group)].into_iter());
    let groups = BatchRequest::decode(body).unwrap().groups;
    assert_eq!(groups.len(), 2);
    assert_eq!(groups[0].batch, Some(batch::BatchId { epoch: 2, number: 3, partition: 9 }));
    assert_eq!(groups[1].batch, Some(batch::BatchId { epoch: 2, number: 3, partition: 8 }));
    assert_eq!(groups[0].attempt, 4);
    assert_eq!(groups[0].invocation, Some(expected_invocation()));
}

fn decode(response: InvocationResponse) -> Result<GroupAnswer, InvalidAnswer> {
    decode_single(FromFunction::from(response).encode_to_vec().into())
}

fn decoded(response: InvocationResponse) -> Response {
    match decode(response).unwrap() {
        GroupAnswer::Succeeded(response) => *response,
        other => panic!("{other:?}"),
    }
}

#[test]
fn no_response_is_an_empty_one() {
    let empty = GroupAnswer::Succeeded(Box::default());
    assert_eq!(decode_single(Bytes::new()), Ok(empty.clone()));
    assert_eq!(decode(InvocationResponse::default()), Ok(empty));
}

#[test]
fn an_answer_is_read_in_order() {
    let target = || Some(reqreply::Address::new("n", "t", "j"));
    let mut with_metadata = wire_value("m");
    with_metadata.metadata = vec![Bytes::from_static(b"h")];
    let response = decoded(InvocationResponse {
        state_mutations: vec![
            PersistedValueMutation {
                mutation_type: 1,
                state_name: "s".into(),
                state_value: Some(wire_value("v")),
            },
            PersistedValueMutation { mutation_type: 0, state_name: "d".into(), state_value: None },
        ],
        outgoing_messages: vec![
            Invocation { target: target(), argument: Some(wire_value("1")) },
            Invocation { target: target(), argument: Some(with_metadata) },
            Invocation { target: target(), argument: None },
        ],
        delayed_invocations: vec![
            DelayedInvocation {
                delay_in_ms: -5,
                target: target(),
                argument: Some(wire_value("l")),
                cancellation_token: "k".into(),
                is_cancellation_request: false,
            },
            DelayedInvocation { delay_in_ms: 5, target: target(), ..DelayedInvocation::default() },
            DelayedInvocation { is_cancellation_request: true, ..DelayedInvocation::default() },
        ],
        outgoing_egresses: vec![EgressMessage {
            egress_namespace: "n".into(),
            egress_type: "e".into(),
            argument: Some(wire_value("r")),
        }],
    });
    let nothing = TypedValue {
        typename: "".into(),
        has_value: false,
        value: Bytes::new(),
        metadata: Vec::new(),
        trace: None,
    };
    let headed = TypedValue { metadata: vec![Bytes::from_static(b"h")], ..value("m") };
    let to = || address("n/t/j");
    let send =
        |delay_ms, argument, token| Delayed::Send { delay_ms, target: to(), argument, token };
    assert_eq!(
        response.mutations,
        [Mutation::Modify("s".into(), value("v")), Mutation::Delete("d".into())]
    );
    assert_eq!(response.sends, [(to(), value("1")), (to(), headed), (to(), nothing.clone())]);
    let cancel = Delayed::Cancel { token: "".into() };
    assert_eq!(
        response.delayed,
        [send(-5, value("l"), Some("k".into())), send(5, nothing, None), cancel]
    );
    assert_eq!(response.egress, [(EgressId::parse("n/e").unwrap(), value("r"))]);
    assert!(response.malformed.is_empty());
}

#[test]
fn what_cannot_be_named_is_rejected_and_the_rest_goes_on() {
    let to = |namespace: &str, name: &str, id: &str| Invocation {
        target: Some(reqreply::Address::new(namespace, name, id)),
        argument: Some(wire_value("m")),
    };
    let response = decoded(InvocationResponse {
        outgoing_messages: vec![
            to("n", "t", ""),
            to("n", "t", "i"),
            to("", "t", "i"),
            to("a/b", "t", "i"),
            Invocation::default(),
            to("n", "t", &"x".repeat(5000)),
        ],
        delayed_invocations: vec![DelayedInvocation::default()],
        outgoing_egresses: vec![EgressMessage {
            egress_type: "e".into(),
            ..EgressMessage::default()
        }],
        ..InvocationResponse::default()
    });
    assert_eq!(response.sends, [(address("n/t/i"), value("m"))]);
    let subjects: Vec<&str> =
        response.malformed.iter().map(|rejection| &*rejection.subject).collect();
    assert_eq!(subjects[..4], ["n/t/", "/t/i", "a/b/t/i", "//"]);
    assert_eq!(subjects[4].len(), 2048, "what is kept of it is bounded");
    assert_eq!(subjects[5..], ["//", "/e"]);
    let reasons: Vec<_> = response.malformed.iter().map(|rejection| rejection.reason).collect();
    assert_eq!(reasons[..6], [RejectionReason::InvalidAddress; 6]);
    assert_eq!(reasons[6], RejectionReason::UnknownEgress);
}

#[test]
fn what_cannot_be_understood_makes_the_answer_invalid() {
    let mutation = PersistedValueMutation { mutation_type: 2, ..PersistedValueMutation::default() };
    let response =
        InvocationResponse { state_mutations: vec![mutation], ..InvocationResponse::default() };
    assert_eq!(decode(response), Err(InvalidAnswer::UnknownMutation(2)));
    assert!(matches!(
        decode_single(Bytes::from_static(b"\xFF")),
        Err(InvalidAnswer::NotProtobuf(_))
    ));
}

fn decode_spec(mode: i32, millis: i64) -> Result<GroupAnswer, InvalidAnswer> {
    let spec = PersistedValueSpec {
        state_name: "s".into(),
        expiration_spec: Some(ExpirationSpec { mode, expire_after_millis: millis }),
        type_typename: "a/b".into(),
    };
    let context = IncompleteInvocationContext { missing_values: vec![spec] };
    decode_single(FromFunction::from(context).encode_to_vec().into())
}

#[test]
fn missing_values_with_their_expiration() {
    let spec = |typename: &str, expiration| {
        let spec = ValueSpec { name: "s".into(), typename: typename.into(), expiration };
        Ok(GroupAnswer::Incomplete(vec![spec]))
    };
    assert_eq!(decode_spec(0, 7), spec("a/b", Expiration::Never));
    assert_eq!(decode_spec(1, 7), spec("a/b", Expiration::AfterWrite(7)));
    assert_eq!(decode_spec(2, 7), spec("a/b", Expiration::AfterInvoke(7)));
    assert_eq!(decode_spec(3, 7), Err(InvalidAnswer::UnknownExpiration(3)));
    assert_eq!(decode_spec(1, -7), Err(InvalidAnswer::NegativeExpiration(-7)));
    let bare = PersistedValueSpec { state_name: "s".into(), ..PersistedValueSpec::default() };
    let context = IncompleteInvocationContext { missing_values: vec![bare] };
    let answer = decode_single(FromFunction::from(context).encode_to_vec().into());
    assert_eq!(answer, spec("io.statefun.types/unset", Expiration::Never));
}

fn modify(value: Bytes) -> InvocationResponse {
    let mutation = PersistedValueMutation {
        mutation_type: 1,
        state_name: "s".into(),
        state_value: Some(reqreply::TypedValue::present("a/b", value)),
    };
    InvocationResponse { state_mutations: vec![mutation], ..InvocationResponse::default() }
}

fn only_value(response: Response) -> Bytes {
    match response.mutations.into_iter().next() {
        Some(Mutation::Modify(_, value)) => value.value,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_kept_payload_does_not_pin_a_body_much_larger_than_itself() {
    let kept_from = |payload: usize, others: usize| {
        let mut response = modify(vec![1; payload].into());
        response.state_mutations.extend(modify(vec![2; others].into()).state_mutations);
        let body = Bytes::from(FromFunction::from(response).encode_to_vec());
        let range = body.as_ptr_range();
        let GroupAnswer::Succeeded(response) = decode_single(body.clone()).unwrap() else {
            panic!()
        };
        let kept = range.contains(&only_value(*response).as_ptr());
        // Only now, so that its memory cannot have been used again.
        drop(body);
        kept
    };
    assert!(!kept_from(4, 0));
    assert!(!kept_from(1000, 2000));
    assert!(kept_from(2000, 1000), "what is most of the body is not copied");
}

fn result_for(
    partition: u32,
    number: u64,
    attempt: u32,
    result: Option<GroupResult>,
) -> GroupResponse {
    GroupResponse { batch: Some(batch::BatchId { epoch: 2, number, partition }), attempt, result }
}

fn decode_results(groups: Vec<GroupResponse>) -> BatchAnswer {
    let batch = |number| BatchId { epoch: Epoch(2), number };
    let expected = [
        (PartitionId(9), batch(1), 1),
        (PartitionId(9), batch(2), 1),
        (PartitionId(8), batch(1), 1),
    ];
    decode_batch(BatchResponse { groups }.encode_to_vec().into(), &expected).unwrap()
}

#[test]
fn results_find_their_groups_by_what_they_repeat() {
    let success = || Some(GroupResult::InvocationResult(InvocationResponse::default()));
    let not_run = || Some(GroupResult::NotRun(batch::GroupNotRun {}));
    let answer = decode_results(vec![
        result_for(8, 1, 1, not_run()),
        result_for(9, 1, 1, success()),
        // Repeated, another attempt, another number, another partition, no partition at all, no id.
        result_for(9, 1, 1, not_run()),
        result_for(9, 2, 2, success()),
        result_for(9, 3, 1, success()),
        result_for(7, 1, 1, success()),
        result_for(1 << 16 | 9, 2, 1, success()),
        GroupResponse { batch: None, attempt: 1, result: success() },
    ]);
    let succeeded = GroupAnswer::Succeeded(Box::default());
    assert_eq!(answer.results, [Some(succeeded), None, Some(GroupAnswer::NotRun)]);
    assert_eq!(answer.unmatched, 6);
}

#[test]
fn a_result_that_cannot_be_used_fails_its_group_alone() {
    let mutation = PersistedValueMutation { mutation_type: 2, ..PersistedValueMutation::default() };
    let invalid =
        InvocationResponse { state_mutations: vec![mutation], ..InvocationResponse::default() };
    let too_large = modify(vec![0; ANSWER_BYTES_MAX].into());
    let answer = decode_results(vec![
        result_for(9, 1, 1, Some(GroupResult::InvocationResult(invalid))),
        result_for(9, 2, 1, Some(GroupResult::InvocationResult(too_large))),
        result_for(8, 1, 1, None),
    ]);
    let text = |place: usize| match &answer.results[place] {
        Some(GroupAnswer::Failed(error)) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(text(0), "TG-0406 the answer cannot be used: mutation type 2 is unknown");
    assert_eq!(text(1), "TG-0407 the answer is larger than 33554432 bytes");
    assert_eq!(
        text(2),
        "TG-0406 the answer cannot be used: the result of the group is of an unknown kind"
    );
}
