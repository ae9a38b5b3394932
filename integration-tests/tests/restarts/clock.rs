//! Time after a restart: it goes on from where it was, whatever the wall clock says.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use integration_tests::functions::Functions;
use integration_tests::gateway::Gateway;
use integration_tests::module::Module;
use integration_tests::wait::until_equal;
use tidegate_sdk::{
    Context, Error, FunctionSpec, FunctionType, Message, StatefulFunctions, ValueSpec,
};

const ALARM: FunctionType = FunctionType::named("time/alarm");
const RUNG: ValueSpec<i64> = ValueSpec::named("rung");
const HOUR: Duration = Duration::from_hours(1);

/// Told to, it rings half an hour later.
async fn alarm(ctx: &mut Context, message: Message) -> Result<(), Error> {
    if message.get::<String>()? == "set" {
        ctx.send_after(HOUR / 2, ctx.address().clone(), "ring")?;
        ctx.reply("set")?;
        return Ok(());
    }
    Ok(ctx.set(&RUNG, &(ctx.get(&RUNG)?.unwrap_or(0) + 1))?)
}

/// What the node keeps of its time, in milliseconds since 1970.
fn kept(gateway: &Gateway) -> u128 {
    fs::read_to_string(gateway.data().join("clock")).unwrap().trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wall_clock_that_was_set_back_does_not_delay_timers() {
    let alarm = FunctionSpec::new(ALARM).value(&RUNG).handler(alarm);
    let functions = Functions::serve(StatefulFunctions::new().with(alarm)).await;
    let mut gateway = Gateway::new(Module::serving("time", functions.address(), &[]));
    gateway.start().await;
    gateway.call("time/alarm/a", "one", "set").await;
    assert!(gateway.stop().await.success());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    assert!(
        now.as_millis() - kept(&gateway) < HOUR.as_millis(),
        "a node that stops keeps its time"
    );

    // To the node this is the same as a wall clock that was set back by an hour when an hour had passed.
    let reached = (now + HOUR).as_millis();
    fs::write(gateway.data().join("clock"), reached.to_string()).unwrap();
    gateway.start().await;
    until_equal("it has rung", Some(1), async || {
        gateway.value::<i64>("time/alarm/a", "rung").await
    })
    .await;
    assert!(gateway.errors().contains("TG-0235"), "{}", gateway.errors());
    gateway.crash().await;
    assert!(kept(&gateway) >= reached, "time never goes back");
    assert!(gateway.stop().await.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_that_was_lost_with_the_power_keeps_no_node_from_starting() {
    let mut gateway = Gateway::new(Module::serving("time", ([127, 0, 0, 1], 1).into(), &[]));
    gateway.start().await;
    gateway.kill();
    fs::write(gateway.data().join("clock"), "").unwrap();
    gateway.start().await;
    assert!(gateway.errors().contains("TG-0234"), "{}", gateway.errors());
    assert!(gateway.stop().await.success());
    assert!(kept(&gateway) > 0);
}
