//! A node goes without a word, and another one starts over what it left.

use std::time::Duration;

use tidegate::ingress::Outcome;
use tidegate::log::memory::SyncMode;
use tidegate_core::partition::group::{Delayed, Response};
use tokio::time::sleep;

use crate::functions::{adding, content, relaying, replying, silent};
use crate::world::{Deployment, Life, address, id_in, settle, value};

fn automatic() -> Life {
    Life { sync: SyncMode::Automatic, ..Life::default() }
}

#[tokio::test(start_paused = true)]
async fn what_was_acknowledged_is_there_and_counts_once() {
    let deployment = Deployment::new();
    let id = id_in(0);
    let mut sum = 0;
    for life in 0..5 {
        let node = deployment.start(Life { behaviour: adding, ..automatic() }).await;
        for amount in 1..=10 {
            node.send(&id, &amount.to_string()).await.unwrap().unwrap();
            sum += amount;
        }
        if life % 2 == 0 {
            // Some lives flush, so that store and several logs have to be put together.
            sleep(Duration::from_secs(31)).await;
        }
        drop(node);
    }
    let node = deployment.start(Life { behaviour: adding, ..automatic() }).await;
    settle().await;
    assert_eq!(node.sum(&id).await, Some(sum.to_string()));
}

#[tokio::test(start_paused = true)]
async fn what_was_not_durable_never_happened() {
    let deployment = Deployment::new();
    let id = id_in(0);
    let node = deployment.start(Life { behaviour: adding, ..Life::default() }).await;
    let acknowledged = node.send(&id, "1");
    node.sync_all().await;
    acknowledged.await.unwrap().unwrap();
    let lost = node.send(&id, "10");
    settle().await;
    drop(node);
    assert!(lost.await.unwrap().is_err());
    let node = deployment.start(Life { behaviour: adding, ..automatic() }).await;
    assert_eq!(node.sum(&id).await, Some("1".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_crash_in_the_middle_of_a_chain_keeps_a_beginning_of_it_and_finishes_it_later() {
    let [a, b, c] = [0, 1, 2].map(id_in);
    for steps in 0..12 {
        let deployment = Deployment::new();
        let node = deployment.start(Life { behaviour: relaying, ..Life::default() }).await;
        node.sync_all().await;
        node.send(&a, &format!("{b}>{c}>end"));
        settle().await;
        for _ in 0..steps {
            node.sync_one_step();
        }
        drop(node);
        let node = deployment.start(Life { behaviour: relaying, ..automatic() }).await;
        sleep(Duration::from_secs(10)).await;
        let accepted = steps > 0;
        assert_eq!(node.journal.entries().len(), usize::from(accepted), "after {steps} steps");
    }
}

#[tokio::test(start_paused = true)]
async fn several_lives_without_a_flush_are_replayed_from_all_of_their_logs() {
    let deployment = Deployment::new();
    let id = id_in(2);
    for _ in 0..4 {
        let node = deployment.start(Life { behaviour: adding, ..automatic() }).await;
        node.send(&id, "1").await.unwrap().unwrap();
        settle().await;
    }
    assert_eq!(deployment.logs(), 4);
    let node = deployment.start(Life { behaviour: adding, ..automatic() }).await;
    assert_eq!(node.sum(&id).await, Some("4".to_owned()));
    sleep(Duration::from_secs(31)).await;
    assert_eq!(deployment.logs(), 1, "what is in the store needs no log");
}

#[tokio::test(start_paused = true)]
async fn a_log_that_was_lost_keeps_the_node_from_starting() {
    let deployment = Deployment::new();
    for _ in 0..2 {
        let node = deployment.start(Life { behaviour: adding, ..automatic() }).await;
        node.send(&id_in(2), "1").await.unwrap().unwrap();
        settle().await;
    }
    deployment.lose_first_log();
    let error = deployment.try_start(automatic()).await.err().unwrap();
    assert!(error.to_string().contains("TG-0293"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn records_that_no_sink_took_are_handed_out_again_under_the_same_number() {
    let deployment = Deployment::new();
    let node = deployment.start(Life { behaviour: adding, ..automatic() }).await;
    let id = id_in(1);
    for amount in ["1", "2"] {
        node.send(&id, amount).await.unwrap().unwrap();
    }
    settle().await;
    let before = node.journal.entries();
    assert_eq!(before.len(), 2);
    drop(node);
    let node = deployment.start(automatic()).await;
    assert_eq!(node.journal.entries(), before);
}

#[tokio::test(start_paused = true)]
async fn a_group_that_was_in_flight_is_given_to_its_function_again() {
    let deployment = Deployment::new();
    let node = deployment.start(Life { behaviour: silent, ..automatic() }).await;
    let id = id_in(0);
    node.send(&id, "1").await.unwrap().unwrap();
    settle().await;
    drop(node);
    let node = deployment.start(Life { behaviour: content, ..automatic() }).await;
    settle().await;
    assert_eq!(node.functions.processed(&id), ["1"]);
    drop(node);
    let node = deployment.start(Life { behaviour: content, ..automatic() }).await;
    settle().await;
    assert!(node.functions.processed(&id).is_empty(), "it was processed before");
}

#[tokio::test(start_paused = true)]
async fn a_repeated_call_gets_the_first_reply_also_after_a_restart() {
    let deployment = Deployment::new();
    let node = deployment.start(Life { behaviour: replying, ..automatic() }).await;
    let id = id_in(0);
    let first = node.call(&id, "once", Some("key")).await.unwrap().unwrap();
    assert!(matches!(first, Outcome::Replied(reply) if reply == value("once")));
    drop(node);
    let node = deployment.start(Life { behaviour: replying, ..automatic() }).await;
    let again = node.call(&id, "once", Some("key")).await.unwrap().unwrap();
    let Outcome::Repeated(progress) = again else { panic!("{again:?}") };
    assert_eq!(progress.reply, Some(value("once")));
    assert!(node.functions.processed(&id).is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_repeats_a_call_that_is_under_way_gets_its_reply_too() {
    let node = Deployment::new().start(automatic()).await;
    let id = id_in(0);
    let calls = [node.call(&id, "once", Some("key")), node.call(&id, "once", Some("key"))];
    settle().await;
    let group = node.functions.submitted().remove(0);
    let caller = group.messages[0].caller.clone().unwrap();
    let sends = vec![(caller, value("reply"))];
    node.functions.answer(0, Response { sends, ..Response::default() });
    for call in calls {
        let outcome = call.await.unwrap().unwrap();
        assert!(matches!(outcome, Outcome::Replied(reply) if reply == value("reply")));
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_without_a_reply_ends_and_its_message_stays_accepted() {
    let node = Deployment::new().start(Life { behaviour: content, ..automatic() }).await;
    let call = node.call("a", "1", None);
    sleep(Duration::from_secs(61)).await;
    assert!(matches!(call.await.unwrap(), Ok(Outcome::NoReply)));
    assert_eq!(node.functions.processed("a"), ["1"]);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_sent_later_arrives_then_also_after_a_restart() {
    let deployment = Deployment::new();
    let node = deployment.start(automatic()).await;
    let (from, to) = (id_in(0), id_in(1));
    node.send(&from, "1").await.unwrap().unwrap();
    settle().await;
    let (target, argument) = (address(&to), value("later"));
    let delayed = Delayed::Send { delay_ms: 60_000, target, argument, token: None };
    node.functions.answer(0, Response { delayed: vec![delayed], ..Response::default() });
    sleep(Duration::from_secs(30)).await;
    drop(node);
    let node = deployment.start(automatic()).await;
    sleep(Duration::from_secs(120)).await;
    assert_eq!(node.functions.processed(&to), ["later"]);
}
