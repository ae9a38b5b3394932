//! The admin server.

use std::sync::Arc;

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tidegate::admin::module::{ReloadError, ReloadModule, Reloaded};
use tidegate::admin::readiness::Readiness;
use tidegate::admin::{BindError, bind, metrics, router, serve};
use tidegate::config::TokenSource;
use tidegate::ingress::http::tokens::Tokens;
use tokio_util::sync::CancellationToken;

use super::door::FakeDoor;

/// A node that is not far enough yet to take another module.
struct Starting;

#[async_trait::async_trait]
impl ReloadModule for Starting {
    async fn reload(&self) -> Result<Reloaded, ReloadError> {
        Err(ReloadError::NotNow)
    }
}

struct Admin {
    address: std::net::SocketAddr,
    readiness: Readiness,
}

impl Admin {
    async fn start() -> Self {
        Self::guarded(None).await
    }

    async fn guarded(tokens: Option<Arc<Tokens>>) -> Self {
        let readiness = Readiness::default();
        let handle = metrics::detached_handle().unwrap();
        let door = Arc::new(FakeDoor::open());
        let router = router(door, readiness.clone(), handle, Arc::new(Starting), tokens);
        let listener = bind("127.0.0.1:0".parse().unwrap(), false).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, router, CancellationToken::new()));
        Self { address, readiness }
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let request =
            Request::get(format!("http://{}{path}", self.address)).body(Body::empty()).unwrap();
        let response = client.request(request).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }
}

#[tokio::test]
async fn a_node_is_alive_before_it_is_ready() {
    let admin = Admin::start().await;
    assert_eq!(admin.get("/livez").await.0, 200);
    assert_eq!(admin.get("/readyz").await.0, 503);
    admin.readiness.set(true);
    assert_eq!(admin.get("/readyz").await.0, 200);
    admin.readiness.set(false);
    assert_eq!(admin.get("/readyz").await.0, 503);
}

#[tokio::test]
async fn values_are_shown_with_what_they_mean() {
    let admin = Admin::start().await;
    let (status, body) = admin.get("/v1/state/shop/cart/a%2Fb").await;
    assert_eq!(status, 200);
    let expected = json!({
        "address": "shop/cart/a/b",
        "values": {
            "name": {"type": "io.statefun.types/string", "base64": "CgNBbm4=", "text": "Ann"},
            "cart": {"type": "tidegate.types/json", "base64": "eyJpdGVtcyI6Mn0=", "json": {"items": 2}},
            "seen": {"type": "io.statefun.types/int", "base64": "DTEyMzQ="},
        },
    });
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), expected);
    assert_eq!(admin.get("/v1/state/shop/cart/closed").await.0, 503);
}

#[tokio::test]
async fn other_interfaces_than_loopback_are_refused() {
    let refused = bind("0.0.0.0:0".parse().unwrap(), false).await;
    assert!(matches!(refused, Err(BindError::NotLoopback(_))));
    assert!(bind("0.0.0.0:0".parse().unwrap(), true).await.is_ok());
}

#[tokio::test]
async fn where_there_are_tokens_only_probes_come_in_without_one() {
    let source = TokenSource::new(None, Some("s3cret")).unwrap();
    let admin = Admin::guarded(Tokens::read(source).unwrap()).await;
    assert_eq!(admin.get("/livez").await.0, 200);
    assert_eq!(admin.get("/readyz").await.0, 503);
    for path in ["/metrics", "/v1/state/shop/cart/ann", "/livez/..", "//livez", "/nowhere"] {
        let (status, body) = admin.get(path).await;
        assert!(status == 401 && body.contains("TG-0311"), "{path}: {status} {body}");
    }
}

#[tokio::test]
async fn a_node_that_starts_takes_no_other_module() {
    let handle = metrics::detached_handle().unwrap();
    let door = Arc::new(FakeDoor::open());
    let router = router(door, Readiness::default(), handle, Arc::new(Starting), None);
    let request = Request::post("/v1/module/reload").body(Body::empty()).unwrap();
    let response = tower::ServiceExt::oneshot(router, request).await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let problem: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((&problem["code"], &problem["status"]), (&json!("TG-0783"), &json!(503)));
    let detail = "the node is starting or stopping, and takes no other module now";
    assert_eq!(problem["detail"], detail);
}

#[tokio::test]
async fn metrics_of_the_process_are_shown() {
    let handle = metrics::install_recorder().unwrap();
    ::metrics::counter!("tidegate_test_total").increment(3);
    let door = Arc::new(FakeDoor::open());
    let router = router(door, Readiness::default(), handle, Arc::new(Starting), None);
    let request = Request::get("/metrics").body(Body::empty()).unwrap();
    let response = tower::ServiceExt::oneshot(router, request).await.unwrap();
    let text = response.into_body().collect().await.unwrap().to_bytes();
    assert!(std::str::from_utf8(&text).unwrap().contains("tidegate_test_total 3"));
}
