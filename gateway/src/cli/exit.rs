//! What the exit codes of the commands mean. Scripts rely on them: they are added to, never changed.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// It did what it was asked.
    Done = 0,
    /// It failed for another reason than those below.
    Failed = 1,
    /// The command line, the configuration or the payload is wrong; nothing was done.
    Usage = 2,
    /// The gateway refused the request.
    Refused = 3,
    /// The gateway could not be reached.
    Unreachable = 4,
    /// No answer came in time; a message may have been accepted.
    TimedOut = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The exit codes as help texts show them.
pub(super) const HELP: &str = "\
Exit codes:
  0  done
  1  failed for another reason than those below
  2  the command line, the configuration or the payload is wrong; nothing was done
  3  the gateway refused the request
  4  the gateway could not be reached
  5  no answer came in time; a message may have been accepted";
