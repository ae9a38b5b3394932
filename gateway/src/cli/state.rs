//! `tidegate state get`: what a function instance remembers.

use bytes::Bytes;
use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Map, Value};
use tidegate_core::address::Address;

use super::admin::{AdminArgs, answer_to};
use super::client::{ClientError, path_of};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::parse;

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
    #[command(flatten)]
    admin: AdminArgs,
}

/// Shows the values of a function instance.
pub(super) async fn get(args: GetArgs, output: &mut Output) -> Result<Exit, Failure> {
    let path = format!("v1/state/{}", path_of(&args.address));
    let request = args.admin.request(Method::GET, &path, Bytes::new())?;
    let url = request.uri().clone();
    let state = answer_to(request).await?;
    let values = state.get("values").and_then(Value::as_object);
    let why = "it has no `values`".to_owned();
    let values = values.ok_or(ClientError::NotUnderstood { url, why })?;
    match args.admin.json {
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
