//! Reading what functions emitted.

use axum::body::Body;
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use tidegate::ingress::http::cursor::Cursor;
use tidegate::payload::{STRING, wrap_text};
use tidegate_core::id::{PartitionId, Sequence};
use tidegate_core::message::TypedValue;

use super::door::{FakeDoor, PARTITIONS};
use super::server::{LineReader, Server, config, name};

const RECEIPTS: &str = "/v1/egress/shop/receipts";

fn item(json: &'static str) -> TypedValue {
    TypedValue::new("shop/receipt", Bytes::from_static(json.as_bytes()))
}

fn places(lines: &[Value]) -> Vec<(u64, u64)> {
    lines
        .iter()
        .map(|line| (line["partition"].as_u64().unwrap(), line["sequence"].as_u64().unwrap()))
        .collect()
}

#[tokio::test]
async fn records_are_lines() {
    let server = Server::start().await;
    server.door.emit(1, item("{\"sum\":\n 7}"));
    server.door.emit(2, TypedValue::new(STRING, wrap_text("paid")));
    server.door.emit(3, item("85"));
    let answer = server.get(RECEIPTS).await;
    assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
    let mut lines = answer.lines();
    for line in &mut lines {
        assert!(line.as_object_mut().unwrap().remove("cursor").unwrap().is_string());
    }
    let at = 1_700_000_000_000_u64;
    let expected = [
        json!({"partition": 1, "sequence": 1, "from": "shop/cart/ann", "at": at, "type": "shop/receipt", "value": {"sum": 7}}),
        json!({"partition": 2, "sequence": 1, "from": "shop/cart/ann", "at": at, "type": STRING, "text": "paid"}),
        json!({"partition": 3, "sequence": 1, "from": "shop/cart/ann", "at": at, "type": "shop/receipt", "base64": "ODU="}),
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn reading_goes_on_after_a_cursor_and_acknowledges_up_to_it() {
    let server = Server::start().await;
    for _ in 0..3 {
        server.door.emit(0, item("{}"));
        server.door.emit(2, item("{}"));
    }
    let first = server.get(&format!("{RECEIPTS}?limit=4")).await.lines();
    assert_eq!(places(&first), [(0, 1), (0, 2), (2, 1), (2, 2)]);
    assert!(server.door.acknowledged.lock().unwrap().is_empty());
    let cursor = first[2]["cursor"].as_str().unwrap();
    let second = server.get(&format!("{RECEIPTS}?after={cursor}")).await.lines();
    assert_eq!(places(&second), [(0, 3), (2, 2), (2, 3)]);
    let acknowledged = [(PartitionId(0), Sequence(2)), (PartitionId(2), Sequence(1))];
    assert_eq!(*server.door.acknowledged.lock().unwrap(), acknowledged);
    let end = second[2]["cursor"].as_str().unwrap();
    assert!(server.get(&format!("{RECEIPTS}?after={end}")).await.lines().is_empty());
}

#[tokio::test]
async fn a_limit_of_zero_only_acknowledges() {
    let server = Server::start().await;
    server.door.emit(0, item("{}"));
    let mut cursor = Cursor::start(PARTITIONS);
    cursor.advance(PartitionId(0), Sequence(1));
    let cursor = cursor.encode(&name("shop/receipts"));
    let answer = server.get(&format!("{RECEIPTS}?after={cursor}&limit=0")).await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0));
    assert_eq!(*server.door.acknowledged.lock().unwrap(), [(PartitionId(0), Sequence(1))]);
    assert_eq!(*server.door.reads.borrow(), 0);
}

#[tokio::test]
async fn wrong_requests_have_codes() {
    let server = Server::start().await;
    let other = Cursor::start(PARTITIONS).encode(&name("shop/other"));
    let cases = [
        ("/v1/egress/shop/nothing", 404, "TG-0317"),
        ("/v1/egress/shop/receipts?after=garbage", 400, "TG-0316"),
        ("/v1/egress/shop/receipts?after=", 400, "TG-0316"),
        ("/v1/egress/shop/receipts?wait=long", 400, "TG-0318"),
        ("/v1/egress/shop/receipts?limit=-1", 400, "TG-0318"),
        ("/v1/egress/shop/receipts?afer=x", 400, "TG-0318"),
        ("/v1/egress/shop/broken", 503, "TG-0306"),
    ];
    for (path, status, code) in cases {
        assert_eq!(server.get(path).await.problem(), (status, code.to_owned()), "{path}");
    }
    let foreign = server.get(&format!("{RECEIPTS}?after={other}")).await;
    assert_eq!(foreign.problem(), (400, "TG-0316".to_owned()));
    assert!(server.door.acknowledged.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_long_poll_returns_with_the_first_record() {
    let server = Server::start().await;
    let mut reads = server.door.reads.subscribe();
    let path = format!("{RECEIPTS}?wait=20s");
    let (answer, ()) = tokio::join!(server.get(&path), async {
        // One whole round has found nothing: the reader has listened since before it.
        reads.wait_for(|&reads| reads >= usize::from(PARTITIONS)).await.unwrap();
        server.door.emit(3, item("{}"));
    });
    assert_eq!(places(&answer.lines()), [(3, 1)]);
}

#[tokio::test]
async fn a_record_that_comes_between_the_look_and_the_wait_is_not_missed() {
    let server = Server::start().await;
    *server.door.late.lock().unwrap() = Some(item("{}"));
    let answer = server.get(&format!("{RECEIPTS}?wait=20s")).await;
    assert_eq!(places(&answer.lines()), [(0, 1)]);
}

#[tokio::test]
async fn a_long_poll_ends_when_its_time_is_over() {
    let server = Server::start().await;
    let answer = server.get(&format!("{RECEIPTS}?wait=1ms")).await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0));
}

#[tokio::test]
async fn a_follower_gets_records_as_they_come_until_the_node_stops() {
    let server = Server::start().await;
    let response =
        server.send(Request::get("/"), &format!("{RECEIPTS}?follow=true"), Body::empty()).await;
    let mut lines = LineReader::new(response);
    for sequence in 1..=5 {
        server.door.emit(1, item("{}"));
        assert_eq!(places(&[lines.next().await.unwrap()]), [(1, sequence)]);
    }
    server.stopping.cancel();
    assert_eq!(lines.next().await, None);
    server.task.await.unwrap();
}

#[tokio::test]
async fn a_follower_finds_records_without_a_notice_by_polling() {
    let mut config = config();
    config.limits.egress_poll = std::time::Duration::from_millis(1);
    let server = Server::with(FakeDoor::open(), config).await;
    let response = server
        .send(Request::get("/"), &format!("{RECEIPTS}?follow=true&limit=1"), Body::empty())
        .await;
    let mut reads = server.door.reads.subscribe();
    reads.wait_for(|&reads| reads > 3 * usize::from(PARTITIONS)).await.unwrap();
    server.door.emit(1, item("{}"));
    let mut lines = LineReader::new(response);
    assert!(lines.next().await.is_some());
    assert_eq!(lines.next().await, None);
}
