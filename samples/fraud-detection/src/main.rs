//! Fraud detection with stateful functions: the functions, the third party that they ask, and tools to feed them with data.

mod dataset;
mod demo;
mod expect;
mod feed;
mod functions;
mod generate;
mod guard;
mod http;
mod scorer;
mod types;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use tidegate_sdk::{Error, stop_signal};
use tokio::net::TcpListener;

use dataset::Dataset;
use demo::DemoArgs;
use feed::FeedArgs;
use scorer::ScorerClient;

/// Fraud detection with stateful functions.
#[derive(Parser, Debug)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Runs everything once: the third party, the functions, a gateway, and a feed of made-up transactions.
    Demo(DemoArgs),
    /// Serves the four functions to a gateway.
    Functions {
        /// Where to listen.
        #[arg(long, default_value = "127.0.0.1:8081")]
        listen: SocketAddr,
        /// Where the third party listens.
        #[arg(long, default_value = "127.0.0.1:8082")]
        scorer: SocketAddr,
        /// How long a confirmed fraud counts, in seconds; 30 days if not given.
        #[arg(long, value_name = "SECONDS", default_value_t = 30 * 24 * 60 * 60)]
        fraud_counts_for: u64,
    },
    /// Serves the third party that knows how suspicious merchants are.
    Scorer {
        /// Where to listen.
        #[arg(long, default_value = "127.0.0.1:8082")]
        listen: SocketAddr,
        /// How long each answer takes, in milliseconds.
        #[arg(long, value_name = "MILLISECONDS", default_value_t = 0)]
        pause: u64,
    },
    /// Makes up a dataset. The same seed gives the same data.
    Generate {
        /// What the data depends on.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// How many transactions.
        #[arg(long, default_value_t = 1000)]
        transactions: u64,
        /// Where to write; standard output if not given.
        #[arg(long, value_name = "CSV")]
        file: Option<PathBuf>,
    },
    /// Feeds a dataset to a gateway and shows the alerts.
    Feed(FeedArgs),
    /// Prints as JSON what an undisturbed run of a dataset leads to.
    Expect {
        /// The dataset.
        #[arg(long, value_name = "CSV")]
        file: PathBuf,
    },
    /// Runs a command for as long as the standard input is open.
    #[command(hide = true)]
    Guard {
        /// The program and its arguments.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<OsString>,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = format!("error: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                text.push_str(&format!(": {error}"));
                cause = error.source();
            }
            // Without standard error there is nobody to tell.
            let _ = writeln!(io::stderr(), "{text}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<(), Error> {
    match command {
        Command::Demo(args) => Ok(demo::run(args).await?),
        Command::Guard { command } => Ok(guard::run(&command).await?),
        Command::Functions { listen, scorer, fraud_counts_for } => {
            serve_functions(listen, scorer, Duration::from_secs(fraud_counts_for)).await
        }
        Command::Scorer { listen, pause } => {
            serve_scorer(listen, Duration::from_millis(pause)).await
        }
        Command::Generate { seed, transactions, file } => {
            let dataset = generate::generate(seed, transactions);
            match file {
                Some(path) => dataset.write(File::create(path)?)?,
                None => dataset.write(io::stdout().lock())?,
            }
            Ok(())
        }
        Command::Feed(args) => Ok(feed::run(args).await?),
        Command::Expect { file } => {
            let expected = expect::expect(&Dataset::open(&file)?);
            writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&expected)?)?;
            Ok(())
        }
    }
}

async fn serve_functions(
    listen: SocketAddr,
    scorer: SocketAddr,
    fraud_counts_for: Duration,
) -> Result<(), Error> {
    let functions = functions::all(fraud_counts_for, ScorerClient::new(scorer)?);
    let server = functions.bind(listen).await?;
    writeln!(io::stderr(), "functions listen on http://{}", server.address())?;
    Ok(server.run().await?)
}

async fn serve_scorer(listen: SocketAddr, pause: Duration) -> Result<(), Error> {
    let listener = TcpListener::bind(listen).await?;
    writeln!(io::stderr(), "the scorer listens on http://{}", listener.local_addr()?)?;
    Ok(scorer::serve(listener, pause, stop_signal()?).await?)
}
