//! The batch extension: groups side by side, each with a fate of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{Response, StatusCode};
use tidegate_protocol::batch::group_response::Result as Fate;
use tidegate_protocol::batch::{BatchId, BatchRequest, BatchResponse, GroupRequest, GroupResponse};
use tidegate_protocol::{Message as _, media};
use tidegate_sdk::{Bytes, Context, Error, FunctionSpec, FunctionType, Message, StatefulFunctions};
use tokio::sync::Barrier;

use crate::support::{COUNTER, counters, group, post, state, text, typed};

fn id(number: u64) -> BatchId {
    BatchId { epoch: 3, number, partition: 1 }
}

fn counting(number: u64, messages: Vec<tidegate_protocol::reqreply::TypedValue>) -> GroupRequest {
    let invocation = group(&COUNTER, &format!("a{number}"), vec![state("count", None)], messages);
    GroupRequest {
        batch: Some(id(number)),
        attempt: 2,
        invocation: Some(invocation),
        traces: Vec::new(),
    }
}

async fn ask(functions: &StatefulFunctions, groups: Vec<GroupRequest>) -> Response<Bytes> {
    functions.handle(post(media::BATCH, BatchRequest { groups }.encode_to_vec())).await
}

async fn fates(functions: &StatefulFunctions, groups: Vec<GroupRequest>) -> Vec<GroupResponse> {
    let response = ask(functions, groups).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], media::BATCH);
    let mut groups = BatchResponse::decode(response.into_body()).unwrap().groups;
    groups.sort_by_key(|group| group.batch.unwrap().number);
    groups
}

#[tokio::test]
async fn each_group_has_its_own_fate_and_keeps_its_name() {
    let other = FunctionType::named("test/other");
    let unknown = group(&other, "x", Vec::new(), vec![typed("x")]);
    let unready = group(&COUNTER, "y", Vec::new(), vec![typed(&1_i64)]);
    let named = |number, invocation| GroupRequest {
        batch: Some(id(number)),
        attempt: 2,
        invocation,
        traces: Vec::new(),
    };
    let groups = vec![
        counting(1, vec![typed(&1_i64), typed(&2_i64)]),
        counting(2, vec![typed("panic")]),
        counting(3, vec![typed("nonsense")]),
        named(4, Some(unknown)),
        named(5, Some(unready)),
        named(6, None),
    ];
    let fates = fates(&counters(), groups).await;
    let names: Vec<_> = fates.iter().map(|fate| (fate.batch.unwrap(), fate.attempt)).collect();
    assert_eq!(names, (1..=6).map(|number| (id(number), 2)).collect::<Vec<_>>());
    let told = fates.into_iter().map(|fate| match fate.result.unwrap() {
        Fate::InvocationResult(response) => format!("{} sends", response.outgoing_messages.len()),
        Fate::IncompleteInvocationContext(context) => context.missing_values[0].state_name.clone(),
        Fate::Failure(failure) => failure.text[..7].to_owned(),
        Fate::NotRun(_) => "not run".to_owned(),
    });
    let expected = ["2 sends", "TG-0611", "TG-0610", "TG-0609", "count", "TG-0612"];
    assert_eq!(told.collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_group_that_cannot_be_named_refuses_the_request() {
    let nameless = GroupRequest { batch: None, ..counting(1, vec![typed(&1_i64)]) };
    let response = ask(&counters(), vec![counting(2, vec![typed(&1_i64)]), nameless]).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(text(&response), "TG-0612: the request lacks its batch id of a group");
}

#[tokio::test]
async fn a_handler_knows_batch_and_attempt() {
    async fn check(ctx: &mut Context, _: Message) -> Result<(), Error> {
        let batch = ctx.batch_id().ok_or("no batch id")?;
        assert_eq!((batch.partition, batch.epoch, batch.number, ctx.attempt()), (1, 3, 9, Some(2)));
        Ok(())
    }
    let functions = StatefulFunctions::new().with(FunctionSpec::new(COUNTER).handler(check));
    let fates = fates(&functions, vec![counting(9, vec![typed("x")])]).await;
    assert_eq!(fates[0].result, Some(Fate::InvocationResult(Default::default())));
}

/// With the clock paused, a timeout strikes as soon as nothing else can happen.
const STUCK: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn groups_run_at_the_same_time() {
    let barrier = Arc::new(Barrier::new(3));
    let handler = move |_: &mut Context, _: Message| {
        let barrier = Arc::clone(&barrier);
        async move {
            barrier.wait().await;
            Ok::<(), Error>(())
        }
    };
    let functions = StatefulFunctions::new().with(FunctionSpec::new(COUNTER).handler(handler));
    let groups = (1..=3).map(|number| counting(number, vec![typed("x")])).collect();
    let fates =
        tokio::time::timeout(STUCK, fates(&functions, groups)).await.expect("all three meet");
    assert_eq!(fates.len(), 3);
}

#[tokio::test]
async fn no_more_groups_run_at_the_same_time_than_allowed() {
    static RUNNING: AtomicUsize = AtomicUsize::new(0);
    static MOST: AtomicUsize = AtomicUsize::new(0);
    async fn observe(_: &mut Context, _: Message) -> Result<(), Error> {
        MOST.fetch_max(RUNNING.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        RUNNING.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    }
    let function = FunctionSpec::new(COUNTER).handler(observe);
    let functions = StatefulFunctions::new().with(function).concurrent_groups(4);
    let groups = (1..=20).map(|number| counting(number, vec![typed("x")])).collect();
    assert_eq!(fates(&functions, groups).await.len(), 20);
    assert_eq!(MOST.load(Ordering::SeqCst), 4);
}
