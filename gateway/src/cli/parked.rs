//! `tidegate parked`: addresses that wait for an operator.

use clap::{Args, Subcommand};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tidegate_core::address::Address;

use super::admin::{AdminArgs, SignArgs, columns, list_of, text_of};
use super::client::path_of;
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::parse;

/// What to do with parked addresses.
#[derive(Subcommand, Clone, Debug)]
pub(super) enum ParkedCommand {
    /// List the addresses that wait for an operator
    List(ListArgs),
    /// Show a parked address: its error, its values, and the messages that wait
    Show(ShowArgs),
    /// Let one parked address, or all of them, try again
    Redrive(RedriveArgs),
    /// Drop the message at the head of a parked address, or all that wait
    Drop(DropArgs),
}

/// Which addresses.
#[derive(Args, Clone, Debug)]
pub(super) struct ListArgs {
    /// Only of this function type: namespace/name
    #[arg(long, value_name = "TYPE", value_parser = parse::typename)]
    function: Option<String>,
    /// Only those whose last error has this code, such as TG-0410
    #[arg(long, value_name = "CODE")]
    code: Option<String>,
    /// Most addresses to list
    #[arg(long, value_name = "NUMBER", default_value = "100", value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Go on where a list ended, as it said
    #[arg(long, value_name = "PLACE")]
    after: Option<String>,
    #[command(flatten)]
    admin: AdminArgs,
}

/// Which address, and how much of it.
#[derive(Args, Clone, Debug)]
pub(super) struct ShowArgs {
    /// The function instance: namespace/type/id
    #[arg(value_name = "ADDRESS", value_parser = parse::address)]
    address: Address,
    /// Show the bytes of values and messages too, as base64
    #[arg(long)]
    payloads: bool,
    /// Begin with this message
    #[arg(long, value_name = "SEQUENCE", default_value = "0")]
    from: u64,
    #[command(flatten)]
    admin: AdminArgs,
}

/// Who shall try again.
#[derive(Args, Clone, Debug)]
pub(super) struct RedriveArgs {
    /// The function instance: namespace/type/id
    #[arg(value_name = "ADDRESS", value_parser = parse::address, required_unless_present = "all")]
    address: Option<Address>,
    /// All parked addresses
    #[arg(long, conflicts_with = "address")]
    all: bool,
    /// With --all: only of this function type
    #[arg(long, value_name = "TYPE", value_parser = parse::typename, conflicts_with = "address")]
    function: Option<String>,
    /// With --all: only those whose last error has this code
    #[arg(long, value_name = "CODE", conflicts_with = "address")]
    code: Option<String>,
    #[command(flatten)]
    sign: SignArgs,
    #[command(flatten)]
    admin: AdminArgs,
}

/// What shall be dropped.
#[derive(Args, Clone, Debug)]
pub(super) struct DropArgs {
    /// The function instance: namespace/type/id
    #[arg(value_name = "ADDRESS", value_parser = parse::address)]
    address: Address,
    /// The message at the head, as `show` numbers it: given twice, the command drops one message
    #[arg(long, value_name = "SEQUENCE", required_unless_present = "all")]
    sequence: Option<u64>,
    /// All messages that wait now
    #[arg(long, conflicts_with = "sequence")]
    all: bool,
    #[command(flatten)]
    sign: SignArgs,
    #[command(flatten)]
    admin: AdminArgs,
}

/// Does what was asked for.
pub(super) async fn perform(command: ParkedCommand, output: &mut Output) -> Result<Exit, Failure> {
    match command {
        ParkedCommand::List(args) => list(args, output).await,
        ParkedCommand::Show(args) => show(args, output).await,
        ParkedCommand::Redrive(args) => redrive(args, output).await,
        ParkedCommand::Drop(args) => drop_messages(args, output).await,
    }
}

async fn list(args: ListArgs, output: &mut Output) -> Result<Exit, Failure> {
    let mut path = format!("v1/parked?limit={}", args.limit);
    for (name, value) in
        [("function", &args.function), ("code", &args.code), ("after", &args.after)]
    {
        if let Some(value) = value {
            path += &format!("&{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC));
        }
    }
    let page = args.admin.get(&path).await?;
    if args.admin.json {
        output.json(&page);
        return Ok(Exit::Done);
    }
    let row = |parked: &Value| {
        let texts = ["address", "since", "attempts", "error"].map(|name| text_of(parked, name));
        Vec::from(texts)
    };
    let rows: Vec<Vec<String>> = list_of(&page, "parked").iter().map(row).collect();
    if rows.is_empty() {
        output.note("nothing is parked");
    } else {
        output.line(columns(&rows));
    }
    if let Some(after) = page.get("after").and_then(Value::as_str) {
        output.note(format_args!("there may be more: --after '{after}'"));
    }
    Ok(Exit::Done)
}

async fn show(args: ShowArgs, output: &mut Output) -> Result<Exit, Failure> {
    let path = format!(
        "v1/parked/{}?payloads={}&from={}",
        path_of(&args.address),
        args.payloads,
        args.from
    );
    let shown = args.admin.get(&path).await?;
    if args.admin.json {
        output.json(&shown);
        return Ok(Exit::Done);
    }
    for (label, member) in [("since", "since"), ("attempts", "attempts"), ("error", "error")] {
        output.line(format_args!("{label}: {}", text_of(&shown, member)));
    }
    section("values:", &shown, "values", ["name", "type", "bytes", "base64"], output);
    section("messages:", &shown, "messages", ["sequence", "type", "bytes", "base64"], output);
    Ok(Exit::Done)
}

fn section(title: &str, shown: &Value, list: &str, members: [&str; 4], output: &mut Output) {
    let row = |item: &Value| {
        let mut cells = vec![String::new()];
        cells.extend(members.map(|member| text_of(item, member)));
        cells
    };
    let rows: Vec<Vec<String>> = list_of(shown, list).iter().map(row).collect();
    if !rows.is_empty() {
        output.line(title);
        output.line(columns(&rows));
    }
}

async fn redrive(args: RedriveArgs, output: &mut Output) -> Result<Exit, Failure> {
    let result = match &args.address {
        Some(address) => {
            let path = format!("v1/parked/{}/redrive", path_of(address));
            args.admin.post(&path, &args.sign.sign(json!({}))).await?
        }
        None => {
            let mut order = args.sign.sign(json!({}));
            for (name, value) in [("function", &args.function), ("code", &args.code)] {
                if let Some(value) = value {
                    order[name] = json!(value);
                }
            }
            args.admin.post("v1/parked/redrive", &order).await?
        }
    };
    match (args.admin.json, &args.address) {
        (true, _) => output.json(&result),
        (false, Some(address)) => output.line(format_args!("{address} tries again")),
        (false, None) => {
            output.line(format_args!("{} addresses try again", text_of(&result, "redriven")));
        }
    }
    Ok(Exit::Done)
}

async fn drop_messages(args: DropArgs, output: &mut Output) -> Result<Exit, Failure> {
    let address = path_of(&args.address);
    let (path, order) = match args.sequence {
        Some(sequence) => (format!("v1/parked/{address}/drop-head"), json!({"sequence": sequence})),
        None => (format!("v1/parked/{address}/drop-all"), json!({})),
    };
    let result = args.admin.post(&path, &args.sign.sign(order)).await?;
    if args.admin.json {
        output.json(&result);
        return Ok(Exit::Done);
    }
    let parked = result.get("parked").and_then(Value::as_bool).unwrap_or(false);
    let rest = if parked { "others wait, so the address stays parked" } else { "nothing waits" };
    output.line(format_args!("dropped {}; {rest}", text_of(&result, "dropped")));
    Ok(Exit::Done)
}
