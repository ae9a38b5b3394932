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
use tidegate::admin::{BindError, bind, metrics, openapi, router, serve};
use tidegate::config::TokenSource;
use tidegate::ingress::http::tokens::Tokens;
use tokio_util::sync::CancellationToken;

use super::door::FakeDoor;
use super::node::FakeNode;

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
    node: Arc<FakeNode>,
}

impl Admin {
    async fn start() -> Self {
        Self::guarded(None).await
    }

    async fn guarded(tokens: Option<Arc<Tokens>>) -> Self {
        let (readiness, node) = (Readiness::default(), Arc::new(FakeNode::default()));
        let handle = metrics::detached_handle().unwrap();
        let door = Arc::new(FakeDoor::open());
        let router =
            router(door, node.clone(), readiness.clone(), handle, Arc::new(Starting), tokens);
        let listener = bind("127.0.0.1:0".parse().unwrap(), false).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, router, CancellationToken::new()));
        Self { address, readiness, node }
    }

    async fn get(&self, path: &str) -> (u16, String) {
        self.ask(Request::get(format!("http://{}{path}", self.address)), Body::empty()).await
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let request = Request::post(format!("http://{}{path}", self.address));
        let request = request.header("content-type", "application/json");
        let (status, body) = self.ask(request, Body::from(body.to_string())).await;
        (status, serde_json::from_str(&body).unwrap())
    }

    async fn ask(&self, request: http::request::Builder, body: Body) -> (u16, String) {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let request = request.body(body).unwrap();
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
    let router = router(
        door,
        Arc::new(FakeNode::default()),
        Readiness::default(),
        handle,
        Arc::new(Starting),
        None,
    );
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
    let (door, node) = (Arc::new(FakeDoor::open()), Arc::new(FakeNode::default()));
    let router = router(door, node, Readiness::default(), handle, Arc::new(Starting), None);
    let request = Request::get("/metrics").body(Body::empty()).unwrap();
    let response = tower::ServiceExt::oneshot(router, request).await.unwrap();
    let text = response.into_body().collect().await.unwrap().to_bytes();
    assert!(std::str::from_utf8(&text).unwrap().contains("tidegate_test_total 3"));
}

#[tokio::test]
async fn the_description_in_the_docs_is_that_of_the_code() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    let described = serde_json::to_value(openapi::description()).unwrap();
    if std::env::var_os("TIDEGATE_REWRITE_OPENAPI").is_some() {
        std::fs::write(&path, format!("{described:#}\n")).unwrap();
    }
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(
        kept == described,
        "docs/openapi.json is old: TIDEGATE_REWRITE_OPENAPI=1 writes it anew"
    );
    let admin = Admin::start().await;
    let (status, served) = admin.get("/v1/openapi.json").await;
    assert_eq!((status, serde_json::from_str::<Value>(&served).unwrap()), (200, described));
}

#[tokio::test]
async fn a_parked_address_is_listed_and_shown_without_payloads() {
    let admin = Admin::start().await;
    let json =
        async |path: &str| -> Value { serde_json::from_str(&admin.get(path).await.1).unwrap() };
    let parked = json!({
        "address": "shop/cart/a/b", "partition": 2, "since": 1000, "attempts": 8,
        "code": "TG-0410", "error": "TG-0410 the function failed: no",
    });
    assert_eq!(json("/v1/parked").await, json!({"parked": [parked]}));
    assert_eq!(json("/v1/parked?function=shop/other").await, json!({"parked": []}));
    assert_eq!(json("/v1/parked?code=TG-0404").await, json!({"parked": []}));
    let page = json("/v1/parked?limit=1").await;
    let after = page["after"].as_str().unwrap();
    assert_eq!(json(&format!("/v1/parked?after={after}")).await, json!({"parked": []}));

    let shown = json("/v1/parked/shop/cart/a%2Fb").await;
    assert_eq!(shown["values"], json!([{"name": "total", "type": "shop/total", "bytes": 2}]));
    assert_eq!(shown["messages"], json!([{"sequence": 7, "type": "shop/item", "bytes": 5}]));
    let shown = json("/v1/parked/shop/cart/a%2Fb?payloads=true").await;
    assert_eq!(shown["messages"][0]["base64"], "YXBwbGU=");
    assert_eq!(admin.get("/v1/parked/shop/cart/other").await.0, 409);
}

#[tokio::test]
async fn orders_say_who_and_why_and_which_message() {
    let admin = Admin::start().await;
    let path = |what: &str| format!("/v1/parked/shop/cart/a%2Fb/{what}");
    let signed = json!({"operator": "ada", "reason": "fixed"});
    let (status, result) = admin.post(&path("redrive"), &signed).await;
    assert_eq!((status, result), (200, json!({"dropped": 0, "parked": false})));
    let (_, result) = admin.post(&path("drop-head"), &json!({"sequence": 7})).await;
    assert_eq!(result, json!({"dropped": 1, "parked": true}));
    let (status, problem) = admin.post(&path("drop-head"), &json!({"sequence": 6})).await;
    assert_eq!((status, &problem["code"]), (409, &json!("TG-0703")));
    let (_, result) = admin.post(&path("drop-all"), &json!({})).await;
    assert_eq!(result, json!({"dropped": 5, "parked": false}));
    let (_, result) = admin.post("/v1/parked/redrive", &json!({"function": "shop/cart"})).await;
    assert_eq!(result, json!({"redriven": 1}));
    let (status, problem) = admin.post("/v1/parked/shop/cart/x/redrive", &json!({})).await;
    assert_eq!((status, &problem["code"]), (409, &json!("TG-0702")));
    let (status, problem) = admin.post(&path("redrive"), &json!({"operater": "ada"})).await;
    assert_eq!((status, &problem["code"]), (400, &json!("TG-0701")));
    let orders = admin.node.orders.lock().unwrap();
    assert_eq!((&*orders[0].1, &*orders[0].2), ("ada", "fixed"));
    assert_eq!((&*orders[1].1, &*orders[1].2), ("unknown", ""));
}

#[tokio::test]
async fn functions_and_ingresses_are_paused_by_name() {
    let admin = Admin::start().await;
    let order = json!({"kind": "function", "name": "shop/cart", "operator": "ada"});
    let changed = |declared: bool| (200, json!({"changed": true, "declared": declared}));
    assert_eq!(admin.post("/v1/pauses", &order).await, changed(true));
    assert_eq!(admin.post("/v1/pauses/resume", &order).await, changed(true));
    let misspelt = json!({"kind": "function", "name": "shop/misspelt"});
    assert_eq!(admin.post("/v1/pauses", &misspelt).await, changed(false));
    let (status, problem) =
        admin.post("/v1/pauses", &json!({"kind": "ingress", "name": "none"})).await;
    assert_eq!((status, &problem["code"]), (400, &json!("TG-0701")));
    let (status, problem) = admin.post("/v1/nothing", &json!({})).await;
    assert_eq!((status, &problem["code"]), (404, &json!("TG-0706")));
}
