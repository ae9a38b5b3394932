//! The settings of a node: their names and what they are for. One name serves the file (`ingress.listen`), the
//! environment (`TIDEGATE_INGRESS_LISTEN`) and the flags (`--ingress-listen`).

/// A setting.
#[derive(Debug)]
pub struct Setting {
    /// Its name in `tidegate.toml`: the table and the key with a dot between, or the key alone.
    pub key: &'static str,
    /// What kind of value it takes, as help texts show it.
    pub value: &'static str,
    /// What it is for.
    pub about: &'static str,
}

impl Setting {
    /// The name of its environment variable.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}", self.key.replace('.', "_").to_uppercase())
    }

    /// The name of its flag, without the dashes before it.
    #[must_use]
    pub fn flag(&self) -> String {
        self.key.replace(['.', '_'], "-")
    }
}

/// What the names of all environment variables begin with.
pub(super) const PREFIX: &str = "TIDEGATE_";

const fn setting(key: &'static str, value: &'static str, about: &'static str) -> Setting {
    Setting { key, value, about }
}

/// Every setting, in the order in which they are shown.
pub static SETTINGS: [Setting; 33] = [
    setting("data", "DIR", "where the node keeps its log and its state"),
    setting("module", "FILE", "the file that describes the application"),
    setting("strict", "BOOL", "whether warnings about the configuration are errors"),
    setting(
        "partitions",
        "COUNT",
        "how many partitions there are: a power of two, fixed for the life of the data",
    ),
    setting("ingress.listen", "ADDRESS", "where messages are taken in over HTTP"),
    setting("ingress.body_limit", "SIZE", "the largest body of a message"),
    setting(
        "ingress.call_timeout",
        "DURATION",
        "how long a call waits for its reply if the client names no time",
    ),
    setting("ingress.call_timeout_longest", "DURATION", "the longest time that a client may name"),
    setting(
        "ingress.connections",
        "COUNT",
        "how many connections are open at once; further ones wait",
    ),
    setting(
        "ingress.header_timeout",
        "DURATION",
        "how long a client may take to send the head of a request",
    ),
    setting(
        "ingress.idle_timeout",
        "DURATION",
        "how long a connection may rest between requests before it is closed",
    ),
    setting(
        "ingress.token_file",
        "FILE",
        "a file with the tokens that let clients in, one in each line; without it everybody is let in",
    ),
    setting(
        "ingress.tls_certificate",
        "FILE",
        "the certificate of the listener, in PEM form; without it connections are not encrypted",
    ),
    setting("ingress.tls_key", "FILE", "the key of the certificate, in PEM form"),
    setting(
        "ingress.tls_client_authorities",
        "FILE",
        "the authorities that certificates of clients must come from, in PEM form; without it clients need none",
    ),
    setting(
        "admin.listen",
        "ADDRESS",
        "where health, metrics and inspection are served; other addresses than loopback need a token",
    ),
    setting(
        "admin.token_file",
        "FILE",
        "a file with the tokens that let clients in, one in each line; without it everybody is let in",
    ),
    setting(
        "admin.tls_certificate",
        "FILE",
        "the certificate of the listener, in PEM form; without it connections are not encrypted",
    ),
    setting("admin.tls_key", "FILE", "the key of the certificate, in PEM form"),
    setting(
        "admin.tls_client_authorities",
        "FILE",
        "the authorities that certificates of clients must come from, in PEM form; without it clients need none",
    ),
    setting(
        "memory.budget",
        "SIZE",
        "the memory for messages, values and caches; at this bound the doors close",
    ),
    setting(
        "store.cache",
        "SIZE",
        "the part of the memory budget that caches blocks of the state store",
    ),
    setting("store.flush_interval", "DURATION", "how often state is written behind to the store"),
    setting(
        "store.sweep_interval",
        "DURATION",
        "the pause between two walks through the state that remove values which have expired",
    ),
    setting(
        "node_log.backlog",
        "SIZE",
        "how long the node log may grow before state is written behind early",
    ),
    setting(
        "idempotency.retention",
        "DURATION",
        "how long the answer to an idempotent request is kept",
    ),
    setting(
        "idempotency.keys",
        "COUNT",
        "how many idempotency keys each partition remembers before it refuses new ones",
    ),
    setting(
        "shutdown.grace",
        "DURATION",
        "how long a stopping node waits for requests that are under way",
    ),
    setting(
        "log.level",
        "FILTER",
        "what is logged: error, warn, info, debug, trace, or a filter such as `info,tidegate::log=debug`",
    ),
    setting("log.format", "FORMAT", "how it is logged: text or json"),
    setting("log.color", "WHEN", "whether logs are coloured: auto, always or never"),
    setting(
        "trace.endpoint",
        "URL",
        "the collector that spans are sent to by OTLP over HTTP; empty takes OTEL_EXPORTER_OTLP_ENDPOINT, or none",
    ),
    setting(
        "trace.ratio",
        "RATIO",
        "how many of the traces that begin here are recorded, from 0 to 1",
    ),
];

/// The setting with this name.
pub(super) fn setting_of(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}
