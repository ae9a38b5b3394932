//! Values that expire are freed on the disk, although nobody asks for their addresses any more.

use std::time::Duration;

use integration_tests::functions::Functions;
use integration_tests::gateway::Gateway;
use integration_tests::module::Module;
use integration_tests::rows::read_all;
use integration_tests::wait::{PATIENCE, until};
use tidegate_core::partition::row::RowKey;
use tidegate_sdk::{
    Context, Error, FunctionSpec, FunctionType, Message, StatefulFunctions, ValueSpec,
};

const GUEST: FunctionType = FunctionType::named("inn/guest");
const LIFE: Duration = Duration::from_millis(500);
const NAME: ValueSpec<String> = ValueSpec::named("name");
const BED: ValueSpec<String> = ValueSpec::named("bed").expire_after_write(LIFE);
const KEY: ValueSpec<String> = ValueSpec::named("key").expire_after_invoke(LIFE);
const GUESTS: usize = 60;

async fn arrive(ctx: &mut Context, message: Message) -> Result<(), Error> {
    let name: String = message.get()?;
    for value in [&NAME, &BED, &KEY] {
        ctx.set(value, &name)?;
    }
    ctx.reply(&name)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_that_expired_are_gone_from_the_disk_and_no_others() {
    let guest = FunctionSpec::new(GUEST).value(&NAME).value(&BED).value(&KEY).handler(arrive);
    let functions = Functions::serve(StatefulFunctions::new().with(guest)).await;
    let mut gateway = Gateway::new(Module::serving("inn", functions.address(), &[]))
        .with("store-flush-interval", "100ms")
        .with("store-sweep-interval", "200ms");
    gateway.start().await;
    for number in 0..GUESTS {
        gateway.call(&format!("inn/guest/g{number}"), &format!("key {number}"), "somebody").await;
        if number == GUESTS / 2 {
            gateway.crash().await;
        }
    }
    gateway.crash().await;
    until("nothing is left but what does not expire", PATIENCE, async || {
        // A walk through all partitions takes a moment; what it finds is in the store when the node has stopped.
        until("values are swept", PATIENCE, async || {
            let walked = gateway.metric("tidegate_store_walked_rows_total", "").await;
            (walked >= GUESTS as f64).then_some(())
        })
        .await;
        assert!(gateway.stop().await.success());
        let names = names_in_store(&gateway).await;
        let done = names == vec!["name"; GUESTS];
        gateway.start().await;
        done.then_some(())
    })
    .await;
    let kept = gateway.value::<String>("inn/guest/g1", "name").await;
    assert_eq!(kept.as_deref(), Some("somebody"));
}

/// The names of all values in the store, and of those that have an expiry of their own.
async fn names_in_store(gateway: &Gateway) -> Vec<String> {
    let rows = read_all(&gateway.data(), 8).await;
    let names = rows.into_iter().filter_map(|(key, _)| match key {
        RowKey::Value(_, name) | RowKey::Expiry(_, name) => Some(name.to_string()),
        _ => None,
    });
    names.collect()
}
