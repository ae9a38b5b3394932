//! The settings of tracing. What OpenTelemetry has variables for is read from them where it is used.

use super::sheet::Sheet;
use super::value::SettingValue;

/// Where traces go, and how many begin here.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct TraceSettings {
    /// The URL of a collector, without `/v1/traces`.
    pub endpoint: Option<String>,
    /// The part of the traces that begin here which is recorded. Others are recorded as their beginners decided.
    pub ratio: Ratio,
}

impl Eq for TraceSettings {}

impl TraceSettings {
    pub(super) fn read(sheet: &mut Sheet) -> Self {
        let endpoint = sheet.read("trace.endpoint", CollectorUrl(None));
        Self { endpoint: endpoint.0, ratio: sheet.read("trace.ratio", Ratio::default()) }
    }

    /// Whether traces are exported: a collector is named here or by OpenTelemetry's variables, which may also switch it off.
    #[must_use]
    pub fn is_wanted(&self, variable: impl Fn(&str) -> Option<String>) -> bool {
        let is =
            |name, value: &str| variable(name).is_some_and(|it| it.eq_ignore_ascii_case(value));
        if is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none") {
            return false;
        }
        let names = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
        self.endpoint.is_some()
            || names.iter().any(|name| variable(name).is_some_and(|url| !url.trim().is_empty()))
    }
}

/// A number from 0 to 1.
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug)]
pub struct Ratio(f64);

impl Ratio {
    /// The number.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl Default for Ratio {
    /// Enough to see how the system behaves, and little enough for any load.
    fn default() -> Self {
        Self(0.01)
    }
}

impl SettingValue for Ratio {
    const BARE: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(Self(ratio)),
            _ => Err("must be a number from 0 to 1".to_owned()),
        }
    }

    fn show(&self) -> String {
        self.0.to_string()
    }
}

/// The URL of a collector; an empty text is none.
struct CollectorUrl(Option<String>);

impl SettingValue for CollectorUrl {
    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        let is_http = ["http://", "https://"].iter().any(|scheme| text.starts_with(scheme));
        match text.parse::<http::Uri>() {
            Ok(url) if is_http && url.host().is_some() && url.query().is_none() => {
                Ok(Self(Some(text.to_owned())))
            }
            _ => Err("must be a URL such as http://127.0.0.1:4318".to_owned()),
        }
    }

    fn show(&self) -> String {
        self.0.clone().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_are_exported_if_anybody_names_a_collector_and_nobody_forbids_it() {
        let none = TraceSettings::default();
        let ours = TraceSettings { endpoint: Some("http://c".into()), ..none };
        let with = |settings: &TraceSettings, name: &'static str, value: &'static str| {
            settings.is_wanted(|asked| (asked == name).then(|| value.to_owned()))
        };
        assert!(!with(&none, "", ""));
        assert!(with(&ours, "", ""));
        assert!(with(&none, "OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"));
        assert!(with(&none, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c"));
        assert!(!with(&none, "OTEL_EXPORTER_OTLP_ENDPOINT", " "));
        assert!(!with(&ours, "OTEL_SDK_DISABLED", "TRUE"));
        assert!(!with(&ours, "OTEL_TRACES_EXPORTER", "none"));
    }

    #[test]
    fn a_ratio_lies_between_nothing_and_everything() {
        assert_eq!(Ratio::parse("0.25").map(Ratio::get), Ok(0.25));
        for text in ["-0.1", "1.1", "NaN", "", "half"] {
            assert!(Ratio::parse(text).is_err(), "{text}");
        }
    }
}
