//! The only place that names implementations: builds a node from its configuration, starts and stops it.

use crate::config::Effective;

/// A node could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// This build has no node in it.
    #[error("this build cannot run a node")]
    NotBuilt,
}

/// Runs a node until it is told to stop.
pub async fn run(_config: Effective) -> Result<(), StartError> {
    Err(StartError::NotBuilt)
}
