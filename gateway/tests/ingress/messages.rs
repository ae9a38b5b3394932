//! `POST /v1/messages`: lines in, result lines out.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::{Body, Bytes};
use futures::StreamExt;
use http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tidegate::ingress::http::limits::HttpLimits;
use tidegate::ingress::http::{HttpConfig, router};
use tidegate::payload::{BYTES, JSON, STRING, unwrap_text};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::door::FakeDoor;
use super::server::{LineReader, Server, config, written_body};

const MESSAGES: &str = "/v1/messages";

fn line(number: usize) -> String {
    format!("{{\"target\":\"shop/cart/ann\",\"type\":\"shop/item\",\"value\":{number}}}\n")
}

fn statuses(lines: &[Value]) -> Vec<(u64, &str)> {
    lines
        .iter()
        .map(|line| (line["line"].as_u64().unwrap(), line["status"].as_str().unwrap()))
        .collect()
}

#[tokio::test]
async fn every_line_is_answered_in_order() {
    let server = Server::start().await;
    let body: String = (1..=3000).map(line).collect();
    let answer = server.post(MESSAGES, &[], body).await;
    assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
    let lines = answer.lines();
    assert_eq!(lines.len(), 3000);
    assert_eq!(lines[0], json!({"line": 1, "status": "accepted"}));
    assert!(statuses(&lines).into_iter().eq((1..=3000).map(|number| (number, "accepted"))));
    let values = server.door.arrived().into_iter().map(|message| message.argument.value);
    assert!(values.eq((1..=3000).map(|number| Bytes::from(number.to_string()))));
}

#[tokio::test]
async fn values_come_as_json_text_or_base64() {
    let server = Server::start().await;
    let body = r#"
{"target":"shop/cart/a/b","value":{"n": 1.10, "m":12345678901234567890123}}
{"target":"shop/cart/ann","value":null}
{"target":"shop/cart/ann","type":"shop/item","base64":"AAE="}
{"target":"shop/cart/ann","base64":""}
{"target":"shop/cart/ann","text":"gr\u00fc\"ezi"}"#;
    let lines = server.post(MESSAGES, &[], body).await.lines();
    assert!(statuses(&lines).into_iter().eq((2..=6).map(|number| (number, "accepted"))));
    let arrived = server.door.arrived();
    let values: Vec<_> = arrived
        .iter()
        .map(|message| (&*message.argument.typename, &message.argument.value[..]))
        .collect();
    assert_eq!(&*arrived[0].target.id, "a/b");
    assert_eq!(values[0], (JSON, &br#"{"n": 1.10, "m":12345678901234567890123}"#[..]));
    assert_eq!(values[1], (JSON, &b"null"[..]));
    assert_eq!(values[2], ("shop/item", &b"\0\x01"[..]));
    assert_eq!(values[3], (BYTES, &b""[..]));
    assert_eq!((values[4].0, unwrap_text(values[4].1)), (STRING, Some("grü\"ezi")));
}

#[tokio::test]
async fn a_refused_line_does_not_stop_the_others() {
    let server = Server::start().await;
    let body = [
        r#"{"target":"shop/cart/ann","value":1}"#,
        r#"{"target":"shop/missing/ann","value":1}"#,
        r"secret garbage",
        r#"{"target":"shop/ann","value":1}"#,
        r#"{"target":"shop/cart/ann","value":1,"text":"x"}"#,
        r#"{"target":"shop/cart/ann"}"#,
        r#"{"target":"shop/cart/ann","base64":"*"}"#,
        r#"{"target":"shop/cart/ann","type":"shop/item","text":"x"}"#,
        r#"{"target":"shop/cart/ann","value":1,"secret":2}"#,
        r#"{"target":"tidegate/reply/0.1.1","value":1}"#,
        r#"{"target":"shop/unknown/ann","value":1}"#,
        r#"{"target":"shop/closed/ann","value":1}"#,
        r#"{"target":"shop/cart/ann","value":2}"#,
    ];
    let answer = server.post(MESSAGES, &[], body.join("\n")).await;
    let lines = answer.lines();
    let codes: Vec<_> = lines.iter().map(|line| line["code"].as_str().unwrap_or("")).collect();
    let expected = [
        "", "TG-0303", "TG-0313", "TG-0313", "TG-0313", "TG-0313", "TG-0313", "TG-0313", "TG-0313",
        "TG-0303", "TG-0307", "TG-0306", "",
    ];
    assert_eq!(codes, expected);
    assert_eq!((&lines[1]["status"], &lines[10]["status"]), (&json!("refused"), &json!("unknown")));
    assert!(lines[1]["message"].is_string());
    assert!(!std::str::from_utf8(&answer.body).unwrap().contains("secret"), "payloads stay out");
}

#[tokio::test]
async fn each_line_has_its_own_key() {
    let server = Server::start().await;
    let key = [("idempotency-key", "import-1")];
    let body: String = (1..=2).map(line).collect();
    assert!(
        server
            .post(MESSAGES, &key, body.clone())
            .await
            .lines()
            .iter()
            .all(|line| line["status"] == "accepted")
    );
    let again = server.post(MESSAGES, &key, body + &line(3)).await.lines();
    assert_eq!(statuses(&again), [(1, "repeated"), (2, "repeated"), (3, "accepted")]);
    let other = server.post(MESSAGES, &key, line(9)).await.lines();
    assert_eq!(other[0]["code"], "TG-0304");
    let keys: Vec<_> =
        server.door.arrived().into_iter().map(|message| message.idempotency.unwrap().0).collect();
    assert_eq!(keys[..2], ["import-1/1", "import-1/2"]);
    let long = "k".repeat(235);
    assert_eq!(
        server.post(MESSAGES, &[("idempotency-key", &long)], "").await.problem().1,
        "TG-0312"
    );
}

#[tokio::test]
async fn results_come_while_lines_are_still_sent() {
    let server = Server::start().await;
    let (lines, body) = written_body();
    lines.send(line(1).into()).unwrap();
    let mut results = LineReader::new(server.send(Request::post("/"), MESSAGES, body).await);
    assert_eq!(results.next().await.unwrap()["line"], 1);
    let second = line(2);
    let (first_half, second_half) = second.split_at(10);
    lines.send(first_half.to_owned().into()).unwrap();
    lines.send(second_half.to_owned().into()).unwrap();
    assert_eq!(results.next().await.unwrap()["line"], 2);
    drop(lines);
    assert_eq!(results.next().await, None);
}

#[tokio::test]
async fn a_line_that_is_too_long_is_passed_over() {
    let mut config = config();
    config.limits.message_bytes = 100 << 10;
    let server = Server::with(FakeDoor::open(), config).await;
    let long = format!("{{\"target\":\"shop/cart/ann\",\"text\":\"{}\"}}\n", "x".repeat(300 << 10));
    let large = format!("{{\"target\":\"shop/cart/ann\",\"text\":\"{}\"}}\n", "x".repeat(90 << 10));
    let body = line(1) + &long + &large + &long + &line(5) + long.trim_end();
    let lines = server.post(MESSAGES, &[], body).await.lines();
    let expected = [
        (1, "accepted"),
        (2, "refused"),
        (3, "accepted"),
        (4, "refused"),
        (5, "accepted"),
        (6, "refused"),
    ];
    assert_eq!(statuses(&lines), expected);
    assert_eq!(lines[1]["code"], "TG-0309");
}

#[tokio::test]
async fn a_stopping_node_says_from_which_line_on_it_took_nothing() {
    let server = Server::start().await;
    let (lines, body) = written_body();
    lines.send(line(1).into()).unwrap();
    let mut results = LineReader::new(server.send(Request::post("/"), MESSAGES, body).await);
    assert_eq!(results.next().await.unwrap()["status"], "accepted");
    server.stopping.cancel();
    let last = results.next().await.unwrap();
    assert_eq!((&last["line"], &last["code"]), (&json!(2), &json!("TG-0306")));
    assert_eq!(results.next().await, None);
    server.task.await.unwrap();
}

#[tokio::test]
async fn at_most_a_window_of_lines_is_under_way() {
    let mut config = config();
    config.limits.lines_in_flight = 4;
    let server = Server::with(FakeDoor::closed(), config).await;
    let body: String = (1..=100).map(line).collect();
    let response = server.send(Request::post("/"), MESSAGES, body).await;
    let mut results = LineReader::new(response);
    for first in (1..=100).step_by(4) {
        // Lines that arrived together are answered together.
        server.door.let_through(4);
        for number in first..first + 4 {
            assert_eq!(results.next().await.unwrap()["line"], number);
        }
    }
    assert_eq!(results.next().await, None);
    assert_eq!(server.door.waiting_most(), 4);
    let values = server.door.arrived().into_iter().map(|message| message.argument.value);
    assert!(
        values.eq((1..=100).map(|number| Bytes::from(number.to_string()))),
        "order holds while waiting"
    );
}

/// A body of endless lines that counts how many were asked for.
fn counted(pulled: Arc<AtomicUsize>) -> Body {
    let lines = futures::stream::repeat_with(move || {
        let number = pulled.fetch_add(1, Ordering::Relaxed);
        Ok::<_, std::convert::Infallible>(Bytes::from(line(number)))
    });
    Body::from_stream(lines)
}

/// Without sockets in between, what is not read is not even asked for. On one thread, polling shows all progress that there is.
async fn pulled_with(door: Arc<FakeDoor>, limits: HttpLimits) -> usize {
    let config = HttpConfig { limits, ..HttpConfig::default() };
    let router = router(door, config, CancellationToken::new()).unwrap();
    let pulled = Arc::new(AtomicUsize::new(0));
    let request = Request::post(MESSAGES).body(counted(pulled.clone())).unwrap();
    let mut results = router.oneshot(request).await.unwrap().into_body();
    assert_eq!(pulled.load(Ordering::Relaxed), 0, "reading follows the reader of results");
    for _ in 0..200 {
        assert!(futures::poll!(results.frame()).is_pending(), "no line can have been answered");
        tokio::task::yield_now().await;
    }
    pulled.load(Ordering::Relaxed)
}

#[tokio::test]
async fn reading_stops_while_the_door_is_blocked() {
    let limits = HttpLimits { lines_in_flight: 16, ..HttpLimits::default() };
    assert_eq!(pulled_with(Arc::new(FakeDoor::closed()), limits).await, 16);
}

#[tokio::test]
async fn the_window_is_bounded_in_bytes_too() {
    let limits =
        HttpLimits { line_bytes_in_flight: 10 * line(0).trim_end().len(), ..HttpLimits::default() };
    let pulled = pulled_with(Arc::new(FakeDoor::closed()), limits).await;
    assert_eq!(pulled, 10);
}

#[tokio::test]
async fn all_streams_together_are_bounded_by_the_budget() {
    // Each line takes a unit of 1 KiB of the budget.
    let limits = HttpLimits { bytes_in_flight: 5 << 10, ..HttpLimits::default() };
    let door = Arc::new(FakeDoor::closed());
    assert_eq!(pulled_with(door.clone(), limits).await, 6, "the sixth line waits for its share");
    assert_eq!(door.arrived().len(), 5);
}

#[tokio::test]
async fn a_long_line_holds_its_share_while_it_is_received() {
    let limits = HttpLimits {
        message_bytes: 100 << 10,
        bytes_in_flight: 150 << 10,
        ..HttpLimits::default()
    };
    let door = Arc::new(FakeDoor::open());
    let config = HttpConfig { limits, ..HttpConfig::default() };
    let router = router(door.clone(), config, CancellationToken::new()).unwrap();
    let (pieces, body) = written_body();
    let half = format!("{{\"target\":\"shop/cart/ann\",\"text\":\"{}", "x".repeat(70 << 10));
    pieces.send(half.into()).unwrap();
    let stream = router.clone().oneshot(Request::post(MESSAGES).body(body).unwrap()).await.unwrap();
    let mut results = stream.into_body();
    assert!(futures::poll!(results.frame()).is_pending());
    // 100 KiB may still become of the line; 60 KiB do not fit beside it.
    let other =
        Request::post("/v1/functions/shop/cart/bob/send").body(Body::from(vec![0; 60 << 10]));
    let mut other = std::pin::pin!(router.oneshot(other.unwrap()));
    assert!(futures::poll!(other.as_mut()).is_pending());
    pieces.send("\"}\n".into()).unwrap();
    assert!(results.frame().await.is_some());
    assert_eq!(other.await.unwrap().status(), 202);
    let ids: Vec<_> = door.arrived().iter().map(|message| message.target.id.to_string()).collect();
    assert_eq!(ids, ["ann", "bob"]);
}

#[tokio::test]
async fn results_are_not_collected_for_a_client_that_does_not_read() {
    let config = HttpConfig {
        limits: HttpLimits { lines_in_flight: 8, ..HttpLimits::default() },
        ..HttpConfig::default()
    };
    let door = Arc::new(FakeDoor::open());
    let router = router(door.clone(), config, CancellationToken::new()).unwrap();
    let pulled = Arc::new(AtomicUsize::new(0));
    let request = Request::post(MESSAGES).body(counted(pulled.clone())).unwrap();
    let mut results = router.oneshot(request).await.unwrap().into_body().into_data_stream();
    results.next().await.unwrap().unwrap();
    let after_first = pulled.load(Ordering::Relaxed);
    tokio::task::yield_now().await;
    assert_eq!(pulled.load(Ordering::Relaxed), after_first);
    assert!(after_first <= 512, "{after_first} lines were read for one piece of results");
}
