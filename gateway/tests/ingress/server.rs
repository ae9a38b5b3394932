//! A server on a port of its own, and a client for it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures::StreamExt;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tidegate::ingress::http::limits::HttpLimits;
use tidegate::ingress::http::records::{HttpIngressConfig, KeyRule};
use tidegate::ingress::http::serve::Listener;
use tidegate::ingress::http::serve::encryption::Encryption;
use tidegate::ingress::http::{HttpConfig, router, serve};
use tidegate_core::address::Typename;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::door::FakeDoor;

pub(crate) struct Server {
    pub(crate) door: Arc<FakeDoor>,
    pub(crate) address: SocketAddr,
    pub(crate) stopping: CancellationToken,
    pub(crate) task: JoinHandle<()>,
    client: Client<HttpConnector, Body>,
}

pub(crate) fn name(text: &str) -> Typename {
    Typename::parse(text).unwrap()
}

pub(crate) fn ingress(path: &str, key: KeyRule, targets: &[&str]) -> HttpIngressConfig {
    HttpIngressConfig {
        id: name("shop/orders"),
        path: path.to_owned(),
        value_type: "shop/order".to_owned(),
        targets: targets.iter().map(|target| name(target)).collect(),
        key,
    }
}

/// An ingress that the door says is paused.
pub(crate) fn paused(path: &str) -> HttpIngressConfig {
    let id = name("shop/paused");
    HttpIngressConfig { id, ..ingress(path, KeyRule::LastPathSegment, &["shop/cart"]) }
}

pub(crate) fn config() -> HttpConfig {
    HttpConfig {
        // A test that waits for a notice must not be saved by polling.
        limits: HttpLimits { egress_poll: Duration::from_secs(3600), ..HttpLimits::default() },
        tokens: None,
        ingresses: vec![
            ingress(
                "/orders",
                KeyRule::JsonPointer("/customer".to_owned()),
                &["shop/cart", "shop/stats"],
            ),
            ingress("/by-header", KeyRule::Header("X-Customer".to_owned()), &["shop/cart"]),
            ingress("/by-path", KeyRule::LastPathSegment, &["shop/cart"]),
            ingress("/half", KeyRule::LastPathSegment, &["shop/cart", "shop/closed"]),
        ],
        egresses: vec![name("shop/receipts"), name("shop/broken")],
    }
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(FakeDoor::open(), config()).await
    }

    pub(crate) async fn with(door: FakeDoor, config: HttpConfig) -> Self {
        Self::encrypting(door, config, None).await
    }

    pub(crate) async fn encrypting(
        door: FakeDoor,
        config: HttpConfig,
        encryption: Option<Arc<Encryption>>,
    ) -> Self {
        let door = Arc::new(door);
        let stopping = CancellationToken::new();
        let limits = config.limits.clone();
        let router = router(door.clone(), config, stopping.clone()).unwrap();
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let listener = Listener { socket, encryption };
        let task = tokio::spawn(serve::serve(listener, router, limits, stopping.clone()));
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { door, address, stopping, task, client }
    }

    pub(crate) async fn send(
        &self,
        request: http::request::Builder,
        path: &str,
        body: impl Into<Body>,
    ) -> Response {
        let request =
            request.uri(format!("http://{}{path}", self.address)).body(body.into()).unwrap();
        self.client.request(request).await.unwrap().map(Body::new)
    }

    pub(crate) async fn post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::post("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::of(self.send(request, path, body).await).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.send(Request::get("/"), path, Body::empty()).await).await
    }
}

/// A response, whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    headers: http::HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    async fn of(response: Response) -> Self {
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Self { status: head.status, headers: head.headers, body }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn lines(&self) -> Vec<Value> {
        self.body
            .split(|&byte| byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    }

    /// Checks that this is a problem with a page, and returns its code.
    #[track_caller]
    pub(crate) fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16());
        let code = problem["code"].as_str().unwrap().to_owned();
        assert!(problem["type"].as_str().unwrap().ends_with(&code));
        (self.status.as_u16(), code)
    }
}

/// A body that a test writes piece by piece.
pub(crate) fn written_body() -> (mpsc::UnboundedSender<Bytes>, Body) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let pieces = futures::stream::unfold(receiver, async |mut receiver| {
        let piece: Bytes = receiver.recv().await?;
        Some((Ok::<_, Infallible>(piece), receiver))
    });
    (sender, Body::from_stream(pieces))
}

/// Lines of a response as they come.
pub(crate) struct LineReader {
    pieces: axum::body::BodyDataStream,
    ahead: Vec<u8>,
}

impl LineReader {
    pub(crate) fn new(response: Response) -> Self {
        Self { pieces: response.into_body().into_data_stream(), ahead: Vec::new() }
    }

    /// The next line that is not empty; nothing at the end.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.ahead.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.ahead.drain(..=end).collect();
                if line.len() > 1 {
                    return Some(serde_json::from_slice(&line).unwrap());
                }
                continue;
            }
            self.ahead.extend_from_slice(&self.pieces.next().await?.unwrap());
        }
    }
}
