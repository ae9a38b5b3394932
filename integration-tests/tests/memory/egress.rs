//! An egress that nobody reads: at its bound the doors close, nothing is lost, and they open when somebody reads.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::{StreamExt, stream};
use integration_tests::functions::Functions;
use integration_tests::gateway::TEXT;
use integration_tests::module::Module;
use integration_tests::wait::{PATIENCE, until, until_equal};
use serde_json::Value;
use tidegate_sdk::{
    Context, EgressId, Error, FunctionSpec, FunctionType, Message, StatefulFunctions,
};
use tokio::sync::Semaphore;

use crate::{TURN, small};

const SCRIBE: FunctionType = FunctionType::named("office/scribe");
const BOOK: EgressId = EgressId::named("office/book");
/// What goes through the doors before they close is as much as fits behind them, and little beside that.
const LETTERS: usize = 60;
const LETTER_BYTES: usize = 1 << 20;

/// Writes down who wrote a letter, at length.
async fn write_down(ctx: &mut Context, message: Message) -> Result<(), Error> {
    let letter: String = message.get()?;
    let name = letter.split(' ').next().unwrap_or_default();
    ctx.egress(&BOOK, &format!("{name} {}", "x".repeat(100_000)))?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_egress_closes_the_doors_and_loses_nothing() {
    let _turn = TURN.lock().await;
    let scribe = FunctionSpec::new(SCRIBE).handler(write_down);
    let functions = Functions::serve(StatefulFunctions::new().with(scribe)).await;
    let module = Module::serving("office", functions.address(), &[]);
    let mut gateway = small(module.bounded_http_egress("office/book", "500KiB"));
    gateway.start().await;

    let accepted = Arc::new(Semaphore::new(0));
    let sending = stream::iter(0..LETTERS).for_each_concurrent(8, |number| {
        let (http, accepted) = (gateway.http().clone(), Arc::clone(&accepted));
        let url = gateway.url(&format!("/v1/functions/office/scribe/s{number}/send"));
        async move {
            let letter = format!("w{number} {}", "y".repeat(LETTER_BYTES));
            let answer = http.post(&url, &[TEXT], letter).await.unwrap();
            assert_eq!(answer.status.as_u16(), 202, "{}", answer.text());
            accepted.add_permits(1);
        }
    });
    let reading = async {
        until("the doors are closed and somebody waits there", PATIENCE, async || {
            let closed = gateway.metric("tidegate_doors_closed", "").await;
            let waiting = gateway.metric("tidegate_doors_waiting", "").await;
            (closed > 0.0 && waiting > 0.0).then_some(())
        })
        .await;
        assert!(accepted.available_permits() < LETTERS);
        assert!(gateway.errors().contains("TG-0506"), "{}", gateway.errors());
        let (mut names, mut after) = (BTreeSet::new(), None::<String>);
        until("everything was read", PATIENCE, async || {
            let place = after.as_ref().map(|after| format!("&after={after}")).unwrap_or_default();
            let url = gateway.url(&format!("/v1/egress/office/book?limit=5{place}"));
            let answer = gateway.http().get(&url).await.unwrap();
            for line in answer.text().lines() {
                let line: Value = serde_json::from_str(line).unwrap();
                after = Some(line["cursor"].as_str().unwrap().to_owned());
                names.insert(line["text"].as_str().unwrap().split(' ').next().unwrap().to_owned());
            }
            (names.len() == LETTERS).then_some(())
        })
        .await;
        let url = gateway.url(&format!("/v1/egress/office/book?limit=0&after={}", after.unwrap()));
        assert!(gateway.http().get(&url).await.unwrap().status.is_success());
    };
    tokio::join!(sending, reading);
    until_equal("nothing waits", (0.0, 0.0), async || {
        let records = gateway.metric("tidegate_egress_records_waiting", "office/book").await;
        (records, gateway.metric("tidegate_egress_bytes_waiting", "office/book").await)
    })
    .await;
}
