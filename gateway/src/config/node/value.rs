//! The types of settings: how each is read from text, and shown again.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tidegate_core::route::PartitionCount;

use crate::config::{duration, size};

/// A type of settings.
pub(super) trait SettingValue: Sized {
    /// Whether it stands without quotes in a TOML file.
    const BARE: bool = false;

    /// Reads it; the error says what is wrong, to follow the text itself.
    fn parse(text: &str) -> Result<Self, String>;

    /// Shows it such that it reads back the same.
    fn show(&self) -> String;
}

impl SettingValue for PathBuf {
    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() { Err("must not be empty".to_owned()) } else { Ok(text.into()) }
    }

    fn show(&self) -> String {
        self.display().to_string()
    }
}

/// A path that need not be given: an empty text is none.
impl SettingValue for Option<PathBuf> {
    fn parse(text: &str) -> Result<Self, String> {
        Ok(Some(text).filter(|text| !text.is_empty()).map(PathBuf::from))
    }

    fn show(&self) -> String {
        self.as_ref().map(SettingValue::show).unwrap_or_default()
    }
}

impl SettingValue for bool {
    const BARE: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "must be true or false".to_owned())
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl SettingValue for u64 {
    const BARE: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(0) | Err(_) => Err("must be a whole number of at least 1".to_owned()),
            Ok(number) => Ok(number),
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl SettingValue for PartitionCount {
    const BARE: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        let count = text.parse().ok().and_then(Self::new);
        count.ok_or_else(|| "must be a power of two between 1 and 4096".to_owned())
    }

    fn show(&self) -> String {
        self.get().to_string()
    }
}

impl SettingValue for SocketAddr {
    fn parse(text: &str) -> Result<Self, String> {
        text.parse()
            .map_err(|_| "must be an address and a port, for example 127.0.0.1:8080".to_owned())
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl SettingValue for Duration {
    fn parse(text: &str) -> Result<Self, String> {
        match duration::parse_with_unit(text)? {
            Self::ZERO => Err("must be more than zero".to_owned()),
            duration => Ok(duration),
        }
    }

    fn show(&self) -> String {
        duration::show(*self)
    }
}

/// A size in bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Bytes(pub(super) u64);

impl SettingValue for Bytes {
    fn parse(text: &str) -> Result<Self, String> {
        match size::parse(text)? {
            0 => Err("must be more than zero".to_owned()),
            bytes => Ok(Self(bytes)),
        }
    }

    fn show(&self) -> String {
        size::show(self.0)
    }
}

/// What is logged, as a filter of `tracing`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogFilter(String);

impl LogFilter {
    /// The text of the filter; it is known to be valid.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for LogFilter {
    fn default() -> Self {
        Self("info".to_owned())
    }
}

impl SettingValue for LogFilter {
    fn parse(text: &str) -> Result<Self, String> {
        // The parser of tracing-subscriber 0.3.23 cuts some texts within a character, and panics.
        if !text.is_ascii() {
            return Err("must consist of ASCII characters".to_owned());
        }
        match tracing_subscriber::EnvFilter::try_new(text) {
            Ok(_) if !text.trim().is_empty() => Ok(Self(text.to_owned())),
            Ok(_) => Err("must not be empty".to_owned()),
            Err(error) => Err(format!("is not a log filter: {error}")),
        }
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}

/// How logs are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object in each line.
    Json,
}

impl SettingValue for LogFormat {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("must be text or json".to_owned()),
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Json => "json".to_owned(),
        }
    }
}

/// When something is coloured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// In any case.
    Always,
    /// In no case.
    Never,
}

impl SettingValue for Color {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "always" => Ok(Self::Always),
            "never" => Ok(Self::Never),
            _ => Err("must be auto, always or never".to_owned()),
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Auto => "auto".to_owned(),
            Self::Always => "always".to_owned(),
            Self::Never => "never".to_owned(),
        }
    }
}
