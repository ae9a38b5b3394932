//! What becomes of connections: which are used again, and which must not be.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use bytes::Bytes;
use tidegate_core::address::FunctionType;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::join;
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::invoker::{FunctionPattern, UrlTemplate};

const DONE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// A transport and the server that it leads to, which the test plays.
struct Pair {
    transport: HttpTransport,
    listener: TcpListener,
}

impl Pair {
    async fn new(adjust: impl FnOnce(&mut EndpointConfig)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let url = UrlTemplate::parse(&format!("http://{address}/run")).unwrap();
        let functions = vec![FunctionPattern::parse("shop/*").unwrap()];
        let mut config = EndpointConfig::new("shop", functions, url);
        config.payload_max_bytes = 20;
        adjust(&mut config);
        Self { transport: HttpTransport::new(&config).unwrap(), listener }
    }

    async fn call(&self) -> Result<Reply, Fault> {
        let function = FunctionType::parse("shop/cart").unwrap();
        let body = Bytes::from_static(b"one");
        let request = Request { function, dialect: Dialect::Single, body, trace: None };
        self.transport.exchange(request).await
    }

    async fn accept(&self) -> Line {
        Line(self.listener.accept().await.unwrap().0)
    }

    /// A call over a new connection that is answered like this.
    async fn first(&self, answer: &[u8]) -> (Result<Reply, Fault>, Line) {
        join!(self.call(), async {
            let mut line = self.accept().await;
            line.answer(answer).await;
            line
        })
    }

    /// Calls, and says whether that took a new connection.
    async fn takes_another(&self, line: &mut Line) -> bool {
        let serve = async {
            tokio::select! {
                mut other = self.accept() => {
                    other.answer(DONE).await;
                    true
                }
                () = line.answer(DONE) => false,
            }
        };
        let (reply, another) = join!(self.call(), serve);
        reply.unwrap();
        another
    }
}

/// The server's end of a connection.
struct Line(TcpStream);

impl Line {
    /// Waits for a request, and answers it; forever if none comes.
    async fn answer(&mut self, answer: &[u8]) {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\none") {
            if self.0.read_buf(&mut request).await.unwrap() == 0 {
                assert!(request.is_empty(), "a request that was cut off");
                std::future::pending::<()>().await;
            }
        }
        self.0.write_all(answer).await.unwrap();
    }

    /// Waits until the other end is closed.
    async fn closed(mut self) {
        // What was not read there resets the connection.
        let read = self.0.read(&mut [0; 16]).await;
        assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    }
}

#[tokio::test]
async fn one_that_was_read_to_its_end_is_used_again() {
    for answer in [
        DONE,
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n\x12\x00",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n\x12\x00\r\n0\r\n\r\n",
        b"HTTP/1.1 500 No\r\ncontent-length: 2\r\n\r\nno",
    ] {
        let pair = Pair::new(|_| ()).await;
        let (_, mut line) = pair.first(answer).await;
        assert!(!pair.takes_another(&mut line).await, "{}", answer.escape_ascii());
    }
}

#[tokio::test]
async fn one_whose_answer_was_not_read_to_its_end_is_not_used_again() {
    for answer in [
        &b"HTTP/1.1 200 OK\r\ncontent-length: 21\r\n\r\n0123"[..],
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n18\r\n0123456789abcdef01234567\r\n",
        b"HTTP/1.1 500 No\r\ncontent-length: 21\r\n\r\n0123",
    ] {
        let pair = Pair::new(|_| ()).await;
        let (reply, mut line) = pair.first(answer).await;
        assert!(matches!(reply, Err(Fault::Request(_))), "{reply:?}");
        assert!(pair.takes_another(&mut line).await, "{}", answer.escape_ascii());
    }
}

#[tokio::test]
async fn one_that_the_peer_ends_is_not_used_again() {
    let pair = Pair::new(|_| ()).await;
    let last = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let (reply, mut line) = pair.first(last).await;
    reply.unwrap();
    assert!(pair.takes_another(&mut line).await);
}

#[tokio::test]
async fn one_on_which_the_peer_goes_on_talking_is_not_used_again() {
    let pair = Pair::new(|_| ()).await;
    let twice = [DONE, b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nanother"].concat();
    let (reply, mut line) = pair.first(&twice).await;
    reply.unwrap();
    assert!(pair.takes_another(&mut line).await, "an answer would belong to another request");
}

#[tokio::test]
async fn one_that_the_peer_closed_meanwhile_is_not_used() {
    let pair = Pair::new(|_| ()).await;
    let (reply, line) = pair.first(DONE).await;
    reply.unwrap();
    drop(line);
    // To connect and to accept takes as long as to learn of the end.
    let address = pair.listener.local_addr().unwrap();
    let (_other, mut line) = (TcpStream::connect(address).await.unwrap(), pair.accept().await);
    assert!(pair.takes_another(&mut line).await);
}

#[tokio::test]
async fn a_request_that_was_sent_is_not_sent_again() {
    let pair = Pair::new(|_| ()).await;
    let (reply, mut line) = pair.first(DONE).await;
    reply.unwrap();
    let lost = async {
        line.answer(b"").await;
        drop(line);
    };
    let (reply, ()) = join!(pair.call(), lost);
    assert!(matches!(reply, Err(Fault::Unclear(InvokeError::ConnectionLost { .. }))), "{reply:?}");
}

#[tokio::test]
async fn requests_do_not_wait_for_each_other() {
    let pair = Pair::new(|_| ()).await;
    let serve = async {
        let (mut one, mut other) = (pair.accept().await, pair.accept().await);
        other.answer(DONE).await;
        one.answer(DONE).await;
    };
    let (one, other, ()) = join!(pair.call(), pair.call(), serve);
    assert!(one.is_ok() && other.is_ok());
}

#[tokio::test]
async fn one_that_is_not_used_is_closed_in_time() {
    let pair = Pair::new(|config| {
        config.idle_connection_kept = Duration::from_millis(20);
    })
    .await;
    let (reply, line) = pair.first(DONE).await;
    reply.unwrap();
    line.closed().await;
}

#[tokio::test]
async fn a_call_that_takes_too_long_closes_its_connection() {
    let limit = Duration::from_millis(20);
    let pair = Pair::new(|config| config.call_timeout = limit).await;
    let (reply, line) = pair.first(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n\x12").await;
    assert!(matches!(reply, Err(Fault::Request(InvokeError::TimedOut { .. }))), "{reply:?}");
    line.closed().await;
}

#[tokio::test]
async fn a_connection_must_stand_in_time() {
    // Nobody shakes hands at the other end.
    let limit = Duration::from_millis(20);
    let mut pair = Pair::new(|_| ()).await;
    let address = pair.listener.local_addr().unwrap();
    let functions = vec![FunctionPattern::parse("shop/*").unwrap()];
    let url = UrlTemplate::parse(&format!("https://{address}/run")).unwrap();
    let mut config = EndpointConfig::new("shop", functions, url);
    config.connect_timeout = limit;
    let authority = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    config.tls.trusted = Some(authority.cert.pem().into_bytes().into());
    pair.transport = HttpTransport::new(&config).unwrap();
    let (reply, _line) = join!(pair.call(), pair.accept());
    let text = "no connection within 20ms";
    assert!(
        matches!(&reply, Err(Fault::Endpoint { error: InvokeError::Unreachable { cause }, .. }) if cause == text),
        "{reply:?}"
    );
}
