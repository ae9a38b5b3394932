//! Measures a node: throughput, latency, memory and restarts, beside the limits of the machine that it runs on.
//!
//! `cargo run --release -p integration-tests --bin bench -- [CASE ...]`; `docs/performance.md` tells what the cases are and
//! how to read the figures. The program is load and functions at once: it starts itself a second time to serve the functions.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "its output is its purpose")]

#[path = "../bench/mod.rs"]
mod bench;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use bench::cases::{self, Case};
use bench::report::Report;
use bench::{Plan, Problem, functions, gateway};

/// Measures a node on this machine and writes the figures to a file.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    role: Option<Role>,
    /// What to measure; everything if nothing is named
    #[arg(value_name = "CASE", value_parser = Case::named)]
    cases: Vec<Case>,
    /// How often each case is measured; figures are medians
    #[arg(long, default_value_t = 1)]
    repeat: usize,
    /// How long load is offered, in seconds
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Where nodes keep their data while they are measured; it should be on the disk in question
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// The gateway to measure; the one that is built beside this program if none is given
    #[arg(long, value_name = "FILE")]
    gateway: Option<PathBuf>,
    /// Where the figures go
    #[arg(long, value_name = "FILE", default_value = "bench.json")]
    out: PathBuf,
}

#[derive(clap::Subcommand)]
enum Role {
    /// Serves the functions of the benchmark
    #[command(hide = true)]
    Functions {
        /// Do not offer the batch extension
        #[arg(long)]
        plain: bool,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.role {
        Some(Role::Functions { plain }) => functions::serve(plain).await,
        None => measure(arguments).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("bench: {problem}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(arguments: Arguments) -> Result<(), Problem> {
    let gateway = match arguments.gateway {
        Some(gateway) => gateway,
        None => gateway::build()?,
    };
    let directory = arguments.directory.unwrap_or_else(std::env::temp_dir);
    let plan = Plan { gateway, directory, duration: Duration::from_secs(arguments.seconds) };
    let cases = if arguments.cases.is_empty() { Case::all() } else { arguments.cases };
    let mut report = Report::default();
    for case in cases {
        for _ in 0..arguments.repeat.max(1) {
            let figures = cases::measure(&case, &plan).await;
            report.add(case.name, figures.map_err(|problem| format!("{}: {problem}", case.name))?);
        }
        print!("{}", report.table(case.name));
        report.write(&arguments.out)?;
    }
    Ok(())
}
