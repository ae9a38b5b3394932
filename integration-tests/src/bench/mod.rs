//! The parts of the benchmark: a gateway and a function server as processes, load, and the machine's own limits.

pub(crate) mod cases;
pub(crate) mod functions;
pub(crate) mod gateway;
mod http;
mod load;
mod machine;
mod process;
pub(crate) mod report;
mod setting;

use std::path::PathBuf;
use std::time::Duration;

/// Why nothing can be measured. It is told to whoever sits at the terminal; no code decides by its kind.
pub(crate) type Problem = Box<dyn std::error::Error + Send + Sync>;

/// What all cases have in common.
pub(crate) struct Plan {
    /// The gateway's executable.
    pub(crate) gateway: PathBuf,
    /// Where data directories are made.
    pub(crate) directory: PathBuf,
    /// How long load is offered.
    pub(crate) duration: Duration,
}
