//! Who is blamed for what.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::harness::{
    FakeEndpoint, Partition, Seen, Told, acted, config, crashed, failed, refused, served, threw,
};
use crate::invoker::fault::{Fault, InvokeError};
use crate::invoker::transport::Reply;
use crate::invoker::wire::double::Act;

/// Has the endpoint know batches, so that what is submitted next travels together.
async fn partition_with_batches(endpoint: &std::sync::Arc<FakeEndpoint>) -> Partition {
    let mut partition = Partition::with(config(), endpoint);
    partition.submit("hello");
    assert_eq!(partition.told().await.1, Told::Succeeded);
    partition
}

fn has_poison(seen: &Seen) -> bool {
    seen.ids.iter().any(|id| id == "poison")
}

fn submit_with_poison(partition: &mut Partition, others: usize) {
    for number in 0..others {
        if number == others / 3 {
            partition.submit("poison");
        }
        partition.submit(&format!("good-{number:02}"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_request_is_halved_until_the_cause_is_alone() {
    let endpoint =
        FakeEndpoint::new(
            |seen, body| if has_poison(seen) { Err(threw()) } else { served(seen, body) },
        );
    let mut partition = partition_with_batches(&endpoint).await;
    submit_with_poison(&mut partition, 31);
    let told = partition.all_told().await;
    assert_eq!(told.len(), 32);
    assert_eq!(failed(&told), ["poison"]);
    assert_eq!(
        told["poison"],
        Told::Failed("TG-0405 the endpoint answered with status 500 (endpoint `shop`)".into())
    );
    // 32, then two for each of the five halvings.
    assert_eq!(endpoint.sizes().len() - 1, 1 + 2 * 5);
    assert!(
        endpoint.requests().iter().all(|seen| seen.at == endpoint.requests()[0].at),
        "without a pause"
    );
}

#[tokio::test(start_paused = true)]
async fn a_function_that_fails_alone_fails_its_group() {
    let endpoint = FakeEndpoint::new(|_, _| Err(threw()));
    let mut partition = Partition::with(config(), &endpoint);
    partition.submit("a");
    assert_eq!(failed(&partition.all_told().await), ["a"]);
    assert_eq!(endpoint.sizes(), [1], "repeating it is the partition's business");
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_cannot_be_reached_is_tried_again_with_growing_pauses() {
    let attempts = AtomicUsize::new(0);
    let endpoint = FakeEndpoint::new(move |seen, body| {
        if attempts.fetch_add(1, Ordering::SeqCst) < 5 {
            Err(refused())
        } else {
            served(seen, body)
        }
    });
    let mut partition = Partition::with(config(), &endpoint);
    partition.submit("a");
    partition.submit("b");
    assert!(failed(&partition.all_told().await).is_empty());
    let at: Vec<Instant> = endpoint.requests().iter().map(|seen| seen.at).collect();
    let pauses: Vec<Duration> = at.windows(2).map(|pair| pair[1] - pair[0]).take(5).collect();
    assert!(
        pauses[0] >= Duration::from_millis(50) && pauses[4] >= Duration::from_millis(800),
        "{pauses:?}"
    );
    assert!(pauses.is_sorted(), "{pauses:?}");
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_is_left_alone_for_as_long_as_it_asks() {
    let attempts = AtomicUsize::new(0);
    let endpoint = FakeEndpoint::new(move |seen, body| {
        if attempts.fetch_add(1, Ordering::SeqCst) > 0 {
            return served(seen, body);
        }
        let error = InvokeError::Unavailable { status: 503 };
        Err(Fault::Endpoint { error, retry_after: Some(Duration::from_secs(20)) })
    });
    let mut partition = Partition::with(config(), &endpoint);
    let start = Instant::now();
    partition.submit("a");
    assert!(partition.silent(Duration::from_secs(19)).await);
    partition.submit("b");
    assert!(failed(&partition.all_told().await).is_empty());
    let requests = endpoint.requests();
    assert!(requests[1].at - start >= Duration::from_secs(20), "not for new groups either");
    assert_eq!(requests.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_kills_the_function_does_not_stop_the_others() {
    let endpoint =
        FakeEndpoint::new(
            |seen, body| if has_poison(seen) { Err(crashed()) } else { served(seen, body) },
        );
    let mut partition = partition_with_batches(&endpoint).await;
    submit_with_poison(&mut partition, 31);
    let mut told = std::collections::BTreeMap::new();
    while told.len() < 32 {
        let (id, said) = partition.told().await;
        told.insert(id, said);
    }
    assert_eq!(failed(&told), ["poison"]);
}

#[tokio::test(start_paused = true)]
async fn an_outage_that_looks_like_a_crash_counts_against_nobody() {
    let recovery = Instant::now() + Duration::from_secs(1800);
    let endpoint = FakeEndpoint::new(move |seen, body| {
        let down = Instant::now() < recovery && seen.ids[0] != "hello";
        if down { Err(crashed()) } else { served(seen, body) }
    });
    let mut partition = partition_with_batches(&endpoint).await;
    for number in 0..40 {
        partition.submit(&number.to_string());
    }
    let told = partition.all_told().await;
    assert_eq!((told.len(), failed(&told).len()), (40, 0));
    assert!(endpoint.sizes().len() < 200, "pauses are long while it is down");
}

#[tokio::test(start_paused = true)]
async fn each_group_of_a_batch_has_its_own_result() {
    let first_try = AtomicUsize::new(0);
    let endpoint = FakeEndpoint::new(move |seen, body| {
        let first = seen.ids.len() > 1 && first_try.fetch_add(1, Ordering::SeqCst) == 0;
        acted(seen, body, |id| match id {
            "fails" => Act::Fail,
            "not run" if first => Act::NotRun,
            "forgotten" if first => Act::Forget,
            "twice" if first => Act::SucceedTwice,
            "mistaken" if first => Act::SucceedForAnother,
            _ => Act::Succeed,
        })
    });
    let mut partition = partition_with_batches(&endpoint).await;
    for id in ["good", "fails", "not run", "forgotten", "twice", "mistaken"] {
        partition.submit(id);
    }
    let told = partition.all_told().await;
    assert_eq!(failed(&told), ["fails"]);
    assert_eq!(
        told["fails"],
        Told::Failed("TG-0410 the function failed: no stock (endpoint `shop`)".into())
    );
    assert_eq!(
        endpoint.requests()[2].ids,
        ["not run", "forgotten", "mistaken"],
        "only these go again"
    );
}

#[tokio::test(start_paused = true)]
async fn a_batch_without_any_result_is_a_failed_request() {
    let endpoint = FakeEndpoint::new(|seen, body| {
        acted(seen, body, |id| if id == "hello" { Act::Succeed } else { Act::Forget })
    });
    let mut partition = partition_with_batches(&endpoint).await;
    partition.submit("a");
    partition.submit("b");
    let told = partition.all_told().await;
    assert_eq!(failed(&told), ["a", "b"]);
    assert_eq!(
        told["a"],
        Told::Failed("TG-0408 the answer holds no result for the group (endpoint `shop`)".into())
    );
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_runs_nothing_is_left_alone_for_a_while() {
    let busy_until = Instant::now() + Duration::from_secs(60);
    let endpoint = FakeEndpoint::new(move |seen, body| {
        acted(seen, body, |_| if Instant::now() < busy_until { Act::NotRun } else { Act::Succeed })
    });
    let mut partition = partition_with_batches(&endpoint).await;
    partition.submit("a");
    partition.submit("b");
    assert!(failed(&partition.all_told().await).is_empty());
    assert!(endpoint.sizes().len() < 20, "{}", endpoint.sizes().len());
}

#[tokio::test(start_paused = true)]
async fn bytes_that_are_no_answer_fail_the_group() {
    let endpoint = FakeEndpoint::new(|_, _| {
        Ok(Reply { speaks_batch: false, body: Bytes::from_static(b"<html>") })
    });
    let mut partition = Partition::with(config(), &endpoint);
    partition.submit("a");
    let (_, told) = partition.told().await;
    assert!(matches!(&told, Told::Failed(text) if text.starts_with("TG-0406")), "{told:?}");
}
