//! The HTTP client of a running node.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::HttpsConnectorBuilder;
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
use crate::invoker::{self, Identity, TlsConfig};

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
    // Never an argument: others can read those.
    #[arg(skip = std::env::var(TOKEN_VARIABLE).ok().filter(|token| !token.is_empty()).map(Secret))]
    token: Option<Secret>,
    /// A PEM file with the authorities to trust instead of the system's, for https
    #[arg(long, value_name = "FILE", env = "TIDEGATE_CA", hide_env_values = true)]
    ca: Option<PathBuf>,
    /// A PEM file with a certificate, for gateways that ask who calls
    #[arg(
        long,
        value_name = "FILE",
        env = "TIDEGATE_CLIENT_CERTIFICATE",
        hide_env_values = true,
        requires = "client_key"
    )]
    client_certificate: Option<PathBuf>,
    /// A PEM file with the key of that certificate
    #[arg(
        long,
        value_name = "FILE",
        env = "TIDEGATE_CLIENT_KEY",
        hide_env_values = true,
        requires = "client_certificate"
    )]
    client_key: Option<PathBuf>,
}

/// The variable with the token itself, for those who keep secrets in the environment.
const TOKEN_VARIABLE: &str = "TIDEGATE_TOKEN";

/// The text of a token, which is not shown.
#[derive(Clone)]
struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Secret(hidden)")
    }
}

impl Access {
    /// Adds to a request what lets it in: the token, if there is one, and for [`exchange`] what encrypted connections need.
    pub(super) fn authorize(&self, request: &mut Request<Full<Bytes>>) -> Result<(), Failure> {
        if request.uri().scheme_str() == Some("https") {
            request.extensions_mut().insert(self.tls()?);
        }
        let (source, token) = match (&self.token_file, &self.token) {
            (Some(path), _) => (path.display().to_string(), Token::of_file(path)),
            (None, Some(Secret(text))) => (TOKEN_VARIABLE.to_owned(), Token::of_text(text)),
            (None, None) => return Ok(()),
        };
        let wrong = |cause: &dyn std::fmt::Display| Failure::usage(format!("{source}: {cause}"));
        let token = token.map_err(|error| wrong(&error))?;
        let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose()))
            .map_err(|_| wrong(&"a header cannot carry it"))?;
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
        Ok(())
    }

    fn tls(&self) -> Result<TlsConfig, Failure> {
        let read = |path: &PathBuf| match std::fs::read(path) {
            Ok(bytes) => Ok(Arc::from(bytes)),
            Err(error) => Err(Failure::usage(format!("{}: {error}", path.display()))),
        };
        let identity = match (&self.client_certificate, &self.client_key) {
            (Some(certificate), Some(key)) => {
                Some(Identity { certificates: read(certificate)?, key: read(key)? })
            }
            _ => None,
        };
        Ok(TlsConfig { trusted: self.ca.as_ref().map(read).transpose()?, identity })
    }
}

/// Why a request brought no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    /// The node could not be reached.
    #[error("no gateway answers at {url}: {cause}")]
    Unreachable { url: Uri, cause: String },
    /// Encrypted connections are not possible.
    #[error("{cause}")]
    Untrusting { cause: String },
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
            // The text has its own.
            Self::Untrusting { .. } => None,
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
            Self::Untrusting { .. } => Exit::Usage,
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

async fn read(mut request: Request<Full<Bytes>>, url: &Uri) -> Result<Answer, ClientError> {
    let unusable = |error: invoker::TlsError| ClientError::Untrusting { cause: error.to_string() };
    let tls = match request.extensions_mut().remove::<TlsConfig>() {
        Some(tls) => invoker::encrypting_client(&tls).map_err(unusable)?,
        None => invoker::client_without_trust().map_err(unusable)?,
    };
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.enforce_http(false);
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(connector);
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
