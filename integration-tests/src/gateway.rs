//! A gateway with a data directory of its own, which can be started, stopped and killed again and again.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use tidegate_sdk::{Type, Value};

use crate::folder::Folder;
use crate::http::{Answer, Http, Unanswered};
use crate::process::Process;
use crate::wait::{PATIENCE, until};
use crate::{binaries, ports};

/// A gateway, running or not.
#[derive(Debug)]
pub struct Gateway {
    // Before the directory, so that it ends before its files go.
    process: Option<Process>,
    directory: Folder,
    settings: BTreeMap<String, String>,
    ingress: SocketAddr,
    admin: SocketAddr,
    http: Http,
}

impl Gateway {
    /// A gateway that does not run yet.
    ///
    /// # Panics
    /// If there is no room for its files.
    #[must_use]
    pub fn new(module: impl Into<String>) -> Self {
        let directory = Folder::new();
        let gateway = Self {
            process: None,
            directory,
            settings: BTreeMap::new(),
            ingress: ports::free(),
            admin: ports::free(),
            http: Http::new(),
        };
        gateway.declare(module);
        let (ingress, admin) = (gateway.ingress.to_string(), gateway.admin.to_string());
        gateway
            .with("module", "module.yaml")
            .with("data", "data")
            .with("log-color", "never")
            .with("ingress-listen", &ingress)
            .with("admin-listen", &admin)
    }

    /// The same with a setting, such as `memory-budget`.
    #[must_use]
    pub fn with(mut self, setting: &str, value: &str) -> Self {
        self.settings.insert(setting.to_owned(), value.to_owned());
        self
    }

    /// Replaces its module; counts from the next start or reload.
    ///
    /// # Panics
    /// If the file cannot be written.
    pub fn declare(&self, module: impl Into<String>) {
        std::fs::write(self.path("module.yaml"), module.into()).unwrap();
    }

    /// A path in the directory that goes with the gateway.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Where it keeps its data.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// The names of the logs that lie in its data directory.
    ///
    /// # Panics
    /// If it was never started.
    #[must_use]
    pub fn logs(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.data().join("log")).unwrap();
        let mut logs: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        logs.sort();
        logs
    }

    /// Where it takes messages.
    #[must_use]
    pub fn ingress(&self) -> SocketAddr {
        self.ingress
    }

    /// Where operators look.
    #[must_use]
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Starts the process, and does not wait for it.
    pub fn launch(&mut self) -> &mut Process {
        let mut command = Command::new(binaries::tidegate());
        command
            .arg("run")
            .args(self.settings.iter().map(|(setting, value)| format!("--{setting}={value}")))
            .env_clear()
            .env("RUST_BACKTRACE", "1")
            .current_dir(self.directory.path());
        self.process.insert(Process::start("the gateway", command, &self.path("gateway.errors")))
    }

    /// Starts it, and waits until it takes messages.
    ///
    /// # Panics
    /// If it ends instead.
    pub async fn start(&mut self) {
        self.launch();
        let ready = format!("http://{}/readyz", self.admin);
        until("the gateway is ready", PATIENCE, async || {
            let ended = self.process().ended();
            assert!(ended.is_none(), "the gateway ended: {ended:?}");
            let answer = self.http.get(&ready).await.ok()?;
            answer.status.is_success().then_some(())
        })
        .await;
    }

    /// Starts it, which must fail. Gives how it ended and what it said.
    pub async fn refuse(&mut self) -> (ExitStatus, String) {
        let ended = self.launch().wait().await;
        (ended, self.errors())
    }

    /// Its process.
    ///
    /// # Panics
    /// If it was never started.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("the gateway was started")
    }

    /// Ends it without any warning.
    pub fn kill(&mut self) {
        self.process().kill();
    }

    /// Kills it and starts it again.
    pub async fn crash(&mut self) {
        self.kill();
        self.start().await;
    }

    /// Asks it to stop, and waits until it has.
    pub async fn stop(&mut self) -> ExitStatus {
        self.process().terminate().await
    }

    /// Has it read its module anew.
    ///
    /// # Panics
    /// If no answer comes.
    pub async fn reload(&self) -> Answer {
        let url = format!("http://{}/v1/module/reload", self.admin);
        self.http.post(&url, &[], "").await.unwrap()
    }

    /// Everything that it has said so far.
    #[must_use]
    pub fn errors(&self) -> String {
        self.process.as_ref().map(Process::errors).unwrap_or_default()
    }

    /// The client that asks it.
    #[must_use]
    pub fn http(&self) -> &Http {
        &self.http
    }

    /// The URL of a path of its listener for messages.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.ingress)
    }

    /// Sends a text to an address, once.
    ///
    /// # Errors
    /// No whole answer came.
    pub async fn send(&self, address: &str, text: &str) -> Result<Answer, Unanswered> {
        let url = self.url(&format!("/v1/functions/{address}/send"));
        self.http.post(&url, &[TEXT], text.to_owned()).await
    }

    /// Calls an address with a text and an idempotency key, again and again until there is a reply.
    ///
    /// # Panics
    /// If there is none in time.
    pub async fn call(&self, address: &str, key: &str, text: &str) -> Answer {
        call(&self.http, self.ingress, address, key, text).await
    }

    /// Sends many messages as lines, each a target and a text, and expects all to be accepted.
    ///
    /// # Panics
    /// If one is not.
    pub async fn send_lines(&self, messages: impl Iterator<Item = (String, String)>) {
        let line =
            |(target, text)| serde_json::json!({"target": target, "text": text}).to_string() + "\n";
        let body: String = messages.map(line).collect();
        let sent = body.lines().count();
        let answer = self.http.post(&self.url("/v1/messages"), &[], body).await.unwrap();
        let accepted = answer.text().lines().filter(|line| line.contains(r#""status":"accepted""#));
        assert_eq!(
            accepted.count(),
            sent,
            "not all were accepted: {:?}",
            answer.text().lines().last()
        );
    }

    /// A value of an address; nothing if it is absent.
    ///
    /// # Panics
    /// If the gateway does not answer, or the value is of another type.
    pub async fn value<T: Type>(&self, address: &str, name: &str) -> Option<T> {
        let url = format!("http://{}/v1/state/{address}", self.admin);
        let answer = self.http.get(&url).await.unwrap();
        assert!(answer.status.is_success(), "{}", answer.text());
        let values = answer.json();
        let value = values["values"].get(name)?;
        let bytes = BASE64_STANDARD.decode(value["base64"].as_str().unwrap()).unwrap();
        let typename = value["type"].as_str().unwrap().to_owned();
        Some(Value::new(typename, bytes).get().unwrap())
    }

    /// The sum of a metric over all its lines that contain `label`; zero if there is none.
    ///
    /// # Panics
    /// If the gateway does not answer.
    pub async fn metric(&self, name: &str, label: &str) -> f64 {
        let answer = self.http.get(&format!("http://{}/metrics", self.admin)).await.unwrap();
        let lines = answer.text().lines().filter(|line| line.contains(label));
        let values = lines.filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            let value = rest.rsplit(' ').next()?;
            (rest.starts_with([' ', '{'])).then(|| value.parse::<f64>().unwrap())
        });
        values.sum()
    }
}

/// Plain text, which functions get as a StateFun string.
pub const TEXT: (&str, &str) = ("content-type", "text/plain");

/// Calls an address of a gateway that may be away or be killed, until there is a reply.
///
/// # Panics
/// If there is none in time, or if the gateway refuses.
pub async fn call(
    http: &Http,
    ingress: SocketAddr,
    address: &str,
    key: &str,
    text: &str,
) -> Answer {
    let url = format!("http://{ingress}/v1/functions/{address}/call");
    until(&format!("a reply from {address} for {key}"), PATIENCE, async || {
        let headers = [TEXT, ("idempotency-key", key)];
        let answered = tokio::time::timeout(
            Duration::from_secs(10),
            http.post(&url, &headers, text.to_owned()),
        );
        let answer = answered.await.ok()?.ok()?;
        match answer.status.as_u16() {
            200 => Some(answer),
            503 | 504 => None,
            _ => panic!("{address} for {key}: {}", answer.text()),
        }
    })
    .await
}

/// The path of the first file with an ending below a directory.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn file_in(directory: &Path, ending: &str) -> PathBuf {
    let mut entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.find(|path| path.to_string_lossy().ends_with(ending)).unwrap()
}
