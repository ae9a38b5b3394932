//! Requests over HTTP/1.1, as StateFun sends them. Which failure means what is told in the table of the
//! module `invoker`.

mod answer;
mod body;
mod connection;
mod pool;
mod target;

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use http::Response;
use hyper::body::{Body, Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use tokio::time::timeout;
use tower::ServiceExt;

use self::body::Gathering;
use self::connection::{Connection, Outgoing};
use self::pool::Pool;
use self::target::{Origin, Targets};
use super::config::EndpointConfig;
use super::encoding::Encoding;
use super::fault::{Fault, InvokeError};
use super::lane::Dialect;
use super::tls::{self, TlsError};
use super::transport::{Reply, Request, Transport};

/// How often an idle peer is asked whether it still exists.
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);

/// The way to one endpoint.
pub(super) struct HttpTransport {
    connector: HttpsConnector<HttpConnector>,
    pool: Arc<Pool<Box<Connection>>>,
    targets: Targets,
    call_timeout: Duration,
    connect_timeout: Duration,
    begin_timeout: Option<Duration>,
    read_timeout: Option<Duration>,
    payload_max_bytes: usize,
}

impl HttpTransport {
    /// Connects when the first request is sent.
    pub(super) fn new(config: &EndpointConfig) -> Result<Self, TlsError> {
        Ok(Self {
            connector: connector(config)?,
            pool: Pool::new(config.concurrency.get(), config.idle_connection_kept),
            targets: Targets::new(&config.url),
            call_timeout: config.call_timeout,
            connect_timeout: config.connect_timeout,
            begin_timeout: config.begin_timeout,
            read_timeout: config.read_timeout,
            payload_max_bytes: config.payload_max_bytes,
        })
    }

    async fn call(&self, request: Request) -> Result<Reply, Fault> {
        let Request { function, dialect, body, trace } = request;
        let target = self.targets.of(&function).ok_or_else(|| {
            let cause = "the function has no valid URL".into();
            Fault::Request(InvokeError::Unreachable { cause })
        })?;
        let outgoing = target.request(dialect, trace.as_deref(), body);
        let beginning = self.send(&target.origin, outgoing);
        let (mut connection, response) = within(self.begin_timeout, beginning).await??;
        let reply = self.read(&mut connection, response, dialect).await;
        // One whose answer was not read to its end is not ready.
        if connection.is_ready().await {
            self.pool.put(&target.origin, connection);
        }
        reply
    }

    /// Sends a request over a connection that was used before, if there is one, or else over a new one. Only if nothing of it was
    /// sent on one that has ended meanwhile, it is sent on another one.
    async fn send(
        &self,
        origin: &Origin,
        mut outgoing: Outgoing,
    ) -> Result<(Box<Connection>, Response<Incoming>), Fault> {
        while let Some(mut connection) = self.pool.take(origin) {
            if !connection.is_ready().await {
                continue;
            }
            match connection.send(outgoing).await {
                Ok(response) => return Ok((connection, response)),
                Err(mut failed) => match failed.take_message() {
                    Some(unsent) => outgoing = unsent,
                    None => return Err(unanswered(failed.error())),
                },
            }
        }
        // Rare and large: in a box, it does not make every call larger.
        let mut connection = Box::pin(self.connect(origin)).await?;
        match connection.send(outgoing).await {
            Ok(response) => Ok((connection, response)),
            Err(failed) => Err(unanswered(failed.error())),
        }
    }

    async fn connect(&self, origin: &Origin) -> Result<Box<Connection>, Fault> {
        let unreachable = |cause| {
            let error = InvokeError::Unreachable { cause };
            Fault::Endpoint { error, retry_after: None }
        };
        let connecting = self.connector.clone().oneshot((**origin).clone());
        match timeout(self.connect_timeout, connecting).await {
            Ok(Ok(stream)) => {
                Connection::over(stream).await.map_err(|error| unreachable(chain(&error)))
            }
            Ok(Err(error)) => Err(unreachable(chain(&*error))),
            Err(_) => Err(unreachable(format!("no connection within {:?}", self.connect_timeout))),
        }
    }

    async fn read(
        &self,
        connection: &mut Connection,
        response: Response<Incoming>,
        dialect: Dialect,
    ) -> Result<Reply, Fault> {
        let (head, body) = response.into_parts();
        if !head.status.is_success() {
            let pause = answer::retry_after(&head.headers, SystemTime::now());
            return Err(answer::refusal(head.status, dialect, pause));
        }
        answer::check_media_type(&head.headers, dialect)?;
        let encoding = Encoding::of(&head.headers).map_err(Fault::Request)?;
        let body = self.read_body(connection, body).await?;
        let body = encoding.decode(body, self.payload_max_bytes).map_err(Fault::Request)?;
        Ok(Reply { speaks_batch: answer::speaks_batch(&head.headers), body })
    }

    /// Reads a body to its end. Most come in one piece, which is not copied.
    async fn read_body(
        &self,
        connection: &mut Connection,
        mut body: Incoming,
    ) -> Result<Bytes, Fault> {
        let mut whole = Gathering::new(body.size_hint().lower(), self.payload_max_bytes)?;
        while !body.is_end_stream() {
            let frame = within(self.read_timeout, connection.frame(&mut body)).await?;
            let Some(frame) = frame else { break };
            let frame = frame.map_err(|error| {
                Fault::Request(InvokeError::ConnectionLost { cause: chain(&error) })
            })?;
            if let Ok(piece) = frame.into_data() {
                whole.add(piece, body.size_hint().lower())?;
            }
        }
        Ok(whole.end())
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn exchange(&self, request: Request) -> Result<Reply, Fault> {
        within(Some(self.call_timeout), self.call(request)).await?
    }
}

/// Waits as long as is allowed; nothing allows any time.
async fn within<T>(limit: Option<Duration>, work: impl Future<Output = T>) -> Result<T, Fault> {
    let Some(limit) = limit else { return Ok(work.await) };
    let timed_out = |_| Fault::Request(InvokeError::TimedOut { limit });
    timeout(limit, work).await.map_err(timed_out)
}

fn connector(config: &EndpointConfig) -> Result<HttpsConnector<HttpConnector>, TlsError> {
    let mut plain = HttpConnector::new();
    plain.enforce_http(false);
    plain.set_nodelay(true);
    plain.set_keepalive(Some(TCP_KEEPALIVE));
    plain.set_connect_timeout(Some(config.connect_timeout));
    let tls = if config.url.is_https() {
        tls::client(&config.tls)?
    } else {
        tls::client_without_trust()?
    };
    Ok(HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(plain))
}

/// No answer began. The connection stood, so the request may have killed the function.
fn unanswered(error: &hyper::Error) -> Fault {
    Fault::Unclear(InvokeError::ConnectionLost { cause: chain(error) })
}

/// An error with its causes. The outer ones alone say little.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
