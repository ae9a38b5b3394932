//! Functions that fail and endpoints that are away: who waits, and who does not.
#![allow(clippy::unwrap_used)] // a test fails by panicking

use integration_tests::functions::Functions;
use integration_tests::gateway::Gateway;
use integration_tests::module::Module;
use integration_tests::ports;
use integration_tests::wait::{PATIENCE, until, until_equal};
use tidegate_sdk::{
    Context, Error, FunctionSpec, FunctionType, Message, StatefulFunctions, ValueSpec,
};

const COUNTER: FunctionType = FunctionType::named("shop/counter");
const COUNT: ValueSpec<i64> = ValueSpec::named("count");
const FEW_ATTEMPTS: [&str; 2] = ["attempts: 3", "backoff: {first: 10ms, longest: 50ms}"];

/// Counts; the one with the name `broken` always fails.
async fn count(ctx: &mut Context, _: Message) -> Result<(), Error> {
    if ctx.address().id() == "broken" {
        return Err("it is broken".into());
    }
    let count = ctx.get(&COUNT)?.unwrap_or(0) + 1;
    ctx.set(&COUNT, &count)?;
    ctx.reply(&count)?;
    Ok(())
}

fn counters() -> StatefulFunctions {
    StatefulFunctions::new().with(FunctionSpec::new(COUNTER).value(&COUNT).handler(count))
}

async fn reports(gateway: &Gateway, kind: &str) -> f64 {
    gateway.metric("tidegate_reports_total", &format!("kind=\"{kind}\"")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_always_fails_is_parked_and_the_others_flow() {
    let functions = Functions::serve(counters()).await;
    let mut gateway = Gateway::new(Module::serving("shop", functions.address(), &FEW_ATTEMPTS));
    gateway.start().await;
    for _ in 0..5 {
        assert_eq!(
            gateway.send("shop/counter/broken", "one more").await.unwrap().status.as_u16(),
            202
        );
    }
    until_equal("the address is parked", 1.0, async || reports(&gateway, "parked").await).await;
    let said = gateway.errors();
    let parked = said.lines().find(|line| line.contains("TG-0461")).unwrap();
    assert!(parked.contains("shop/counter/broken") && parked.contains("it is broken"), "{parked}");

    for number in 0..20 {
        gateway.call(&format!("shop/counter/c{number}"), "one", "one more").await;
    }
    assert_eq!(reports(&gateway, "parked").await, 1.0);
    // It keeps accepting, also in the next life, and is not tried again by itself.
    gateway.crash().await;
    assert_eq!(gateway.send("shop/counter/broken", "one more").await.unwrap().status.as_u16(), 202);
    gateway.call("shop/counter/c0", "two", "one more").await;
    assert_eq!(reports(&gateway, "failed").await, 0.0, "{}", gateway.errors());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_is_away_for_a_while_costs_nothing_but_time() {
    let address = ports::free();
    let mut gateway = Gateway::new(Module::serving("shop", address, &FEW_ATTEMPTS));
    gateway.start().await;
    for number in 0..50 {
        let counter = format!("shop/counter/c{number}");
        assert_eq!(gateway.send(&counter, "one more").await.unwrap().status.as_u16(), 202);
    }
    // More attempts than an address has.
    until("the endpoint is asked in vain", PATIENCE, async || {
        (gateway.metric("tidegate_invoker_requests_failed_total", "").await > 5.0).then_some(())
    })
    .await;
    let _functions = Functions::serve_at(address, counters()).await;
    for number in 0..50 {
        let counter = format!("shop/counter/c{number}");
        until_equal(&counter, Some(1), async || gateway.value::<i64>(&counter, "count").await)
            .await;
    }
    assert_eq!(reports(&gateway, "parked").await, 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_goes_and_comes_back_goes_on_where_it_was() {
    let functions = Functions::serve(counters()).await;
    let address = functions.address();
    let mut gateway = Gateway::new(Module::serving("shop", address, &FEW_ATTEMPTS));
    gateway.start().await;
    gateway.call("shop/counter/ann", "one", "one more").await;
    functions.stop().await;
    assert_eq!(gateway.send("shop/counter/ann", "one more").await.unwrap().status.as_u16(), 202);
    until("the endpoint is asked in vain", PATIENCE, async || {
        (gateway.metric("tidegate_invoker_requests_failed_total", "").await > 3.0).then_some(())
    })
    .await;
    let _functions = Functions::serve_at(address, counters()).await;
    until_equal("counting goes on", Some(2), async || {
        gateway.value::<i64>("shop/counter/ann", "count").await
    })
    .await;
    assert_eq!(reports(&gateway, "parked").await, 0.0);
}
