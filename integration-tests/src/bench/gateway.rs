//! The gateway as a process: built, started, asked for its metrics, stopped in order or killed.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustix::process::{Pid, Signal, kill_process};
use tidegate_sdk::FunctionType;
use tokio::process::{Child, Command};
use tokio::time::sleep;

use super::http::Connection;
use super::{Plan, Problem, process};

/// How often a starting gateway is asked whether it is ready.
const READY_POLL: Duration = Duration::from_millis(2);
const READY_PATIENCE: Duration = Duration::from_secs(120);
const STOP_PATIENCE: Duration = Duration::from_secs(120);

/// Builds the gateway with the profile of this program if that is run by cargo, and tells where the executable is.
pub(crate) fn build() -> Result<PathBuf, Problem> {
    if let Some(cargo) = std::env::var_os("CARGO") {
        let mut command = std::process::Command::new(cargo);
        command.args(["build", "--package", "tidegate", "--bin", "tidegate"]);
        if !cfg!(debug_assertions) {
            command.arg("--release");
        }
        if !command.status()?.success() {
            return Err("the gateway cannot be built".into());
        }
    }
    let gateway = std::env::current_exe()?.with_file_name("tidegate");
    if gateway.exists() { Ok(gateway) } else { Err(format!("no {}", gateway.display()).into()) }
}

/// A running gateway.
pub(crate) struct Gateway {
    child: Child,
    /// Where messages are taken in.
    pub(crate) ingress: SocketAddr,
    admin: Connection,
    /// From the start of the process until it took messages.
    pub(crate) became_ready: Duration,
}

impl Gateway {
    /// Starts a gateway on a data directory, in front of functions, and waits until it takes messages.
    pub(crate) async fn start(
        plan: &Plan,
        data: &Path,
        functions: SocketAddr,
        memory: Option<&str>,
    ) -> Result<Self, Problem> {
        let module = data.with_extension("yaml");
        std::fs::write(&module, module_for(functions))?;
        let [ingress, admin] = free_addresses()?;
        let log = data.with_extension("log");
        let begun = Instant::now();
        let mut child = Command::new(&plan.gateway)
            .arg("run")
            .arg("--data")
            .arg(data)
            .arg("--module")
            .arg(&module)
            .args(["--ingress-listen", &ingress.to_string()])
            .args(["--admin-listen", &admin.to_string()])
            .args(["--log-level", "warn"])
            .envs(memory.map(|bytes| ("TIDEGATE_MEMORY_BUDGET", bytes)))
            .stdout(Stdio::null())
            .stderr(std::fs::File::options().create(true).append(true).open(&log)?)
            .kill_on_drop(true)
            .spawn()?;
        let admin = loop {
            if let Ok(admin) = ready(admin).await {
                break admin;
            }
            if child.try_wait()?.is_some() || begun.elapsed() > READY_PATIENCE {
                let said = std::fs::read_to_string(&log)?;
                return Err(format!("the gateway does not start: {said}").into());
            }
            sleep(READY_POLL).await;
        };
        Ok(Self { child, ingress, admin, became_ready: begun.elapsed() })
    }

    /// The sum of a metric over its labels.
    pub(crate) async fn metric(&mut self, name: &str) -> Result<f64, Problem> {
        let text = self.admin.exchange("GET", "/metrics", Bytes::new()).await?;
        let text = std::str::from_utf8(&text)?;
        let of_name = text.lines().filter_map(|line| line.strip_prefix(name));
        let samples = of_name.filter(|rest| rest.starts_with([' ', '{']));
        Ok(samples.filter_map(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok()).sum())
    }

    /// The bytes of a value of an address, in base64; nothing if it has no such value.
    pub(crate) async fn value(
        &mut self,
        function: &FunctionType,
        id: &str,
        value: &str,
    ) -> Result<Option<String>, Problem> {
        let path = format!("/v1/state/{function}/{id}");
        let shown = self.admin.exchange("GET", &path, Bytes::new()).await?;
        let shown: serde_json::Value = serde_json::from_slice(&shown)?;
        Ok(shown["values"][value]["base64"].as_str().map(str::to_owned))
    }

    /// The memory that it holds, in bytes.
    pub(crate) fn resident_bytes(&self) -> Result<u64, Problem> {
        process::resident_bytes(self.id()?)
    }

    /// The time that it has computed.
    pub(crate) fn computed(&self) -> Result<Duration, Problem> {
        process::computed(self.id()?)
    }

    /// Tells it to stop, and waits until it has.
    pub(crate) async fn stop(mut self) -> Result<(), Problem> {
        let pid = i32::try_from(self.id()?).ok().and_then(Pid::from_raw);
        kill_process(pid.ok_or("a process without an id")?, Signal::TERM)?;
        let status = tokio::time::timeout(STOP_PATIENCE, self.child.wait()).await??;
        if status.success() { Ok(()) } else { Err(format!("the gateway ended: {status}").into()) }
    }

    /// Ends it without a warning.
    pub(crate) async fn kill(mut self) -> Result<(), Problem> {
        Ok(self.child.kill().await?)
    }

    fn id(&self) -> Result<u32, Problem> {
        self.child.id().ok_or_else(|| "the gateway has ended".into())
    }
}

/// A connection to the admin interface of a node that takes messages.
async fn ready(admin: SocketAddr) -> Result<Connection, Problem> {
    let mut connection = Connection::open(admin).await?;
    connection.exchange("GET", "/readyz", Bytes::new()).await?;
    Ok(connection)
}

fn module_for(functions: SocketAddr) -> String {
    format!(
        "kind: io.statefun.endpoints.v2/http\n\
         spec:\n  functions: bench/*\n  urlPathTemplate: http://{functions}/\n"
    )
}

/// Two addresses that were free a moment ago.
fn free_addresses() -> Result<[SocketAddr; 2], Problem> {
    let bind = || TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)));
    let (one, other) = (bind()?, bind()?);
    Ok([one.local_addr()?, other.local_addr()?])
}
