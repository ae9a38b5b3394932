//! Many messages at once: for one address that is slow, and to many addresses from one answer.

use std::time::Duration;

use integration_tests::functions::Functions;
use integration_tests::module::Module;
use integration_tests::wait::until;
use tidegate_sdk::{
    Context, Error, FunctionSpec, FunctionType, Message, StatefulFunctions, ValueSpec,
};

use crate::{TURN, assert_bounded, small};

const SLOW: FunctionType = FunctionType::named("load/slow");
const SOURCE: FunctionType = FunctionType::named("load/source");
const LEAF: FunctionType = FunctionType::named("load/leaf");
const COUNTER: FunctionType = FunctionType::named("load/counter");
const COUNT: ValueSpec<i64> = ValueSpec::named("count");
const MESSAGES: i64 = 200_000;
const MESSAGES_PER_REQUEST: i64 = 5_000;
/// Without optimisation, as many as take less than a minute.
const LEAVES: i64 = if cfg!(debug_assertions) { 30_000 } else { 100_000 };
/// Much longer than it takes.
const PATIENCE: Duration = Duration::from_secs(180);

/// Takes numbered messages, which must come one after another.
async fn slow(ctx: &mut Context, message: Message) -> Result<(), Error> {
    let text: String = message.get()?;
    let number: i64 = text.split(' ').next().unwrap_or_default().parse()?;
    let count = ctx.get(&COUNT)?.unwrap_or(0) + 1;
    if number != count {
        return Err(format!("message {number} came in the place of {count}").into());
    }
    if number % 1_000 == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(ctx.set(&COUNT, &count)?)
}

async fn send_to_all(ctx: &mut Context, _: Message) -> Result<(), Error> {
    for number in 0..LEAVES {
        ctx.send(LEAF.at(number.to_string()), &1_i64)?;
    }
    Ok(())
}

async fn pass_on(ctx: &mut Context, message: Message) -> Result<(), Error> {
    ctx.send(COUNTER.at("all"), &message.into_value())?;
    Ok(())
}

async fn count(ctx: &mut Context, message: Message) -> Result<(), Error> {
    let count = ctx.get(&COUNT)?.unwrap_or(0) + message.get::<i64>()?;
    Ok(ctx.set(&COUNT, &count)?)
}

fn functions() -> StatefulFunctions {
    StatefulFunctions::new()
        .with(FunctionSpec::new(SLOW).value(&COUNT).handler(slow))
        .with(FunctionSpec::new(SOURCE).handler(send_to_all))
        .with(FunctionSpec::new(LEAF).handler(pass_on))
        .with(FunctionSpec::new(COUNTER).value(&COUNT).handler(count))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_address_gets_all_its_messages_in_order_and_within_memory() {
    let _turn = TURN.lock().await;
    let functions = Functions::serve(functions()).await;
    let mut gateway = small(Module::serving("load", functions.address(), &[]));
    gateway.start().await;
    // All together they are twice the budget.
    let padding = "x".repeat(600);
    for first in (1..=MESSAGES).step_by(MESSAGES_PER_REQUEST as usize) {
        let numbers = first..first + MESSAGES_PER_REQUEST;
        let line = |number| ("load/slow/one".to_owned(), format!("{number} {padding}"));
        gateway.send_lines(numbers.map(line)).await;
    }
    until("all messages are processed", PATIENCE, async || {
        let count = gateway.value::<i64>("load/slow/one", "count").await;
        (count == Some(MESSAGES)).then_some(())
    })
    .await;
    assert_eq!(gateway.metric("tidegate_reports_total", "kind=\"failed\"").await, 0.0);
    assert_bounded(&mut gateway);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_with_very_many_messages_delivers_each_of_them_once() {
    let _turn = TURN.lock().await;
    let functions = Functions::serve(functions()).await;
    let mut gateway = small(Module::serving("load", functions.address(), &[]));
    gateway.start().await;
    gateway.send("load/source/one", "go").await.unwrap();
    until("all messages are counted", PATIENCE, async || {
        let count = gateway.value::<i64>("load/counter/all", "count").await;
        (count == Some(LEAVES)).then_some(())
    })
    .await;
    assert_bounded(&mut gateway);
}
