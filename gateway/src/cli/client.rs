//! The HTTP client of a running node.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tidegate_core::address::Address;
use tidegate_core::limits::ANSWER_BYTES_MAX;

use super::exit::Exit;
use super::failure::Failure;
use super::problem::Problem;
use crate::config::Token;

/// Longest time to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What stays as it is in a segment of a path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// What lets a command in.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Access {
    /// A file with the token that the gateway asks for
    #[arg(long, value_name = "FILE", env = "TIDEGATE_TOKEN_FILE", hide_env_values = true)]
    token_file: Option<PathBuf>,
}

impl Access {
    /// Adds the token to a request, if there is one.
    pub(super) fn authorize(&self, request: &mut Request<Full<Bytes>>) -> Result<(), Failure> {
        let Some(path) = &self.token_file else { return Ok(()) };
        let wrong =
            |cause: &dyn std::fmt::Display| Failure::usage(format!("{}: {cause}", path.display()));
        let token = Token::of_file(path).map_err(|error| wrong(&error))?;
        let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose()))
            .map_err(|_| wrong(&"a header cannot carry it"))?;
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
        Ok(())
    }
}

/// Why a request brought no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    /// The node could not be reached.
    #[error("no gateway answers at {url}: {cause}")]
    Unreachable { url: Uri, cause: String },
    /// The connection broke after the request was sent.
    #[error("the connection to {url} broke before the answer was there: {cause}")]
    Broken { url: Uri, cause: String },
    /// The answer did not come in time.
    #[error("no answer came within {}s; a message may have been accepted", .after.as_secs())]
    TimedOut { after: Duration },
    /// The answer is not one of a gateway.
    #[error("the answer from {url} is not understood: {why}")]
    NotUnderstood { url: Uri, why: String },
    /// The gateway refused.
    #[error("{0}")]
    Refused(Box<Problem>),
}

impl ClientError {
    /// The stable code of the error.
    pub(super) fn code(&self) -> Option<&str> {
        match self {
            Self::Unreachable { .. } => Some("TG-0390"),
            Self::Broken { .. } => Some("TG-0391"),
            Self::TimedOut { .. } => Some("TG-0392"),
            Self::NotUnderstood { .. } => Some("TG-0393"),
            Self::Refused(problem) => problem.code.as_deref(),
        }
    }

    /// How a command that met it ends.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Unreachable { .. } => Exit::Unreachable,
            Self::Broken { .. } | Self::NotUnderstood { .. } => Exit::Failed,
            Self::TimedOut { .. } => Exit::TimedOut,
            Self::Refused(problem) if problem.is_timeout() => Exit::TimedOut,
            Self::Refused(_) => Exit::Refused,
        }
    }
}

/// An answer that is not a refusal.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    /// The text of a header, if it is there and a text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// The path of an address below an interface, each part escaped.
pub(super) fn path_of(address: &Address) -> String {
    let segment = |text| utf8_percent_encode(text, SEGMENT);
    let function = &address.function;
    format!(
        "{}/{}/{}",
        segment(function.namespace()),
        segment(function.name()),
        segment(&address.id)
    )
}

/// Sends a request and reads the answer.
pub(super) async fn exchange(
    request: Request<Full<Bytes>>,
    within: Duration,
) -> Result<Answer, ClientError> {
    let url = request.uri().clone();
    let answer = tokio::time::timeout(within, read(request, &url)).await;
    let answer = answer.map_err(|_| ClientError::TimedOut { after: within })??;
    if answer.status.is_success() {
        return Ok(answer);
    }
    Err(ClientError::Refused(Box::new(Problem::of(answer.status, &answer.body))))
}

async fn read(request: Request<Full<Bytes>>, url: &Uri) -> Result<Answer, ClientError> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
    let response = client.request(request).await.map_err(|error| {
        let (url, cause) = (url.clone(), root(&error));
        match error.is_connect() {
            true => ClientError::Unreachable { url, cause },
            false => ClientError::Broken { url, cause },
        }
    })?;
    let (parts, body) = response.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
    let body = body.map_err(|error| {
        let (url, cause) = (url.clone(), root(error.as_ref()));
        ClientError::Broken { url, cause }
    })?;
    Ok(Answer { status: parts.status, headers: parts.headers, body: body.to_bytes() })
}

/// The text of the innermost cause: that is the one that helps.
fn root(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
