//! Requests and answers between a gateway and functions that behave.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use tidegate_core::partition::event::Event;
use tidegate_core::partition::group::Mutation;
use tidegate_protocol::batch::group_response::Result as GroupResult;
use tidegate_protocol::batch::{BatchRequest, BatchResponse, GroupResponse};
use tidegate_protocol::reqreply::from_function::{InvocationResponse, PersistedValueMutation};
use tidegate_protocol::reqreply::to_function::Request;
use tidegate_protocol::reqreply::{FromFunction, ToFunction, TypedValue};
use tidegate_protocol::{Message, media};

use crate::server::{Partition, Seen, Server};

fn response() -> InvocationResponse {
    let mutation = PersistedValueMutation {
        mutation_type: 1,
        state_name: "seen".into(),
        state_value: Some(TypedValue::present("shop/Seen", &b"1"[..])),
    };
    InvocationResponse { state_mutations: vec![mutation], ..InvocationResponse::default() }
}

fn single() -> Response<Full<Bytes>> {
    Response::new(FromFunction::from(response()).encode_to_vec().into())
}

fn offering() -> Response<Full<Bytes>> {
    let mut response = single();
    response.headers_mut().insert(media::BATCH_HEADER, media::BATCH_HEADER_V1.parse().unwrap());
    response
}

fn batch(seen: &Seen) -> Response<Full<Bytes>> {
    let groups = BatchRequest::decode(seen.body.clone()).unwrap().groups.into_iter().map(|group| {
        GroupResponse {
            batch: group.batch,
            attempt: group.attempt,
            result: Some(GroupResult::InvocationResult(response())),
            causes: None,
        }
    });
    let body = BatchResponse { groups: groups.collect() }.encode_to_vec();
    Response::builder().header("content-type", media::BATCH).body(Full::new(body.into())).unwrap()
}

/// Answers in the dialect of the request, and offers batches.
fn fluent(seen: &Seen) -> Response<Full<Bytes>> {
    if seen.header("content-type") == media::BATCH { batch(seen) } else { offering() }
}

#[tokio::test]
async fn a_request_looks_as_statefun_sends_it() {
    let mut server = Server::start(|_| single()).await;
    let mut partition = Partition::new(server.config());
    let batch = partition.submit("a");
    let Event::InvocationSucceeded { batch: answered, response } = partition.told().await else {
        panic!()
    };
    assert_eq!(answered, batch);
    assert!(matches!(&response.mutations[..], [Mutation::Modify(name, value)]
        if &**name == "seen" && value.value == "1" && &*value.typename == "shop/Seen"));

    let seen = server.seen().await;
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/cart/run"));
    assert_eq!(seen.header("content-type"), "application/octet-stream");
    assert_eq!(
        seen.header("accept"),
        "application/octet-stream, application/vnd.tidegate.batch.v1+protobuf"
    );
    assert_eq!(seen.header("user-agent"), concat!("tidegate/", env!("CARGO_PKG_VERSION")));
    assert_eq!(seen.header("host"), server.address.to_string());
    assert_eq!(seen.header("content-length"), seen.body.len().to_string());
    let Some(Request::Invocation(request)) = ToFunction::decode(seen.body).unwrap().request else {
        panic!()
    };
    assert_eq!(request.target.unwrap().id, "a");
    assert_eq!(request.invocations.len(), 1);
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let server = Server::start(|_| single()).await;
    let mut partition = Partition::new(server.config());
    for id in ["a", "b", "c", "d"] {
        partition.submit(id);
        partition.succeeds().await;
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_endpoint_that_offers_it_gets_batches() {
    let mut server = Server::start(fluent).await;
    let mut partition = Partition::new(server.config());
    for id in ["a", "b", "c", "d"] {
        partition.submit(id);
    }
    for _ in 0..4 {
        partition.succeeds().await;
    }
    assert_eq!(server.seen().await.header("content-type"), media::OCTET_STREAM);
    let second = server.seen().await;
    assert_eq!(second.header("content-type"), media::BATCH);
    assert_eq!(second.header("accept"), media::ACCEPT);
    assert_eq!(BatchRequest::decode(second.body).unwrap().groups.len(), 3);
}

/// Answers singles well, and batches in a way that shows it does not know them.
async fn falls_back(refusal: impl Fn() -> Response<Full<Bytes>> + Send + Sync + 'static) {
    let mut server = Server::start(move |seen| {
        if seen.header("content-type") == media::BATCH { refusal() } else { offering() }
    })
    .await;
    let mut partition = Partition::new(server.config());
    for id in ["a", "b", "c"] {
        partition.submit(id);
    }
    for _ in 0..3 {
        partition.succeeds().await;
    }
    let mut types = Vec::new();
    for _ in 0..4 {
        types.push(server.seen().await.header("content-type").to_owned());
    }
    assert_eq!(
        types,
        [media::OCTET_STREAM, media::BATCH, media::OCTET_STREAM, media::OCTET_STREAM]
    );
}

#[tokio::test]
async fn an_endpoint_that_refuses_a_batch_gets_its_groups_one_by_one() {
    for status in [400, 406, 415] {
        falls_back(move || Response::builder().status(status).body(Full::default()).unwrap()).await;
    }
}

#[tokio::test]
async fn an_answer_of_another_type_to_a_batch_is_a_refusal() {
    falls_back(single).await;
}

#[tokio::test]
async fn an_endpoint_that_is_overloaded_is_asked_again_and_nothing_counts() {
    let requests = AtomicUsize::new(0);
    let server = Server::start(move |_| match requests.fetch_add(1, Ordering::SeqCst) {
        0 => Response::builder()
            .status(503)
            .header("retry-after", "0")
            .body(Full::default())
            .unwrap(),
        1 => Response::builder().status(429).body(Full::default()).unwrap(),
        2 => Response::builder().status(403).body(Full::default()).unwrap(),
        _ => single(),
    })
    .await;
    let mut partition = Partition::new(server.config());
    let batch = partition.submit("a");
    assert_eq!(partition.succeeds().await, batch);
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_yet_is_waited_for() {
    // A port that was just free, and to which nobody listens.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut partition = Partition::new(crate::server::config(free));
    let batch = partition.submit("a");
    tokio::net::TcpStream::connect(free).await.unwrap_err();
    assert!(partition.waits());
    let _server = Server::start_at(free, |_| single()).await;
    assert_eq!(partition.succeeds().await, batch);
}
