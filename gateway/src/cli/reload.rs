//! `tidegate reload`: has a node read its module anew.

use bytes::Bytes;
use clap::Args;
use http::Method;
use serde_json::Value;

use super::admin::{AdminArgs, answer_to};
use super::client::ClientError;
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;

/// Which node.
#[derive(Args, Clone, Debug)]
pub(super) struct ReloadArgs {
    #[command(flatten)]
    admin: AdminArgs,
}

/// Shows what was changed, or why nothing was; a refusal too as JSON, if that was asked for.
pub(super) async fn reload(args: ReloadArgs, output: &mut Output) -> Result<Exit, Failure> {
    let request = args.admin.request(Method::POST, "v1/module/reload", Bytes::new())?;
    let changes = match answer_to(request).await {
        Err(ClientError::Refused(problem)) if args.admin.json => {
            if let Ok(document) = serde_json::from_slice::<Value>(&problem.body) {
                output.json(&document);
            }
            return Err(ClientError::Refused(problem).into());
        }
        other => other?,
    };
    match args.admin.json {
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
