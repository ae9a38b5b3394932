//! Runs a command that must not outlive the one who asked for it: when the standard input ends, which happens however the
//! asker ends, or when a signal to stop comes, the command is told to stop, and killed if it does not.

use std::ffi::OsString;
use std::io::{self, Read};
use std::process::{ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tidegate_sdk::stop_signal;
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

/// How long a command may take to stop before it is killed.
pub(crate) const STOP_WITHIN: Duration = Duration::from_secs(10);

/// Why a guarded command did not end well.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GuardError {
    #[error("there is no command to guard")]
    Nothing,
    #[error("`{program}` cannot be run")]
    Run { program: String, source: io::Error },
    #[error("the command cannot be watched")]
    Watch(#[from] io::Error),
    #[error("the command ended with {0}")]
    Ended(ExitStatus),
}

/// Runs a command to its end, or until it has to stop.
pub(crate) async fn run(command: &[OsString]) -> Result<(), GuardError> {
    let (program, arguments) = command.split_first().ok_or(GuardError::Nothing)?;
    let told_to_stop = stop_signal()?;
    let child =
        Command::new(program).args(arguments).stdin(Stdio::null()).kill_on_drop(true).spawn();
    let failed = |source| GuardError::Run { program: program.to_string_lossy().into(), source };
    let mut child = child.map_err(failed)?;
    let status = tokio::select! {
        ended = child.wait() => ended?,
        () = input_ended() => stop(&mut child).await?,
        () = told_to_stop => stop(&mut child).await?,
    };
    if status.success() { Ok(()) } else { Err(GuardError::Ended(status)) }
}

/// Resolves when nobody holds the other end of the standard input any more.
async fn input_ended() {
    let (ended, end) = oneshot::channel();
    // A thread of its own: the runtime would wait for one of its threads before it ends.
    thread::spawn(move || {
        let mut input = io::stdin().lock();
        let mut ignored = [0; 64];
        while !matches!(input.read(&mut ignored), Ok(0) | Err(_)) {}
        // The receiver is gone when the command ended first.
        let _ = ended.send(());
    });
    // The thread ends only by sending.
    let _ = end.await;
}

async fn stop(child: &mut Child) -> io::Result<ExitStatus> {
    let id = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    if let Some(id) = id {
        kill_process(id, Signal::TERM)?;
    }
    if let Ok(status) = tokio::time::timeout(STOP_WITHIN, child.wait()).await {
        return status;
    }
    child.kill().await?;
    child.wait().await
}
