//! A node that is told to stop.

use std::time::Duration;

use tidegate::driver::FlushPolicy;
use tidegate::ingress::DoorError;
use tidegate::log::memory::SyncMode;
use tidegate_core::partition::group::Response;
use tokio::time::Instant;

use crate::functions::{adding, relaying};
use crate::world::{Deployment, Life, egress, id_in, settle, value};

fn life() -> Life {
    let interval = Duration::from_secs(1_000_000);
    let flush = FlushPolicy { interval, dirty_bytes: usize::MAX, backlog_bytes: u64::MAX };
    Life { sync: SyncMode::Automatic, flush, ..Life::default() }
}

#[tokio::test(start_paused = true)]
async fn everything_is_in_the_store_when_a_node_has_stopped() {
    let deployment = Deployment::new();
    let node = deployment.start(Life { behaviour: relaying, ..life() }).await;
    let [a, b, c] = [0, 1, 2].map(id_in);
    node.send(&a, &format!("{b}>{c}>{a}>end")).await.unwrap().unwrap();
    settle().await;
    let log = node.log.clone();
    let stopped = node.stop(Duration::from_secs(5)).await.unwrap();
    assert!(stopped.unflushed.is_empty());
    for partition in 0..4 {
        let last = crate::world::last_record(&log, partition);
        // A trimmed log shows nothing, which says the same.
        assert!(deployment.applied(partition) >= last);
    }
    let node = deployment.start(life()).await;
    settle().await;
    assert!(node.functions.submitted().is_empty(), "nothing was left to do");
}

#[tokio::test(start_paused = true)]
async fn functions_that_are_under_way_may_answer() {
    let deployment = Deployment::new();
    let node = deployment.start(life()).await;
    let id = id_in(0);
    node.send(&id, "1").await.unwrap().unwrap();
    settle().await;
    let functions = node.functions.clone();
    let begun = Instant::now();
    let stopping = tokio::spawn(node.stop(Duration::from_secs(30)));
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(!stopping.is_finished());
    functions.answer(0, Response { egress: vec![(egress(), value("x"))], ..Response::default() });
    assert!(stopping.await.unwrap().unwrap().unflushed.is_empty());
    assert!(begun.elapsed() < Duration::from_secs(10), "there was nothing else to wait for");
    let node = deployment.start(life()).await;
    assert!(node.functions.submitted().is_empty());
    assert_eq!(node.journal.entries().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_function_that_hangs_is_given_up_and_its_message_waits_for_the_next_life() {
    let deployment = Deployment::new();
    let node = deployment.start(life()).await;
    let id = id_in(0);
    node.send(&id, "1").await.unwrap().unwrap();
    settle().await;
    let begun = Instant::now();
    assert!(node.stop(Duration::from_secs(30)).await.unwrap().unflushed.is_empty());
    assert!(begun.elapsed() >= Duration::from_secs(30));
    let node = deployment.start(life()).await;
    settle().await;
    assert_eq!(node.functions.processed(&id), ["1"]);
}

#[tokio::test(start_paused = true)]
async fn no_function_is_invoked_any_more() {
    let deployment = Deployment::new();
    let node = deployment.start(life()).await;
    let id = id_in(0);
    node.send(&id, "1").await.unwrap().unwrap();
    settle().await;
    node.send(&id, "2").await.unwrap().unwrap();
    let functions = node.functions.clone();
    let stopping = tokio::spawn(node.stop(Duration::from_secs(30)));
    settle().await;
    functions.answer(0, Response::default());
    stopping.await.unwrap().unwrap();
    assert_eq!(functions.processed(&id), ["1"]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_does_not_keep_a_node_from_stopping() {
    let deployment = Deployment::new();
    let node = deployment.start(Life { behaviour: adding, ..life() }).await;
    let id = id_in(0);
    node.send(&id, "7").await.unwrap().unwrap();
    settle().await;
    node.store.hold();
    let begun = Instant::now();
    let stopped = node.stop(Duration::from_secs(5)).await.unwrap();
    assert_eq!(stopped.unflushed.len(), 4);
    assert!(begun.elapsed() < Duration::from_secs(60));
    let node = deployment.start(life()).await;
    assert_eq!(node.sum(&id).await, Some("7".to_owned()), "the log has everything");
}

#[tokio::test(start_paused = true)]
async fn clients_of_a_node_that_has_stopped_are_turned_away() {
    let deployment = Deployment::new();
    let node = deployment.start(life()).await;
    let door = node.door.clone();
    node.stop(Duration::ZERO).await.unwrap();
    let inbound = crate::world::inbound(crate::world::address("a"), value("1"), None);
    let sent =
        tidegate::ingress::Door::send(&*door, &tidegate::ingress::Visitor::new(), vec![inbound])
            .await;
    assert!(matches!(sent[..], [(0, Err(DoorError::Closed))]));
}
