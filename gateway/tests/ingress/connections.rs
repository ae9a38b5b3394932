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
async fn a_client_that_sends_its_head_byte_by_byte_is_sent_away() {
    let server = impatient(|limits| &mut limits.header_timeout).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let head = format!("POST {SEND} HTTP/1.1\r\nhost: x\r\nx: {}", "x".repeat(1 << 16));
    // Each byte comes soon after the one before it, but the whole head never does.
    let mut refused = false;
    for byte in head.bytes() {
        tokio::task::yield_now().await;
        refused |= stream.write_all(&[byte]).await.is_err();
        if refused {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(refused);
    assert!(server.door.arrived().is_empty());
}

#[tokio::test]
async fn a_connection_that_rests_for_too_long_is_closed_and_one_that_rests_briefly_is_not() {
    let server = impatient(|limits| &mut limits.header_timeout).await;
    let request = format!("POST {SEND} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n");
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    for _ in 0..2 {
        stream.write_all(request.as_bytes()).await.unwrap();
        assert!(head(&mut stream).await.starts_with("HTTP/1.1 202"));
        // Longer than a head may take.
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    let server = impatient(|limits| &mut limits.idle_timeout).await;
    let answer = until_closed(&server, &request).await;
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
}

#[tokio::test]
async fn a_rest_does_not_end_a_request_that_is_being_answered() {
    let mut config = config();
    config.limits.idle_timeout = Duration::from_millis(100);
    config.limits.header_timeout = Duration::from_millis(100);
    let server = Server::with(FakeDoor::closed(), config).await;
    let (answer, ()) = tokio::join!(server.post(SEND, &[], "x"), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        server.door.let_through(1);
    });
    assert_eq!(answer.status, 202);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let server = Server::start().await;
    let fits = "x".repeat(31 << 10);
    assert_eq!(server.post(SEND, &[("x", &fits)], "").await.status, 202);
    let too_large = "x".repeat(32 << 10);
    let answer = server.post(SEND, &[("x", &too_large)], "").await;
    assert_eq!(answer.problem(), (431, "TG-0322".to_owned()));
    // Far beyond the bound, nobody reads on.
    let endless = format!("POST {SEND} HTTP/1.1\r\nhost: x\r\nx: {}", "x".repeat(1 << 20));
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let mut answer = Vec::new();
    // The server may close the connection before all is written, and what it said may be lost with it.
    let _ = stream.write_all(endless.as_bytes()).await;
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"));
    let many: String = (0..200).map(|number| format!("x-{number}: 1\r\n")).collect();
    let answer = until_closed(&server, &format!("GET / HTTP/1.1\r\n{many}\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn garbage_between_requests_ends_the_connection_and_nothing_else() {
    let server = Server::start().await;
    let request = format!("POST {SEND} HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\nx");
    let said = format!("{request}{request}\u{0}\u{1} garbage\r\n\r\n{request}");
    let answer = until_closed(&server, &said).await;
    assert_eq!(answer.matches("HTTP/1.1 202").count(), 2, "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 400").count(), 1, "{answer}");
    assert_eq!(server.door.arrived().len(), 2);
    // Two lengths, or a length and pieces, could hide a request in a body.
    for head in
        ["content-length: 1\r\ncontent-length: 2", "content-length: x", "content-length: -1"]
    {
        let said = format!("POST {SEND} HTTP/1.1\r\nhost: x\r\n{head}\r\n\r\nx");
        let answer = until_closed(&server, &said).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{head}: {answer}");
    }
    assert_eq!(server.door.arrived().len(), 2);
}

#[tokio::test]
async fn a_line_that_never_ends_is_ended() {
    let server = impatient(|limits| &mut limits.body_timeout).await;
    let (lines, body) = written_body();
    let mut results = LineReader::new(server.send(Request::post("/"), "/v1/messages", body).await);
    lines.send(Bytes::from_static(b"{\"target\":\"shop/cart/ann\",\"value\":1}\n")).unwrap();
    assert_eq!(results.next().await.unwrap()["status"], "accepted");
    // Between lines there is all the time that a piece may take.
    tokio::time::sleep(Duration::from_millis(400)).await;
    lines.send(Bytes::from_static(b"{\"target\":\"shop/cart/ann\",\"value\":2}\n")).unwrap();
    assert_eq!(results.next().await.unwrap()["status"], "accepted");
    let dripping = tokio::spawn(async move {
        while lines.send(Bytes::from_static(b" ")).is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let last = results.next().await.unwrap();
    assert_eq!((last["line"].as_u64(), last["code"].as_str()), (Some(3), Some("TG-0310")));
    assert_eq!(results.next().await, None);
    dripping.abort();
}

#[tokio::test]
async fn a_client_that_gives_up_all_its_requests_is_sent_away() {
    let server = Server::with(FakeDoor::closed(), config()).await;
    let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new())
        .http2_only(true)
        .build_http();
    let uri = format!("http://{}{SEND}", server.address);
    let mut ended = false;
    for _ in 0..5000 {
        let request = Request::post(&uri).body(axum::body::Body::from("x")).unwrap();
        let arrived = server.door.arrived().len();
        let asking = client.request(request);
        tokio::select! {
            answer = asking => {
                assert!(answer.is_err(), "{answer:?}");
                ended = true;
                break;
            }
            // The request is given up as soon as it has arrived.
            () = async {
                while server.door.arrived().len() == arrived {
                    tokio::task::yield_now().await;
                }
            } => {}
        }
    }
    assert!(ended);
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
