//! `tidegate send` and `tidegate call`: give a function instance a message.

use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use clap::{Args, ValueEnum};
use http::{Request, StatusCode, Uri, header};
use http_body_util::Full;
use serde_json::{Value, json};
use tidegate_core::address::Address;

use super::client::{Access, Answer, ClientError, exchange, path_of};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::parse;

/// How long a message may take to be accepted.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);
/// How much longer than the gateway the client waits for a reply, so that the gateway's answer is seen.
const CALL_MARGIN: Duration = Duration::from_secs(5);

/// A message, and to whom.
#[derive(Args, Clone, Debug)]
pub(super) struct MessageArgs {
    /// The receiver: namespace/type/id
    #[arg(value_name = "ADDRESS", value_parser = parse::address)]
    address: Address,
    #[command(flatten)]
    payload: Payload,
    /// What the payload is
    #[arg(long = "as", value_name = "FORM", default_value = "text")]
    form: Form,
    /// The typename of the message, if it is not that of the form
    #[arg(long = "type", value_name = "TYPENAME", value_parser = parse::typename)]
    typename: Option<String>,
    /// A key under which the message is accepted once, however often it is sent
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Where the gateway takes messages in
    #[arg(
        long,
        value_name = "URL",
        env = "TIDEGATE_URL",
        hide_env_values = true,
        default_value = "http://127.0.0.1:8080",
        value_parser = parse::url,
    )]
    url: Uri,
    #[command(flatten)]
    access: Access,
    /// Write JSON, for scripts
    #[arg(long)]
    json: bool,
}

#[derive(Args, Clone, Debug)]
#[group(required = true, multiple = false)]
struct Payload {
    /// The payload itself, or `-` to read it from the standard input
    #[arg(value_name = "PAYLOAD", allow_hyphen_values = true)]
    text: Option<String>,
    /// A file with the payload
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// What a payload is, and so the typename that the message gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Form {
    /// UTF-8 text: `io.statefun.types/string`
    Text,
    /// JSON: `tidegate.types/json`
    Json,
    /// Any bytes: `tidegate.types/bytes`
    Bytes,
}

impl Form {
    fn media_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; charset=utf-8",
            Self::Json => "application/json",
            Self::Bytes => "application/octet-stream",
        }
    }

    fn check(self, payload: &[u8]) -> Result<(), Failure> {
        match self {
            Self::Text => std::str::from_utf8(payload).map(|_| ()).map_err(|_| {
                Failure::usage("the payload is not UTF-8 text; send it with `--as bytes`")
            }),
            Self::Json => serde_json::from_slice::<serde::de::IgnoredAny>(payload)
                .map(|_| ())
                .map_err(|error| Failure::usage(format!("the payload is not JSON: {error}"))),
            Self::Bytes => Ok(()),
        }
    }
}

/// Sends a message and returns when it is durably accepted.
pub(super) async fn send(args: MessageArgs, output: &mut Output) -> Result<Exit, Failure> {
    let request = args.request("send", None)?;
    let answer = exchange(request, SEND_TIMEOUT).await?;
    let repeated = answer.header("tidegate-repeated") == Some("true");
    if args.json {
        output.json(&json!({"accepted": true, "repeated": repeated}));
    } else {
        output.line(if repeated { "accepted before under this key" } else { "accepted" });
    }
    Ok(Exit::Done)
}

/// Sends a message and returns when the function replied.
pub(super) async fn call(
    args: MessageArgs,
    timeout: Duration,
    output: &mut Output,
) -> Result<Exit, Failure> {
    let request = args.request("call", Some(timeout))?;
    let answer = exchange(request, timeout.saturating_add(CALL_MARGIN)).await?;
    if matches!(answer.status, StatusCode::ACCEPTED | StatusCode::NO_CONTENT) {
        output.note("the message was accepted, but no reply came");
        return Ok(Exit::TimedOut);
    }
    match args.json {
        true => output.json(&reply(&answer)),
        false if is_text(&answer) => output.line(String::from_utf8_lossy(&answer.body)),
        false => output.bytes(&answer.body),
    }
    Ok(Exit::Done)
}

fn is_text(answer: &Answer) -> bool {
    let media_type = answer.header("content-type").unwrap_or_default();
    media_type.starts_with("text/") || media_type.starts_with("application/json")
}

/// A reply for scripts: the value as JSON if it is, as text if it is, else as base64.
fn reply(answer: &Answer) -> Value {
    let body = &answer.body;
    let media_type = answer.header("content-type");
    let is_json = media_type.is_some_and(|name| name.starts_with("application/json"));
    let (name, value) = match (serde_json::from_slice::<Value>(body), std::str::from_utf8(body)) {
        (Ok(value), _) if is_json => ("json", value),
        (_, Ok(text)) if is_text(answer) => ("text", text.into()),
        _ => ("base64", STANDARD.encode(body).into()),
    };
    json!({"type": answer.header("tidegate-type"), "contentType": media_type, name: value})
}

impl MessageArgs {
    fn request(
        &self,
        verb: &str,
        timeout: Option<Duration>,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        let payload = self.payload.read()?;
        self.form.check(&payload)?;
        let url =
            parse::join(&self.url, &format!("v1/functions/{}/{verb}", path_of(&self.address)));
        let mut request = Request::post(url).header(header::CONTENT_TYPE, self.form.media_type());
        if let Some(typename) = &self.typename {
            request = request.header("tidegate-type", typename);
        }
        if let Some(key) = &self.idempotency_key {
            request = request.header("idempotency-key", key);
        }
        if let Some(timeout) = timeout {
            request = request.header("tidegate-timeout", format!("{}ms", timeout.as_millis()));
        }
        let request = request.body(Full::new(payload));
        let mut request = request
            .map_err(|error| Failure::usage(format!("the request cannot be written: {error}")))?;
        self.access.authorize(&mut request)?;
        Ok(request)
    }
}

impl Payload {
    fn read(&self) -> Result<Bytes, Failure> {
        let read = match (&self.file, self.text.as_deref()) {
            (Some(path), _) => {
                std::fs::read(path).map_err(|error| (path.display().to_string(), error))
            }
            (None, Some("-")) => {
                let mut payload = Vec::new();
                let read = std::io::stdin().read_to_end(&mut payload);
                read.map(|_| payload).map_err(|error| ("the standard input".to_owned(), error))
            }
            (None, text) => Ok(text.unwrap_or_default().as_bytes().to_vec()),
        };
        let read = read.map_err(|(source, error)| {
            Failure::usage(format!("the payload cannot be read from {source}: {error}"))
        });
        read.map(Bytes::from)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self { exit: error.exit(), code: error.code().map(str::to_owned), text: error.to_string() }
    }
}
