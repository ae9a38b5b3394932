//! Traces: a context is read as the standard says, and it stays with its message wherever that goes.

use std::sync::Arc;

use tidegate_core::address::Address;
use tidegate_core::codec::record::{decode_step, encode_step_to_bytes};
use tidegate_core::id::{PartitionId, Ticket, Timestamp};
use tidegate_core::limits::{Limits, TRACE_STATE_BYTES_MAX};
use tidegate_core::message::{Envelope, Origin, TypedValue};
use tidegate_core::partition::effect::Effect;
use tidegate_core::partition::event::Event;
use tidegate_core::partition::group::{Delayed, Response};
use tidegate_core::route::PartitionCount;
use tidegate_core::trace::TraceContext;

use crate::bench::{Bench, address, name, text};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn parse(traceparent: &str) -> Option<TraceContext> {
    TraceContext::parse(traceparent, None, Timestamp(5))
}

fn traced(what: &str, span: u8) -> TypedValue {
    let context = parse(PARENT).unwrap().child([span; 8], Timestamp(5));
    text(what).traced(Some(Arc::new(context)))
}

fn span(argument: &TypedValue) -> u8 {
    argument.trace.as_ref().unwrap().span_id[0]
}

#[test]
fn a_context_is_written_as_it_was_read() {
    let context = TraceContext::parse(PARENT, Some("a=1,b=2"), Timestamp(5)).unwrap();
    assert_eq!(context.traceparent(), PARENT);
    assert_eq!(context.state.as_deref(), Some("a=1,b=2"));
    assert!(context.is_sampled());
    assert!(!parse(&PARENT.replace("-01", "-00")).unwrap().is_sampled());
}

#[test]
fn what_is_not_well_formed_is_no_context() {
    let zero_trace = PARENT.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32));
    let zero_span = PARENT.replace("00f067aa0ba902b7", &"0".repeat(16));
    let wrong = [
        "",
        "00",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902bü-01",
        "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x",
        &zero_trace,
        &zero_span,
    ];
    for text in wrong {
        assert_eq!(parse(text), None, "{text}");
    }
}

#[test]
fn later_versions_are_read_as_far_as_they_are_known() {
    let later = parse(&format!("cc{}-more", PARENT[2..].replace("-01", "-ff"))).unwrap();
    assert_eq!(later.traceparent(), PARENT);
}

#[test]
fn a_state_that_is_long_or_strange_is_left_out() {
    let long = "x".repeat(TRACE_STATE_BYTES_MAX + 1);
    for state in [long.as_str(), "", "a=\u{1}", "a=ü"] {
        let context = TraceContext::parse(PARENT, Some(state), Timestamp(5)).unwrap();
        assert_eq!(context.state, None, "{state}");
    }
}

/// An address of one of two partitions.
fn in_partition(partition: u16) -> Address {
    let two = PartitionCount::new(2).unwrap();
    let mut addresses = (0..).map(|number: u32| address(&number.to_string()));
    addresses.find(|address| two.partition_of(address) == PartitionId(partition)).unwrap()
}

/// Sends a traced message to an address, and has its group answered.
fn answered(bench: &mut Bench, target: Address, response: Response) {
    let origin = Origin::Client { ticket: Ticket(0), wants_reply: false, request: None };
    let envelope = Envelope { caller: None, target, argument: traced("in", 1) };
    bench.tell(Event::MessageReceived { origin, envelope });
    let group = bench.group();
    assert_eq!(span(&group.messages[0].argument), 1);
    bench.succeed(&group, response);
}

#[test]
fn what_a_function_sends_keeps_its_context() {
    let mut bench = Bench::with(Limits::default(), 2);
    let [here, elsewhere] = [0, 1].map(in_partition);
    let response = Response {
        sends: vec![(here.clone(), traced("local", 2)), (elsewhere, traced("remote", 3))],
        egress: vec![(name("shop/out"), traced("record", 5))],
        ..Response::default()
    };
    answered(&mut bench, here, response);
    assert_eq!(span(&bench.group().messages[0].argument), 2);
    let left: Vec<u8> = bench
        .take_effects()
        .iter()
        .filter_map(|effect| match effect {
            Effect::Deliver { envelope, .. } => Some(span(&envelope.argument)),
            Effect::Emit { emitted, .. } => Some(span(&emitted.argument)),
            _ => None,
        })
        .collect();
    assert_eq!(left, [3, 5]);
}

#[test]
fn a_delayed_message_waits_from_when_its_delay_is_over() {
    let mut bench = Bench::new();
    let later = Delayed::Send {
        delay_ms: 1_000,
        target: address("b"),
        argument: traced("later", 4),
        token: None,
    };
    answered(&mut bench, address("a"), Response { delayed: vec![later], ..Response::default() });
    bench.wait(1_500);
    let group = bench.group();
    let trace = group.messages[0].argument.trace.clone().unwrap();
    assert_eq!((trace.span_id, trace.sent_at), ([4; 8], bench.now));
}

#[test]
fn the_log_keeps_contexts() {
    let mut bench = Bench::new();
    answered(&mut bench, address("a"), Response::default());
    let records = std::mem::take(&mut bench.records);
    let kept = decode_step(encode_step_to_bytes(&records)).unwrap();
    assert_eq!(kept, records);
    assert!(format!("{kept:?}").contains("TraceContext"));
}
