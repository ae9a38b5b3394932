//! A connection to an endpoint, which is driven by whoever uses it, within its own task. A task for each connection would be woken
//! for each request and each answer, and would then wake whoever waits for it.
//!
//! Nobody drives a connection that is not in use. What happened to it meanwhile is found out before it is used again.

use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::future::poll_fn;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_rustls::MaybeHttpsStream;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// What goes over it.
pub(super) type Outgoing = Request<Full<Bytes>>;
/// What it consists of.
pub(super) type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// A connection over HTTP/1.1: one request at a time. With the state of its encryption it is large, so it is kept in a box and not
/// moved about.
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    line: Line,
}

/// The side of the connection that reads and writes; nothing once it has ended.
struct Line(Option<http1::Connection<Stream, Full<Bytes>>>);

impl Line {
    /// Reads and writes what can be read and written now.
    fn drive(&mut self, context: &mut Context<'_>) {
        if let Some(line) = &mut self.0
            // Why it ended is told to whoever waits for an answer. Nobody else wants to know.
            && Pin::new(line).poll(context).is_ready()
        {
            self.0 = None;
        }
    }
}

impl Connection {
    /// Speaks HTTP over a stream. Nothing is sent before the first request.
    pub(super) async fn over(stream: Stream) -> hyper::Result<Box<Self>> {
        let (sender, line) = http1::handshake(stream).await?;
        Ok(Box::new(Self { sender, line: Line(Some(line)) }))
    }

    /// Sends a request and waits until its answer begins. The error holds the request again if nothing of it was sent.
    pub(super) async fn send(
        &mut self,
        request: Outgoing,
    ) -> Result<Response<Incoming>, TrySendError<Outgoing>> {
        let Self { sender, line } = self;
        let mut answer = pin!(sender.try_send_request(request));
        poll_fn(|context| {
            line.drive(context);
            answer.as_mut().poll(context)
        })
        .await
    }

    /// The next part of the body of an answer.
    pub(super) async fn frame(
        &mut self,
        body: &mut Incoming,
    ) -> Option<hyper::Result<Frame<Bytes>>> {
        poll_fn(|context| {
            // To be asked is what makes the connection read on.
            if let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(context) {
                return Poll::Ready(frame);
            }
            self.line.drive(context);
            Pin::new(&mut *body).poll_frame(context)
        })
        .await
    }

    /// Whether another request may be sent: what came before is read to its end, and the peer has not closed the connection as far
    /// as is known here.
    pub(super) async fn is_ready(&mut self) -> bool {
        poll_fn(|context| {
            self.line.drive(context);
            Poll::Ready(self.line.0.is_some() && self.sender.is_ready())
        })
        .await
    }
}
