//! What clients send: lines of messages, records of a declared ingress, and cursors.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use futures::stream;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tidegate::ingress::http::cursor::Cursor;
use tidegate::ingress::http::limits::HttpLimits;
use tidegate::ingress::http::records::{HttpIngressConfig, KeyRule};
use tidegate::ingress::http::{HttpConfig, router};
use tidegate_core::address::Typename;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::door::OpenDoor;

/// Small, so that small inputs reach it.
const MESSAGE_BYTES: usize = 200;

fn name(text: &str) -> Typename {
    Typename::parse(text).unwrap()
}

fn service(door: &Arc<OpenDoor>) -> Router {
    let ingress = |path: &str, key| HttpIngressConfig {
        id: name("shop/orders"),
        path: path.to_owned(),
        value_type: "shop/order".to_owned(),
        targets: vec![name("shop/cart"), name("shop/stats")],
        key,
    };
    let config = HttpConfig {
        limits: HttpLimits { message_bytes: MESSAGE_BYTES, ..HttpLimits::default() },
        ingresses: vec![
            ingress("/json", KeyRule::JsonPointer("/customer/id".to_owned())),
            ingress("/header", KeyRule::Header("X-Customer".to_owned())),
        ],
        ..HttpConfig::default()
    };
    router(door.clone(), config, CancellationToken::new()).unwrap()
}

/// The answer to a body that comes in pieces of a given size.
fn answer(
    service: Router,
    request: http::request::Builder,
    body: &[u8],
    piece: u8,
) -> (StatusCode, Bytes) {
    let pieces: Vec<_> = body
        .chunks(usize::from(piece).max(1))
        .map(|piece| Ok::<_, Infallible>(Bytes::copy_from_slice(piece)))
        .collect();
    let request = request.body(Body::from_stream(stream::iter(pieces))).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let response = service.oneshot(request).await.unwrap();
        let status = response.status();
        (status, response.into_body().collect().await.unwrap().to_bytes())
    })
}

/// Each line that is not empty is answered once, in order, with its number; exactly the accepted ones come through, none
/// larger than the bound.
pub(crate) fn lines(input: &[u8]) {
    let Some((&piece, body)) = input.split_first() else { return };
    let door = OpenDoor::new();
    let (status, results) = answer(service(&door), Request::post("/v1/messages"), body, piece);
    assert_eq!(status, StatusCode::OK);
    let results: Vec<Value> = results
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    let given = body.split(|&byte| byte == b'\n').zip(1_u64..);
    let given: Vec<_> = given.filter(|(line, _)| !line.trim_ascii().is_empty()).collect();
    let numbers: Vec<_> = results.iter().map(|result| result["line"].as_u64().unwrap()).collect();
    assert_eq!(numbers, given.iter().map(|(_, number)| *number).collect::<Vec<_>>());
    for (result, (line, _)) in results.iter().zip(&given) {
        let accepted = result["status"] == "accepted";
        assert!(accepted || result["code"].as_str().unwrap().starts_with("TG-03"), "{result}");
        assert!(!accepted || line.len() <= MESSAGE_BYTES, "a line beyond the bound");
    }
    let accepted = results.iter().filter(|result| result["status"] == "accepted").count();
    assert_eq!(door.arrived().len(), accepted);
}

/// A record comes through to each target with one id and as it is, or to none.
pub(crate) fn record(input: &[u8]) {
    let Some((&first, body)) = input.split_first() else { return };
    let door = OpenDoor::new();
    let mut request = Request::post(if first & 1 == 0 { "/json" } else { "/header" });
    let mut record = body;
    if first & 1 == 1 {
        let (key, rest) = body.split_at(body.len().min(usize::from(first >> 1)));
        let Ok(key) = http::HeaderValue::from_bytes(key) else { return };
        request = request.header("x-customer", key);
        record = rest;
    }
    let (status, text) = answer(service(&door), request, record, first);
    let arrived = door.arrived();
    if status.is_success() {
        assert_eq!(arrived.len(), 2);
        assert_eq!(arrived[0].target.id, arrived[1].target.id);
        assert!(!arrived[0].target.id.is_empty());
        assert!(arrived.iter().all(|inbound| inbound.argument.value == record));
    } else {
        assert!(status.is_client_error(), "{status}");
        let problem: Value = serde_json::from_slice(&text).unwrap();
        assert!(problem["code"].as_str().unwrap().starts_with("TG-03"), "{problem}");
        assert!(arrived.is_empty());
    }
}

/// A cursor that is read has one form, and belongs to its egress alone.
pub(crate) fn cursor(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (egress, other) = (name("shop/receipts"), name("shop/others"));
    let Some(cursor) = Cursor::decode(text, &egress, 8) else { return };
    assert_eq!(Cursor::decode(&cursor.encode(&egress), &egress, 8), Some(cursor));
    assert!(Cursor::decode(text, &other, 8).is_none());
}
