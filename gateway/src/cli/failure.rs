//! Why a command failed: what to say, and how to end.

use super::exit::Exit;

/// A failed command.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) exit: Exit,
    pub(super) code: Option<String>,
    pub(super) text: String,
}

impl Failure {
    /// The command was given something wrong.
    pub(super) fn usage(text: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, code: None, text: text.into() }
    }

    /// It failed for another reason.
    pub(super) fn other(text: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, code: None, text: text.into() }
    }
}
