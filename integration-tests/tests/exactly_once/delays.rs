//! Delayed messages whose time comes while the gateway is killed are delivered once.

use std::time::Duration;

use integration_tests::chaos::kill_again_and_again;
use integration_tests::functions::Functions;
use integration_tests::gateway::Gateway;
use integration_tests::module::Module;
use integration_tests::rows::read_all;
use integration_tests::wait::until_equal;
use tidegate_core::partition::row::{Row, TimerTask};
use tidegate_sdk::{
    Context, Error, FunctionSpec, FunctionType, Message, StatefulFunctions, ValueSpec,
};

const CLOCK: FunctionType = FunctionType::named("time/clock");
const BELL: FunctionType = FunctionType::named("time/bell");
const RUNG: ValueSpec<i64> = ValueSpec::named("rung");
const CLOCKS: u64 = 40;
const RINGS: u64 = 20;

/// Lets its bell ring later, so often, spread over four seconds.
async fn clock(ctx: &mut Context, _: Message) -> Result<(), Error> {
    for number in 1..=RINGS {
        let bell = BELL.at(format!("bell of {}", ctx.address().id()));
        ctx.send_after(Duration::from_millis(number * 200), bell, &true)?;
    }
    ctx.reply(&true)?;
    Ok(())
}

async fn ring(ctx: &mut Context, _: Message) -> Result<(), Error> {
    let rung = ctx.get(&RUNG)?.unwrap_or(0);
    Ok(ctx.set(&RUNG, &(rung + 1))?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_delayed_message_is_delivered_once() {
    let clock = FunctionSpec::new(CLOCK).handler(clock);
    let bell = FunctionSpec::new(BELL).value(&RUNG).handler(ring);
    let functions = Functions::serve(StatefulFunctions::new().with(clock).with(bell)).await;
    let module = Module::serving("time", functions.address(), &[]);
    let mut gateway = Gateway::new(module).with("store-flush-interval", "300ms");
    gateway.start().await;
    for number in 0..CLOCKS {
        gateway.call(&format!("time/clock/{number}"), &format!("key {number}"), "tick").await;
    }
    kill_again_and_again(&mut gateway, 6).await;
    for number in 0..CLOCKS {
        let bell = format!("time/bell/bell%20of%20{number}");
        until_equal(&bell, Some(RINGS as i64), async || gateway.value(&bell, "rung").await).await;
    }
    assert!(gateway.stop().await.success());
    let rows = read_all(&gateway.data(), 8).await;
    let pending = rows.iter().filter(
        |(_, row)| matches!(row, Row::Timer(task) if matches!(**task, TimerTask::Send { .. })),
    );
    assert_eq!(pending.count(), 0);
}
