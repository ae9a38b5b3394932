//! A small HTTP server that sees every request, and a partition that collects its answers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tidegate::invoker::{EndpointConfig, FunctionPattern, Invoke, Invoker, UrlTemplate};
use tidegate_core::address::{Address, FunctionType};
use tidegate_core::id::{BatchId, Epoch, PartitionId, Sequence};
use tidegate_core::message::{Message, TypedValue};
use tidegate_core::partition::event::Event;
use tidegate_core::partition::group::Group;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// A request as the server saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A server on a port of its own.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) connections: Arc<AtomicUsize>,
    seen: UnboundedReceiver<Seen>,
}

impl Server {
    pub(crate) async fn start(
        answer: impl Fn(&Seen) -> Response<Full<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), answer).await
    }

    pub(crate) async fn start_at(
        address: SocketAddr,
        answer: impl Fn(&Seen) -> Response<Full<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&connections);
        let (saw, seen) = unbounded_channel();
        let answer = Arc::new(answer);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                let (saw, answer) = (saw.clone(), Arc::clone(&answer));
                let service = service_fn(move |request: Request<Incoming>| {
                    let (saw, answer) = (saw.clone(), Arc::clone(&answer));
                    async move {
                        let seen = read(request).await?;
                        let response = answer(&seen);
                        saw.send(seen).ok();
                        Ok::<_, hyper::Error>(response)
                    }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, connections, seen }
    }

    /// The next request that was answered.
    pub(crate) async fn seen(&mut self) -> Seen {
        self.seen.recv().await.unwrap()
    }

    /// An endpoint for all functions of the namespace `shop`, with one slot.
    pub(crate) fn config(&self) -> EndpointConfig {
        config(self.address)
    }
}

async fn read(request: Request<Incoming>) -> Result<Seen, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(Seen { method: head.method, path: head.uri.path().into(), headers: head.headers, body })
}

/// An endpoint for all functions of the namespace `shop`, with one slot.
pub(crate) fn config(address: SocketAddr) -> EndpointConfig {
    let functions = vec![FunctionPattern::parse("shop/*").unwrap()];
    let url = UrlTemplate::parse(&format!("http://{address}/{{function.name}}/run")).unwrap();
    let mut config = EndpointConfig::new("shop", functions, url);
    config.concurrency = 1.try_into().unwrap();
    config
}

/// A partition that submits groups and collects what it is told.
pub(crate) struct Partition {
    invoker: Arc<Invoker>,
    told: UnboundedReceiver<Event>,
    submitted: u64,
}

impl Partition {
    pub(crate) fn new(config: EndpointConfig) -> Self {
        let (teller, told) = unbounded_channel();
        let answers = Arc::new(move |_, event| drop(teller.send(event)));
        Self { invoker: Invoker::new(vec![config], answers, 7).unwrap(), told, submitted: 0 }
    }

    pub(crate) fn invoker(&self) -> &Invoker {
        &self.invoker
    }

    /// Submits a group with one message for `shop/cart`.
    pub(crate) fn submit(&mut self, id: &str) -> BatchId {
        self.submitted += 1;
        let batch = BatchId { epoch: Epoch(1), number: self.submitted };
        let argument = TypedValue::new("shop/Item", Bytes::from_static(b"one"));
        let group = Group {
            batch,
            attempt: 1,
            address: Address::new(FunctionType::parse("shop/cart").unwrap(), id).unwrap(),
            values: vec![("seen".into(), None)],
            messages: vec![Arc::new(Message {
                sequence: Sequence(1),
                caller: None,
                argument,
                request: None,
            })],
        };
        self.invoker.submit(PartitionId(0), group);
        batch
    }

    pub(crate) async fn told(&mut self) -> Event {
        self.told.recv().await.unwrap()
    }

    /// Expects that the next answer is a success.
    pub(crate) async fn succeeds(&mut self) -> BatchId {
        match self.told().await {
            Event::InvocationSucceeded { batch, .. } => batch,
            other => panic!("{other:?}"),
        }
    }

    /// Expects that the next answer is a failure, and returns its text.
    pub(crate) async fn fails(&mut self) -> String {
        match self.told().await {
            Event::InvocationFailed { failure, .. } => failure.text.to_string(),
            other => panic!("{other:?}"),
        }
    }

    /// Whether there is no answer for that long.
    pub(crate) async fn waits_for(&mut self, time: std::time::Duration) -> bool {
        tokio::time::timeout(time, self.told.recv()).await.is_err()
    }

    /// Whether there is no answer yet.
    pub(crate) fn waits(&mut self) -> bool {
        self.told.try_recv().is_err()
    }
}
