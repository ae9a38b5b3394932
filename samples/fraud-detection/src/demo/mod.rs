//! Everything at once: the third party and the functions in this process, a gateway as a process of its own, and a feed of
//! made-up transactions. However it ends, no process and no data stay behind.

mod gateway;

use std::fs::File;
use std::future::pending;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use tempfile::TempDir;
use tidegate_sdk::{ServeError, stop_signal};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::dataset::DatasetError;
use crate::feed::{self, FeedArgs, FeedError};
use crate::scorer::ScorerClient;
use crate::{functions, generate, scorer};

use gateway::Gateway;

const MODULE: &str = include_str!("../../module.yaml");
/// Where the functions are in the module as it is in the repository.
const FUNCTIONS_URL: &str = "http://127.0.0.1:8081/";
const FRAUDS_COUNT_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What to run, and how much of it.
#[derive(clap::Args, Debug)]
pub(crate) struct DemoArgs {
    /// The gateway's program.
    #[arg(long, value_name = "PROGRAM", default_value = "tidegate")]
    tidegate: PathBuf,
    /// What the data depends on.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many transactions.
    #[arg(long, default_value_t = 10_000)]
    transactions: u64,
}

/// Why the demonstration did not come to a good end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    #[error("the demonstration cannot be prepared")]
    Prepare(#[from] io::Error),
    #[error("the data cannot be written")]
    Data(#[from] DatasetError),
    #[error("an address is no part of a URL")]
    Url(#[from] hyper::http::Error),
    #[error(transparent)]
    Functions(#[from] ServeError),
    #[error("the gateway `{program}` cannot be run")]
    Start { program: String, source: io::Error },
    #[error("the gateway was not ready within {0:?}; the end of its log:\n{1}")]
    NotReady(Duration, String),
    #[error("the gateway ended early with {0}; the end of its log:\n{1}")]
    Gone(ExitStatus, String),
    #[error("the gateway did not stop in order: {0}; the end of its log:\n{1}")]
    Disorder(ExitStatus, String),
    #[error("the gateway did not stop and was killed; the end of its log:\n{0}")]
    Stuck(String),
    #[error(transparent)]
    Feed(#[from] FeedError),
    #[error("interrupted")]
    Interrupted,
}

/// Runs the demonstration; an error unless exactly the expected alerts came and everything stopped in order.
pub(crate) async fn run(args: DemoArgs) -> Result<(), DemoError> {
    let interrupted = stop_signal()?;
    let directory = TempDir::with_prefix("tidegate-demo-")?;
    let mut servers = JoinSet::new();
    let functions = serve(&mut servers).await?;
    let (file, module) = write_inputs(&args, directory.path(), functions)?;
    let mut gateway = Gateway::start(&args.tidegate, &module, directory.path())?;
    let feed = async {
        gateway.until_ready().await?;
        say(&format!("gateway   {}, metrics {}/metrics", gateway.url, gateway.admin))?;
        say(&format!("functions http://{functions}"))?;
        say(&format!("data      {}, removed afterwards", directory.path().display()))?;
        let args = FeedArgs::new(file, gateway.url.clone(), gateway.admin.clone());
        tokio::select! {
            fed = feed::run(args) => Ok(fed?),
            gone = gateway.gone() => Err(gone),
        }
    };
    let fed = tokio::select! {
        fed = feed => fed,
        () = interrupted => say("stopping").map_err(DemoError::from).and(Err(DemoError::Interrupted)),
    };
    let stopped = gateway.stop().await;
    directory.close()?;
    fed.and(stopped)
}

/// Serves the third party and the functions for as long as the tasks live; tells where the functions are.
async fn serve(servers: &mut JoinSet<()>) -> Result<SocketAddr, DemoError> {
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    let listener = TcpListener::bind(free).await?;
    let client = ScorerClient::new(listener.local_addr()?)?;
    let functions = functions::all(FRAUDS_COUNT_FOR, client).bind(free).await?;
    let address = functions.address();
    servers.spawn(async {
        // It serves until this process ends; without it functions fail, which the gateway tells.
        let _ = scorer::serve(listener, Duration::ZERO, pending()).await;
    });
    servers.spawn(functions.run_until(pending()));
    Ok(address)
}

/// Writes the dataset and the module.
fn write_inputs(
    args: &DemoArgs,
    directory: &Path,
    functions: SocketAddr,
) -> Result<(PathBuf, PathBuf), DemoError> {
    let (file, module) = (directory.join("transactions.csv"), directory.join("module.yaml"));
    generate::generate(args.seed, args.transactions).write(File::create(&file)?)?;
    std::fs::write(&module, module_with(functions))?;
    Ok((file, module))
}

fn module_with(functions: SocketAddr) -> String {
    MODULE.replace(FUNCTIONS_URL, &format!("http://{functions}/"))
}

fn say(text: &str) -> io::Result<()> {
    writeln!(io::stderr(), "{text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_leads_to_the_functions_of_the_demonstration() {
        let module = module_with(SocketAddr::from(([127, 0, 0, 1], 4711)));
        assert!(module.contains("urlPathTemplate: http://127.0.0.1:4711/\n"), "{module}");
        assert!(!module.contains(FUNCTIONS_URL));
    }
}
