//! Nothing leaves before it is durable; what stays inside does not wait.

use std::time::Duration;

use tidegate::ingress::{Door, DoorError, Outcome};
use tidegate::log::memory::SyncMode;
use tidegate_core::id::{PartitionId, Sequence};
use tidegate_core::partition::group::Response;

use crate::functions::{adding, content, relaying, replying};
use crate::world::{Deployment, Life, careful, egress, id_in, settle, value};

#[tokio::test(start_paused = true)]
async fn a_client_is_told_once_its_message_is_durable() {
    let node = Deployment::new().start(Life::default()).await;
    node.sync_all().await;
    let client = node.send("a", "1");
    settle().await;
    assert!(!client.is_finished());
    node.sync().await;
    assert!(matches!(client.await.unwrap(), Ok(Outcome::Accepted)));
}

#[tokio::test(start_paused = true)]
async fn nothing_leaves_before_the_adoption_of_the_partition_is_durable() {
    let deployment = Deployment::new();
    let node = deployment.start(Life { behaviour: adding, ..Life::default() }).await;
    node.send("a", "1");
    node.sync_all().await;
    assert_eq!(node.journal.entries().len(), 1);
    drop(node);
    let node = deployment.start(Life::default()).await;
    assert_eq!(node.journal.entries().len(), 0, "the adoption is not durable");
    node.sync().await;
    assert_eq!(node.journal.entries().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn functions_run_on_input_that_is_not_durable_unless_they_want_durable_input() {
    let node = Deployment::new().start(Life::default()).await;
    node.sync_all().await;
    node.send("a", "1");
    node.deliver(careful("a"), value("2"), None);
    settle().await;
    let addresses = || {
        let submitted = node.functions.submitted().into_iter();
        submitted.map(|group| group.address.function.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(addresses(), ["bank/account"]);
    node.sync().await;
    assert_eq!(addresses(), ["bank/account", "bank/careful"]);
}

#[tokio::test(start_paused = true)]
async fn a_reply_leaves_when_everything_before_it_is_durable() {
    let node = Deployment::new().start(Life { behaviour: replying, ..Life::default() }).await;
    node.sync_all().await;
    let call = node.call("a", "hello", None);
    settle().await;
    assert_eq!(node.functions.processed("a"), ["hello"], "it was processed");
    assert!(!call.is_finished(), "but nobody was told");
    node.sync_all().await;
    assert!(matches!(call.await.unwrap(), Ok(Outcome::Replied(reply)) if reply == value("hello")));
}

#[tokio::test(start_paused = true)]
async fn records_of_an_egress_leave_when_they_are_durable() {
    let node = Deployment::new().start(Life { behaviour: adding, ..Life::default() }).await;
    node.sync_all().await;
    node.send("a", "5");
    settle().await;
    assert_eq!(node.functions.processed("a").len(), 2, "once for the values, once for the answer");
    assert!(node.journal.entries().is_empty());
    node.sync().await;
    let entries = node.journal.entries();
    assert_eq!((entries.len(), &*entries[0].2), (1, "5"));
}

#[tokio::test(start_paused = true)]
async fn a_reader_sees_state_only_once_it_is_durable() {
    let node = Deployment::new().start(Life { behaviour: adding, ..Life::default() }).await;
    node.sync_all().await;
    node.send("a", "5");
    settle().await;
    let door = node.door.clone();
    let reader = tokio::spawn(async move { door.values(crate::world::address("a")).await });
    settle().await;
    assert!(!reader.is_finished());
    node.sync().await;
    let values = reader.await.unwrap().unwrap();
    assert_eq!(values, [("sum".to_owned(), value("5"))]);
}

#[tokio::test(start_paused = true)]
async fn a_chain_over_all_partitions_costs_one_sync() {
    let node = Deployment::new().start(Life { behaviour: relaying, ..Life::default() }).await;
    node.sync_all().await;
    let [a, b, c, d] = [0, 1, 2, 3].map(id_in);
    let client = node.send(&a, &format!("{b}>{c}>{d}>{a}>end"));
    settle().await;
    assert_eq!(node.functions.processed(&d), [format!("{a}>end")]);
    assert_eq!(node.functions.processed(&a).last().unwrap(), "end");
    assert!(!client.is_finished());
    node.log.sync();
    settle().await;
    assert!(client.is_finished());
}

#[tokio::test(start_paused = true)]
async fn one_sync_makes_everything_durable_that_gathered_over_all_partitions() {
    let node = Deployment::new().start(Life { behaviour: content, ..Life::default() }).await;
    node.sync_all().await;
    let before = node.frames();
    let clients: Vec<_> = (0..100).map(|number| node.send(&format!("id{number}"), "1")).collect();
    settle().await;
    node.log.sync();
    settle().await;
    assert!(clients.iter().all(tokio::task::JoinHandle::is_finished));
    assert_eq!(node.frames(), before + 1);
}

#[tokio::test(start_paused = true)]
async fn a_part_of_the_log_that_is_durable_releases_what_depends_on_it_and_no_more() {
    let node = Deployment::new().start(Life::default()).await;
    node.sync_all().await;
    let first = node.send("a", "1");
    settle().await;
    let second = node.send("a", "2");
    settle().await;
    node.sync_one_step();
    settle().await;
    assert!(first.is_finished() && !second.is_finished());
    node.sync().await;
    assert!(second.is_finished());
}

#[tokio::test(start_paused = true)]
async fn an_acknowledged_record_of_an_egress_is_not_read_again() {
    let life = Life { behaviour: adding, sync: SyncMode::Automatic, ..Life::default() };
    let node = Deployment::new().start(life).await;
    let id = id_in(2);
    for amount in ["1", "2", "3"] {
        node.send(&id, amount).await.unwrap().unwrap();
    }
    settle().await;
    let partition = PartitionId(2);
    let read = async |after| {
        let records = node.door.read_egress(egress(), partition, Sequence(after)).await.unwrap();
        records.into_iter().map(|record| record.sequence.0).collect::<Vec<_>>()
    };
    assert_eq!(read(0).await, [1, 2, 3]);
    assert_eq!(read(2).await, [3]);
    node.door.acknowledge_egress(egress(), partition, Sequence(2)).await.unwrap();
    assert_eq!(read(0).await, [3]);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_fails_stops_the_node_and_leaves_clients_without_a_promise() {
    let mut node = Deployment::new().start(Life::default()).await;
    node.sync_all().await;
    let client = node.send("a", "1");
    settle().await;
    node.fail_log();
    let failure = node.failures.recv().await.unwrap();
    assert!(failure.to_string().contains("TG-0221"), "{failure}");
    assert_eq!(client.await.unwrap().unwrap_err(), DoorError::Unknown);
    assert_eq!(node.send("a", "2").await.unwrap().unwrap_err(), DoorError::Closed);
    node.stop(Duration::ZERO).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_of_an_earlier_life_changes_nothing() {
    let deployment = Deployment::new();
    let node = deployment.start(Life::default()).await;
    let id = id_in(1);
    node.send(&id, "1");
    node.sync_all().await;
    let old = node.functions.submitted().remove(0);
    drop(node);
    let node = deployment.start(Life::default()).await;
    node.sync_all().await;
    let response = Response { egress: vec![(egress(), value("old"))], ..Response::default() };
    node.functions.tell(PartitionId(1), crate::functions::succeeded(&old, response));
    node.sync_all().await;
    assert!(node.journal.entries().is_empty());
    let response = Response { egress: vec![(egress(), value("new"))], ..Response::default() };
    node.functions.answer(0, response);
    node.sync_all().await;
    assert_eq!(node.journal.entries().len(), 1);
    assert_eq!(node.journal.entries()[0].2, "new");
}
