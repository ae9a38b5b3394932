//! A gateway with its functions and its data, for one run of one case.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::sleep;

use super::functions::LISTENING;
use super::gateway::Gateway;
use super::http::Connection;
use super::{Plan, Problem, process};

/// How often the functions are asked how far they are.
const POLL: Duration = Duration::from_millis(5);
/// Nothing is processed any more if nothing was for this long.
const STALL: Duration = Duration::from_secs(30);
/// Gauges that are zero when nothing waits for functions and nothing is under way to them.
const BUSY: [&str; 2] = ["tidegate_invoker_groups_waiting", "tidegate_invoker_groups_under_way"];

/// Everything that runs beside the load.
pub(crate) struct Setting {
    pub(crate) gateway: Gateway,
    pub(crate) functions: Functions,
    data: TempDir,
    memory: Option<&'static str>,
}

/// The process that serves the functions.
pub(crate) struct Functions {
    child: Child,
    pub(crate) address: SocketAddr,
    connection: Connection,
}

impl Setting {
    /// Starts functions, and a gateway on an empty directory, with a budget of memory if it is not the default one.
    pub(crate) async fn start(
        plan: &Plan,
        plain: bool,
        memory: Option<&'static str>,
    ) -> Result<Self, Problem> {
        let data = tempfile::tempdir_in(&plan.directory)?;
        let functions = Functions::start(plain).await?;
        let node = data.path().join("node");
        let gateway = Gateway::start(plan, &node, functions.address, memory).await?;
        Ok(Self { gateway, functions, data, memory })
    }

    /// Stops the gateway, in order or at once, and starts it again on the same data.
    pub(crate) async fn restart(
        self,
        plan: &Plan,
        kill: bool,
    ) -> Result<(Self, Duration), Problem> {
        let Self { gateway, functions, data, memory } = self;
        let begun = Instant::now();
        if kill {
            gateway.kill().await?;
        } else {
            gateway.stop().await?;
        }
        let stopped = begun.elapsed();
        let node = data.path().join("node");
        let gateway = Gateway::start(plan, &node, functions.address, memory).await?;
        Ok((Self { gateway, functions, data, memory }, stopped))
    }

    /// Waits until the functions have handled so many messages since they were started, and the gateway is done with them.
    pub(crate) async fn drain(&mut self, expected: u64) -> Result<(), Problem> {
        let (mut seen, mut since) = (0, Instant::now());
        loop {
            let handled = self.functions.handled().await?;
            if handled >= expected && self.is_idle().await? {
                return Ok(());
            }
            if handled > seen {
                (seen, since) = (handled, Instant::now());
            } else if since.elapsed() > STALL {
                return Err(format!("{handled} of {expected} messages were handled").into());
            }
            sleep(POLL).await;
        }
    }

    async fn is_idle(&mut self) -> Result<bool, Problem> {
        for gauge in BUSY {
            if self.gateway.metric(gauge).await? != 0.0 {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Functions {
    async fn start(plain: bool) -> Result<Self, Problem> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("functions").stdout(Stdio::piped()).kill_on_drop(true);
        if plain {
            command.arg("--plain");
        }
        let mut child = command.spawn()?;
        let output = child.stdout.take().ok_or("functions without output")?;
        let line = BufReader::new(output).lines().next_line().await?.unwrap_or_default();
        let address = line.strip_prefix(LISTENING).ok_or("the functions do not start")?.parse()?;
        let connection = Connection::open(address).await?;
        Ok(Self { child, address, connection })
    }

    /// How many messages were handled.
    pub(crate) async fn handled(&mut self) -> Result<u64, Problem> {
        let body = self.connection.exchange("GET", "/handled", Bytes::new()).await?;
        Ok(std::str::from_utf8(&body)?.parse()?)
    }

    /// The time that the process has computed.
    pub(crate) fn computed(&self) -> Result<Duration, Problem> {
        process::computed(self.child.id().ok_or("the functions have ended")?)
    }
}
