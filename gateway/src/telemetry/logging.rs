//! Log lines to the standard error.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use crate::config::node::{Color, LogFormat, LogSettings};

/// Sends log lines to the standard error. A process that has a subscriber already keeps it.
pub fn start_logging(settings: &LogSettings) {
    let filter = EnvFilter::new(settings.filter.as_str());
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let color = match settings.color {
        Color::Auto => !plain && io::stderr().is_terminal(),
        Color::Always => true,
        Color::Never => false,
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_target(false);
    let started = match settings.format {
        LogFormat::Text => builder.with_ansi(color).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    if started.is_err() {
        tracing::debug!("log lines go where they went before");
    }
}
