//! `tidegate reload`: has a node read its module anew.

use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::{Method, Request, Uri};
use http_body_util::Full;
use serde_json::Value;

use super::client::{Access, ClientError, exchange};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::parse;

/// Files of egresses are read when they are opened, which may take long.
const TIMEOUT: Duration = Duration::from_mins(5);

/// Which node.
#[derive(Args, Clone, Debug)]
pub(super) struct ReloadArgs {
    /// Where the gateway can be operated
    #[arg(
        long,
        value_name = "URL",
        env = "TIDEGATE_ADMIN_URL",
        hide_env_values = true,
        default_value = "http://127.0.0.1:9090",
        value_parser = parse::url,
    )]
    admin_url: Uri,
    #[command(flatten)]
    access: Access,
    /// Write JSON, for scripts; also of a refusal
    #[arg(long)]
    json: bool,
}

/// Shows what was changed, or why nothing was.
pub(super) async fn reload(args: ReloadArgs, output: &mut Output) -> Result<Exit, Failure> {
    let url: Uri = parse::join(&args.admin_url, "v1/module/reload")
        .parse()
        .map_err(|error| Failure::usage(format!("the request cannot be written: {error}")))?;
    let mut request = Request::new(Full::new(Bytes::new()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = url.clone();
    args.access.authorize(&mut request)?;
    let answer = match exchange(request, TIMEOUT).await {
        Err(ClientError::Refused(problem)) if args.json => {
            if let Ok(document) = serde_json::from_slice::<Value>(&problem.body) {
                output.json(&document);
            }
            return Err(ClientError::Refused(problem).into());
        }
        other => other?,
    };
    let not_understood =
        |why: &str| ClientError::NotUnderstood { url: url.clone(), why: why.to_owned() };
    let changes: Value =
        serde_json::from_slice(&answer.body).map_err(|_| not_understood("it is not JSON"))?;
    match args.json {
        true => output.json(&changes),
        false => list(&changes, output),
    }
    Ok(Exit::Done)
}

fn list(changes: &Value, output: &mut Output) {
    let texts = |key: &str| changes[key].as_array().cloned().unwrap_or_default();
    let mut any = false;
    for what in ["added", "removed", "changed"] {
        for name in texts(what).iter().filter_map(Value::as_str) {
            any = true;
            output.line(format_args!("{what:7}  {name}"));
        }
    }
    for warning in texts("warnings") {
        let (code, text) = (warning["code"].as_str(), warning["text"].as_str());
        output.note(format_args!("warning[{}]: {}", code.unwrap_or("?"), text.unwrap_or("?")));
    }
    if !any {
        output.note("nothing has changed");
    }
}
