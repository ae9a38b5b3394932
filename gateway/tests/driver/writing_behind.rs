//! When rows go to the store, what the log forgets then, and what happens when the store does not work.

use std::time::Duration;

use tidegate::driver::FlushPolicy;
use tidegate::log::memory::SyncMode;
use tidegate::log::{FrameNumber, NodeLog};
use tidegate_core::id::PartitionId;
use tokio::time::sleep;

use crate::functions::{adding, content, large, silent};
use crate::world::{Deployment, Life, address, id_in, last_record, settle};

const LONG: Duration = Duration::from_secs(1_000_000);

fn automatic() -> Life {
    Life { behaviour: content, sync: SyncMode::Automatic, ..Life::default() }
}

fn never() -> FlushPolicy {
    FlushPolicy { interval: LONG, dirty_bytes: usize::MAX, backlog_bytes: u64::MAX }
}

#[tokio::test(start_paused = true)]
async fn rows_go_to_the_store_after_the_interval() {
    let deployment = Deployment::new();
    let node = deployment.start(automatic()).await;
    node.send(&id_in(0), "1").await.unwrap().unwrap();
    settle().await;
    assert_eq!(deployment.applied(0).0, 0);
    let last = last_record(&node.log, 0);
    sleep(Duration::from_secs(31)).await;
    assert_eq!(deployment.applied(0), last);
}

#[tokio::test(start_paused = true)]
async fn rows_go_to_the_store_when_many_bytes_wait() {
    let deployment = Deployment::new();
    let flush = FlushPolicy { dirty_bytes: 100_000, ..never() };
    let node = deployment.start(Life { flush, behaviour: silent, ..automatic() }).await;
    node.deliver(address(&id_in(0)), large(90_000), None).await.unwrap().unwrap();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(deployment.applied(0).0, 0);
    node.deliver(address(&id_in(0)), large(90_000), None).await.unwrap().unwrap();
    sleep(Duration::from_secs(1)).await;
    assert!(deployment.applied(0).0 > 0);
}

#[tokio::test(start_paused = true)]
async fn every_partition_flushes_when_the_log_has_grown_long() {
    let deployment = Deployment::new();
    let flush = FlushPolicy { backlog_bytes: 100_000, ..never() };
    let node = deployment.start(Life { flush, ..automatic() }).await;
    node.send(&id_in(3), "a record that holds the log").await.unwrap().unwrap();
    for _ in 0..3 {
        node.deliver(address(&id_in(0)), large(50_000), None).await.unwrap().unwrap();
    }
    sleep(Duration::from_secs(1)).await;
    assert!((0..4).all(|partition| deployment.applied(partition).0 > 0));
    assert!(node.log.durable().borrow().backlog_bytes < 100_000, "and then the log is trimmed");
}

#[tokio::test(start_paused = true)]
async fn the_log_keeps_what_any_partition_has_not_flushed() {
    let deployment = Deployment::new();
    let flush = FlushPolicy { dirty_bytes: 100_000, ..never() };
    let life = Life { flush, behaviour: silent, ..automatic() };
    let node = deployment.start(life).await;
    let idle = id_in(3);
    node.send(&idle, "1").await.unwrap().unwrap();
    settle().await;
    let held = node.log.steps(PartitionId(3), FrameNumber::default());
    node.deliver(address(&id_in(0)), large(150_000), None).await.unwrap().unwrap();
    sleep(Duration::from_secs(1)).await;
    assert!(deployment.applied(0).0 > 0);
    assert_eq!(node.log.steps(PartitionId(3), FrameNumber::default()), held);
}

#[tokio::test(start_paused = true)]
async fn only_what_is_durable_goes_to_the_store() {
    let deployment = Deployment::new();
    let node = deployment.start(Life { sync: SyncMode::Explicit, ..automatic() }).await;
    node.send(&id_in(0), "1");
    settle().await;
    let appended = last_record(&node.log, 0);
    sleep(Duration::from_secs(31)).await;
    assert_eq!(deployment.applied(0).0, 0, "not even the adoption is durable");
    node.sync_all().await;
    sleep(Duration::from_secs(31)).await;
    assert!(deployment.applied(0) >= appended);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_for_a_while_costs_nothing_but_time() {
    let deployment = Deployment::new();
    let node = deployment.start(Life { behaviour: adding, ..automatic() }).await;
    let id = id_in(0);
    node.store.refuse(8);
    for amount in ["1", "2", "3"] {
        node.send(&id, amount).await.unwrap().unwrap();
    }
    sleep(Duration::from_secs(60)).await;
    assert_eq!(node.sum(&id).await, Some("6".to_owned()));
    assert_eq!(last_record(&node.log, 0).0, 0, "everything is in the store");
    drop(node);
    let node = deployment.start(automatic()).await;
    assert_eq!(node.sum(&id).await, Some("6".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_commit_whose_answer_was_lost_is_repeated_without_harm() {
    let deployment = Deployment::new();
    let node = deployment.start(Life { behaviour: adding, ..automatic() }).await;
    let id = id_in(0);
    node.send(&id, "1").await.unwrap().unwrap();
    node.store.lose_answers(2);
    sleep(Duration::from_secs(60)).await;
    node.send(&id, "2").await.unwrap().unwrap();
    sleep(Duration::from_secs(60)).await;
    drop(node);
    let node = deployment.start(automatic()).await;
    assert_eq!(node.sum(&id).await, Some("3".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn messages_flow_while_a_flush_takes_long() {
    let node = Deployment::new().start(automatic()).await;
    let id = id_in(0);
    node.send(&id, "1").await.unwrap().unwrap();
    node.store.hold();
    sleep(Duration::from_secs(31)).await;
    node.store.waiting(1).await;
    node.send(&id, "2").await.unwrap().unwrap();
    settle().await;
    assert_eq!(node.functions.processed(&id), ["1", "2"]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_another_owner_has_opened_stops_the_node() {
    let deployment = Deployment::new();
    let mut node = deployment.start(automatic()).await;
    node.send(&id_in(0), "1").await.unwrap().unwrap();
    deployment.open_elsewhere(0).await;
    sleep(Duration::from_secs(31)).await;
    let failure = node.failures.recv().await.unwrap();
    assert!(failure.to_string().contains("TG-0260"), "{failure}");
}
