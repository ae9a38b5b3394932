//! An operator: gives orders to a gateway by the command line, as people do, and reads what it says as scripts do.

use std::net::SocketAddr;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::binaries;

/// Somebody who gives orders to one gateway.
#[derive(Clone, Debug)]
pub struct Operator {
    name: String,
    admin: String,
}

/// What a command said.
#[derive(Clone, Debug)]
pub struct Said {
    /// Its exit code, which scripts rely on.
    pub exit: Option<i32>,
    /// Its standard output.
    pub output: String,
    /// Its standard error.
    pub errors: String,
}

impl Operator {
    /// An operator of the gateway that is inspected at an address.
    #[must_use]
    pub fn new(name: &str, admin: SocketAddr) -> Self {
        Self { name: name.to_owned(), admin: format!("http://{admin}") }
    }

    /// Looks at something: `tidegate <words> --json`.
    pub async fn look(&self, words: &[&str]) -> Said {
        self.run(words, &[]).await
    }

    /// Orders something, with a signature.
    pub async fn order(&self, words: &[&str], reason: &str) -> Said {
        self.run(words, &["--operator", &self.name, "--reason", reason]).await
    }

    async fn run(&self, words: &[&str], signature: &[&str]) -> Said {
        let mut command = Command::new(binaries::tidegate());
        command.args(words).args(signature).args(["--json", "--admin-url", &self.admin]);
        command.env_clear().stdin(Stdio::null());
        let ended = tokio::task::spawn_blocking(move || command.output()).await.unwrap();
        let Output { status, stdout, stderr } = ended.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said { exit: status.code(), output: text(stdout), errors: text(stderr) }
    }
}

impl Said {
    /// The JSON of a command that did what it was asked.
    ///
    /// # Panics
    /// If it did not.
    #[must_use]
    pub fn done(&self) -> Value {
        assert_eq!(self.exit, Some(0), "{}", self.errors);
        serde_json::from_str(&self.output).unwrap_or_else(|_| panic!("no JSON: {}", self.output))
    }

    /// Whether the gateway refused with a code.
    #[must_use]
    pub fn is_refused_with(&self, code: &str) -> bool {
        self.exit == Some(3) && self.errors.contains(&format!("error[{code}]"))
    }
}
