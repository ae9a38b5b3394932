//! Serves functions over HTTP/1.1 and cleartext HTTP/2. Bodies in memory are bounded in bytes: per request and over all requests.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::exchange::{Refusal, refuse};
use crate::functions::StatefulFunctions;

/// Largest body of a request, in bytes, unless set otherwise: the gateway's largest request fits in.
const BODY_BYTES_MAX: usize = 64 << 20;
/// Bytes of bodies that are read at the same time, over all connections.
const BODIES_BYTES_MAX: usize = 512 << 20;
/// The unit in which those are counted; a semaphore holds fewer permits than there may be bytes.
const PERMIT_BYTES: usize = 1 << 10;
/// How long `accept` rests when the process has run out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Why functions cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is taken, not ours, or not allowed.
    #[error("TG-0617: cannot listen on {address}")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The process cannot learn when it is told to stop.
    #[error("TG-0618: cannot listen for the signals to stop")]
    Signals(#[source] io::Error),
}

/// Functions that listen on a bound address.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    service: Service,
}

#[derive(Clone, Debug)]
struct Service {
    functions: Arc<StatefulFunctions>,
    body_bytes_max: usize,
    bodies: Arc<Semaphore>,
}

impl StatefulFunctions {
    /// Binds an address; port 0 takes a free one. Connections wait until the server [runs](Server::run_until).
    pub async fn bind(self, address: SocketAddr) -> Result<Server, ServeError> {
        let failed = |source| ServeError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let service = Service {
            functions: Arc::new(self),
            body_bytes_max: BODY_BYTES_MAX,
            bodies: Arc::new(Semaphore::new(BODIES_BYTES_MAX / PERMIT_BYTES)),
        };
        Ok(Server { listener, address, service })
    }

    /// Binds an address and serves until the process is told to stop by SIGINT or SIGTERM, then finishes what is under way.
    pub async fn serve(self, address: SocketAddr) -> Result<(), ServeError> {
        self.bind(address).await?.run().await
    }
}

impl Server {
    /// The address that was bound.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sets the largest body of a request, in bytes; 64 MiB unless set. Larger ones are answered with 413.
    #[must_use]
    pub fn body_bytes_max(mut self, bytes: usize) -> Self {
        self.service.body_bytes_max = bytes.min(BODIES_BYTES_MAX);
        self
    }

    /// Serves until the process is told to stop by SIGINT or SIGTERM, then finishes what is under way.
    pub async fn run(self) -> Result<(), ServeError> {
        let stop = stop_signal().map_err(ServeError::Signals)?;
        tracing::info!(address = %self.address, "functions are served");
        self.run_until(stop).await;
        Ok(())
    }

    /// Serves until `stop` resolves, then takes no new request and returns when all that are under way are answered.
    pub async fn run_until(self, stop: impl Future<Output = ()>) {
        let Self { listener, service, .. } = self;
        let connections = GracefulShutdown::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = &mut stop => break,
            };
            match accepted {
                Ok((stream, _)) => serve_connection(stream, service.clone(), &connections),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(listener);
        connections.shutdown().await;
    }
}

fn serve_connection(stream: TcpStream, service: Service, connections: &GracefulShutdown) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection was gone before it was served");
        return;
    }
    let answer = service_fn(move |request| {
        let service = service.clone();
        async move { Ok::<_, std::convert::Infallible>(service.answer(request).await) }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    // The timeout would also end idle connections, some of them just when the gateway sends its next request.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(None);
    builder.http2().timer(TokioTimer::new());
    let connection = builder.serve_connection(TokioIo::new(stream), answer).into_owned();
    let connection = connections.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended early");
        }
    });
}

impl Service {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        if let Some(refusal) = refuse(&head.method, &head.headers) {
            return refusal.into_response().map(Full::new);
        }
        let (body, _room) = match self.read(body).await {
            Ok(read) => read,
            Err(refusal) => return refusal.into_response().map(Full::new),
        };
        self.functions.handle(Request::from_parts(head, body)).await.map(Full::new)
    }

    /// Waits for room before it reads, so that many large requests queue in the network and not in memory.
    async fn read(&self, body: Incoming) -> Result<(Bytes, OwnedSemaphorePermit), Refusal> {
        let limit = self.body_bytes_max;
        let announced = body.size_hint().upper().map_or(Ok(limit), usize::try_from);
        let bytes = announced.ok().filter(|bytes| *bytes <= limit);
        let bytes = bytes.ok_or(Refusal::TooLarge { limit })?;
        let room = self.room(bytes).await?;
        let collected = Limited::new(body, limit).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                Refusal::TooLarge { limit }
            } else {
                Refusal::Incomplete
            }
        })?;
        Ok((collected.to_bytes(), room))
    }

    async fn room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Refusal> {
        let permits = u32::try_from(bytes.div_ceil(PERMIT_BYTES)).unwrap_or(u32::MAX);
        let bodies = Arc::clone(&self.bodies);
        bodies.acquire_many_owned(permits).await.map_err(|_| Refusal::Incomplete)
    }
}

/// Resolves when the process is told to stop, by SIGINT or SIGTERM; fails if that cannot be learnt.
#[cfg(unix)]
pub fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Resolves when the process is told to stop, by Ctrl-C; fails if that cannot be learnt.
#[cfg(not(unix))]
pub fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}
