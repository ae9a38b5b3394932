//! What a node says of itself: log lines, gauges that are read from time to time, and what its metrics mean.

mod described;
mod gauges;
mod logging;

pub use self::described::describe;
pub use self::gauges::{show_backlog, show_gauges};
pub use self::logging::start_logging;
