//! Accepting connections, and not letting slow or silent clients hold them.
//!
//! A connection must bring a request in time (see `activity`), send its body in time (see `body`), and take its response in
//! time. There are at most so many connections; further ones wait in the backlog of the operating system. Sockets set
//! TCP_NODELAY: requests and answers are small and somebody waits for each.

mod activity;
pub mod encryption;

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use self::activity::{Activity, Overdue, Watched};
use self::encryption::Encryption;
use super::limits::HttpLimits;
use super::problem::Problem;

/// Without a free file descriptor, accepting fails at once again; connections that end free some.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long a client that asks for nothing any more may take to hear that the connection ends.
const FAREWELL: Duration = Duration::from_secs(1);

/// Streams that a client has given up before they were looked at, and streams that a client has done wrong: at these numbers
/// the connection is abused.
const RESET_STREAMS: (usize, usize) = (20, 1024);

/// Heads up to so many times the bound are read whole, so that the answer can say what is wrong.
const READ_AHEAD: usize = 2;

/// Where connections come from, and whether they are encrypted.
#[derive(Debug)]
pub struct Listener {
    /// The port.
    pub socket: TcpListener,
    /// How connections are encrypted; without it they are not.
    pub encryption: Option<Arc<Encryption>>,
}

impl From<TcpListener> for Listener {
    fn from(socket: TcpListener) -> Self {
        Self { socket, encryption: None }
    }
}

/// Serves until `stopping` is cancelled, then lets open requests end for [`HttpLimits::drain`] at most.
pub async fn serve(
    listener: impl Into<Listener>,
    router: Router,
    limits: HttpLimits,
    stopping: CancellationToken,
) {
    let Listener { socket, encryption } = listener.into();
    let permits = Arc::new(Semaphore::new(limits.connections.clamp(1, Semaphore::MAX_PERMITS)));
    let connections = TaskTracker::new();
    let server =
        Arc::new(Server { builder: builder(&limits), router, encryption, limits, stopping });
    while let Some(stream) = server.accept(&socket, &permits).await {
        let (stream, permit) = stream;
        let server = server.clone();
        connections.spawn(async move {
            server.greet(stream).await;
            drop(permit);
        });
    }
    drop(socket);
    connections.close();
    connections.wait().await;
}

struct Server {
    builder: Builder<TokioExecutor>,
    router: Router,
    encryption: Option<Arc<Encryption>>,
    limits: HttpLimits,
    stopping: CancellationToken,
}

fn builder(limits: &HttpLimits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // `activity` tells a head that does not come from a connection that rests.
        .header_read_timeout(None)
        .max_buf_size(READ_AHEAD * limits.header_bytes.max(8 << 10));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams_per_connection)
        .max_header_list_size(u32::try_from(READ_AHEAD * limits.header_bytes).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(RESET_STREAMS.0)
        .max_local_error_reset_streams(RESET_STREAMS.1)
        .keep_alive_interval(limits.read_timeout)
        .keep_alive_timeout(limits.header_timeout);
    builder
}

impl Server {
    /// The next connection, once there is room for one; nothing when the server stops.
    async fn accept(
        &self,
        listener: &TcpListener,
        permits: &Arc<Semaphore>,
    ) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
        loop {
            let accepted = tokio::select! {
                () = self.stopping.cancelled() => return None,
                accepted = async {
                    let permit = permits.clone().acquire_owned().await.map_err(io::Error::other)?;
                    let (stream, _) = listener.accept().await?;
                    stream.set_nodelay(true)?;
                    Ok::<_, io::Error>((stream, permit))
                } => accepted,
            };
            match accepted {
                Ok(accepted) => return Some(accepted),
                // The client was gone before it was greeted.
                Err(error) if is_of_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Encrypts the connection if that is wanted, and serves it.
    async fn greet(&self, stream: TcpStream) {
        let activity = Activity::begin();
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(self.limits.write_timeout));
        let stream = Watched::new(Box::pin(stream), Arc::clone(&activity));
        let Some(encryption) = &self.encryption else {
            return self.connection(stream, &activity).await;
        };
        let encrypting = timeout(self.limits.header_timeout, encryption.acceptor().accept(stream));
        let encrypted = tokio::select! {
            encrypted = encrypting => encrypted,
            () = self.stopping.cancelled() => return,
        };
        match encrypted {
            Ok(Ok(stream)) => self.connection(stream, &activity).await,
            Ok(Err(error)) => tracing::debug!(%error, "a connection could not be encrypted"),
            Err(_) => tracing::debug!("a connection was not encrypted in time"),
        }
    }

    async fn connection(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        activity: &Arc<Activity>,
    ) {
        let header_bytes = self.limits.header_bytes;
        let service = service_fn(|request: http::Request<Incoming>| {
            let open = activity.request();
            let router = self.router.clone();
            async move {
                let response = match fits(&request, header_bytes) {
                    true => router
                        .oneshot(request.map(Body::new))
                        .await
                        .unwrap_or_else(|never| match never {}),
                    false => Problem::HeadTooLarge { limit: header_bytes }.into_response(),
                };
                Ok::<_, Infallible>(response.map(|body| open.answered(body)))
            }
        });
        let io = TokioIo::new(stream);
        let mut connection = std::pin::pin!(self.builder.serve_connection(io, service));
        let overdue = activity.overdue(self.limits.header_timeout, self.limits.idle_timeout);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            overdue = overdue => match overdue {
                Overdue::Head => return,
                Overdue::Abusive => {
                    tracing::warn!("a client gave up most of its requests at once; its connection ends");
                    return;
                }
                Overdue::Idle => {
                    connection.as_mut().graceful_shutdown();
                    timeout(FAREWELL, connection).await.unwrap_or(Ok(()))
                }
            },
            () = self.stopping.cancelled() => {
                connection.as_mut().graceful_shutdown();
                timeout(self.limits.drain, connection).await.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended early");
        }
    }
}

/// Whether the head of a request is within the bound: what it names, and its headers with what stands around them.
fn fits(request: &http::Request<Incoming>, bytes: usize) -> bool {
    let uri = request.uri().path_and_query().map_or(0, |text| text.as_str().len());
    let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        name.as_str().len() + value.len() + ": \r\n".len()
    };
    uri + request.headers().iter().map(header).sum::<usize>() <= bytes
}

fn is_of_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, NotConnected};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | NotConnected)
}
