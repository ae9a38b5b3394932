//! The ownership file over restarts, and when it cannot be written. A restart reads the file again.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use tempfile::TempDir;
use tidegate_core::id::Epoch;
use tidegate_core::route::PartitionCount;

use super::*;

const FIRST: Ulid = Ulid(1);
const SECOND: Ulid = Ulid(2);
const THIRD: Ulid = Ulid(3);
const P0: PartitionId = PartitionId(0);
const P1: PartitionId = PartitionId(1);

fn layout(partitions: u16) -> Layout {
    Layout { partitions: PartitionCount::new(partitions).unwrap(), hash_version: 1 }
}

/// What a crash leaves: the file, read again.
fn start(data: &TempDir) -> SingleOwner {
    SingleOwner::open_or_create(data.path(), layout(2)).unwrap()
}

fn code(data: &TempDir, layout: Layout) -> &'static str {
    SingleOwner::open_or_create(data.path(), layout).err().unwrap().code()
}

fn replayed(claims: &[Claim]) -> Vec<Vec<Ulid>> {
    claims.iter().map(|claim| claim.replay.iter().map(|link| link.incarnation).collect()).collect()
}

#[tokio::test]
async fn each_start_has_an_epoch_of_its_own_and_replays_all_before() {
    let data = TempDir::new().unwrap();
    let claims = start(&data).claim(FIRST).await.unwrap();
    assert_eq!(replayed(&claims), [vec![], vec![]]);
    assert!(claims.iter().all(|claim| claim.epoch == Epoch(1)));

    let claims = start(&data).claim(SECOND).await.unwrap();
    assert_eq!(replayed(&claims), [[FIRST], [FIRST]]);

    let claims = start(&data).claim(THIRD).await.unwrap();
    assert_eq!(replayed(&claims), [[FIRST, SECOND], [FIRST, SECOND]]);
    assert_eq!(claims[1].partition, P1);
    assert!(claims.iter().all(|claim| claim.epoch == Epoch(3)));
}

#[tokio::test]
async fn a_partition_that_was_released_has_nothing_to_replay() {
    let data = TempDir::new().unwrap();
    let owner = start(&data);
    owner.claim(FIRST).await.unwrap();
    owner.adopted(P0, Lsn(1)).await.unwrap();
    owner.adopted(P1, Lsn(1)).await.unwrap();
    owner.released(vec![(P1, Lsn(7))]).await.unwrap();
    let claims = start(&data).claim(SECOND).await.unwrap();
    assert_eq!(replayed(&claims), [vec![FIRST], vec![]]);
}

#[tokio::test]
async fn an_incarnation_is_never_reused() {
    let data = TempDir::new().unwrap();
    start(&data).claim(FIRST).await.unwrap();
    let error = start(&data).claim(FIRST).await.unwrap_err();
    assert_eq!(error.code(), "TG-0256");
}

#[tokio::test]
async fn a_log_is_free_when_the_last_partition_has_flushed_past_it() {
    let data = TempDir::new().unwrap();
    start(&data).claim(FIRST).await.unwrap();
    let owner = start(&data);
    owner.claim(SECOND).await.unwrap();
    owner.adopted(P0, Lsn(11)).await.unwrap();
    owner.adopted(P1, Lsn(5)).await.unwrap();

    assert_eq!(owner.flushed(P0, Lsn(9)).await.unwrap(), []);
    assert_eq!(owner.flushed(P0, Lsn(10)).await.unwrap(), []);
    assert_eq!(owner.named().await, BTreeSet::from([FIRST, SECOND]));
    assert_eq!(owner.flushed(P1, Lsn(20)).await.unwrap(), [FIRST]);
    assert_eq!(owner.flushed(P1, Lsn(21)).await.unwrap(), []);

    let restarted = start(&data);
    assert_eq!(restarted.named().await, BTreeSet::from([SECOND]));
    let claims = restarted.claim(THIRD).await.unwrap();
    assert_eq!(replayed(&claims), [[SECOND], [SECOND]]);
}

#[tokio::test]
async fn what_a_partition_dropped_may_come_back_with_a_crash() {
    let data = TempDir::new().unwrap();
    start(&data).claim(FIRST).await.unwrap();
    let owner = start(&data);
    owner.claim(SECOND).await.unwrap();
    owner.adopted(P0, Lsn(11)).await.unwrap();
    assert_eq!(owner.flushed(P0, Lsn(10)).await.unwrap(), []);

    let claims = start(&data).claim(THIRD).await.unwrap();
    assert_eq!(replayed(&claims), [[FIRST, SECOND], [FIRST, SECOND]]);
}

#[tokio::test]
async fn a_log_is_not_free_while_the_file_cannot_say_so() {
    let data = TempDir::new().unwrap();
    start(&data).claim(FIRST).await.unwrap();
    let owner = start(&data);
    owner.claim(SECOND).await.unwrap();
    for partition in [P0, P1] {
        owner.adopted(partition, Lsn(11)).await.unwrap();
    }
    owner.flushed(P0, Lsn(10)).await.unwrap();

    let in_the_way = data.path().join("ownership.json.new");
    fs::create_dir(&in_the_way).unwrap();
    assert_eq!(owner.flushed(P1, Lsn(10)).await.unwrap_err().code(), "TG-0250");
    assert!(owner.named().await.contains(&FIRST));

    fs::remove_dir(&in_the_way).unwrap();
    assert_eq!(owner.flushed(P0, Lsn(10)).await.unwrap(), [FIRST]);
}

#[tokio::test]
async fn a_claim_that_was_not_written_did_not_happen() {
    let data = TempDir::new().unwrap();
    let owner = start(&data);
    let in_the_way = data.path().join("ownership.json.new");
    fs::create_dir(&in_the_way).unwrap();
    assert_eq!(owner.claim(FIRST).await.unwrap_err().code(), "TG-0250");

    fs::remove_dir(&in_the_way).unwrap();
    let claims = owner.claim(FIRST).await.unwrap();
    assert!(claims.iter().all(|claim| claim.epoch == Epoch(1)));
}

#[test]
fn another_layout_refuses_to_start() {
    let data = TempDir::new().unwrap();
    start(&data);
    assert_eq!(code(&data, layout(4)), "TG-0251");
    assert_eq!(code(&data, Layout { hash_version: 2, ..layout(2) }), "TG-0252");
    start(&data);
}

#[test]
fn data_without_the_file_refuses_to_start() {
    for data_name in DATA {
        let data = TempDir::new().unwrap();
        fs::create_dir_all(data.path().join(data_name).join("any")).unwrap();
        assert_eq!(code(&data, layout(2)), "TG-0255");
    }
    let fresh = TempDir::new().unwrap();
    fs::create_dir(fresh.path().join("log")).unwrap();
    fs::write(fresh.path().join("log").join("lock"), "").unwrap();
    start(&fresh);
}

#[tokio::test]
async fn a_partition_that_does_not_exist_is_refused() {
    let data = TempDir::new().unwrap();
    let owner = start(&data);
    owner.claim(FIRST).await.unwrap();
    let error = owner.flushed(PartitionId(2), Lsn(1)).await.unwrap_err();
    assert_eq!(error.code(), "TG-0257");
}
