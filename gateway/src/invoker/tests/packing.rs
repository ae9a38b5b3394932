//! What travels together, and when.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::yield_now;

use super::harness::{FakeEndpoint, Partition, Told, config, group, served};
use crate::invoker::fault::Fault;
use crate::invoker::lane::Dialect;
use crate::invoker::transport::Reply;
use crate::invoker::{EndpointConfig, FunctionPattern, UrlTemplate};

fn ids(numbers: std::ops::Range<u32>) -> Vec<String> {
    numbers.map(|number| format!("{number:03}")).collect()
}

/// Submits a group and waits until the endpoint has it, and holds it back; then submits the others.
async fn gather(partition: &mut Partition, endpoint: &FakeEndpoint, ids: &[String]) {
    let before = endpoint.sizes().len();
    endpoint.permits.forget_permits(usize::MAX);
    partition.submit("first");
    while endpoint.sizes().len() == before {
        yield_now().await;
    }
    for id in ids {
        partition.submit(id);
    }
    endpoint.permits.add_permits(1_000_000);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_offers_nothing_gets_one_group_at_a_time() {
    let endpoint =
        FakeEndpoint::new(|_, _| Ok(Reply { speaks_batch: false, body: bytes::Bytes::new() }));
    let mut partition = Partition::with(config(), &endpoint);
    gather(&mut partition, &endpoint, &ids(0..20)).await;
    assert_eq!(partition.all_told().await.len(), 21);
    assert_eq!(endpoint.sizes(), [1; 21]);
    assert!(endpoint.requests().iter().all(|seen| seen.dialect == Dialect::Single));
}

#[tokio::test(start_paused = true)]
async fn groups_gather_while_the_slot_is_taken() {
    let endpoint = FakeEndpoint::new(served);
    let mut partition = Partition::with(config(), &endpoint);
    gather(&mut partition, &endpoint, &ids(0..20)).await;
    assert_eq!(partition.all_told().await.len(), 21);
    // The first answer offered batches; everything that had gathered went in the next request, in order.
    assert_eq!(endpoint.sizes(), [1, 20]);
    assert_eq!(endpoint.requests()[1].ids, ids(0..20));
    assert_eq!(endpoint.requests()[1].dialect, Dialect::Batch);
}

#[tokio::test(start_paused = true)]
async fn a_group_of_many_messages_travels_alone() {
    let endpoint = FakeEndpoint::new(served);
    let mut partition = Partition::with(config(), &endpoint);
    endpoint.permits.forget_permits(usize::MAX);
    partition.submit("first");
    while endpoint.sizes().is_empty() {
        yield_now().await;
    }
    for (id, messages) in [("a", 1), ("b", 64), ("flooded", 65), ("c", 1), ("d", 1)] {
        partition.submit_messages("shop/cart", id, messages);
    }
    endpoint.permits.add_permits(1_000_000);
    assert_eq!(partition.all_told().await.len(), 6);
    let together: Vec<_> = endpoint.requests().into_iter().map(|seen| seen.ids).collect();
    assert_eq!(together, [vec!["first"], vec!["a", "b"], vec!["flooded"], vec!["c", "d"]]);
}

#[tokio::test(start_paused = true)]
async fn an_idle_endpoint_gets_its_request_at_once() {
    let endpoint = FakeEndpoint::new(served);
    let mut partition = Partition::with(config(), &endpoint);
    let start = tokio::time::Instant::now();
    for id in ids(0..5) {
        partition.submit(&id);
        assert_eq!(partition.told().await, (id, Told::Succeeded));
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(endpoint.sizes(), [1; 5]);
}

async fn sizes_with(change: impl FnOnce(&mut EndpointConfig)) -> Vec<usize> {
    let mut config = config();
    change(&mut config);
    let endpoint = FakeEndpoint::new(served);
    let mut partition = Partition::with(config, &endpoint);
    gather(&mut partition, &endpoint, &ids(0..10)).await;
    assert_eq!(partition.all_told().await.len(), 11);
    endpoint.sizes()
}

#[tokio::test(start_paused = true)]
async fn requests_are_bounded_by_groups_messages_and_bytes() {
    assert_eq!(
        sizes_with(|config| config.groups_per_request = 4.try_into().unwrap()).await,
        [1, 4, 4, 2]
    );
    assert_eq!(
        sizes_with(|config| config.messages_per_request = 6.try_into().unwrap()).await,
        [1, 6, 4]
    );
    let of_one = group(1, "shop/cart", "000", 1).cost();
    let three = |config: &mut EndpointConfig| {
        config.bytes_per_request = (3 * of_one + of_one / 2).try_into().unwrap();
    };
    assert_eq!(sizes_with(three).await, [1, 3, 3, 3, 1]);
    // One that is larger than the bound still goes, alone.
    assert_eq!(
        sizes_with(|config| config.bytes_per_request = 1.try_into().unwrap()).await,
        [1; 11]
    );
}

#[tokio::test(start_paused = true)]
async fn slots_are_shared_and_bounded() {
    let mut config = config();
    config.concurrency = 3.try_into().unwrap();
    let endpoint = FakeEndpoint::new(served);
    endpoint.permits.forget_permits(usize::MAX);
    let mut partition = Partition::with(config, &endpoint);
    for id in ids(0..10) {
        partition.submit(&id);
    }
    assert!(partition.silent(Duration::from_secs(60)).await);
    assert_eq!(endpoint.sizes().len(), 3);
    endpoint.permits.add_permits(1_000);
    assert_eq!(partition.all_told().await.len(), 10);
}

#[tokio::test(start_paused = true)]
async fn functions_with_different_urls_do_not_share_requests() {
    let mut config = config();
    config.url = UrlTemplate::parse("http://host/{function.name}").unwrap();
    let endpoint = FakeEndpoint::new(served);
    let mut partition = Partition::with(config, &endpoint);
    for round in 0..3 {
        gather(&mut partition, &endpoint, &[]).await;
        for id in ["a", "b"] {
            partition.submit_messages("shop/audit", &format!("audit-{round}-{id}"), 1);
            partition.submit_messages("shop/cart", &format!("cart-{round}-{id}"), 1);
        }
        partition.all_told().await;
    }
    for seen in endpoint.requests() {
        let audits = seen.ids.iter().filter(|id| id.starts_with("audit")).count();
        assert!(audits == 0 || audits == seen.ids.len(), "{seen:?}");
    }
    assert!(endpoint.sizes().contains(&2));
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_refuses_a_batch_gets_its_groups_one_by_one() {
    let understands = Arc::new(AtomicBool::new(false));
    let by_now = Arc::clone(&understands);
    let endpoint = FakeEndpoint::new(move |seen, body| match seen.dialect {
        Dialect::Batch if !by_now.load(Ordering::SeqCst) => Err(Fault::Dialect),
        _ => served(seen, body),
    });
    let mut partition = Partition::with(config(), &endpoint);
    gather(&mut partition, &endpoint, &ids(0..4)).await;
    let told = partition.all_told().await;
    assert!(told.values().all(|told| *told == Told::Succeeded));
    assert_eq!(endpoint.sizes(), [1, 4, 1, 1, 1, 1]);

    // An hour later it is tried again, because the endpoint still offers it.
    understands.store(true, Ordering::SeqCst);
    gather(&mut partition, &endpoint, &ids(0..4)).await;
    partition.all_told().await;
    assert_eq!(endpoint.sizes()[6..], [1, 4]);
}

#[tokio::test(start_paused = true)]
async fn an_exact_name_goes_before_its_namespace() {
    let (general, special) = (FakeEndpoint::new(served), FakeEndpoint::new(served));
    let mut exact = config();
    exact.functions = vec![FunctionPattern::parse("shop/audit").unwrap()];
    let mut partition =
        Partition::new(vec![(config(), Arc::clone(&general)), (exact, Arc::clone(&special))]);
    partition.submit_messages("shop/audit", "a", 1);
    partition.submit_messages("shop/cart", "c", 1);
    partition.submit_messages("other/cart", "o", 1);
    let told = partition.all_told().await;
    assert_eq!(special.requests()[0].ids, ["a"]);
    assert_eq!(general.requests()[0].ids, ["c"]);
    let undeclared = "TG-0409 function `other/cart` is declared by no endpoint".to_string();
    assert_eq!(told["o"], Told::Failed(undeclared));
}
