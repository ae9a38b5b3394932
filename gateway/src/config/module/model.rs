//! What a module declares, as plain data: endpoints that serve functions, ingresses, egresses.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use tidegate_core::address::{EgressId, FunctionType, Typename};

/// The application that a node runs.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ModuleConfig {
    /// Where functions are served, in the order of the file. No two serve the same [`FunctionPattern`].
    pub endpoints: Vec<Endpoint>,
    /// Where messages come from. No two have the same id or path.
    pub ingresses: Vec<Ingress>,
    /// Where records go. No two have the same id.
    pub egresses: Vec<Egress>,
}

/// Which functions an endpoint serves.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum FunctionPattern {
    /// One function type; goes before its namespace.
    One(FunctionType),
    /// Every function of a namespace (`namespace/*`).
    Namespace(Arc<str>),
}

/// Where functions are served.
#[derive(Clone, PartialEq, Debug)]
pub struct Endpoint {
    /// Which functions.
    pub functions: FunctionPattern,
    /// Where to send their requests.
    pub url: UrlTemplate,
    /// Most messages of one address in a request; nothing is without a limit.
    pub batch_messages: Option<NonZeroUsize>,
    /// How requests travel.
    pub transport: Transport,
    /// How Tidegate treats the functions beyond what StateFun describes.
    pub treatment: Treatment,
}

/// A URL in which `{function.name}` stands for the name of the function.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UrlTemplate(pub(super) Arc<str>);

impl UrlTemplate {
    /// The placeholder.
    pub const FUNCTION_NAME: &str = "{function.name}";

    /// The URL of a function.
    #[must_use]
    pub fn of(&self, function: &FunctionType) -> String {
        self.0.replace(Self::FUNCTION_NAME, function.name())
    }

    /// The text as it was declared.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Which of StateFun's transports an endpoint was declared with. They differ in their defaults and timeouts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TransportKind {
    /// `io.statefun.transports.v1/async`.
    Async,
    /// `io.statefun.transports.v1/okhttp`.
    Okhttp,
}

impl TransportKind {
    /// Its name in `transport.type`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Async => "io.statefun.transports.v1/async",
            Self::Okhttp => "io.statefun.transports.v1/okhttp",
        }
    }
}

/// How requests to an endpoint travel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transport {
    /// Which of StateFun's transports was declared.
    pub kind: TransportKind,
    /// Longest time for a request with all its retries.
    pub call_timeout: Duration,
    /// Longest time to connect.
    pub connect_timeout: Duration,
    /// Longest silence while an answer is awaited or read; nothing is without a limit.
    pub read_timeout: Option<Duration>,
    /// Longest standstill while a request is written; nothing is without a limit.
    pub write_timeout: Option<Duration>,
    /// Most connections that are kept.
    pub pool_connections: usize,
    /// How long an idle connection is kept; zero keeps none.
    pub pool_idle: Duration,
    /// Largest answer in bytes; nothing is without a limit of its own.
    pub answer_bytes: Option<u64>,
    /// Certificates and keys.
    pub tls: Tls,
}

/// Files of certificates and keys, as paths.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tls {
    /// Authorities to trust in place of the system's (PEM).
    pub trust_cacerts: Option<PathBuf>,
    /// The client's certificate (PEM).
    pub client_cert: Option<PathBuf>,
    /// The key of that certificate (PKCS#8).
    pub client_key: Option<PathBuf>,
    /// A file with the password of that key.
    pub client_key_password: Option<PathBuf>,
}

/// How Tidegate treats the functions of an endpoint: `spec.tidegate`.
#[derive(Clone, PartialEq, Debug)]
pub struct Treatment {
    /// Whether functions may run on input that is not durable yet.
    pub speculative: bool,
    /// Most requests to the endpoint at once.
    pub concurrency: usize,
    /// How often a message may fail alone before it is given up.
    pub attempts: u32,
    /// Where a message goes that is given up; without it, its address is parked.
    pub dead_letter: Option<EgressId>,
    /// The wait after the first failure.
    pub backoff_first: Duration,
    /// By how many hundredths the wait is multiplied with each further failure.
    pub backoff_factor_percent: u32,
    /// The longest wait between attempts.
    pub backoff_longest: Duration,
    /// Most bytes of messages of one address in a request; a single larger message still goes.
    pub batch_bytes: u64,
    /// Most addresses of one function that are processed at once in one partition; nothing leaves it to how busy others are.
    pub groups_per_partition: Option<usize>,
    /// Most addresses of one function that are processed at once, over the whole node.
    pub groups: Option<usize>,
    /// Most messages per second for one function, over the whole node.
    pub messages_per_second: Option<f64>,
}

impl Default for Treatment {
    fn default() -> Self {
        Self {
            speculative: true,
            concurrency: 64,
            attempts: 8,
            dead_letter: None,
            backoff_first: Duration::from_millis(100),
            backoff_factor_percent: 200,
            backoff_longest: Duration::from_secs(30),
            batch_bytes: 1 << 20,
            groups_per_partition: None,
            groups: None,
            messages_per_second: None,
        }
    }
}

/// Where messages come from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ingress {
    /// Its name.
    pub id: Typename,
    /// What it is.
    pub kind: IngressKind,
}

/// The kinds of ingresses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum IngressKind {
    /// A path of the node's HTTP listener.
    Http(HttpIngress),
    /// A listener that takes messages for any function, as that of StateFun's playground does.
    Playground {
        /// Where it listens, on the interface of the node's listener.
        port: u16,
    },
}

/// A path of the node's HTTP listener that takes messages.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HttpIngress {
    /// The path, beginning with a slash and without one at its end. With [`KeySource::Path`] one more segment follows.
    pub path: String,
    /// The typename that messages get; bodies are taken as they are.
    pub value_type: Typename,
    /// The functions that get each message.
    pub targets: Vec<FunctionType>,
    /// Where the id of the receiver comes from.
    pub key: KeySource,
}

/// Where the id of a message's receiver comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeySource {
    /// A place in the JSON body (RFC 6901): a string or a number stands there.
    JsonPointer(String),
    /// The last segment of the request's path.
    Path,
    /// A header of the request.
    Header(HeaderName),
}

/// Where records go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Egress {
    /// Its name.
    pub id: EgressId,
    /// What it is.
    pub kind: EgressKind,
}

/// The kinds of egresses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EgressKind {
    /// Records wait until clients fetch and acknowledge them over HTTP.
    Http(Retention),
    /// Records are appended to a file.
    File {
        /// Which file.
        path: PathBuf,
    },
    /// Records are fetched one by one from topics, as in StateFun's playground.
    Playground(Playground),
}

/// The egress of StateFun's playground.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Playground {
    /// Where records are fetched, on the interface of the node's listener.
    pub port: u16,
    /// The topics, in order and each once.
    pub topics: Vec<String>,
}

/// How long records wait for a client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Retention {
    /// Records that are older are removed; nothing keeps them until they are acknowledged.
    pub age: Option<Duration>,
    /// Most bytes that wait; at this bound the doors close.
    pub bytes: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self { age: None, bytes: 1 << 30 }
    }
}
