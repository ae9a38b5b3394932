//! A gateway as a guarded process: started on free ports with a directory of its own, waited for, and stopped in order.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use http_body_util::Full;
use hyper::{Request, StatusCode};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::{Instant, timeout};

use super::DemoError;
use crate::guard::STOP_WITHIN;
use crate::http;

const READY_WITHIN: Duration = Duration::from_secs(30);
const READY_INTERVAL: Duration = Duration::from_millis(50);
/// The gateway's own grace is shorter than its guard's, and the guard's is shorter than ours.
const GRACE: &str = "--shutdown-grace=5s";
const KILL_AFTER: Duration = STOP_WITHIN.saturating_add(Duration::from_secs(5));
/// How much of its log is shown if it fails.
const LOG_LINES: usize = 10;

pub(super) struct Gateway {
    /// Where it takes messages.
    pub(super) url: String,
    /// Where it shows its metrics.
    pub(super) admin: String,
    guard: Child,
    /// The guard ends the gateway when this is closed. Waiting for a child would close it, were it left there.
    hold: Option<ChildStdin>,
    log: PathBuf,
}

impl Gateway {
    pub(super) fn start(
        program: &Path,
        module: &Path,
        directory: &Path,
    ) -> Result<Self, DemoError> {
        let [ingress, admin] = free_addresses()?;
        let log = directory.join("gateway.log");
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["guard", "--"]).arg(absolute(program)?).arg("run").arg(GRACE);
        command.arg("--module").arg(module).arg("--data").arg(directory.join("data"));
        command.arg(format!("--ingress-listen={ingress}")).arg(format!("--admin-listen={admin}"));
        // Settings that are lying around must not get in.
        let names = std::env::vars_os().map(|(name, _)| name);
        for name in names.filter(|name| name.to_string_lossy().starts_with("TIDEGATE_")) {
            command.env_remove(name);
        }
        // In a group of its own it is not reached by an interrupt from the keyboard, and can be stopped in order.
        command.current_dir(directory).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(File::create(&log)?);
        let failed = |source| DemoError::Start { program: program.display().to_string(), source };
        let mut guard = command.spawn().map_err(failed)?;
        let hold = guard.stdin.take();
        let url = |address| format!("http://{address}");
        Ok(Self { url: url(ingress), admin: url(admin), guard, hold, log })
    }

    pub(super) async fn until_ready(&mut self) -> Result<(), DemoError> {
        let client = http::client();
        let deadline = Instant::now() + READY_WITHIN;
        while Instant::now() < deadline {
            if let Some(status) = self.guard.try_wait()? {
                return Err(DemoError::Gone(status, self.log_end()));
            }
            let request = Request::get(format!("{}/readyz", self.admin)).body(Full::default());
            let answer = timeout(READY_WITHIN, client.request(request?)).await;
            if matches!(answer, Ok(Ok(response)) if response.status() == StatusCode::OK) {
                return Ok(());
            }
            tokio::time::sleep(READY_INTERVAL).await;
        }
        Err(DemoError::NotReady(READY_WITHIN, self.log_end()))
    }

    /// Resolves when the gateway ends although nobody stopped it.
    pub(super) async fn gone(&mut self) -> DemoError {
        match self.guard.wait().await {
            Ok(status) => DemoError::Gone(status, self.log_end()),
            Err(error) => error.into(),
        }
    }

    /// Ends the gateway; an error if it does not end by itself, or not well.
    pub(super) async fn stop(mut self) -> Result<(), DemoError> {
        drop(self.hold.take());
        match timeout(KILL_AFTER, self.guard.wait()).await {
            Ok(status) => match status? {
                status if status.success() => Ok(()),
                status => Err(DemoError::Disorder(status, self.log_end())),
            },
            Err(_) => {
                self.guard.kill().await?;
                Err(DemoError::Stuck(self.log_end()))
            }
        }
    }

    fn log_end(&self) -> String {
        let text = match std::fs::read(&self.log) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => return format!("it cannot be read: {error}"),
        };
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }
}

/// A program beside us stays the same program in another directory; one without a path is looked for as usual.
fn absolute(program: &Path) -> io::Result<PathBuf> {
    if program.components().count() > 1 { program.canonicalize() } else { Ok(program.into()) }
}

/// Two addresses that were free just now.
fn free_addresses() -> io::Result<[SocketAddr; 2]> {
    let free = (Ipv4Addr::LOCALHOST, 0);
    let (first, second) = (TcpListener::bind(free)?, TcpListener::bind(free)?);
    Ok([first.local_addr()?, second.local_addr()?])
}
