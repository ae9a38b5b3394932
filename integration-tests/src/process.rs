//! A child process: its standard error goes to a file, and it never outlives its owner.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::wait::{PATIENCE, until};

/// How much of the standard error is shown when a test failed.
const LAST_LINES: usize = 60;

/// A running process, or one that has ended.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    errors: PathBuf,
}

impl Process {
    /// Starts a program. What it says on its standard error is added to a file.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn start(name: &str, mut command: Command, errors: &Path) -> Self {
        let said = OpenOptions::new().create(true).append(true).open(errors).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(File::create(errors.with_extension("stdout")).unwrap())
            .stderr(said)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} could not be started: {error}"));
        Self { name: name.to_owned(), child, errors: errors.to_owned() }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits until it ends by itself.
    ///
    /// # Panics
    /// If it does not.
    pub async fn wait(&mut self) -> ExitStatus {
        let what = format!("{} ends", self.name);
        until(&what, PATIENCE * 2, async || self.ended()).await
    }

    /// Ends it without any warning (SIGKILL).
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop (SIGTERM), and waits until it has.
    ///
    /// # Panics
    /// If it does not stop.
    pub async fn terminate(&mut self) -> ExitStatus {
        let id = Pid::from_child(&self.child);
        kill_process(id, Signal::TERM).unwrap();
        self.wait().await
    }

    /// Sends it the signal that has servers read their configuration anew (SIGHUP).
    ///
    /// # Panics
    /// If it has ended.
    pub fn hang_up(&self) {
        kill_process(Pid::from_child(&self.child), Signal::HUP).unwrap();
    }

    /// Everything that it, and those before it with the same file, said on the standard error.
    #[must_use]
    pub fn errors(&self) -> String {
        fs::read_to_string(&self.errors).unwrap()
    }

    /// What it wrote to the standard output.
    #[must_use]
    pub fn output(&self) -> String {
        fs::read_to_string(self.errors.with_extension("stdout")).unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail if it has ended, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let said = fs::read_to_string(&self.errors).unwrap_or_default();
            let lines: Vec<_> = said.lines().collect();
            let last = lines[lines.len().saturating_sub(LAST_LINES)..].join("\n");
            eprintln!("--- the last words of {} ---\n{last}\n---", self.name);
        }
    }
}
