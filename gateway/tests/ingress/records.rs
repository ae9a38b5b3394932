//! Declared ingresses.

use std::sync::Arc;

use serde_json::json;
use tidegate::ingress::http::records::KeyRule;
use tidegate::ingress::http::{HttpConfig, router};
use tokio_util::sync::CancellationToken;

use super::door::FakeDoor;
use super::server::{Server, ingress, paused};

fn targets(server: &Server) -> Vec<String> {
    server.door.arrived().iter().map(|message| message.target.to_string()).collect()
}

#[tokio::test]
async fn a_record_goes_to_every_target() {
    let server = Server::start().await;
    let record = "{\"customer\": \"ann\", \"sum\": 7}";
    assert_eq!(server.post("/orders", &[], record).await.status, 202);
    assert_eq!(targets(&server), ["shop/cart/ann", "shop/stats/ann"]);
    for message in server.door.arrived() {
        assert_eq!(
            (&*message.argument.typename, &message.argument.value[..]),
            ("shop/order", record.as_bytes())
        );
    }
}

#[tokio::test]
async fn the_key_comes_from_where_the_rule_says() {
    let server = Server::start().await;
    assert_eq!(
        server.post("/orders", &[], r#"{"customer": 18446744073709551615}"#).await.status,
        202
    );
    assert_eq!(server.post("/by-header", &[("x-customer", "bob")], "raw").await.status, 202);
    assert_eq!(server.post("/by-path/c%2Fd", &[], "raw").await.status, 202);
    let ids = [
        "shop/cart/18446744073709551615",
        "shop/stats/18446744073709551615",
        "shop/cart/bob",
        "shop/cart/c/d",
    ];
    assert_eq!(targets(&server), ids);
}

#[tokio::test]
async fn a_record_without_a_key_is_refused() {
    let server = Server::start().await;
    for record in [
        "{}",
        r#"{"customer": ""}"#,
        r#"{"customer": 1.0}"#,
        r#"{"customer": null}"#,
        r#"{"customer": 1e30}"#,
    ] {
        assert_eq!(
            server.post("/orders", &[], record).await.problem(),
            (400, "TG-0314".to_owned()),
            "{record}"
        );
    }
    assert_eq!(server.post("/by-header", &[], "").await.problem(), (400, "TG-0314".to_owned()));
    assert_eq!(server.post("/by-path/", &[], "").await.problem(), (400, "TG-0314".to_owned()));
    assert_eq!(server.post("/orders", &[], "{oops").await.problem(), (400, "TG-0313".to_owned()));
    assert!(server.door.arrived().is_empty());
}

#[tokio::test]
async fn lines_are_records() {
    let server = Server::start().await;
    let body = "{\"customer\":\"ann\"}\n{}\n\n{\"customer\":\"bob\"}\n";
    let headers = [("content-type", "application/x-ndjson"), ("idempotency-key", "k")];
    let lines = server.post("/orders", &headers, body).await.lines();
    assert_eq!(lines[0], json!({"line": 1, "status": "accepted"}));
    assert_eq!(lines[1]["code"], "TG-0314");
    assert_eq!(lines[2], json!({"line": 4, "status": "accepted"}));
    assert_eq!(
        targets(&server),
        ["shop/cart/ann", "shop/stats/ann", "shop/cart/bob", "shop/stats/bob"]
    );
    assert_eq!(server.door.arrived()[2].idempotency.as_ref().unwrap().0, "k/4");
    let again = server.post("/orders", &headers, body).await.lines();
    assert_eq!(again[2], json!({"line": 4, "status": "repeated"}));
}

#[tokio::test]
async fn a_record_is_repeated_only_if_every_target_had_it() {
    let server = Server::start().await;
    let key = [("idempotency-key", "k")];
    let record = r#"{"customer":"ann"}"#;
    assert_eq!(server.post("/orders", &key, record).await.header("tidegate-repeated"), None);
    assert_eq!(
        server.post("/orders", &key, record).await.header("tidegate-repeated"),
        Some("true")
    );
}

#[tokio::test]
async fn nothing_accepted_is_only_said_when_no_target_accepted() {
    let server = Server::start().await;
    assert_eq!(server.post("/half/ann", &[], "raw").await.problem(), (503, "TG-0307".to_owned()));
}

#[test]
fn paths_that_cannot_be_served_are_refused_at_the_start() {
    let refused = |path: &str, targets: &[&str]| {
        let ingresses = vec![
            ingress("/orders", KeyRule::LastPathSegment, &["shop/cart"]),
            ingress(path, KeyRule::LastPathSegment, targets),
        ];
        let config = HttpConfig { ingresses, ..HttpConfig::default() };
        router(Arc::new(FakeDoor::open()), config, CancellationToken::new())
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    for (path, targets) in [
        ("/orders", &["shop/cart"][..]),
        ("orders", &["shop/cart"]),
        ("/v1/messages", &["shop/cart"]),
        ("/x", &[]),
    ] {
        assert!(refused(path, targets).unwrap_err().starts_with("TG-0319"), "{path}");
    }
    assert_eq!(refused("/other", &["shop/cart"]), Ok(()));
}

#[tokio::test]
async fn a_paused_ingress_says_so_and_when_to_come_back() {
    let config = HttpConfig { ingresses: vec![paused("/paused")], ..HttpConfig::default() };
    let server = Server::with(FakeDoor::open(), config).await;
    let answer = server.post("/paused/a", &[], "raw").await;
    assert_eq!(answer.problem(), (503, "TG-0340".to_owned()));
    assert_eq!(answer.header("retry-after"), Some("30"));
    assert!(targets(&server).is_empty());
}
