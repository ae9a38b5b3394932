//! What is declared about an endpoint: plain data that the configuration fills in.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tidegate_core::address::{AddressError, FunctionType};
use tidegate_core::limits::ANSWER_BYTES_MAX;

use super::tls::TlsConfig;

/// Below the five seconds after which a Node.js server closes a connection: one that both sides give up at the same moment
/// loses a request.
const IDLE_CONNECTION_KEPT: Duration = Duration::from_secs(4);

/// Where functions are served, and how much one request may carry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EndpointConfig {
    /// For operators: in logs, metrics and errors.
    pub name: Arc<str>,
    /// The functions that are served here.
    pub functions: Vec<FunctionPattern>,
    /// Where to send requests.
    pub url: UrlTemplate,
    /// Most groups in one request, where the endpoint speaks the batch extension. Elsewhere it is one.
    pub groups_per_request: NonZeroUsize,
    /// Most messages in one request. A single group with more still goes, alone.
    pub messages_per_request: NonZeroUsize,
    /// Most bytes of messages and values in one request. A single larger group still goes, alone.
    pub bytes_per_request: NonZeroUsize,
    /// Most requests under way at once.
    pub concurrency: NonZeroUsize,
    /// The longest time from sending a request to the end of its answer.
    pub call_timeout: Duration,
    /// The longest time until a connection stands.
    pub connect_timeout: Duration,
    /// The longest time until an answer begins; nothing leaves that to the call timeout.
    pub begin_timeout: Option<Duration>,
    /// The longest silence within an answer; nothing leaves that to the call timeout.
    pub read_timeout: Option<Duration>,
    /// How long a connection is kept without use; zero keeps none.
    pub idle_connection_kept: Duration,
    /// The largest body of an answer, in bytes. Requests under way may hold that much memory each.
    pub payload_max_bytes: usize,
    /// Whom to trust and who to be, over https.
    pub tls: TlsConfig,
}

impl EndpointConfig {
    /// An endpoint with StateFun's time limits and bounds that suit most functions.
    pub fn new(name: &str, functions: Vec<FunctionPattern>, url: UrlTemplate) -> Self {
        const fn at_most(number: usize) -> NonZeroUsize {
            NonZeroUsize::new(number).expect("literals below are not zero")
        }
        Self {
            name: name.into(),
            functions,
            url,
            groups_per_request: at_most(256),
            messages_per_request: at_most(1000),
            bytes_per_request: at_most(1 << 20),
            concurrency: at_most(64),
            call_timeout: Duration::from_secs(120),
            connect_timeout: Duration::from_secs(20),
            begin_timeout: None,
            read_timeout: None,
            idle_connection_kept: IDLE_CONNECTION_KEPT,
            payload_max_bytes: ANSWER_BYTES_MAX,
            tls: TlsConfig::default(),
        }
    }
}

/// Which functions an endpoint serves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FunctionPattern {
    /// One function type. It goes before its namespace.
    Exact(FunctionType),
    /// All function types of a namespace.
    Namespace(Arc<str>),
}

impl FunctionPattern {
    /// Parses `namespace/name` or `namespace/*`.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let function = FunctionType::parse(text)?;
        Ok(match function.name() {
            "*" => Self::Namespace(function.namespace().into()),
            _ => Self::Exact(function),
        })
    }
}

impl fmt::Display for FunctionPattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(function) => function.fmt(out),
            Self::Namespace(namespace) => write!(out, "{namespace}/*"),
        }
    }
}

/// Why a text is not the URL of an endpoint.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UrlError {
    /// Nothing that a request could be sent to.
    #[error("`{0}` is not a URL of the form http://host:port/path")]
    NotAUrl(String),
    /// Another scheme than those that are spoken.
    #[error("the scheme `{0}` is not supported: endpoints are reached over http and https")]
    UnsupportedScheme(String),
}

/// A URL that may contain the name of the function.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UrlTemplate(Arc<str>);

const PLACEHOLDER: &str = "{function.name}";

impl UrlTemplate {
    /// Checks that the text is a URL once `{function.name}` is replaced by a name.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let example: Uri = text
            .replace(PLACEHOLDER, "name")
            .parse()
            .map_err(|_| UrlError::NotAUrl(text.into()))?;
        match example.scheme_str() {
            Some("http" | "https") if example.host().is_some_and(|host| !host.is_empty()) => {
                Ok(Self(text.into()))
            }
            Some("http" | "https") | None => Err(UrlError::NotAUrl(text.into())),
            Some(other) => Err(UrlError::UnsupportedScheme(other.into())),
        }
    }

    /// Whether connections are encrypted.
    pub(super) fn is_https(&self) -> bool {
        self.0.starts_with("https:")
    }

    /// Whether functions of different names have different URLs.
    pub(super) fn differs_by_name(&self) -> bool {
        self.0.contains(PLACEHOLDER)
    }

    /// The URL of a function; nothing if its name cannot stand where the template wants it.
    pub(super) fn of(&self, function: &FunctionType) -> Option<Uri> {
        let name = utf8_percent_encode(function.name(), RESERVED).to_string();
        self.0.replace(PLACEHOLDER, &name).parse().ok()
    }
}

impl fmt::Display for UrlTemplate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Names may hold any text; in a URL, all but the unreserved characters are written as their bytes.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn url(template: &str, function: &str) -> String {
        UrlTemplate::parse(template)
            .unwrap()
            .of(&FunctionType::parse(function).unwrap())
            .unwrap()
            .to_string()
    }

    #[test]
    fn the_name_of_the_function_is_put_into_the_url() {
        assert_eq!(url("http://host:8000/statefun", "shop/cart"), "http://host:8000/statefun");
        assert_eq!(url("http://host/{function.name}/run", "shop/cart"), "http://host/cart/run");
        assert_eq!(url("http://{function.name}.svc:80/", "shop/cart"), "http://cart.svc:80/");
    }

    #[test]
    fn a_name_cannot_change_the_rest_of_the_url() {
        assert_eq!(url("http://host/{function.name}", "shop/a?b=ü"), "http://host/a%3Fb%3D%C3%BC");
    }

    #[test]
    fn what_is_not_a_url_is_refused() {
        for text in ["", "host:80", "/path", "http://", "http:///path", "http://a b/"] {
            assert!(UrlTemplate::parse(text).is_err(), "{text}");
        }
        assert_eq!(
            UrlTemplate::parse("ftp://host/"),
            Err(UrlError::UnsupportedScheme("ftp".into()))
        );
    }

    #[test]
    fn a_star_stands_for_a_namespace() {
        assert_eq!(
            FunctionPattern::parse("shop/*").unwrap(),
            FunctionPattern::Namespace("shop".into())
        );
        assert_eq!(FunctionPattern::parse("shop/cart").unwrap().to_string(), "shop/cart");
        assert!(FunctionPattern::parse("shop").is_err());
    }
}
