//! Answers that are none, and connections that end too early.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use tidegate::invoker::EndpointConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::server::{Partition, Server, config};

async fn text_of(answer: impl Fn() -> Response<Full<Bytes>> + Send + Sync + 'static) -> String {
    let server = Server::start(move |_| answer()).await;
    let mut partition = Partition::new(server.config());
    partition.submit("a");
    partition.fails().await
}

#[tokio::test]
async fn statuses_of_a_live_endpoint_fail_the_group() {
    for status in [301, 400, 404, 405, 410, 413, 415, 500] {
        let text =
            text_of(move || Response::builder().status(status).body(Full::default()).unwrap())
                .await;
        let expected =
            format!("TG-0405 the endpoint answered with status {status} (endpoint `shop`)");
        assert_eq!(text, expected);
    }
}

#[tokio::test]
async fn statuses_that_pass_are_asked_for_again_and_nothing_counts() {
    for status in [408, 409, 420, 499, 502, 504, 599] {
        let asked = AtomicUsize::new(0);
        let server = Server::start(move |_| {
            let first = asked.fetch_add(1, Ordering::SeqCst) == 0;
            let status = if first { status } else { 200 };
            Response::builder().status(status).body(Full::default()).unwrap()
        })
        .await;
        let mut partition = Partition::new(server.config());
        partition.submit("a");
        partition.succeeds().await;
    }
}

#[tokio::test]
async fn what_is_not_protobuf_fails_the_group() {
    let text = text_of(|| Response::new(Full::from("this is not an answer"))).await;
    assert!(text.starts_with("TG-0406 the answer cannot be used: failed to decode"), "{text}");
}

#[tokio::test]
async fn a_page_is_not_an_answer() {
    for media_type in ["text/html; charset=utf-8", "application/json", "Text/Plain"] {
        let page = move || {
            Response::builder().header("content-type", media_type).body(Full::default()).unwrap()
        };
        let text = text_of(page).await;
        assert!(
            text.starts_with("TG-0406 the answer cannot be used: its content-type is"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn an_answer_without_a_type_or_of_an_unknown_one_is_read() {
    for media_type in ["application/x-protobuf", "application/protobuf", "binary"] {
        let server = Server::start(move |_| {
            Response::builder().header("content-type", media_type).body(Full::default()).unwrap()
        })
        .await;
        let mut partition = Partition::new(server.config());
        partition.submit("a");
        partition.succeeds().await;
    }
}

#[tokio::test]
async fn an_answer_that_is_compressed_otherwise_than_was_allowed_fails_the_group() {
    for (encoding, body) in
        [("br", ""), ("gzip, gzip", ""), ("gzip", "no gzip"), ("deflate", "none")]
    {
        let answer = move || {
            let answer = Response::builder().header("content-encoding", encoding);
            answer.body(Full::from(body)).unwrap()
        };
        let text = text_of(answer).await;
        assert!(text.starts_with("TG-0406") && text.contains("content-encoding"), "{text}");
    }
}

/// A server that writes fixed bytes to each connection once it has read a request, and closes it.
async fn raw(answers: Vec<&'static [u8]>) -> EndpointConfig {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_request(&mut stream).await;
            stream.write_all(answer).await.unwrap();
        }
        // Further requests are accepted but never answered.
        let (_open, _) = listener.accept().await.unwrap();
        std::future::pending::<()>().await;
    });
    config(address)
}

/// Reads until the end of the one message that the test sends.
async fn read_request(stream: &mut TcpStream) {
    let mut request = Vec::new();
    while !request.ends_with(b"one") {
        assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_not_read() {
    // Announced, and not announced.
    let announced = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n";
    let chunked =
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10\r\n0123456789abcdef\r\n\
        10\r\n0123456789abcdef\r\n0\r\n\r\n";
    for answer in [&announced[..], chunked] {
        let mut config = raw(vec![answer]).await;
        config.payload_max_bytes = 20;
        let mut partition = Partition::new(config);
        partition.submit("a");
        let expected = "TG-0407 the answer is larger than 20 bytes (endpoint `shop`)";
        assert_eq!(partition.fails().await, expected);
    }
}

#[tokio::test]
async fn a_connection_that_ends_within_the_answer_fails_the_group() {
    let mut partition =
        Partition::new(raw(vec![b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n01234"]).await);
    partition.submit("a");
    let text = partition.fails().await;
    assert!(
        text.starts_with("TG-0403 the connection was lost before the answer was complete"),
        "{text}"
    );
}

#[tokio::test]
async fn a_connection_that_ends_before_the_answer_is_tried_again() {
    let complete = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    let mut partition = Partition::new(raw(vec![b"", b"garbage\r\n\r\n", complete]).await);
    partition.submit("a");
    partition.succeeds().await;
}

#[tokio::test]
async fn an_answer_must_begin_in_time_and_not_fall_silent() {
    let limit = Duration::from_millis(50);
    let mut config = raw(vec![]).await;
    config.begin_timeout = Some(limit);
    let mut partition = Partition::new(config);
    partition.submit("a");
    assert_eq!(partition.fails().await, "TG-0404 no answer within 50ms (endpoint `shop`)");

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = crate::server::config(listener.local_addr().unwrap());
    config.read_timeout = Some(limit);
    let mut partition = Partition::new(config);
    partition.submit("a");
    let (mut stream, _) = listener.accept().await.unwrap();
    read_request(&mut stream).await;
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n01234").await.unwrap();
    assert_eq!(partition.fails().await, "TG-0404 no answer within 50ms (endpoint `shop`)");
}

#[tokio::test]
async fn an_answer_has_only_so_much_time() {
    let mut config = raw(vec![]).await;
    config.call_timeout = Duration::from_millis(50);
    let mut partition = Partition::new(config);
    partition.submit("a");
    assert_eq!(partition.fails().await, "TG-0404 no answer within 50ms (endpoint `shop`)");
}
