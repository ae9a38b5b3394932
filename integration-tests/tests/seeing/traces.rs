//! Traces of a real node, as a collector sees them: whole from the client to the record, each message in its own, and not lost with
//! a process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use integration_tests::collector::{Collector, Span};
use integration_tests::functions::Functions;
use integration_tests::gateway::{Gateway, TEXT};
use integration_tests::module::Module;
use integration_tests::ports;
use integration_tests::wait::{PATIENCE, until, until_equal};
use tidegate_sdk::{
    Context, EgressId, Error, FunctionSpec, FunctionType, Message, StatefulFunctions,
};

const FRONT: FunctionType = FunctionType::named("shop/front");
const BACK: FunctionType = FunctionType::named("shop/back");
const LATE: FunctionType = FunctionType::named("shop/late");
const OUT: EgressId = EgressId::named("shop/out");
const CLIENT_SPAN: &str = "00f067aa0ba902b7";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// What functions saw of traces, by the text of the message: the traceparent, or nothing.
type Seen = Arc<Mutex<BTreeMap<String, Option<String>>>>;

fn note(seen: &Seen, ctx: &Context, text: &str) {
    let parent = ctx.trace().map(|trace| trace.traceparent().to_owned());
    seen.lock().unwrap().insert(format!("{} {text}", ctx.address().function()), parent);
}

async fn front(seen: Seen, ctx: &mut Context, message: Message) -> Result<(), Error> {
    let text = message.get::<String>()?;
    note(&seen, ctx, &text);
    ctx.send(BACK.at(format!("back-{text}")), &text)?;
    Ok(())
}

async fn back(seen: Seen, ctx: &mut Context, message: Message) -> Result<(), Error> {
    let text = message.get::<String>()?;
    note(&seen, ctx, &text);
    ctx.send_after(Duration::from_millis(1), LATE.at(format!("late-{text}")), &text)?;
    Ok(())
}

async fn late(seen: Seen, ctx: &mut Context, message: Message) -> Result<(), Error> {
    let text = message.get::<String>()?;
    note(&seen, ctx, &text);
    ctx.egress(&OUT, &text)?;
    Ok(())
}

fn functions(seen: &Seen) -> StatefulFunctions {
    StatefulFunctions::new()
        .with(FunctionSpec::new(FRONT).sharing(Arc::clone(seen), front))
        .with(FunctionSpec::new(BACK).sharing(Arc::clone(seen), back))
        .with(FunctionSpec::new(LATE).sharing(Arc::clone(seen), late))
}

fn module(functions: std::net::SocketAddr) -> Module {
    Module::serving("shop", functions, &["concurrency: 1"]).http_egress("shop/out")
}

fn parent(trace: &str, flags: &str) -> String {
    format!("00-{trace}-{CLIENT_SPAN}-{flags}")
}

async fn send(gateway: &Gateway, text: &str, traceparent: &str) {
    let url = gateway.url("/v1/functions/shop/front/a/send");
    let headers = [TEXT, ("traceparent", traceparent), ("tracestate", "vendor=kept")];
    let answer = gateway.http().post(&url, &headers, text.to_owned()).await.unwrap();
    assert_eq!(answer.status.as_u16(), 202);
}

async fn seen_by(seen: &Seen, function: &str, text: &str) -> Option<String> {
    let key = format!("{function} {text}");
    until(&key, PATIENCE, async || seen.lock().unwrap().get(&key).cloned()).await
}

fn one<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let mut found = spans.iter().filter(|span| span.name == name);
    let first = found.next().unwrap_or_else(|| panic!("no {name}: {spans:#?}"));
    assert_eq!(found.next(), None, "one {name}");
    first
}

fn below<'a>(spans: &'a [Span], name: &str, parent: &Span) -> &'a Span {
    let found: Vec<_> =
        spans.iter().filter(|it| it.name == name && it.parent == parent.id).collect();
    assert_eq!(found.len(), 1, "{name} below {}: {spans:#?}", parent.name);
    found[0]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_trace_leads_from_the_client_to_the_record() {
    let (collector, seen) = (Collector::start().await, Seen::default());
    let functions = Functions::serve(functions(&seen)).await;
    let mut gateway =
        Gateway::new(module(functions.address())).with("trace-endpoint", &collector.url());
    gateway.start().await;
    send(&gateway, "x", &parent(TRACE, "01")).await;
    let spans = until("the last span", PATIENCE, async || {
        let spans = collector.trace(TRACE);
        let has = |name: &str, count| spans.iter().filter(|it| it.name == name).count() == count;
        (has("emit shop/out", 1) && has("commit", 3) && has("send shop/front", 1)).then_some(spans)
    })
    .await;

    let door = one(&spans, "send shop/front");
    assert_eq!((door.parent.as_str(), door.service.as_str()), (CLIENT_SPAN, "tidegate"));
    assert_eq!(door.attributes["tidegate.address"], "shop/front/a");
    let mut sender = door;
    for (function, id) in [("front", "a"), ("back", "back-x"), ("late", "late-x")] {
        let process = below(&spans, &format!("process shop/{function}"), sender);
        assert_eq!(process.attributes["tidegate.address"], format!("shop/{function}/{id}"));
        let wait = below(&spans, "wait", sender);
        assert_eq!(wait.time.1, process.time.0, "it waits until it is processed");
        let request = below(&spans, "request shop/*", process);
        assert_eq!(request.links, std::slice::from_ref(&process.id));
        below(&spans, "commit", process);
        // What the function itself does belongs below the request, or beside it if the request is a batch.
        let told = seen_by(&seen, &format!("shop/{function}"), "x").await.unwrap();
        let batch = request.attributes["tidegate.batch"] == "true";
        let around = if batch { process } else { request };
        assert_eq!(told, format!("00-{TRACE}-{}-01", around.id));
        sender = process;
    }
    below(&spans, "emit shop/out", sender);
    assert!(spans.iter().all(|span| !span.failed && span.time.0 <= span.time.1), "{spans:#?}");

    let url = gateway.url("/v1/egress/shop/out");
    let record = gateway.http().get(&url).await.unwrap();
    let record: serde_json::Value = serde_json::from_str(record.text().trim()).unwrap();
    assert_eq!(record["traceparent"], format!("00-{TRACE}-{}-01", sender.id));
    assert_eq!(gateway.metric("tidegate_trace_spans_dropped_total", "").await, 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_travel_together_stay_in_their_own_traces() {
    const MESSAGES: usize = 60;
    let (collector, seen) = (Collector::start().await, Seen::default());
    let functions = Functions::serve(functions(&seen)).await;
    let mut gateway =
        Gateway::new(module(functions.address())).with("trace-endpoint", &collector.url());
    gateway.start().await;
    // Half of them to one address, so that some share a group, the others side by side.
    let trace = |number: usize| format!("{:032x}", number + 1);
    let line = |number: usize| {
        let id =
            if number.is_multiple_of(2) { "same".to_owned() } else { format!("other-{number}") };
        let parent = parent(&trace(number), "01");
        serde_json::json!({
            "target": format!("shop/front/{id}"), "text": number.to_string(), "traceparent": parent,
        })
        .to_string()
            + "\n"
    };
    let body: String = (0..MESSAGES).map(line).collect();
    let answer = gateway.http().post(&gateway.url("/v1/messages"), &[], body).await.unwrap();
    assert!(answer.status.is_success(), "{}", answer.text());
    for number in 0..MESSAGES {
        for function in ["shop/front", "shop/back", "shop/late"] {
            let told = seen_by(&seen, function, &number.to_string()).await.unwrap();
            assert_eq!(told.split('-').nth(1), Some(&*trace(number)), "{function} {number}");
        }
    }
    let processed =
        |spans: &[Span]| spans.iter().filter(|span| span.name.starts_with("process ")).count();
    let spans = until("all spans", PATIENCE, async || {
        let spans = collector.spans();
        let linked: usize =
            spans.iter().filter(|it| it.name.starts_with("request")).map(|it| it.links.len()).sum();
        (processed(&spans) >= 3 * MESSAGES && linked >= 3 * MESSAGES).then_some(spans)
    })
    .await;
    let ids: BTreeSet<_> =
        spans.iter().filter(|it| it.name.starts_with("process ")).map(|it| &it.id).collect();
    let shared: Vec<_> = spans.iter().filter(|span| span.links.len() > 1).collect();
    assert!(!shared.is_empty(), "some requests carry several messages");
    let known: BTreeSet<_> = (0..MESSAGES).map(trace).collect();
    for request in shared {
        assert_eq!(request.name, "request shop/*");
        assert!(request.parent.is_empty() && !known.contains(&request.trace), "{request:?}");
        assert!(request.links.iter().all(|link| ids.contains(link)), "{request:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_context_outlives_the_process_that_accepted_it() {
    let (collector, seen) = (Collector::start().await, Seen::default());
    let address = ports::free();
    let mut gateway = Gateway::new(module(address)).with("trace-endpoint", &collector.url());
    gateway.start().await;
    send(&gateway, "x", &parent(TRACE, "01")).await;
    gateway.kill();
    let _functions = Functions::serve_at(address, functions(&seen)).await;
    gateway.start().await;
    let told = seen_by(&seen, "shop/late", "x").await.unwrap();
    assert_eq!(told.split('-').nth(1), Some(TRACE));
    until("the record's span", PATIENCE, async || {
        collector.trace(TRACE).iter().any(|span| span.name == "emit shop/out").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_records_nothing_passes_contexts_on_as_they_came() {
    let seen = Seen::default();
    let functions = Functions::serve(functions(&seen)).await;
    let mut gateway = Gateway::new(module(functions.address()));
    gateway.start().await;
    let recorded_elsewhere = parent(TRACE, "01");
    send(&gateway, "x", &recorded_elsewhere).await;
    for function in ["shop/front", "shop/back", "shop/late"] {
        assert_eq!(seen_by(&seen, function, "x").await, Some(recorded_elsewhere.clone()));
    }
    assert_eq!(gateway.send("shop/front/a", "y").await.unwrap().status.as_u16(), 202);
    assert_eq!(seen_by(&seen, "shop/late", "y").await, None, "no trace begins by itself");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_clients_do_not_record_is_not_recorded_and_what_begins_here_is_by_ratio() {
    let (collector, seen) = (Collector::start().await, Seen::default());
    let functions = Functions::serve(functions(&seen)).await;
    let mut gateway = Gateway::new(module(functions.address()))
        .with("trace-endpoint", &collector.url())
        .with("trace-ratio", "1");
    gateway.start().await;
    let unrecorded = parent(TRACE, "00");
    send(&gateway, "x", &unrecorded).await;
    assert_eq!(seen_by(&seen, "shop/late", "x").await, Some(unrecorded));
    assert_eq!(gateway.send("shop/front/a", "y").await.unwrap().status.as_u16(), 202);
    let told = seen_by(&seen, "shop/late", "y").await.unwrap();
    let trace = told.split('-').nth(1).unwrap();
    until("its spans", PATIENCE, async || {
        let spans = collector.trace(trace);
        let has = |name: &str| spans.iter().any(|span| span.name == name);
        (has("emit shop/out") && has("send shop/front")).then_some(())
    })
    .await;
    assert_eq!(one(&collector.trace(trace), "send shop/front").parent, "");
    assert_eq!(collector.trace(TRACE), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_away_costs_nothing_but_spans() {
    let seen = Seen::default();
    let functions = Functions::serve(functions(&seen)).await;
    let mut gateway = Gateway::new(module(functions.address()))
        .with("trace-endpoint", &format!("http://{}", ports::free()))
        .with("trace-ratio", "1");
    gateway.start().await;
    let lines = (0..500).map(|number| (format!("shop/front/{number}"), number.to_string()));
    gateway.send_lines(lines).await;
    until_equal("all is processed", 1_500.0, async || {
        gateway.metric("tidegate_messages_processed_total", "").await
    })
    .await;
    until("spans are counted as lost", PATIENCE, async || {
        (gateway.metric("tidegate_trace_spans_dropped_total", "").await > 0.0).then_some(())
    })
    .await;
    assert_eq!(gateway.metric("tidegate_trace_spans_exported_total", "").await, 0.0);
    assert!(gateway.stop().await.success());
    let told = gateway.errors().lines().filter(|line| line.contains("collector")).count();
    assert_eq!(told, 1, "an outage is told once: {}", gateway.errors());
}
