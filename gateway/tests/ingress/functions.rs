//! Sending to and calling one function.

use std::time::Duration;

use bytes::Bytes;
use tidegate::config::TokenSource;
use tidegate::ingress::http::tokens::Tokens;
use tidegate::payload::{BYTES, JSON, STRING, unwrap_text, wrap_text};

use super::server::{Server, config};
use crate::door::FakeDoor;

/// Headers of a request.
type Headers = &'static [(&'static str, &'static str)];

const SEND: &str = "/v1/functions/shop/cart/ann/send";
const ECHO: &str = "/v1/functions/shop/echo/ann/call";

#[tokio::test]
async fn send_answers_202_when_the_door_has_taken_the_message() {
    let server = Server::start().await;
    let answer = server.post(SEND, &[("content-type", "text/plain; charset=utf-8")], "hello").await;
    assert_eq!(answer.status, 202);
    assert_eq!(answer.header("tidegate-repeated"), None);
    let arrived = server.door.arrived();
    assert_eq!(arrived[0].target.to_string(), "shop/cart/ann");
    assert_eq!(&*arrived[0].argument.typename, STRING);
    assert_eq!(unwrap_text(&arrived[0].argument.value), Some("hello"));
}

#[tokio::test]
async fn ids_are_percent_decoded() {
    let server = Server::start().await;
    let path = "/v1/functions/shop/cart/a%2Fb%20%C3%BC/send";
    assert_eq!(server.post(path, &[], "").await.status, 202);
    assert_eq!(&*server.door.arrived()[0].target.id, "a/b ü");
    let not_utf8 = server.post("/v1/functions/shop/cart/%FF/send", &[], "").await;
    assert_eq!(not_utf8.problem(), (400, "TG-0301".to_owned()));
    let slash = server.post("/v1/functions/sh%2Fop/cart/x/send", &[], "").await;
    assert_eq!(slash.problem(), (400, "TG-0301".to_owned()));
    let long = format!("/v1/functions/shop/cart/{}/send", "x".repeat(1025));
    assert_eq!(server.post(&long, &[], "").await.problem(), (400, "TG-0301".to_owned()));
}

#[tokio::test]
async fn content_types_stand_for_types_and_the_header_wins() {
    let server = Server::start().await;
    let cases: [(Headers, &'static str, &str); 5] = [
        (&[("content-type", "application/json")], "{\"a\": 1}", JSON),
        (&[("content-type", "application/vnd.shop+json")], "[]", JSON),
        (&[("content-type", "application/octet-stream")], "raw", BYTES),
        (&[], "raw", BYTES),
        (&[("content-type", "text/plain"), ("tidegate-type", "shop/item")], "raw", "shop/item"),
    ];
    for (headers, body, typename) in cases {
        assert_eq!(server.post(SEND, headers, body).await.status, 202);
        let argument = server.door.arrived().pop().unwrap().argument;
        assert_eq!((&*argument.typename, &argument.value[..]), (typename, body.as_bytes()));
    }
}

#[tokio::test]
async fn bodies_that_are_not_what_they_say_are_refused() {
    let server = Server::start().await;
    let post = async |content_type, body: &'static [u8]| {
        server.post(SEND, &[("content-type", content_type)], body).await.problem()
    };
    assert_eq!(post("application/json", b"{oops").await, (400, "TG-0313".to_owned()));
    assert_eq!(post("text/plain", b"\xff").await, (400, "TG-0313".to_owned()));
    assert_eq!(
        post("application/x-www-form-urlencoded", b"a=b").await,
        (415, "TG-0315".to_owned())
    );
    let empty_type = server.post(SEND, &[("tidegate-type", "")], "").await;
    assert_eq!(empty_type.problem(), (400, "TG-0312".to_owned()));
    assert!(server.door.arrived().is_empty());
}

#[tokio::test]
async fn replies_come_back_as_what_they_are() {
    let server = Server::start().await;
    let wrapped = wrap_text("grüezi");
    let cases: [(&str, Bytes, &str, &[u8]); 5] = [
        (STRING, wrapped, "text/plain; charset=utf-8", "grüezi".as_bytes()),
        (STRING, Bytes::from_static(b"\x12\x00"), "application/octet-stream", b"\x12\x00"),
        (JSON, Bytes::from_static(b"[1]"), "application/json", b"[1]"),
        ("shop/item+json", Bytes::from_static(b"{}"), "application/json", b"{}"),
        ("shop/item", Bytes::from_static(b"\x01"), "application/octet-stream", b"\x01"),
    ];
    for (typename, sent, content_type, received) in cases {
        let answer = server.post(ECHO, &[("tidegate-type", typename)], sent).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some(content_type));
        assert_eq!(answer.header("tidegate-type"), Some(typename));
        assert_eq!(&answer.body[..], received);
    }
}

#[tokio::test]
async fn what_the_door_says_has_a_status_and_a_code() {
    let server = Server::start().await;
    let cases = [
        ("missing", 404, "TG-0303"),
        ("full", 429, "TG-0305"),
        ("closed", 503, "TG-0306"),
        ("unknown", 503, "TG-0307"),
    ];
    for (function, status, code) in cases {
        for action in ["send", "call"] {
            let path = format!("/v1/functions/shop/{function}/ann/{action}");
            assert_eq!(server.post(&path, &[], "").await.problem(), (status, code.to_owned()));
        }
    }
    let forged = server.post("/v1/functions/tidegate/reply/0.1.1/send", &[], "").await;
    assert_eq!(forged.problem(), (404, "TG-0303".to_owned()));
}

#[tokio::test]
async fn a_call_without_a_reply_says_that_the_message_stays_accepted() {
    let server = Server::start().await;
    let answer = server.post("/v1/functions/shop/silent/ann/call", &[], "").await;
    assert_eq!(answer.problem(), (504, "TG-0308".to_owned()));
    assert!(answer.json()["detail"].as_str().unwrap().contains("stays accepted"));
}

#[tokio::test]
async fn the_timeout_of_a_call_is_given_by_the_client_within_a_bound() {
    let server = Server::start().await;
    for timeout in ["5s", "500ms"] {
        assert_eq!(server.post(ECHO, &[("tidegate-timeout", timeout)], "").await.status, 200);
    }
    assert_eq!(server.post(ECHO, &[], "").await.status, 200);
    let expected = [Duration::from_secs(5), Duration::from_millis(500), Duration::from_secs(30)];
    assert_eq!(*server.door.timeouts.lock().unwrap(), expected);
    for timeout in ["301s", "5", "soon"] {
        let answer = server.post(ECHO, &[("tidegate-timeout", timeout)], "").await;
        assert_eq!(answer.problem(), (400, "TG-0312".to_owned()));
    }
}

#[tokio::test]
async fn a_repeated_request_is_marked_and_another_body_is_refused() {
    let server = Server::start().await;
    let key = [("idempotency-key", "order-7")];
    assert_eq!(server.post(SEND, &key, "a").await.header("tidegate-repeated"), None);
    let repeated = server.post(SEND, &key, "a").await;
    assert_eq!(
        (repeated.status.as_u16(), repeated.header("tidegate-repeated")),
        (202, Some("true"))
    );
    assert_eq!(server.post(SEND, &key, "b").await.problem(), (422, "TG-0304".to_owned()));
    // The same bytes as another type are another message.
    let typed = [("idempotency-key", "order-7"), ("tidegate-type", "shop/item")];
    assert_eq!(server.post(SEND, &typed, "a").await.problem(), (422, "TG-0304".to_owned()));
    let called = server.post(ECHO, &key, "a").await;
    assert_eq!((called.status.as_u16(), called.header("tidegate-repeated")), (200, None));
    let again = server.post(ECHO, &key, "a").await;
    assert_eq!((again.status.as_u16(), again.header("tidegate-repeated")), (200, Some("true")));
    assert_eq!(&again.body[..], b"a");
    let silent = "/v1/functions/shop/silent/ann/call";
    server.post(silent, &key, "a").await;
    let again = server.post(silent, &key, "a").await;
    assert_eq!((again.problem().0, again.header("tidegate-repeated")), (504, Some("true")));
}

#[tokio::test]
async fn keys_have_bounds() {
    let server = Server::start().await;
    for key in ["", &"k".repeat(256)] {
        let answer = server.post(SEND, &[("idempotency-key", key)], "").await;
        assert_eq!(answer.problem(), (400, "TG-0312".to_owned()));
    }
    let longest = "k".repeat(255);
    assert_eq!(server.post(SEND, &[("idempotency-key", &longest)], "").await.status, 202);
}

#[tokio::test]
async fn a_token_is_required_where_one_is_set() {
    let mut config = config();
    let source = TokenSource::new(None, Some("s3cret n3w")).unwrap();
    config.tokens = Tokens::read(source).unwrap();
    let server = Server::with(FakeDoor::open(), config).await;
    let post = async |token| server.post(SEND, &[("authorization", token)], "").await;
    assert_eq!(post("Bearer s3cret").await.status, 202);
    assert_eq!(post("bearer s3cret").await.status, 202);
    assert_eq!(post("Bearer n3w").await.status, 202);
    for wrong in ["Bearer s3cre", "Bearer s3cret n3w", "Bearer ", "Basic s3cret", "s3cret"] {
        let answer = post(wrong).await;
        assert_eq!(answer.problem(), (401, "TG-0311".to_owned()));
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    assert_eq!(server.get("/v1/egress/shop/receipts").await.problem().0, 401);
}

#[tokio::test]
async fn other_paths_and_methods_are_refused() {
    let server = Server::start().await;
    assert_eq!(server.post("/nowhere", &[], "").await.problem(), (404, "TG-0302".to_owned()));
    let get = server.get(SEND).await;
    assert_eq!((get.problem(), get.header("allow")), ((405, "TG-0302".to_owned()), Some("POST")));
    let get = server.get("/orders").await;
    assert_eq!((get.problem(), get.header("allow")), ((405, "TG-0302".to_owned()), Some("POST")));
}
