//! `tidegate state get`: what a function instance remembers.

use std::time::Duration;

use bytes::Bytes;
use clap::{Args, Subcommand};
use http::{Request, Uri};
use http_body_util::Full;
use serde_json::{Map, Value};
use tidegate_core::address::Address;

use super::client::{Access, ClientError, exchange, path_of};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::parse;

const TIMEOUT: Duration = Duration::from_secs(30);

/// What to do with state.
#[derive(Subcommand, Clone, Debug)]
pub(super) enum StateCommand {
    /// Show the values of a function instance
    Get(GetArgs),
}

/// Whose values.
#[derive(Args, Clone, Debug)]
pub(super) struct GetArgs {
    /// The function instance: namespace/type/id
    #[arg(value_name = "ADDRESS", value_parser = parse::address)]
    address: Address,
    /// Where the gateway can be inspected
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
    /// Write JSON, for scripts
    #[arg(long)]
    json: bool,
}

/// Shows the values of a function instance.
pub(super) async fn get(args: GetArgs, output: &mut Output) -> Result<Exit, Failure> {
    let url: Uri = parse::join(&args.admin_url, &format!("v1/state/{}", path_of(&args.address)))
        .parse()
        .map_err(|error| Failure::usage(format!("the request cannot be written: {error}")))?;
    let mut request = Request::new(Full::new(Bytes::new()));
    *request.uri_mut() = url.clone();
    args.access.authorize(&mut request)?;
    let answer = exchange(request, TIMEOUT).await?;
    let not_understood =
        |why: &str| ClientError::NotUnderstood { url: url.clone(), why: why.to_owned() };
    let state: Value =
        serde_json::from_slice(&answer.body).map_err(|_| not_understood("it is not JSON"))?;
    let values = state.get("values").and_then(Value::as_object);
    let values = values.ok_or_else(|| not_understood("it has no `values`"))?;
    match args.json {
        true => output.json(&state),
        false => table(values, output),
    }
    Ok(Exit::Done)
}

fn table(values: &Map<String, Value>, output: &mut Output) {
    if values.is_empty() {
        output.note("there are no values");
    }
    let rows: Vec<_> =
        values.iter().map(|(name, value)| (name.as_str(), typename(value), shown(value))).collect();
    let names = rows.iter().map(|row| row.0.chars().count()).max().unwrap_or(0);
    let types = rows.iter().map(|row| row.1.chars().count()).max().unwrap_or(0);
    for (name, typename, value) in &rows {
        output.line(format_args!("{name:names$}  {typename:types$}  {value}"));
    }
}

fn typename(value: &Value) -> &str {
    value.get("type").and_then(Value::as_str).unwrap_or("?")
}

/// A value as JSON if the gateway could read it, else as base64.
fn shown(value: &Value) -> String {
    match (value.get("json"), value.get("base64").and_then(Value::as_str)) {
        (Some(json), _) if !json.is_null() => json.to_string(),
        (_, Some(base64)) => format!("base64:{base64}"),
        _ => "?".to_owned(),
    }
}
