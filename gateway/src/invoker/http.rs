//! Requests over HTTP/1.1, as StateFun sends them. Which failure means what is told in the table of the
//! module `invoker`.

use std::error::Error;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HeaderMap, RETRY_AFTER, USER_AGENT};
use http::{HeaderName, Method, StatusCode};
use http_body_util::{BodyExt, Collected, Full, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::config::{EndpointConfig, UrlTemplate};
use super::encoding::{self, Encoding};
use super::fault::{Fault, InvokeError};
use super::lane::Dialect;
use super::tls::{self, TlsError};
use super::transport::{Reply, Request, Transport};
use super::wire::media;

const USER_AGENT_VALUE: &str = concat!("tidegate/", env!("CARGO_PKG_VERSION"));

/// How often an idle peer is asked whether it still exists.
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);

/// The way to one endpoint.
pub(super) struct HttpTransport {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    url: UrlTemplate,
    call_timeout: Duration,
    begin_timeout: Option<Duration>,
    read_timeout: Option<Duration>,
    payload_max_bytes: usize,
}

impl HttpTransport {
    /// Connects when the first request is sent.
    pub(super) fn new(config: &EndpointConfig) -> Result<Self, TlsError> {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(config.idle_connection_kept)
            .pool_max_idle_per_host(idle_connections(config))
            .build(connector(config)?);
        Ok(Self {
            client,
            url: config.url.clone(),
            call_timeout: config.call_timeout,
            begin_timeout: config.begin_timeout,
            read_timeout: config.read_timeout,
            payload_max_bytes: config.payload_max_bytes,
        })
    }

    async fn call(&self, request: Request) -> Result<Reply, Fault> {
        let dialect = request.dialect;
        let answering = self.client.request(self.http_request(request)?);
        let response = within(self.begin_timeout, answering).await?;
        let response = response.map_err(|error| unanswered(&error))?;
        let (head, body) = response.into_parts();
        if !head.status.is_success() {
            return Err(refusal(
                head.status,
                dialect,
                retry_after(&head.headers, SystemTime::now()),
            ));
        }
        check_media_type(&head.headers, dialect)?;
        let encoding = Encoding::of(&head.headers).map_err(Fault::Request)?;
        let body = self.read(body).await?;
        let body = encoding.decode(body, self.payload_max_bytes).map_err(Fault::Request)?;
        Ok(Reply { speaks_batch: speaks_batch(&head.headers), body })
    }

    fn http_request(&self, request: Request) -> Result<http::Request<Full<Bytes>>, Fault> {
        let cause = || InvokeError::Unreachable { cause: "the function has no valid URL".into() };
        let uri = self.url.of(&request.function).ok_or_else(|| Fault::Request(cause()))?;
        let content_type = match request.dialect {
            Dialect::Single => media::OCTET_STREAM,
            Dialect::Batch => media::BATCH,
        };
        http::Request::builder()
            .method(Method::POST)
            .uri(uri)
            .header(CONTENT_TYPE, content_type)
            .header(ACCEPT, media::ACCEPT)
            .header(ACCEPT_ENCODING, encoding::ACCEPTED)
            .header(USER_AGENT, USER_AGENT_VALUE)
            .body(Full::new(request.body))
            .map_err(|_| Fault::Request(cause()))
    }

    async fn read(&self, body: Incoming) -> Result<Bytes, Fault> {
        let limit = self.payload_max_bytes;
        let too_large = || Fault::Request(InvokeError::AnswerTooLarge { limit });
        // An announced size is refused before anything is read.
        if body.size_hint().lower() > limit as u64 {
            return Err(too_large());
        }
        let failed = |error: Box<dyn Error + Send + Sync>| match error.is::<LengthLimitError>() {
            true => too_large(),
            false => Fault::Request(InvokeError::ConnectionLost { cause: chain(&*error) }),
        };
        let mut body = Limited::new(body, limit);
        let Some(silence) = self.read_timeout else {
            return body.collect().await.map(Collected::to_bytes).map_err(failed);
        };
        let mut whole = BytesMut::new();
        while let Some(frame) = within(Some(silence), body.frame()).await? {
            if let Ok(piece) = frame.map_err(failed)?.into_data() {
                whole.extend_from_slice(&piece);
            }
        }
        Ok(whole.freeze())
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn exchange(&self, request: Request) -> Result<Reply, Fault> {
        let limit = self.call_timeout;
        let timed_out = |_| Err(Fault::Request(InvokeError::TimedOut { limit }));
        tokio::time::timeout(limit, self.call(request)).await.unwrap_or_else(timed_out)
    }
}

/// Waits as long as is allowed; nothing allows any time.
async fn within<T>(limit: Option<Duration>, work: impl Future<Output = T>) -> Result<T, Fault> {
    let Some(limit) = limit else { return Ok(work.await) };
    let timed_out = |_| Fault::Request(InvokeError::TimedOut { limit });
    tokio::time::timeout(limit, work).await.map_err(timed_out)
}

/// How many connections without use are kept.
fn idle_connections(config: &EndpointConfig) -> usize {
    if config.idle_connection_kept.is_zero() { 0 } else { config.concurrency.get() }
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

/// No answer began. Without a connection nothing was processed; with one, the request may have killed the function.
fn unanswered(error: &hyper_util::client::legacy::Error) -> Fault {
    let cause = chain(error);
    if error.is_connect() {
        Fault::Endpoint { error: InvokeError::Unreachable { cause }, retry_after: None }
    } else {
        Fault::Unclear(InvokeError::ConnectionLost { cause })
    }
}

/// What a status other than 2xx means.
fn refusal(status: StatusCode, dialect: Dialect, retry_after: Option<Duration>) -> Fault {
    let code = status.as_u16();
    match code {
        400 | 406 | 415 if dialect == Dialect::Batch => Fault::Dialect,
        401 | 403 | 407 | 429 | 503 => {
            Fault::Endpoint { error: InvokeError::Unavailable { status: code }, retry_after }
        }
        408 | 409 | 420 | 499 | 501..=599 => {
            Fault::Unclear(InvokeError::Unavailable { status: code })
        }
        _ => Fault::Request(InvokeError::Status { status: code }),
    }
}

/// A batch must be answered as one. Protocol v3 is read leniently, since some SDKs set no type at all, but a page of a proxy
/// or a login form is not an answer, even if it could be taken for an empty one.
fn check_media_type(headers: &HeaderMap, dialect: Dialect) -> Result<(), Fault> {
    let invalid = |cause: String| Err(Fault::Request(InvokeError::InvalidAnswer { cause }));
    let media_type = media_type(headers);
    match dialect {
        Dialect::Batch if media_type != media::BATCH => return Err(Fault::Dialect),
        Dialect::Single if is_not_protobuf(&media_type) => {
            return invalid(format!("its content-type is `{media_type}`"));
        }
        Dialect::Batch | Dialect::Single => {}
    }
    Ok(())
}

/// The media type without parameters, in lower case; empty if there is none.
fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn is_not_protobuf(media_type: &str) -> bool {
    media_type.starts_with("text/")
        || ["application/json", "application/xml", media::BATCH].contains(&media_type)
}

fn speaks_batch(headers: &HeaderMap) -> bool {
    const BATCH_HEADER: HeaderName = HeaderName::from_static(media::BATCH_HEADER);
    headers.get(BATCH_HEADER).is_some_and(|value| value == media::BATCH_HEADER_V1)
}

/// `Retry-After`: seconds, or a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(now).ok(),
    }
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
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_date_to_retry_after_counts_from_now() {
        let now = httpdate::parse_http_date("Fri, 31 Dec 1999 23:59:00 GMT").unwrap();
        let after = |text| {
            retry_after(&HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]), now)
        };
        assert_eq!(after("120"), Some(Duration::from_secs(120)));
        assert_eq!(after("Fri, 31 Dec 1999 23:59:59 GMT"), Some(Duration::from_secs(59)));
        assert_eq!(after("Fri, 31 Dec 1999 23:58:00 GMT"), None);
        assert_eq!(after("soon"), None);
    }

    #[test]
    fn each_status_has_its_reach() {
        let of = |status, dialect| refusal(StatusCode::from_u16(status).unwrap(), dialect, None);
        for status in [401, 403, 407, 429, 503] {
            assert!(matches!(of(status, Dialect::Single), Fault::Endpoint { .. }), "{status}");
        }
        for status in [408, 409, 420, 499, 501, 502, 504, 520, 599] {
            assert!(matches!(of(status, Dialect::Batch), Fault::Unclear(_)), "{status}");
        }
        for status in [301, 404, 405, 410, 413, 500] {
            assert!(matches!(of(status, Dialect::Batch), Fault::Request(_)), "{status}");
        }
        for status in [400, 406, 415] {
            assert_eq!(of(status, Dialect::Batch), Fault::Dialect);
            assert_eq!(of(status, Dialect::Single), Fault::Request(InvokeError::Status { status }));
        }
    }
}
