//! `tidegate pause`, `resume`, `pauses` and `partitions`.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::admin::{AdminArgs, SignArgs, columns, list_of, text_of};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::parse;

/// What can be paused.
#[derive(ValueEnum, Clone, Copy, Debug)]
enum Kind {
    /// A function type: its messages wait
    Function,
    /// An ingress: it takes no messages
    Ingress,
}

/// What shall be paused, or go on.
#[derive(Args, Clone, Debug)]
pub(super) struct PauseArgs {
    /// What it is
    #[arg(value_name = "KIND")]
    kind: Kind,
    /// Its name: namespace/name
    #[arg(value_name = "NAME", value_parser = parse::typename)]
    name: String,
    #[command(flatten)]
    sign: SignArgs,
    #[command(flatten)]
    admin: AdminArgs,
}

/// Pauses something.
pub(super) async fn pause(args: PauseArgs, output: &mut Output) -> Result<Exit, Failure> {
    order(args, "v1/pauses", ["paused", "was paused already"], output).await
}

/// Lets something go on.
pub(super) async fn resume(args: PauseArgs, output: &mut Output) -> Result<Exit, Failure> {
    order(args, "v1/pauses/resume", ["goes on", "was not paused"], output).await
}

async fn order(
    args: PauseArgs,
    path: &str,
    [done, already]: [&str; 2],
    output: &mut Output,
) -> Result<Exit, Failure> {
    let kind = match args.kind {
        Kind::Function => "function",
        Kind::Ingress => "ingress",
    };
    let order = args.sign.sign(json!({"kind": kind, "name": args.name}));
    let result = args.admin.post(path, &order).await?;
    let changed = result.get("changed").and_then(Value::as_bool).unwrap_or(false);
    if result.get("declared").and_then(Value::as_bool) == Some(false) {
        output.note(format_args!("warning[TG-0707]: the module declares no {kind} {}", args.name));
    }
    match args.admin.json {
        true => output.json(&result),
        false => {
            let what = if changed { done } else { already };
            output.line(format_args!("{} {what}", args.name));
        }
    }
    Ok(Exit::Done)
}

/// Lists what is paused.
pub(super) async fn list(admin: AdminArgs, output: &mut Output) -> Result<Exit, Failure> {
    let members = ["kind", "name", "declared", "since", "operator", "reason"];
    table(&admin, "v1/pauses", "pauses", &members, "nothing is paused", output).await
}

/// Lists the partitions of the node.
pub(super) async fn partitions(admin: AdminArgs, output: &mut Output) -> Result<Exit, Failure> {
    let members = [
        "id",
        "epoch",
        "lsn",
        "applied",
        "residents",
        "dirty_bytes",
        "groups_in_flight",
        "ready",
        "parked",
        "messages",
        "timers",
    ];
    table(&admin, "v1/partitions", "partitions", &members, "there are no partitions", output).await
}

async fn table(
    admin: &AdminArgs,
    path: &str,
    list: &str,
    members: &[&str],
    nothing: &str,
    output: &mut Output,
) -> Result<Exit, Failure> {
    let answer = admin.get(path).await?;
    if admin.json {
        output.json(&answer);
        return Ok(Exit::Done);
    }
    let row = |item: &Value| members.iter().map(|member| text_of(item, member)).collect();
    let items: Vec<Vec<String>> = list_of(&answer, list).iter().map(row).collect();
    if items.is_empty() {
        output.note(nothing);
        return Ok(Exit::Done);
    }
    let head = members.iter().map(|member| member.replace('_', " ")).collect();
    output.line(columns(&[vec![head], items].concat()));
    Ok(Exit::Done)
}
