//! HTTP/1.1 as the load needs it: one connection, one request at a time, nothing between it and the socket.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::Problem;

/// The body of a request.
pub(crate) type Body = UnsyncBoxBody<Bytes, Infallible>;

/// A body that is sent as a whole.
pub(crate) fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).boxed_unsync()
}

/// A connection that stays open.
pub(crate) struct Connection(SendRequest<Body>);

impl Connection {
    /// Opens a connection without Nagle's delay.
    pub(crate) async fn open(address: SocketAddr) -> Result<Self, Problem> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // A connection that breaks shows at the request that it breaks.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Self(sender))
    }

    /// Sends a request to a path, and gives the answer as soon as it begins.
    pub(crate) async fn send(
        &mut self,
        method: &str,
        path: &str,
        body: Body,
    ) -> Result<Response<Incoming>, Problem> {
        self.0.ready().await?;
        let request = Request::builder().method(method).uri(path).header("host", "bench");
        let response = self.0.send_request(request.body(body)?).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(format!("{method} {path} was answered with {}", response.status()).into())
    }

    /// Sends a request and gives the whole body of the answer.
    pub(crate) async fn exchange(
        &mut self,
        method: &str,
        path: &str,
        body: Bytes,
    ) -> Result<Bytes, Problem> {
        let response = self.send(method, path, whole(body)).await?;
        Ok(response.into_body().collect().await?.to_bytes())
    }
}
