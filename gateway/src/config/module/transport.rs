//! Reads how requests to an endpoint travel, with the defaults of StateFun's two transports.

use std::path::PathBuf;
use std::time::Duration;

use super::fields::{Fields, count, text};
use super::model::{Tls, Transport, TransportKind};
use crate::config::duration::{parse_flink, parse_positive};
use crate::config::fault::Code;

const ASYNC: &str = TransportKind::Async.name();
const OKHTTP: &str = TransportKind::Okhttp.name();
const MINUTE: Duration = Duration::from_mins(1);
const TEN_SECONDS: Duration = Duration::from_secs(10);

/// StateFun's transports keep idle connections for 15 seconds and for a minute. But Node.js servers close them after five, and a
/// connection that both sides give up at the same moment loses a request.
const POOL_IDLE: Duration = Duration::from_secs(4);

/// Keys that only the asynchronous transport knows.
const ASYNC_ONLY: [&str; 9] = [
    "call",
    "connect",
    "pool_ttl",
    "pool_size",
    "payload_max_bytes",
    "trust_cacerts",
    "client_cert",
    "client_key",
    "client_key_password",
];

impl Transport {
    /// The asynchronous transport with its defaults: that of endpoints of version 2.
    fn asynchronous() -> Self {
        Self {
            kind: TransportKind::Async,
            call_timeout: Duration::from_mins(2),
            connect_timeout: Duration::from_secs(20),
            read_timeout: None,
            write_timeout: None,
            pool_connections: 1024,
            pool_idle: POOL_IDLE,
            answer_bytes: Some(32 << 20),
            tls: Tls::default(),
        }
    }

    /// The blocking transport with its defaults: that of endpoints of version 1.
    fn okhttp() -> Self {
        Self {
            kind: TransportKind::Okhttp,
            call_timeout: MINUTE,
            connect_timeout: TEN_SECONDS,
            read_timeout: Some(TEN_SECONDS),
            write_timeout: Some(TEN_SECONDS),
            pool_connections: 1024,
            pool_idle: POOL_IDLE,
            answer_bytes: None,
            tls: Tls::default(),
        }
    }
}

/// The transport of an endpoint of version 1: its `timeouts` stand in the `spec` itself.
pub(super) fn of_v1(spec: &Fields<'_>) -> Transport {
    okhttp(spec.child("timeouts").as_ref())
}

/// The transport of an endpoint of version 2.
pub(super) fn of_v2(spec: &Fields<'_>) -> Transport {
    let Some(fields) = spec.child("transport") else { return Transport::asynchronous() };
    match fields.read_or("type", TransportKind::Async, kind) {
        TransportKind::Async => asynchronous(&fields),
        TransportKind::Okhttp => {
            for key in ASYNC_ONLY.into_iter().filter(|key| fields.get(key).is_some()) {
                let text = format!("`transport.{key}` has no effect with {OKHTTP}");
                fields.warn(key, Code::UnknownKey, text);
            }
            okhttp(fields.child("timeouts").as_ref())
        }
    }
}

fn kind(name: &str) -> Result<TransportKind, String> {
    match name {
        ASYNC => Ok(TransportKind::Async),
        OKHTTP => Ok(TransportKind::Okhttp),
        _ => Err(format!("is not a transport; there are {ASYNC} and {OKHTTP}")),
    }
}

fn okhttp(timeouts: Option<&Fields<'_>>) -> Transport {
    let defaults = Transport::okhttp();
    let Some(timeouts) = timeouts else { return defaults };
    let call_timeout = timeouts.read_or("call", MINUTE, parse_positive);
    let bounded = |key: &str| {
        let timeout = timeouts.read(key, parse_positive);
        if timeout.is_some_and(|timeout| timeout > call_timeout) {
            let text = format!("`timeouts.{key}` must not be longer than `timeouts.call`");
            timeouts.error(key, Code::Contradiction, text);
        }
        timeout.unwrap_or(TEN_SECONDS.min(call_timeout))
    };
    Transport {
        call_timeout,
        connect_timeout: bounded("connect"),
        read_timeout: Some(bounded("read")),
        write_timeout: Some(bounded("write")),
        ..defaults
    }
}

fn asynchronous(fields: &Fields<'_>) -> Transport {
    let defaults = Transport::asynchronous();
    let (call_timeout, connect_timeout) = async_timeouts(fields, &defaults);
    Transport {
        call_timeout,
        connect_timeout,
        pool_connections: fields.read_or("pool_size", defaults.pool_connections, count),
        pool_idle: fields.read_or("pool_ttl", defaults.pool_idle, parse_flink),
        answer_bytes: fields.read("payload_max_bytes", count).or(defaults.answer_bytes),
        tls: tls(fields),
        ..defaults
    }
}

/// The mapping `timeouts` wins over the flat keys, and brings other defaults with it.
fn async_timeouts(fields: &Fields<'_>, defaults: &Transport) -> (Duration, Duration) {
    let call = fields.read_or("call", defaults.call_timeout, parse_positive);
    let connect = fields.read_or("connect", defaults.connect_timeout, parse_positive);
    let Some(timeouts) = fields.child("timeouts") else { return (call, connect) };
    for key in ["read", "write"].into_iter().filter(|key| timeouts.get(key).is_some()) {
        let text = format!("`transport.timeouts.{key}` has no effect with {ASYNC}");
        timeouts.warn(key, Code::UnknownKey, text);
    }
    let call = timeouts.read_or("call", MINUTE, parse_positive);
    (call, timeouts.read_or("connect", TEN_SECONDS.min(call), parse_positive))
}

fn tls(fields: &Fields<'_>) -> Tls {
    let path = |key: &str| fields.read(key, file);
    let tls = Tls {
        trust_cacerts: path("trust_cacerts"),
        client_cert: path("client_cert"),
        client_key: path("client_key"),
        client_key_password: path("client_key_password"),
    };
    if tls.client_cert.is_some() != tls.client_key.is_some() {
        let text = "`client_cert` and `client_key` go together: one of them is missing";
        fields.error("client_cert", Code::Contradiction, text);
    }
    tls
}

/// A path, with or without the scheme `file:`. There is no class path to look in.
fn file(name: &str) -> Result<PathBuf, String> {
    if name.starts_with("classpath:") {
        return Err(
            "names a class path, and Tidegate has none; write the path of a file".to_owned()
        );
    }
    let path = name.strip_prefix("file://").or_else(|| name.strip_prefix("file:")).unwrap_or(name);
    Ok(PathBuf::from(text(path)?))
}
