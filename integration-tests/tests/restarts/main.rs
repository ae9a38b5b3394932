//! Stopping in order and not in order: what is there afterwards.
#![allow(clippy::unwrap_used)] // a test fails by panicking

mod clock;
mod expiry;

use std::sync::Arc;
use std::time::Duration;

use integration_tests::functions::Functions;
use integration_tests::gateway::Gateway;
use integration_tests::module::Module;
use integration_tests::wait::{PATIENCE, until};
use tidegate_sdk::{
    Context, Error, FunctionSpec, FunctionType, Message, StatefulFunctions, ValueSpec,
};
use tokio::sync::Semaphore;

const COUNTER: FunctionType = FunctionType::named("shop/counter");
const COUNT: ValueSpec<i64> = ValueSpec::named("count");
const IDS: usize = 20;

async fn count(may_run: Arc<Semaphore>, ctx: &mut Context, _: Message) -> Result<(), Error> {
    let _run = may_run.acquire().await?;
    let count = ctx.get(&COUNT)?.unwrap_or(0) + 1;
    ctx.set(&COUNT, &count)?;
    ctx.reply(&count)?;
    Ok(())
}

/// A gateway whose functions run as long as the semaphore has a permit.
async fn started(flush_interval: &str) -> (Gateway, Functions, Arc<Semaphore>) {
    let may_run = Arc::new(Semaphore::new(1));
    let counter = FunctionSpec::new(COUNTER).value(&COUNT).sharing(Arc::clone(&may_run), count);
    let functions = Functions::serve(StatefulFunctions::new().with(counter)).await;
    let module = Module::serving("shop", functions.address(), &[]);
    let mut gateway = Gateway::new(module).with("store-flush-interval", flush_interval);
    gateway.start().await;
    (gateway, functions, may_run)
}

fn counter(number: usize) -> String {
    format!("shop/counter/c{number}")
}

/// Counts one up in each counter.
async fn count_all(gateway: &Gateway, round: usize) {
    for number in 0..IDS {
        let key = format!("round {round}, {number}");
        gateway.call(&counter(number), &key, "one more").await;
    }
}

async fn all_are_at(gateway: &Gateway, expected: i64) {
    for number in 0..IDS {
        let count = gateway.value::<i64>(&counter(number), "count").await;
        assert_eq!(count, Some(expected), "{}", counter(number));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_told_to_stop_leaves_nothing_to_replay() {
    let (mut gateway, _functions, _) = started("1h").await;
    count_all(&gateway, 1).await;
    let before = gateway.logs();
    let ended = gateway.stop().await;
    assert_eq!(ended.code(), Some(0), "{}", gateway.errors());
    gateway.start().await;
    let after = gateway.logs();
    assert_eq!(after.len(), 1, "only its own log: {after:?}");
    assert!(!before.contains(&after[0]));
    all_are_at(&gateway, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_told_to_stop_waits_for_functions_that_are_under_way() {
    let (mut gateway, _functions, may_run) = started("1h").await;
    let running = may_run.acquire().await.unwrap();
    assert_eq!(gateway.send("shop/counter/late", "one more").await.unwrap().status.as_u16(), 202);
    until("the function is under way", PATIENCE, async || {
        (gateway.metric("tidegate_invoker_groups_under_way", "").await > 0.0).then_some(())
    })
    .await;
    let (ended, ()) = tokio::join!(gateway.stop(), async {
        // Long enough that a node that does not wait would be gone.
        tokio::time::sleep(Duration::from_millis(300)).await;
        drop(running);
    });
    assert_eq!(ended.code(), Some(0));
    may_run.close();
    gateway.start().await;
    let count = gateway.value::<i64>("shop/counter/late", "count").await;
    assert_eq!(count, Some(1), "its answer was committed before the stop");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn state_survives_three_kills_in_a_row_without_any_flush() {
    let (mut gateway, _functions, _) = started("1h").await;
    for round in 1..=3 {
        count_all(&gateway, round).await;
        gateway.crash().await;
        assert_eq!(gateway.logs().len(), round + 1, "nothing was flushed, so every log is needed");
        all_are_at(&gateway, round as i64).await;
    }
    assert!(gateway.stop().await.success());
    gateway.start().await;
    assert_eq!(gateway.logs().len(), 1);
    all_are_at(&gateway, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn state_survives_a_kill_after_a_flush_and_more_work() {
    let (mut gateway, _functions, _) = started("100ms").await;
    count_all(&gateway, 1).await;
    until("rows are written behind", PATIENCE, async || {
        let rows = gateway.metric("tidegate_store_flushed_rows_total", "").await;
        (rows >= IDS as f64).then_some(())
    })
    .await;
    count_all(&gateway, 2).await;
    gateway.crash().await;
    all_are_at(&gateway, 2).await;
    until("the logs before are not needed any more", PATIENCE, async || {
        (gateway.logs().len() == 1).then_some(())
    })
    .await;
    gateway.crash().await;
    all_are_at(&gateway, 2).await;
}
