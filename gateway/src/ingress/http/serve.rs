//! Accepting connections, and not letting slow or silent clients hold them.
//!
//! A connection must bring a request in time, send its body in time (see `body`), and take its response in time. There are at
//! most so many connections; further ones wait in the backlog of the operating system. Sockets set TCP_NODELAY: requests
//! and answers are small and somebody waits for each.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::limits::HttpLimits;

/// Without a free file descriptor, accepting fails at once again; connections that end free some.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until `stopping` is cancelled, then lets open requests end for [`HttpLimits::drain`] at most.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: HttpLimits,
    stopping: CancellationToken,
) {
    let permits = Arc::new(Semaphore::new(limits.connections.clamp(1, Semaphore::MAX_PERMITS)));
    let connections = TaskTracker::new();
    let server = Arc::new(Server { builder: builder(&limits), router, limits, stopping });
    while let Some(stream) = server.accept(&listener, &permits).await {
        let (stream, permit) = stream;
        let server = server.clone();
        connections.spawn(async move {
            server.connection(stream).await;
            drop(permit);
        });
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

struct Server {
    builder: Builder<TokioExecutor>,
    router: Router,
    limits: HttpLimits,
    stopping: CancellationToken,
}

fn builder(limits: &HttpLimits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(limits.header_bytes.max(8 << 10));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams_per_connection)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
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

    async fn connection(&self, stream: TcpStream) {
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(self.limits.write_timeout));
        let requested = Arc::new(AtomicBool::new(false));
        let service = service_fn(|request: http::Request<Incoming>| {
            requested.store(true, Ordering::Relaxed);
            let router = self.router.clone();
            async move {
                Ok::<_, Infallible>(
                    router
                        .oneshot(request.map(Body::new))
                        .await
                        .unwrap_or_else(|never| match never {}),
                )
            }
        });
        let io = TokioIo::new(Box::pin(stream));
        let mut connection = std::pin::pin!(self.builder.serve_connection(io, service));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = silent(&requested, self.limits.header_timeout) => return,
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

fn is_of_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, NotConnected};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | NotConnected)
}

/// Resolves if no request came in time. The header timeout of HTTP/1 begins only once the version is known, and HTTP/2 has
/// none.
async fn silent(requested: &AtomicBool, patience: Duration) {
    sleep(patience).await;
    if requested.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}
