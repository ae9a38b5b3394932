//! Where commands write: answers to the standard output, everything else to the standard error. Colour only on
//! a terminal, and never where `NO_COLOR` is set.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use serde_json::Value;

use crate::config::fault::{Faults, Severity};

const RED: &str = "\u{1b}[1;31m";
const YELLOW: &str = "\u{1b}[1;33m";
const RESET: &str = "\u{1b}[0m";

/// The two streams of a command.
pub(super) struct Output {
    out: Box<dyn Write>,
    err: Box<dyn Write>,
    color: bool,
}

impl Output {
    /// The streams of the process.
    pub(super) fn of_process() -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let color = !plain && io::stderr().is_terminal();
        Self { out: Box::new(io::stdout()), err: Box::new(io::stderr()), color }
    }

    /// Writes bytes of an answer as they are. That nobody reads any more is not an error of ours.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        let _ = self.out.write_all(bytes).and_then(|()| self.out.flush());
    }

    /// Writes an answer as text, with a line end.
    pub(super) fn line(&mut self, text: impl Display) {
        let text = text.to_string();
        let end = if text.ends_with('\n') { "" } else { "\n" };
        self.bytes(format!("{text}{end}").as_bytes());
    }

    /// Writes an answer as JSON for scripts.
    pub(super) fn json(&mut self, value: &Value) {
        self.line(format_args!("{value:#}"));
    }

    /// Says what went wrong: `error: …`, or `error[TG-nnnn]: …`.
    pub(super) fn error(&mut self, code: Option<&str>, text: impl Display) {
        let code = code.map(|code| format!("[{code}]")).unwrap_or_default();
        self.marked(RED, &format!("error{code}"), &format!(": {text}"));
    }

    /// Says what is wrong with a configuration.
    pub(super) fn faults(&mut self, faults: &Faults) {
        for fault in faults.iter() {
            let color = if fault.severity == Severity::Error { RED } else { YELLOW };
            let text = fault.to_string();
            let mark = text.find(':').unwrap_or(0);
            self.marked(color, &text[..mark], &text[mark..]);
        }
        let errors = faults.iter().filter(|fault| fault.severity == Severity::Error).count();
        if errors > 0 {
            let s = if errors == 1 { "" } else { "s" };
            self.note(format_args!("{errors} error{s} in the configuration; nothing was started"));
        }
    }

    /// Says something on the side.
    pub(super) fn note(&mut self, text: impl Display) {
        let _ = writeln!(self.err, "{text}");
    }

    fn marked(&mut self, color: &str, mark: &str, rest: &str) {
        let _ = writeln!(self.err, "{}{rest}", painted(self.color, color, mark));
    }
}

fn painted(paints: bool, color: &str, mark: &str) -> String {
    if paints { format!("{color}{mark}{RESET}") } else { mark.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_terminal_gets_colour() {
        assert_eq!(painted(true, RED, "error"), "\u{1b}[1;31merror\u{1b}[0m");
        assert_eq!(painted(false, RED, "error"), "error");
    }
}
