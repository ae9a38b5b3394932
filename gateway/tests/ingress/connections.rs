//! Clients that are slow, silent or too large, and a server that stops.

use std::time::Duration;

use axum::body::Bytes;
use http::Request;
use tidegate::ingress::http::limits::HttpLimits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::door::FakeDoor;
use super::server::{LineReader, Server, config, written_body};

const SEND: &str = "/v1/functions/shop/cart/ann/send";

/// All that the server says until it closes the connection, after the client has said something.
async fn until_closed(server: &Server, said: &str) -> String {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(said.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

/// The head of one response, which has no body.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// A server that waits only briefly, for heads or for bodies: whatever else a test needs has all the time it wants.
async fn impatient(limit: fn(&mut HttpLimits) -> &mut Duration) -> Server {
    let mut config = config();
    *limit(&mut config.limits) = Duration::from_millis(200);
    Server::with(FakeDoor::open(), config).await
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let mut config = config();
    config.limits.message_bytes = 1000;
    let server = Server::with(FakeDoor::open(), config).await;
    assert_eq!(server.post(SEND, &[], vec![0; 1000]).await.status, 202);
    assert_eq!(server.post(SEND, &[], vec![0; 1001]).await.problem(), (413, "TG-0309".to_owned()));
    let (pieces, body) = written_body();
    pieces.send(Bytes::from(vec![0; 600])).unwrap();
    pieces.send(Bytes::from(vec![0; 600])).unwrap();
    assert_eq!(server.post(SEND, &[], body).await.problem(), (413, "TG-0309".to_owned()));
    assert_eq!(server.door.arrived().len(), 1);
}

#[tokio::test]
async fn a_client_that_says_nothing_is_sent_away() {
    let server = impatient(|limits| &mut limits.header_timeout).await;
    assert_eq!(until_closed(&server, "").await, "");
    // The beginning of an HTTP/2 preface, which could become either version.
    assert_eq!(until_closed(&server, "PRI").await, "");
    until_closed(&server, "POST / HTTP/1.1\r\nHost").await;
}

#[tokio::test]
async fn a_client_that_stops_in_its_body_is_told_so() {
    let server = impatient(|limits| &mut limits.read_timeout).await;
    let head = format!(
        "POST {SEND} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 10\r\n\r\nabc"
    );
    let answer = until_closed(&server, &head).await;
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("TG-0310"), "{answer}");
    assert!(server.door.arrived().is_empty());
}

#[tokio::test]
async fn a_stream_that_stalls_is_ended_with_a_last_line() {
    let server = impatient(|limits| &mut limits.read_timeout).await;
    let (lines, body) = written_body();
    lines.send(Bytes::from_static(b"{\"target\":\"shop/cart/ann\",\"value\":1}\n{\"tar")).unwrap();
    let mut results = LineReader::new(server.send(Request::post("/"), "/v1/messages", body).await);
    assert_eq!(results.next().await.unwrap()["status"], "accepted");
    let last = results.next().await.unwrap();
    assert_eq!((last["line"].as_u64(), last["code"].as_str()), (Some(2), Some("TG-0310")));
    assert_eq!(results.next().await, None);
}

#[tokio::test]
async fn a_connection_beyond_the_limit_waits_for_one_to_end() {
    let mut config = config();
    config.limits.connections = 1;
    let server = Server::with(FakeDoor::open(), config).await;
    let request = format!("POST {SEND} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n");
    let mut first = TcpStream::connect(server.address).await.unwrap();
    first.write_all(request.as_bytes()).await.unwrap();
    assert!(head(&mut first).await.starts_with("HTTP/1.1 202"));
    let mut second = TcpStream::connect(server.address).await.unwrap();
    second.write_all(request.as_bytes()).await.unwrap();
    // While the first one lives, only the backlog has the second one; the first is still served.
    first.write_all(request.as_bytes()).await.unwrap();
    assert!(head(&mut first).await.starts_with("HTTP/1.1 202"));
    assert_eq!(server.door.arrived().len(), 2);
    drop(first);
    assert!(head(&mut second).await.starts_with("HTTP/1.1 202"));
    assert_eq!(server.door.arrived().len(), 3);
}

#[tokio::test]
async fn http_2_is_spoken_too() {
    let server = Server::start().await;
    let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new())
        .http2_only(true)
        .build_http();
    let uri = format!("http://{}{SEND}", server.address);
    let request = Request::post(uri).body(axum::body::Body::from("x")).unwrap();
    let response = client.request(request).await.unwrap();
    assert_eq!((response.status().as_u16(), response.version()), (202, http::Version::HTTP_2));
}

#[tokio::test]
async fn a_stopping_server_lets_open_requests_end() {
    let server = Server::with(FakeDoor::closed(), config()).await;
    let (answer, ()) = tokio::join!(server.post(SEND, &[], "x"), async {
        while server.door.arrived().is_empty() {
            tokio::task::yield_now().await;
        }
        server.stopping.cancel();
        server.door.let_through(1);
    });
    assert_eq!(answer.status, 202);
    server.task.await.unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}
