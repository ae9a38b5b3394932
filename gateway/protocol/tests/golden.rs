//! Golden bytes of every message, worked out by hand from the field numbers: other languages' SDKs must agree with them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Debug;

use tidegate_protocol::batch::group_response::Result as GroupResult;
use tidegate_protocol::batch::{
    BatchId, BatchRequest, BatchResponse, Causes, GroupFailure, GroupNotRun, GroupRequest,
    GroupResponse, MessageTrace,
};
use tidegate_protocol::egress::{KafkaProducerRecord, KinesisEgressRecord};
use tidegate_protocol::reqreply::from_function::{
    DelayedInvocation, EgressMessage, ExpirationSpec, IncompleteInvocationContext, Invocation,
    InvocationResponse, PersistedValueMutation, PersistedValueSpec, expiration_spec::ExpireMode,
    persisted_value_mutation::MutationType,
};
use tidegate_protocol::reqreply::to_function::{self, InvocationBatchRequest, PersistedValue};
use tidegate_protocol::reqreply::{Address, FromFunction, ToFunction, TypedValue};
use tidegate_protocol::types::{
    BooleanWrapper, DoubleWrapper, FloatWrapper, IntWrapper, LongWrapper, StringWrapper,
};
use tidegate_protocol::{Bytes, Message};

/// The message has these bytes, and these bytes are the message.
#[track_caller]
fn golden<M: Message + Default + PartialEq + Debug>(message: &M, bytes: &[u8]) {
    assert_eq!(message.encode_to_vec(), bytes);
    assert_eq!(&M::decode(bytes).unwrap(), message);
}

fn bytes(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

#[test]
fn wrappers() {
    golden(&BooleanWrapper { value: true }, &[0x08, 1]);
    golden(&IntWrapper { value: -2 }, &[0x0D, 0xFE, 0xFF, 0xFF, 0xFF]);
    golden(&IntWrapper { value: 0x0102_0304 }, &[0x0D, 4, 3, 2, 1]);
    golden(&FloatWrapper { value: 1.0 }, &[0x0D, 0, 0, 0x80, 0x3F]);
    golden(&LongWrapper { value: 1 }, &[0x09, 1, 0, 0, 0, 0, 0, 0, 0]);
    golden(&DoubleWrapper { value: 1.0 }, &[0x09, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F]);
    golden(&StringWrapper { value: "hi".into() }, &[0x0A, 2, b'h', b'i']);
}

#[test]
fn default_values_take_no_bytes() {
    golden(&BooleanWrapper::default(), &[]);
    golden(&IntWrapper::default(), &[]);
    golden(&FloatWrapper::default(), &[]);
    golden(&LongWrapper::default(), &[]);
    golden(&DoubleWrapper::default(), &[]);
    golden(&StringWrapper::default(), &[]);
    golden(&Address::default(), &[]);
    golden(&TypedValue::default(), &[]);
    golden(&ToFunction::default(), &[]);
    golden(&FromFunction::default(), &[]);
    golden(&InvocationResponse::default(), &[]);
    golden(&PersistedValueMutation::default(), &[]);
    golden(&DelayedInvocation::default(), &[]);
    golden(&ExpirationSpec::default(), &[]);
    golden(&BatchRequest::default(), &[]);
    golden(&BatchResponse::default(), &[]);
}

#[test]
fn address_and_typed_value() {
    golden(&Address::new("n", "t", "i"), &[0x0A, 1, b'n', 0x12, 1, b't', 0x1A, 1, b'i']);
    golden(&TypedValue::present("a/b", &b"xy"[..]), b"\x0A\x03a/b\x10\x01\x1A\x02xy");
    golden(&TypedValue::present("a/b", Bytes::new()), b"\x0A\x03a/b\x10\x01");
}

#[test]
fn a_request_of_one_address() {
    let request = InvocationBatchRequest {
        target: Some(Address::new("n", "t", "i")),
        state: vec![
            PersistedValue {
                state_name: "s".into(),
                state_value: Some(TypedValue::present("", &b"v"[..])),
            },
            PersistedValue { state_name: "u".into(), state_value: None },
        ],
        invocations: vec![
            to_function::Invocation {
                caller: Some(Address::new("n", "t", "j")),
                argument: Some(TypedValue::present("", &b"m"[..])),
            },
            to_function::Invocation { caller: None, argument: Some(TypedValue::default()) },
        ],
    };
    let body = bytes(&[
        b"\x0A\x09\x0A\x01n\x12\x01t\x1A\x01i",
        b"\x12\x0A\x0A\x01s\x12\x05\x10\x01\x1A\x01v",
        b"\x12\x03\x0A\x01u",
        b"\x1A\x12\x0A\x09\x0A\x01n\x12\x01t\x1A\x01j\x12\x05\x10\x01\x1A\x01m",
        b"\x1A\x02\x12\x00",
    ]);
    golden(&request, &body);
    let length = u8::try_from(body.len()).unwrap();
    golden(&ToFunction::from(request), &bytes(&[&[0xA2, 0x06, length], &body]));
}

#[test]
fn answers_begin_with_their_field_number() {
    golden(&FromFunction::from(InvocationResponse::default()), &[0xA2, 0x06, 0]);
    golden(&FromFunction::from(IncompleteInvocationContext::default()), &[0xAA, 0x06, 0]);
}

#[test]
fn an_answer_with_everything() {
    let address = Address::new("n", "t", "i");
    let argument = TypedValue::present("", &b"m"[..]);
    let response = InvocationResponse {
        state_mutations: vec![
            PersistedValueMutation {
                mutation_type: MutationType::Modify.into(),
                state_name: "s".into(),
                state_value: Some(argument.clone()),
            },
            PersistedValueMutation {
                mutation_type: MutationType::Delete.into(),
                state_name: "s".into(),
                state_value: None,
            },
        ],
        outgoing_messages: vec![Invocation {
            target: Some(address.clone()),
            argument: Some(argument.clone()),
        }],
        delayed_invocations: vec![
            DelayedInvocation {
                is_cancellation_request: false,
                cancellation_token: "k".into(),
                delay_in_ms: 300,
                target: Some(address),
                argument: Some(argument.clone()),
            },
            DelayedInvocation {
                is_cancellation_request: true,
                cancellation_token: "k".into(),
                ..DelayedInvocation::default()
            },
        ],
        outgoing_egresses: vec![EgressMessage {
            egress_namespace: "n".into(),
            egress_type: "e".into(),
            argument: Some(argument),
        }],
    };
    let body = bytes(&[
        b"\x0A\x0C\x08\x01\x12\x01s\x1A\x05\x10\x01\x1A\x01m",
        b"\x0A\x03\x12\x01s",
        b"\x12\x12\x0A\x09\x0A\x01n\x12\x01t\x1A\x01i\x12\x05\x10\x01\x1A\x01m",
        b"\x1A\x18\x08\xAC\x02\x12\x09\x0A\x01n\x12\x01t\x1A\x01i\x1A\x05\x10\x01\x1A\x01m\x5A\x01k",
        b"\x1A\x05\x50\x01\x5A\x01k",
        b"\x22\x0D\x0A\x01n\x12\x01e\x1A\x05\x10\x01\x1A\x01m",
    ]);
    golden(&response, &body);
    let length = u8::try_from(body.len()).unwrap();
    golden(&FromFunction::from(response), &bytes(&[&[0xA2, 0x06, length], &body]));
}

#[test]
fn a_negative_delay_is_ten_bytes() {
    let delayed = DelayedInvocation { delay_in_ms: -1, ..DelayedInvocation::default() };
    golden(&delayed, &[0x08, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01]);
}

#[test]
fn missing_values() {
    let spec = |mode: ExpireMode, millis| PersistedValueSpec {
        state_name: "s".into(),
        expiration_spec: Some(ExpirationSpec { mode: mode.into(), expire_after_millis: millis }),
        type_typename: "a/b".into(),
    };
    let context = IncompleteInvocationContext {
        missing_values: vec![
            spec(ExpireMode::None, 0),
            spec(ExpireMode::AfterWrite, 1),
            spec(ExpireMode::AfterInvoke, 2),
        ],
    };
    let body = bytes(&[
        b"\x0A\x0A\x0A\x01s\x12\x00\x1A\x03a/b",
        b"\x0A\x0E\x0A\x01s\x12\x04\x08\x01\x10\x01\x1A\x03a/b",
        b"\x0A\x0E\x0A\x01s\x12\x04\x08\x02\x10\x02\x1A\x03a/b",
    ]);
    golden(&FromFunction::from(context), &bytes(&[&[0xAA, 0x06, 44], &body]));
}

#[test]
fn egress_records() {
    let kafka = KafkaProducerRecord {
        key: "k".into(),
        value_bytes: Bytes::from_static(b"v"),
        topic: "t".into(),
    };
    golden(&kafka, b"\x0A\x01k\x12\x01v\x1A\x01t");
    let kinesis = KinesisEgressRecord {
        partition_key: "k".into(),
        value_bytes: Bytes::from_static(b"v"),
        stream: "s".into(),
        explicit_hash_key: "h".into(),
    };
    golden(&kinesis, b"\x0A\x01k\x12\x01v\x1A\x01s\x22\x01h");
}

#[test]
fn a_batch() {
    let batch = BatchId { epoch: 1, number: 300, partition: 7 };
    let invocation = InvocationBatchRequest {
        target: Some(Address::new("n", "t", "i")),
        ..InvocationBatchRequest::default()
    };
    let request = BatchRequest {
        groups: vec![GroupRequest {
            batch: Some(batch),
            attempt: 2,
            invocation: Some(invocation),
            traces: Vec::new(),
        }],
    };
    golden(
        &request,
        b"\x0A\x18\x0A\x07\x08\x01\x10\xAC\x02\x18\x07\x10\x02\x1A\x0B\x0A\x09\x0A\x01n\x12\x01t\x1A\x01i",
    );
    let with = |result| GroupResponse {
        batch: Some(batch),
        attempt: 2,
        result: Some(result),
        causes: None,
    };
    let response = BatchResponse {
        groups: vec![
            with(GroupResult::InvocationResult(InvocationResponse::default())),
            with(GroupResult::IncompleteInvocationContext(IncompleteInvocationContext::default())),
            with(GroupResult::Failure(GroupFailure { text: "x".into() })),
            with(GroupResult::NotRun(GroupNotRun {})),
        ],
    };
    let echo = b"\x0A\x07\x08\x01\x10\xAC\x02\x18\x07\x10\x02";
    let body = bytes(&[
        &bytes(&[b"\x0A\x0D", echo, b"\x1A\x00"]),
        &bytes(&[b"\x0A\x0D", echo, b"\x22\x00"]),
        &bytes(&[b"\x0A\x10", echo, b"\x2A\x03\x0A\x01x"]),
        &bytes(&[b"\x0A\x0D", echo, b"\x32\x00"]),
    ]);
    golden(&response, &body);
}

#[test]
fn traces_of_a_batch() {
    let trace =
        MessageTrace { message: 1, traceparent: "00-a-b-01".into(), tracestate: "c=d".into() };
    let request = GroupRequest { traces: vec![trace], ..GroupRequest::default() };
    golden(&request, b"\x22\x12\x08\x01\x12\x0900-a-b-01\x1A\x03c=d");
    let causes = Causes {
        outgoing_messages: vec![0, 1],
        delayed_invocations: vec![],
        outgoing_egresses: vec![1],
    };
    let response = GroupResponse { causes: Some(causes), ..GroupResponse::default() };
    golden(&response, b"\x3A\x07\x0A\x02\x00\x01\x1A\x01\x01");
}

#[test]
fn unknown_fields_are_ignored() {
    // Field 9 as a number, field 15 as bytes, then field 3.
    let address = Address::decode(&b"\x48\x05\x7A\x02zz\x1A\x01i"[..]).unwrap();
    assert_eq!(address, Address::new("", "", "i"));
    // A response of a kind that does not exist yet reads as no response.
    assert_eq!(FromFunction::decode(&b"\xB2\x06\x01x"[..]).unwrap(), FromFunction::default());
}

#[test]
fn an_unknown_enum_value_keeps_its_number() {
    let mutation = PersistedValueMutation::decode(&b"\x08\x07"[..]).unwrap();
    assert_eq!(mutation.mutation_type, 7);
    assert!(MutationType::try_from(mutation.mutation_type).is_err());
}

#[test]
fn field_4_of_a_typed_value_goes_through_unchanged() {
    // What the dialect means, entries of {1: name, 2: value}, and one that is no message at all.
    let wire =
        b"\x0A\x03a/b\x10\x01\x1A\x01v\x22\x0A\x0A\x05trace\x12\x01x\x22\x02\xFF\xFF\x22\x00";
    let value = TypedValue::decode(&wire[..]).unwrap();
    assert_eq!(value.metadata, [&b"\x0A\x05trace\x12\x01x"[..], b"\xFF\xFF", b""]);
    assert_eq!(value.encode_to_vec(), wire);
}

#[test]
fn truncated_and_mistyped_bytes_are_errors() {
    assert!(FromFunction::decode(&[0xA2, 0x06, 5, 0][..]).is_err());
    assert!(TypedValue::decode(&[0x0A, 1, 0xFF][..]).is_err(), "a name must be UTF-8");
    assert!(TypedValue::decode(&[0x20, 1][..]).is_err(), "field 4 must have wire type 2");
}
