//! Traces: a function sees the one that its message belongs to, and the gateway learns what follows from which message.

use http::StatusCode;
use tidegate_protocol::batch::{
    BatchId, BatchRequest, BatchResponse, Causes, GroupRequest, MessageTrace,
};
use tidegate_protocol::reqreply::{FromFunction, ToFunction, from_function};
use tidegate_protocol::{Message as _, media};
use tidegate_sdk::{
    Context, EgressId, Error, FunctionSpec, FunctionType, Message, StatefulFunctions,
};

use crate::support::{group, post, typed};

const SEER: FunctionType = FunctionType::named("test/seer");
const OUT: EgressId = EgressId::named("test/out");

/// Says what it sees; every second message says it to an egress too.
async fn see(ctx: &mut Context, message: Message) -> Result<(), Error> {
    let seen = match ctx.trace() {
        Some(trace) => {
            format!("{} {} {:?}", trace.trace_id(), trace.span_id(), trace.tracestate())
        }
        None => "nothing".to_owned(),
    };
    ctx.send(SEER.at("all"), &seen)?;
    if message.get::<i64>()? % 2 == 0 {
        ctx.egress(&OUT, &seen)?;
    }
    Ok(())
}

fn seers() -> StatefulFunctions {
    StatefulFunctions::new().with(FunctionSpec::new(SEER).handler(see))
}

fn said(response: &from_function::InvocationResponse) -> Vec<String> {
    let arguments = response.outgoing_messages.iter().map(|sent| sent.argument.clone().unwrap());
    let value = |argument: tidegate_protocol::reqreply::TypedValue| {
        tidegate_sdk::Value::new(argument.typename, argument.value).get().unwrap()
    };
    arguments.map(value).collect()
}

fn parent(digit: &str) -> String {
    format!("00-{}-{}-01", digit.repeat(32), digit.repeat(16))
}

fn expected(digit: &str, state: Option<&str>) -> String {
    format!("{} {} {state:?}", digit.repeat(32), digit.repeat(16))
}

#[tokio::test]
async fn each_message_of_a_batch_has_its_own_trace() {
    let messages = (1..=3_i64).map(|number| typed(&number)).collect();
    let trace = |message, digit, tracestate: &str| MessageTrace {
        message,
        traceparent: parent(digit),
        tracestate: tracestate.to_owned(),
    };
    let traced = GroupRequest {
        batch: Some(BatchId { epoch: 1, number: 1, partition: 1 }),
        attempt: 1,
        invocation: Some(group(&SEER, "a", Vec::new(), messages)),
        traces: vec![trace(0, "a", "x=y"), trace(2, "b", "")],
    };
    let plain = GroupRequest { traces: Vec::new(), ..traced.clone() };
    let plain =
        GroupRequest { batch: Some(BatchId { epoch: 1, number: 2, partition: 1 }), ..plain };
    let body = BatchRequest { groups: vec![traced, plain] }.encode_to_vec();
    let response = seers().handle(post(media::BATCH, body)).await;
    let mut groups = BatchResponse::decode(response.into_body()).unwrap().groups;
    groups.sort_by_key(|group| group.batch.unwrap().number);
    let results: Vec<_> = groups
        .iter()
        .map(|group| match group.result.as_ref().unwrap() {
            tidegate_protocol::batch::group_response::Result::InvocationResult(result) => result,
            other => panic!("{other:?}"),
        })
        .collect();
    let seen = [expected("a", Some("x=y")), "nothing".to_owned(), expected("b", None)];
    assert_eq!(said(results[0]), seen);
    let causes = Causes {
        outgoing_messages: vec![0, 1, 2],
        delayed_invocations: vec![],
        outgoing_egresses: vec![1],
    };
    assert_eq!(groups[0].causes, Some(causes));
    assert_eq!(groups[1].causes, None, "nobody wants to know");
}

#[tokio::test]
async fn the_headers_of_an_ordinary_request_name_the_trace_of_its_messages() {
    let invocation = group(&SEER, "a", Vec::new(), vec![typed(&1_i64)]);
    let mut request = post(media::OCTET_STREAM, ToFunction::from(invocation).encode_to_vec());
    request.headers_mut().insert("traceparent", parent("c").parse().unwrap());
    let response = seers().handle(request).await;
    assert_eq!(response.status(), StatusCode::OK);
    let answer = FromFunction::decode(response.into_body()).unwrap().response.unwrap();
    let from_function::Response::InvocationResult(result) = answer else { panic!("{answer:?}") };
    assert_eq!(said(&result), [expected("c", None)]);
}
