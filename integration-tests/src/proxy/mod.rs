//! A proxy between a gateway and its functions that does to requests and answers what networks, balancers and crashing servers
//! do: loses, repeats, delays, cuts off and refuses them.
//!
//! It speaks HTTP/1.1 on both sides. A seed decides the faults; which request meets which of them depends on the order in which
//! requests come.

mod fault;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::header::{CONTENT_LENGTH, RETRY_AFTER};
use http::{Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use self::fault::Broken;
pub use self::fault::Fault;
use crate::chance::Chance;

/// How many bytes of a slow answer come at once, and how long after one another.
const DRIP: (usize, Duration) = (64, Duration::from_millis(2));

/// A running proxy; it ends with this value.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    behind: SocketAddr,
    /// Of a hundred requests, how many meet a fault.
    percent: AtomicU64,
    /// How long an answer is held.
    hold: Duration,
    choices: Mutex<Choices>,
    done: Mutex<BTreeMap<Fault, u64>>,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// Draws faults such that all have come before one comes again.
#[derive(Debug)]
struct Choices {
    chance: Chance,
    left: Vec<Fault>,
}

impl Choices {
    fn next(&mut self) -> Fault {
        if self.left.is_empty() {
            self.left.extend(Fault::ALL);
        }
        let at = self.chance.below(self.left.len() as u64) as usize;
        self.left.swap_remove(at)
    }
}

type Answer = Response<UnsyncBoxBody<Bytes, io::Error>>;

impl FaultProxy {
    /// Stands before a server, and hurts so many of a hundred requests. Answers that are held are held for so long.
    ///
    /// # Panics
    /// If there is no port for it.
    pub async fn before(behind: SocketAddr, chance: Chance, percent: u64, hold: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let shared = Arc::new(Shared {
            behind,
            percent: AtomicU64::new(percent),
            hold,
            choices: Mutex::new(Choices { chance, left: Vec::new() }),
            done: Mutex::default(),
            client: Client::builder(TokioExecutor::new()).build(connector),
        });
        let serving = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Self { address, shared, serving }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets everything through from now on.
    pub fn calm(&self) {
        self.shared.percent.store(0, Ordering::Relaxed);
    }

    /// What it has done so far, by fault.
    ///
    /// # Panics
    /// If the proxy has panicked.
    #[must_use]
    pub fn done(&self) -> BTreeMap<Fault, u64> {
        self.shared.done.lock().unwrap().clone()
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        // Connections that end early end with a reset.
        stream.set_zero_linger().unwrap();
        stream.set_nodelay(true).unwrap();
        tokio::spawn(connection(stream, Arc::clone(&shared)));
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(|request| Arc::clone(&shared).answer(request));
    // A planned end of a connection is an error here.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

impl Shared {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Answer, Broken> {
        let (head, body) = request.into_parts();
        // The gateway may be killed while it sends.
        let body = body.collect().await.map_err(|_| Broken)?.to_bytes();
        let fault = self.draw();
        match fault {
            None => whole(self.forward(&head, &body).await?),
            Some(Fault::Refused500) => said(StatusCode::INTERNAL_SERVER_ERROR),
            Some(Fault::Refused503) => said(StatusCode::SERVICE_UNAVAILABLE),
            Some(Fault::Throttled429) => said(StatusCode::TOO_MANY_REQUESTS),
            Some(Fault::ResetBefore) => Err(Broken),
            Some(Fault::ResetAfter) => {
                self.forward(&head, &body).await?;
                Err(Broken)
            }
            Some(Fault::Answer500) => {
                self.forward(&head, &body).await?;
                said(StatusCode::INTERNAL_SERVER_ERROR)
            }
            Some(Fault::HeldBefore) => {
                tokio::time::sleep(self.hold).await;
                whole(self.forward(&head, &body).await?)
            }
            Some(Fault::HeldAfter) => {
                let answer = self.forward(&head, &body).await?;
                tokio::time::sleep(self.hold).await;
                whole(answer)
            }
            Some(Fault::Truncated) => truncated(self.forward(&head, &body).await?),
            Some(Fault::RepeatedFirst) => {
                let first = self.forward(&head, &body).await?;
                self.forward(&head, &body).await?;
                whole(first)
            }
            Some(Fault::RepeatedSecond) => {
                self.forward(&head, &body).await?;
                whole(self.forward(&head, &body).await?)
            }
            Some(Fault::Slow) => slow(self.forward(&head, &body).await?),
        }
    }

    /// What happens to the next request.
    fn draw(&self) -> Option<Fault> {
        let mut choices = self.choices.lock().unwrap();
        if choices.chance.below(100) >= self.percent.load(Ordering::Relaxed) {
            return None;
        }
        let fault = choices.next();
        *self.done.lock().unwrap().entry(fault).or_default() += 1;
        Some(fault)
    }

    async fn forward(
        &self,
        head: &http::request::Parts,
        body: &Bytes,
    ) -> Result<Response<Bytes>, Broken> {
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = head.method.clone();
        *request.uri_mut() = format!("http://{}{path}", self.behind).parse().unwrap();
        *request.headers_mut() = head.headers.clone();
        let answer = self.client.request(request).await.map_err(|_| Broken)?;
        let (head, body) = answer.into_parts();
        let body = body.collect().await.map_err(|_| Broken)?.to_bytes();
        Ok(Response::from_parts(head, body))
    }
}

fn said(status: StatusCode) -> Result<Answer, Broken> {
    let body = Full::new(Bytes::new()).map_err(|never: Infallible| match never {});
    let mut answer = Response::new(body.boxed_unsync());
    *answer.status_mut() = status;
    if status == StatusCode::TOO_MANY_REQUESTS {
        answer.headers_mut().insert(RETRY_AFTER, 1.into());
    }
    Ok(answer)
}

fn whole(answer: Response<Bytes>) -> Result<Answer, Broken> {
    let full = |body| Full::new(body).map_err(|never: Infallible| match never {}).boxed_unsync();
    Ok(answer.map(full))
}

/// Promises all and gives half.
fn truncated(mut answer: Response<Bytes>) -> Result<Answer, Broken> {
    let length = answer.body().len();
    answer.headers_mut().insert(CONTENT_LENGTH, length.into());
    Ok(answer.map(|body| {
        let half = body.slice(..length / 2);
        let pieces = [Ok(Frame::data(half)), Err(io::ErrorKind::BrokenPipe.into())];
        StreamBody::new(stream::iter(pieces)).boxed_unsync()
    }))
}

fn slow(answer: Response<Bytes>) -> Result<Answer, Broken> {
    Ok(answer.map(|body| {
        let pieces = stream::unfold(body, async |mut left| {
            if left.is_empty() {
                return None;
            }
            tokio::time::sleep(DRIP.1).await;
            let piece = left.split_to(DRIP.0.min(left.len()));
            Some((Ok(Frame::data(piece)), left))
        });
        StreamBody::new(pieces).boxed_unsync()
    }))
}
