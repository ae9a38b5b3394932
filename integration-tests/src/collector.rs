//! A double of an OpenTelemetry collector: takes spans by OTLP over HTTP and keeps them.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span as WireSpan;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::ports;

/// A span as it was received. Ids are lower-case digits; no parent is an empty text.
#[derive(Clone, PartialEq, Debug)]
pub struct Span {
    /// Its name.
    pub name: String,
    /// Its trace.
    pub trace: String,
    /// Itself.
    pub id: String,
    /// The span that it is below.
    pub parent: String,
    /// The spans that it points to.
    pub links: Vec<String>,
    /// What is said about it, as text.
    pub attributes: HashMap<String, String>,
    /// Whether it came to a bad end.
    pub failed: bool,
    /// When it began and ended, in nanoseconds.
    pub time: (u64, u64),
    /// What made it.
    pub service: String,
}

/// A collector that runs until it is dropped.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    spans: Arc<Mutex<Vec<Span>>>,
    running: JoinHandle<()>,
}

impl Collector {
    /// Listens at a free address.
    ///
    /// # Panics
    /// If it is taken meanwhile.
    pub async fn start() -> Self {
        let address = ports::free();
        let listener = TcpListener::bind(address).await.unwrap();
        let spans = Arc::new(Mutex::new(Vec::new()));
        let running = tokio::spawn(serve(listener, Arc::clone(&spans)));
        Self { address, spans, running }
    }

    /// What `trace.endpoint` is set to.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All spans so far.
    ///
    /// # Panics
    /// If receiving them failed.
    #[must_use]
    pub fn spans(&self) -> Vec<Span> {
        self.spans.lock().unwrap().clone()
    }

    /// Those of one trace.
    #[must_use]
    pub fn trace(&self, trace: &str) -> Vec<Span> {
        self.spans().into_iter().filter(|span| span.trace == trace).collect()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.running.abort();
    }
}

async fn serve(listener: TcpListener, spans: Arc<Mutex<Vec<Span>>>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let spans = Arc::clone(&spans);
        let answer = service_fn(move |request| receive(request, Arc::clone(&spans)));
        tokio::spawn(async move {
            // A gateway that is killed breaks its connection off.
            let builder = Builder::new(TokioExecutor::new());
            drop(builder.serve_connection(TokioIo::new(stream), answer).await);
        });
    }
}

async fn receive(
    request: Request<Incoming>,
    spans: Arc<Mutex<Vec<Span>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    assert_eq!((request.method(), request.uri().path()), (&Method::POST, "/v1/traces"));
    assert_eq!(request.headers()["content-type"], "application/x-protobuf");
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let received = ExportTraceServiceRequest::decode(body).unwrap();
    for of_resource in received.resource_spans {
        let attributes = of_resource.resource.unwrap().attributes;
        let service = attributes.into_iter().find(|it| it.key == "service.name").unwrap();
        let service = text(service.value.unwrap().value.unwrap());
        let wire = of_resource.scope_spans.into_iter().flat_map(|of_scope| of_scope.spans);
        spans.lock().unwrap().extend(wire.map(|wire| span(wire, &service)));
    }
    let answer = ExportTraceServiceResponse::default().encode_to_vec();
    Ok(Response::new(Full::new(answer.into())))
}

fn span(wire: WireSpan, service: &str) -> Span {
    let attributes = wire.attributes.into_iter();
    Span {
        name: wire.name,
        trace: hex(&wire.trace_id),
        id: hex(&wire.span_id),
        parent: hex(&wire.parent_span_id),
        links: wire.links.iter().map(|link| hex(&link.span_id)).collect(),
        attributes: attributes.map(|it| (it.key, text(it.value.unwrap().value.unwrap()))).collect(),
        failed: wire.status.is_some_and(|status| status.code() == StatusCode::Error),
        time: (wire.start_time_unix_nano, wire.end_time_unix_nano),
        service: service.to_owned(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text(value: Value) -> String {
    match value {
        Value::StringValue(text) => text,
        Value::IntValue(number) => number.to_string(),
        Value::BoolValue(flag) => flag.to_string(),
        other => format!("{other:?}"),
    }
}
