//! The doors close at the bound of memory, and open again by themselves.

use std::time::Duration;

use futures::stream::{FuturesOrdered, StreamExt};
use tidegate::driver::FlushPolicy;
use tidegate::ingress::{Door, DoorError, Inbound, Visitor};
use tidegate::log::NodeLog;
use tidegate::log::memory::SyncMode;
use tokio::time::sleep;

use crate::functions::{content, delicate, endless, large};
use crate::world::{Deployment, Life, Living, address, id_in, ids_in, settle, value};

const MB: usize = 1 << 20;

/// A node that nothing but pressure makes flush.
fn tight() -> Life {
    let interval = Duration::from_secs(1_000_000);
    let flush = FlushPolicy { interval, dirty_bytes: usize::MAX, backlog_bytes: u64::MAX };
    Life { sync: SyncMode::Automatic, budget: 8 * MB, flush, ..Life::default() }
}

/// Sends so much that nobody else is let in: more than 8 MB, of visitors none of whom brings much.
fn fill(node: &Living, id: &str) -> Vec<tokio::task::JoinHandle<()>> {
    let sends = (0..60).map(|_| {
        let send = node.deliver(address(id), large(200 << 10), None);
        tokio::spawn(async move {
            send.await.unwrap().unwrap();
        })
    });
    sends.collect()
}

#[tokio::test(start_paused = true)]
async fn the_doors_close_at_the_bound_and_open_after_a_flush() {
    let node = Deployment::new().start(Life { behaviour: delicate, ..tight() }).await;
    node.store.hold();
    let sends = fill(&node, &id_in(0));
    sleep(Duration::from_secs(60)).await;
    assert!(node.budget.is_exceeded());
    let waiting = sends.iter().filter(|send| !send.is_finished()).count();
    assert!(waiting > 0, "everybody was let in");
    let late = node.send("somebody else", "1");
    sleep(Duration::from_secs(60)).await;
    assert!(!late.is_finished());
    node.store.release();
    for send in sends {
        send.await.unwrap();
    }
    late.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_brings_much_waits_for_rows_to_be_written_and_nobody_else_does() {
    let node = Deployment::new().start(tight()).await;
    node.store.hold();
    let flood: Vec<_> = (0..20).map(|_| node.deliver(address("a"), large(MB), None)).collect();
    sleep(Duration::from_secs(60)).await;
    assert!(!node.budget.is_exceeded());
    assert!(flood.iter().any(|send| !send.is_finished()), "everybody was let in");
    node.send("somebody else", "1").await.unwrap().unwrap();
    node.store.release();
    for send in flood {
        send.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_partition_to_which_nothing_happens_flushes_too_when_others_need_the_memory() {
    let deployment = Deployment::new();
    let node = deployment.start(tight()).await;
    // What takes memory belongs to a partition that has nothing to do any more.
    node.deliver(address(&id_in(0)), large(MB), None).await.unwrap().unwrap();
    settle().await;
    assert_eq!(deployment.applied(0).0, 0);
    for _ in 0..20 {
        node.deliver(address(&id_in(1)), large(MB), None).await.unwrap().unwrap();
    }
    sleep(Duration::from_secs(1)).await;
    assert!(deployment.applied(0).0 > 0, "it gave its memory back");
    assert!(!node.budget.is_exceeded());
}

#[tokio::test(start_paused = true)]
async fn who_waits_at_the_doors_is_let_in_in_order() {
    let node = Deployment::new().start(Life { behaviour: delicate, ..tight() }).await;
    node.store.hold();
    let id = id_in(0);
    let filling = fill(&node, &id);
    sleep(Duration::from_secs(1)).await;
    let (visitor, mut sends) = (Visitor::new(), FuturesOrdered::new());
    for number in 0..50 {
        let argument = value(&number.to_string());
        let inbound = Inbound { target: address("queue"), argument, idempotency: None };
        sends.push_back(node.door.send(&visitor, vec![inbound]));
    }
    tokio::select! {
        _ = sends.next() => panic!("somebody was let in"),
        () = sleep(Duration::from_secs(1)) => {}
    }
    node.store.release();
    while let Some(exceptions) = sends.next().await {
        assert!(exceptions.is_empty());
    }
    for send in filling {
        send.await.unwrap();
    }
    settle().await;
    let expected: Vec<_> = (0..50).map(|number: u32| number.to_string()).collect();
    assert_eq!(node.functions.processed("queue"), expected);
}

#[tokio::test(start_paused = true)]
async fn doors_that_are_closed_for_good_turn_everybody_away_who_waits() {
    let node = Deployment::new().start(tight()).await;
    node.store.hold();
    let _filling = fill(&node, "a");
    sleep(Duration::from_secs(1)).await;
    let waiting = node.send("b", "1");
    settle().await;
    node.budget.doors().close();
    assert_eq!(waiting.await.unwrap().unwrap_err(), DoorError::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_log_without_room_lets_nothing_in_but_rows_are_flushed_and_the_log_is_trimmed() {
    let deployment = Deployment::new();
    let node = deployment.start(Life { behaviour: content, ..Life::default() }).await;
    let id = id_in(0);
    let first = node.send(&id, "1");
    node.sync_all().await;
    first.await.unwrap().unwrap();
    node.log.set_room(false);
    let second = node.send(&id, "2");
    settle().await;
    assert_eq!(node.functions.processed(&id), ["1"]);
    sleep(Duration::from_secs(60)).await;
    assert!(deployment.applied(0).0 > 0, "a flush is what makes room on a full disk");
    assert_eq!(node.log.durable().borrow().backlog_bytes, 0);
    node.log.set_room(true);
    node.sync().await;
    second.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn time_passes_for_a_partition_that_is_never_idle() {
    let life = Life { behaviour: endless, sync: SyncMode::Automatic, ..Life::default() };
    let node = Deployment::new().start(life).await;
    let mut ids = ids_in(0);
    let (failing, busy) = (ids.next().unwrap(), ids.next().unwrap());
    node.send(&failing, "1").await.unwrap().unwrap();
    settle().await;
    node.functions.fail(0);
    settle().await;
    // From here on the clock does not go on by itself: there is always something to do.
    let _client = node.send(&busy, "again");
    tokio::task::yield_now().await;
    tokio::time::advance(Duration::from_secs(1)).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(node.functions.processed(&busy).len() > 2, "it is busy");
    assert_eq!(node.functions.processed(&failing), ["1", "1"], "it was tried again");
}
