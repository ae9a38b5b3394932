//! Runs a gateway for as long as one likes while everything around it fails, and checks without a pause that it stays exact.
//!
//! `make soak [HOURS=n | MINUTES=n] [SEED=n]`; the program starts itself a second time to serve the functions, so that they can
//! be killed.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "its output is its purpose")]
#![allow(clippy::unwrap_used, reason = "what cannot go on ends the run, and counts as a violation")]

#[path = "../soak/mod.rs"]
mod soak;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Parser;
use integration_tests::ledger;

use soak::{Plan, report};

/// Runs a gateway while everything around it fails, and checks that it stays exact.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    role: Option<Role>,
    /// For how long
    #[arg(long, default_value_t = 60)]
    minutes: u64,
    /// What decides about faults and load; chosen by the clock if none is given
    #[arg(long)]
    seed: Option<u64>,
    /// Where the summary goes
    #[arg(long, value_name = "FILE", default_value = "soak.json")]
    out: PathBuf,
}

#[derive(clap::Subcommand)]
enum Role {
    /// Serves the functions
    #[command(hide = true)]
    Functions {
        #[arg(long)]
        listen: SocketAddr,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(Role::Functions { listen }) = arguments.role {
        ledger::functions().bind(listen).await.unwrap().run_until(std::future::pending()).await;
        return ExitCode::SUCCESS;
    }
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as u64;
    let plan = Plan {
        duration: Duration::from_secs(60 * arguments.minutes),
        seed: arguments.seed.unwrap_or_else(clock),
    };
    println!("for {} minutes, with SEED={}", arguments.minutes, plan.seed);
    let summary = soak::run(plan).await;
    let text = report::text(&summary);
    println!("{text}");
    std::fs::write(&arguments.out, serde_json::to_vec_pretty(&summary).unwrap()).unwrap();
    if summary.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
