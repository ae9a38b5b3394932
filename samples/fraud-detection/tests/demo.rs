//! The demonstration leaves nothing behind, however it ends. Programs that are not gateways stand in for one; each holds a
//! pipe open, so that the end of the pipe tells that all of its processes are gone.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs::{self, File, Permissions};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

struct Demo {
    directory: TempDir,
    process: Child,
    pipe: Option<File>,
}

impl Demo {
    /// Starts the demonstration with a shell script for a gateway. Resumes when the script has opened the pipe.
    fn start(script: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let (program, pipe) = (directory.path().join("gateway"), directory.path().join("pipe"));
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        fs::write(&program, format!("#!/bin/sh\nexec 9>\"$DEMO_PIPE\"\n{script}\n")).unwrap();
        fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
        let temporary = directory.path().join("temporary");
        fs::create_dir(&temporary).unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_fraud-detection"))
            .args(["demo", "--transactions", "10", "--tidegate"])
            .arg(program)
            .env("DEMO_PIPE", &pipe)
            .env("TMPDIR", temporary)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { directory, process, pipe: Some(File::open(pipe).unwrap()) }
    }

    fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(i32::try_from(self.process.id()).unwrap()).unwrap();
        kill_process(id, signal).unwrap();
    }

    /// Waits for the end of the demonstration, then for the end of all who hold the pipe.
    fn end(&mut self) -> (ExitStatus, String) {
        let mut text = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        let status = self.process.wait().unwrap();
        assert_eq!(self.pipe.take().unwrap().read_to_end(&mut Vec::new()).unwrap(), 0);
        (status, text)
    }

    fn left_behind(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.directory.path().join("temporary")).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

#[test]
fn an_interrupt_ends_all_processes_and_removes_the_data() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut demo = Demo::start("exec sleep 1000");
        demo.signal(signal);
        let (status, _) = demo.end();
        assert!(!status.success());
        assert!(demo.left_behind().is_empty(), "{:?}", demo.left_behind());
    }
}

#[test]
fn no_process_outlives_a_demonstration_that_was_killed() {
    let mut demo = Demo::start("exec sleep 1000");
    demo.signal(Signal::KILL);
    assert!(!demo.end().0.success());
}

#[test]
fn a_gateway_that_fails_is_a_failure_with_its_last_words() {
    let mut demo = Demo::start("echo no room for a gateway >&2; exit 3");
    let (status, text) = demo.end();
    assert!(!status.success());
    assert!(text.contains("no room for a gateway"), "{text}");
    assert!(demo.left_behind().is_empty(), "{:?}", demo.left_behind());
}
