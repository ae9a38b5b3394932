//! The commands of `tidegate`.

mod admin;
mod client;
mod exit;
mod failure;
mod flags;
mod message;
mod output;
mod parked;
mod parse;
mod pauses;
mod problem;
mod reload;
mod state;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use self::admin::AdminArgs;
pub use self::exit::Exit;
use self::failure::Failure;
use self::flags::ConfigFlags;
use self::message::MessageArgs;
use self::output::Output;
use self::parked::ParkedCommand;
pub use self::parse::address as parse_address;
use self::pauses::PauseArgs;
use self::reload::ReloadArgs;
use self::state::StateCommand;
use crate::{app, config};

/// Durable state and exactly-once messages for stateless functions.
#[derive(Parser, Debug)]
#[command(name = "tidegate", version, after_help = exit::HELP, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const RUN_EXAMPLES: &str = "\
Examples:
  tidegate run                                  with ./module.yaml and ./tidegate.toml
  tidegate run --module shop.yaml --data /var/lib/tidegate
  TIDEGATE_MEMORY_BUDGET=1GiB tidegate run --ingress-listen 0.0.0.0:8080

Flags go before the environment, the environment before the file, the file before defaults.
Everything that is wrong is reported at once, before a port is opened.";

const CONFIG_EXAMPLES: &str = "\
Examples:
  tidegate config                               what is in effect, and why
  tidegate config --strict > /dev/null          check the configuration
  tidegate config --json | jq '.settings[\"memory.budget\"]'";

const SEND_EXAMPLES: &str = "\
Examples:
  tidegate send shop.fns/cart/ann 'one apple'
  tidegate send shop.fns/cart/ann --as json '{\"item\": \"apple\"}' --idempotency-key order-17
  tidegate send shop.fns/cart/ann --as json --type shop.types/Order --file order.json";

const CALL_EXAMPLES: &str = "\
Examples:
  tidegate call shop.fns/cart/ann --as json '{\"show\": true}'
  tidegate call shop.fns/cart/ann 'total' --timeout 2s --json | jq .text";

const STATE_EXAMPLES: &str = "\
Examples:
  tidegate state get shop.fns/cart/ann
  tidegate state get shop.fns/cart/ann --json | jq .values.seen.json";

const PARKED_EXAMPLES: &str = "\
Examples:
  tidegate parked list --function shop.fns/cart
  tidegate parked show shop.fns/cart/ann
  tidegate parked redrive shop.fns/cart/ann --reason 'the fix is out'
  tidegate parked redrive --all --code TG-0410
  tidegate parked drop shop.fns/cart/ann --sequence 4711";

const PAUSE_EXAMPLES: &str = "\
Examples:
  tidegate pause function shop.fns/cart --reason 'the database is down'
  tidegate pauses
  tidegate resume function shop.fns/cart";

const PARTITIONS_EXAMPLES: &str = "\
Examples:
  tidegate partitions
  tidegate partitions --json | jq '[.partitions[].parked] | add'";
const RELOAD_EXAMPLES: &str = "\
Examples:
  tidegate reload                               all of the module takes effect, or nothing
  tidegate reload --json | jq .added";

#[derive(Subcommand, Debug)]
enum Command {
    /// Run a node
    #[command(after_help = RUN_EXAMPLES)]
    Run(ConfigFlags),
    /// Check the configuration, and show what is in effect and where each value comes from
    #[command(after_help = CONFIG_EXAMPLES)]
    Config {
        #[command(flatten)]
        flags: ConfigFlags,
        /// Write JSON, for scripts
        #[arg(long)]
        json: bool,
    },
    /// Send a message to a function instance, and return when it is durably accepted
    #[command(after_help = SEND_EXAMPLES, override_usage = "tidegate send [OPTIONS] <ADDRESS> <PAYLOAD|--file <FILE>>")]
    Send(MessageArgs),
    /// Send a message to a function instance, and write its reply
    #[command(after_help = CALL_EXAMPLES, override_usage = "tidegate call [OPTIONS] <ADDRESS> <PAYLOAD|--file <FILE>>")]
    Call {
        #[command(flatten)]
        message: MessageArgs,
        /// How long to wait for the reply
        #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = parse::timeout)]
        timeout: Duration,
    },
    /// Have a running node read its module anew
    #[command(after_help = RELOAD_EXAMPLES)]
    Reload(ReloadArgs),
    /// Look at the state of a function instance
    #[command(subcommand, after_help = STATE_EXAMPLES)]
    State(StateCommand),
    /// Look after addresses that wait for an operator
    #[command(subcommand, after_help = PARKED_EXAMPLES)]
    Parked(ParkedCommand),
    /// Pause a function or an ingress until it is resumed, over restarts too
    #[command(after_help = PAUSE_EXAMPLES)]
    Pause(PauseArgs),
    /// Let a function or an ingress go on that was paused
    #[command(after_help = PAUSE_EXAMPLES)]
    Resume(PauseArgs),
    /// List what is paused
    #[command(after_help = PAUSE_EXAMPLES)]
    Pauses(AdminArgs),
    /// Show how the partitions of a node are
    #[command(after_help = PARTITIONS_EXAMPLES)]
    Partitions(AdminArgs),
}

/// Runs the command that the arguments name.
pub fn main(
    args: impl IntoIterator<Item = OsString>,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // That nobody reads the help any more is not an error.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() };
        }
    };
    let mut output = Output::of_process();
    let environment = read_environment(variables);
    let ended = environment.and_then(|environment| perform(cli.command, environment, &mut output));
    let exit = ended.unwrap_or_else(|failure| {
        output.error(failure.code.as_deref(), &failure.text);
        failure.exit
    });
    exit.into()
}

/// The variables that are text; one of ours that is not is a mistake.
fn read_environment(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<BTreeMap<String, String>, Failure> {
    let mut environment = BTreeMap::new();
    for (name, value) in variables {
        match (name.into_string(), value.into_string()) {
            (Ok(name), Ok(value)) => {
                environment.insert(name, value);
            }
            (Ok(name), Err(_)) if name.starts_with("TIDEGATE_") => {
                return Err(Failure::usage(format!("the variable {name} is not UTF-8 text")));
            }
            _ => {}
        }
    }
    Ok(environment)
}

fn perform(
    command: Command,
    environment: BTreeMap<String, String>,
    output: &mut Output,
) -> Result<Exit, Failure> {
    match command {
        Command::Run(flags) => run(flags, environment, output),
        Command::Config { flags, json } => Ok(show_config(flags, environment, json, output)),
        Command::Send(args) => on_one_thread(message::send(args, output)),
        Command::Call { message, timeout } => {
            on_one_thread(message::call(message, timeout, output))
        }
        Command::Reload(args) => on_one_thread(reload::reload(args, output)),
        Command::State(StateCommand::Get(args)) => on_one_thread(state::get(args, output)),
        Command::Parked(command) => on_one_thread(parked::perform(command, output)),
        Command::Pause(args) => on_one_thread(pauses::pause(args, output)),
        Command::Resume(args) => on_one_thread(pauses::resume(args, output)),
        Command::Pauses(args) => on_one_thread(pauses::list(args, output)),
        Command::Partitions(args) => on_one_thread(pauses::partitions(args, output)),
    }
}

fn run(
    flags: ConfigFlags,
    environment: BTreeMap<String, String>,
    output: &mut Output,
) -> Result<Exit, Failure> {
    let effective = match config::load(flags.inputs(environment)) {
        Ok(effective) => effective,
        Err(faults) => {
            output.faults(&faults);
            return Ok(Exit::Usage);
        }
    };
    output.faults(&effective.warnings);
    let runtime =
        tokio::runtime::Runtime::new().map_err(|error| Failure::other(error.to_string()))?;
    let ended = runtime.block_on(app::run(effective));
    ended.map(|()| Exit::Done).map_err(|error| Failure::other(error.to_string()))
}

fn show_config(
    flags: ConfigFlags,
    environment: BTreeMap<String, String>,
    json: bool,
    output: &mut Output,
) -> Exit {
    match config::load(flags.inputs(environment)) {
        Ok(effective) => {
            output.faults(&effective.warnings);
            match json {
                true => output.json(&effective.to_json()),
                false => output.line(effective.to_toml()),
            }
            Exit::Done
        }
        Err(faults) => {
            output.faults(&faults);
            Exit::Usage
        }
    }
}

fn on_one_thread(work: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::other(error.to_string()))?.block_on(work)
}
