//! The settings of a node: `tidegate.toml`, the environment, and flags.

mod guard;
mod setting;
mod settings;
mod sheet;
mod trace;
mod value;

use std::collections::BTreeMap;

pub use guard::GuardSettings;
pub use setting::{SETTINGS, Setting};
pub use settings::{
    IdempotencySettings, IngressSettings, LogSettings, NodeSettings, StoreSettings,
};
pub use sheet::{EffectiveSetting, Origin};
pub use trace::{Ratio, TraceSettings};
pub use value::{Color, LogFilter, LogFormat};

use self::sheet::Sheet;
use super::fault::Faults;

/// What is said about a node, from the weakest origin to the strongest.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// The name and the text of a `tidegate.toml`.
    pub file: Option<(String, String)>,
    /// All environment variables.
    pub environment: BTreeMap<String, String>,
    /// Values by the name of the setting.
    pub flags: BTreeMap<&'static str, String>,
}

/// Settles each setting. Where something is wrong the default stands in, and `faults` says so.
pub fn settle(given: &Given, faults: &mut Faults) -> (NodeSettings, Vec<EffectiveSetting>) {
    let mut sheet = Sheet::default();
    if let Some((path, text)) = &given.file {
        sheet.add_file(path, text);
    }
    sheet.add_environment(
        given.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())),
    );
    sheet.add_flags(&given.flags);
    let settings = NodeSettings::read(&mut sheet);
    let (effective, found) = sheet.finish();
    faults.extend(found);
    (settings, effective)
}

/// Reads a duration as settings take it: with its unit, and more than nothing.
pub fn parse_duration(text: &str) -> Result<std::time::Duration, String> {
    value::SettingValue::parse(text)
}
