//! The metrics of a node after traffic: well formed, described, and right.

use integration_tests::exposition::Exposition;
use integration_tests::functions::Functions;
use integration_tests::gateway::Gateway;
use integration_tests::module::Module;
use integration_tests::wait::{PATIENCE, until, until_equal};
use std::time::Duration;
use tidegate_sdk::{
    Context, EgressId, Error, FunctionSpec, FunctionType, Message, StatefulFunctions, ValueSpec,
};

const FRONT: FunctionType = FunctionType::named("shop/front");
const BACK: FunctionType = FunctionType::named("shop/back");
const OUT: EgressId = EgressId::named("shop/out");
const COUNT: ValueSpec<i64> = ValueSpec::named("count");
const IDS: usize = 40;
/// An id whose messages fail.
const BROKEN: &str = "broken";

/// Sends to itself, elsewhere, later, and out.
async fn front(ctx: &mut Context, _: Message) -> Result<(), Error> {
    let id = ctx.address().id().to_owned();
    ctx.send(BACK.at(&id), "same id")?;
    ctx.send(BACK.at(format!("other-{id}")), "another id")?;
    ctx.send_after(Duration::from_millis(1), BACK.at(&id), "later")?;
    ctx.egress(&OUT, "record")?;
    Ok(())
}

async fn back(ctx: &mut Context, _: Message) -> Result<(), Error> {
    if ctx.address().id() == BROKEN {
        return Err("it is broken".into());
    }
    let count = ctx.get(&COUNT)?.unwrap_or(0) + 1;
    ctx.set(&COUNT, &count)?;
    Ok(())
}

async fn scrape(gateway: &Gateway) -> Exposition {
    let answer = gateway.http().get(&format!("http://{}/metrics", gateway.admin())).await.unwrap();
    Exposition::read(answer.text())
}

/// A node that has handled everything but three messages of an address that is parked.
async fn settled() -> (Functions, Gateway, Exposition) {
    let functions = StatefulFunctions::new()
        .with(FunctionSpec::new(FRONT).handler(front))
        .with(FunctionSpec::new(BACK).value(&COUNT).handler(back));
    let functions = Functions::serve(functions).await;
    let rules = ["attempts: 2", "backoff: {first: 1ms, longest: 1ms}"];
    let module = Module::serving("shop", functions.address(), &rules).http_egress("shop/out");
    let mut gateway = Gateway::new(module);
    gateway.start().await;
    let lines = (0..IDS).map(|number| (format!("shop/front/{number}"), "go".to_owned()));
    gateway.send_lines(lines).await;
    let broken = (0..3).map(|_| (format!("shop/back/{BROKEN}"), "go".to_owned()));
    gateway.send_lines(broken).await;
    assert_eq!(gateway.send("nowhere/nobody/x", "lost").await.unwrap().status.as_u16(), 404);
    let expected = 4.0 * IDS as f64;
    until_equal("all is processed", expected, async || {
        gateway.metric("tidegate_messages_processed_total", "").await
    })
    .await;
    until("it is parked", PATIENCE, async || {
        (gateway.metric("tidegate_addresses_parked_total", "shop/back").await == 1.0).then_some(())
    })
    .await;
    let seen = scrape(&gateway).await;
    (functions, gateway, seen)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_are_well_formed_and_add_up() {
    let (_functions, gateway, seen) = settled().await;
    let sum = |name: &str, labels: &[(&str, &str)]| seen.sum(name, labels);
    let ids = IDS as f64;

    for function in ["shop/front", "shop/back"] {
        let of = [("function", function)];
        let received = sum("tidegate_messages_received_total", &of);
        let processed = sum("tidegate_messages_processed_total", &of);
        let waiting = sum("tidegate_messages_waiting", &of);
        assert_eq!(received, processed + waiting, "{function}");
        assert_eq!(sum("tidegate_messages_in_flight", &of), 0.0, "{function}");
        assert_eq!(sum("tidegate_invocations_in_flight", &of), 0.0, "{function}");
        let invoked = sum("tidegate_invocations_total", &of);
        assert_eq!(sum("tidegate_invocation_seconds_count", &of), invoked, "{function}");
        let committed = sum("tidegate_batches_committed_total", &of);
        assert_eq!(
            sum("tidegate_invocations_total", &[of[0], ("outcome", "succeeded")]),
            committed,
            "{function}"
        );
        assert_eq!(sum("tidegate_message_latency_seconds_count", &of), committed, "{function}");
    }
    let sent = |to| sum("tidegate_messages_sent_total", &[("function", "shop/front"), ("to", to)]);
    assert_eq!(sent("local") + sent("remote"), 2.0 * ids);
    assert_eq!((sent("later"), sent("egress"), sent("client")), (ids, ids, 0.0));
    let to_back = |from| {
        sum("tidegate_messages_received_total", &[("function", "shop/back"), ("from", from)])
    };
    assert_eq!((to_back("ingress"), to_back("function")), (3.0, 3.0 * ids));
    assert_eq!(sum("tidegate_messages_waiting", &[]), 3.0, "of the parked address");
    assert_eq!(sum("tidegate_egress_records_waiting", &[("egress", "shop/out")]), ids);
    assert_eq!(sum("tidegate_timers_set_total", &[]), ids);
    assert_eq!(sum("tidegate_timers_fired_total", &[]), ids);

    let requests = sum("tidegate_invoker_requests_total", &[]);
    for part in ["groups", "messages", "bytes", "seconds"] {
        let name = format!("tidegate_invoker_request_{part}_count");
        assert_eq!(sum(&name, &[]), requests, "{part}");
    }
    assert_eq!(sum("tidegate_invoker_requests_under_way", &[]), 0.0);
    assert_eq!(sum("tidegate_invoker_bytes_under_way", &[]), 0.0);
    assert_eq!(sum("tidegate_invoker_requests_allowed", &[]), 64.0);
    let frames = sum("tidegate_log_frames_total", &[]);
    assert_eq!(sum("tidegate_log_sync_seconds_count", &[]), frames);
    assert_eq!(sum("tidegate_log_frame_bytes_sum", &[]), sum("tidegate_log_bytes_total", &[]));
    assert!(sum("tidegate_log_steps_total", &[]) >= frames);
    assert!(sum("tidegate_log_durable_seconds_count", &[]) > 0.0);
    assert_eq!(sum("tidegate_http_problems_total", &[]), 1.0);
    assert!(sum("tidegate_oldest_message_timestamp_seconds", &[]) > 1.7e9);
    assert!(sum("process_resident_memory_bytes", &[]) > 1e6);
    assert_eq!(sum("tidegate_build_info", &[]), 1.0);
    drop(gateway);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_readers_of_an_egress_is_known_after_a_restart_too() {
    let (_functions, mut gateway, _) = settled().await;
    gateway.crash().await;
    let ids = IDS as f64;
    until_equal("the records wait", ids, async || {
        gateway.metric("tidegate_egress_records_waiting", "shop/out").await
    })
    .await;
    let url = gateway.url("/v1/egress/shop/out?limit=1000");
    let lines = gateway.http().get(&url).await.unwrap();
    let cursor: serde_json::Value =
        serde_json::from_str(lines.text().lines().last().unwrap()).unwrap();
    let after = cursor["cursor"].as_str().unwrap();
    let url = gateway.url(&format!("/v1/egress/shop/out?limit=0&after={after}"));
    assert!(gateway.http().get(&url).await.unwrap().status.is_success());
    until_equal("they are gone", 0.0, async || {
        gateway.metric("tidegate_egress_records_waiting", "shop/out").await
    })
    .await;
    let seen = scrape(&gateway).await;
    assert!(seen.has("tidegate_store_cache_capacity_bytes"));
}
