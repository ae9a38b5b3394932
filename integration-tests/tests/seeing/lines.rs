//! Log lines as JSON: whole objects with names that stay, and never a payload.

use integration_tests::functions::Functions;
use integration_tests::gateway::{Gateway, TEXT};
use integration_tests::module::Module;
use integration_tests::wait::{PATIENCE, until};
use tidegate_sdk::{Context, Error, FunctionSpec, FunctionType, Message, StatefulFunctions};

const BROKEN: FunctionType = FunctionType::named("shop/broken");
const SECRET: &str = "a-payload-that-nobody-may-see";
const KEY: &str = "a-key-that-nobody-may-see";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

async fn fail(_: &mut Context, _: Message) -> Result<(), Error> {
    Err("it is broken".into())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_line_is_an_object_and_none_holds_a_payload() {
    let functions = StatefulFunctions::new().with(FunctionSpec::new(BROKEN).handler(fail));
    let functions = Functions::serve(functions).await;
    let collector = integration_tests::collector::Collector::start().await;
    let rules = ["attempts: 2", "backoff: {first: 1ms, longest: 1ms}"];
    let module = Module::serving("shop", functions.address(), &rules);
    let mut gateway = Gateway::new(module)
        .with("log-format", "json")
        .with("log-level", "debug")
        .with("trace-endpoint", &collector.url());
    gateway.start().await;
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let headers = [TEXT, ("idempotency-key", KEY), ("traceparent", parent.as_str())];
    let url = gateway.url("/v1/functions/shop/broken/ann/send");
    let answer = gateway.http().post(&url, &headers, SECRET.to_owned()).await.unwrap();
    assert_eq!(answer.status.as_u16(), 202);
    // What is refused is not quoted either.
    let line = format!("{{\"target\":\"shop/broken/b\",\"value\":{{\"{SECRET}\":}}}}\n");
    gateway.http().post(&gateway.url("/v1/messages"), &[], line).await.unwrap();
    let parked = until("the address is parked", PATIENCE, async || {
        gateway.errors().lines().find(|line| line.contains("TG-0461")).map(str::to_owned)
    })
    .await;
    let parked: serde_json::Value = serde_json::from_str(&parked).unwrap();
    assert_eq!(parked["level"], "ERROR");
    assert_eq!(parked["address"], "shop/broken/ann");
    assert_eq!(parked["trace_id"], TRACE);
    assert!(parked["partition"].is_string() || parked["partition"].is_number());
    assert!(!parked["text"].as_str().unwrap().is_empty());

    assert!(gateway.stop().await.success());
    let said = gateway.errors();
    assert!(said.lines().count() > 3);
    for line in said.lines() {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        for name in ["timestamp", "level", "message"] {
            assert!(object[name].is_string(), "{name}: {line}");
        }
    }
    for secret in [SECRET, KEY] {
        assert!(!said.contains(secret), "a line holds {secret}");
    }
}
