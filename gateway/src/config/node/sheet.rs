//! Where values of settings come from, and which one counts: flags before environment before file before default.

use std::collections::BTreeMap;
use std::fmt;

use toml::de::{DeTable, DeValue};

use super::setting::{PREFIX, SETTINGS, setting_of};
use super::value::SettingValue;
use crate::config::fault::{Code, Fault, Faults, Place};
use crate::config::nearest::{did_you_mean, nearest};

/// Environment variables that are not settings of a node: where its file is, and what clients use.
const OTHER_VARIABLES: [&str; 10] = [
    "TIDEGATE_CONFIG",
    "TIDEGATE_URL",
    "TIDEGATE_ADMIN_URL",
    "TIDEGATE_TOKEN_FILE",
    "TIDEGATE_TOKEN",
    "TIDEGATE_CA",
    "TIDEGATE_CLIENT_CERTIFICATE",
    "TIDEGATE_CLIENT_KEY",
    "TIDEGATE_INGRESS_TOKENS",
    "TIDEGATE_ADMIN_TOKENS",
];

/// Where the value of a setting comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// Nobody said otherwise.
    Default,
    /// A line of the file.
    File {
        /// Which file.
        path: String,
        /// Where in it.
        place: Place,
    },
    /// An environment variable.
    Environment(String),
    /// A flag of the command.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => out.write_str("default"),
            Self::File { path, place } => write!(out, "{path}:{}", place.line),
            Self::Environment(name) => write!(out, "environment {name}"),
            Self::Flag(name) => write!(out, "flag {name}"),
        }
    }
}

/// A setting as it is in effect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EffectiveSetting {
    /// Its name in `tidegate.toml`.
    pub key: &'static str,
    /// Its value as text.
    pub value: String,
    /// Whether the value stands without quotes in TOML and JSON.
    pub bare: bool,
    /// Where it comes from.
    pub origin: Origin,
}

/// The values that were given, each from its strongest origin.
#[derive(Default)]
pub(super) struct Sheet {
    given: BTreeMap<&'static str, (String, Origin)>,
    effective: Vec<EffectiveSetting>,
    faults: Faults,
}

impl Sheet {
    /// Adds what a file says. Origins are added from the weakest to the strongest.
    pub(super) fn add_file(&mut self, path: &str, text: &str) {
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let place = error.span().map_or_else(Place::default, |span| place_of(text, span.start));
            let message = error.message().replace('\n', ", ");
            self.faults.push(
                Fault::new(Code::Syntax, path, format!("not valid TOML: {message}")).at(place),
            );
        }
        self.add_table(&File { path, text }, "", table.get_ref());
    }

    fn add_table(&mut self, file: &File<'_>, prefix: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let key = format!("{prefix}{}", name.get_ref());
            let place = place_of(file.text, name.span().start);
            let setting = setting_of(&key);
            let inner = format!("{key}.");
            let is_table = SETTINGS.iter().any(|setting| setting.key.starts_with(&inner));
            match (setting, value.get_ref()) {
                (None, DeValue::Table(table)) if is_table => self.add_table(file, &inner, table),
                (None, _) if is_table => {
                    let text = format!("`{key}` must be a table");
                    self.faults.push(Fault::new(Code::BadValue, file.path, text).at(place));
                }
                (None, _) => self.unknown_key(file, &key, place),
                (Some(setting), value) => match scalar(value) {
                    Some(text) => {
                        let origin = Origin::File { path: file.path.to_owned(), place };
                        self.given.insert(setting.key, (text, origin));
                    }
                    None => {
                        let text = format!("`{key}` must be a single value");
                        self.faults.push(Fault::new(Code::BadValue, file.path, text).at(place));
                    }
                },
            }
        }
    }

    fn unknown_key(&mut self, file: &File<'_>, key: &str, place: Place) {
        let known: Vec<_> = SETTINGS.iter().map(|setting| setting.key).collect();
        let fault =
            Fault::new(Code::UnknownKey, file.path, format!("unknown key `{key}`")).at(place);
        self.faults.push(fault.with_help(did_you_mean(key, &known)));
    }

    /// Adds what the environment says. Other programs' variables are left alone.
    pub(super) fn add_environment<'a>(
        &mut self,
        variables: impl Iterator<Item = (&'a str, &'a str)>,
    ) {
        for (name, value) in variables.filter(|(name, _)| name.starts_with(PREFIX)) {
            match SETTINGS.iter().find(|setting| setting.variable() == name) {
                Some(setting) => {
                    let origin = Origin::Environment(name.to_owned());
                    self.given.insert(setting.key, (value.to_owned(), origin));
                }
                None if OTHER_VARIABLES.contains(&name) || is_of_a_kubernetes_service(name) => {}
                None => self.unknown_variable(name),
            }
        }
    }

    fn unknown_variable(&mut self, name: &str) {
        let variables: Vec<_> = SETTINGS.iter().map(super::setting::Setting::variable).collect();
        let known = variables.iter().map(String::as_str).chain(OTHER_VARIABLES);
        let fault =
            Fault::new(Code::UnknownKey, "environment", format!("unknown variable `{name}`"));
        self.faults.push(match nearest(name, known) {
            Some(near) => fault.with_help(format!("did you mean `{near}`?")),
            None => fault.with_help("`tidegate run --help` lists all variables"),
        });
    }

    /// Adds what the flags say, by the name of the setting.
    pub(super) fn add_flags(&mut self, flags: &BTreeMap<&'static str, String>) {
        for (key, value) in flags {
            if let Some(setting) = setting_of(key) {
                let origin = Origin::Flag(format!("--{}", setting.flag()));
                self.given.insert(setting.key, (value.clone(), origin));
            }
        }
    }

    /// The value of a setting; a wrong one is a fault, and the default stands in for it.
    pub(super) fn read<T: SettingValue>(&mut self, key: &'static str, default: T) -> T {
        let (value, origin) = match self.given.remove(key) {
            None => (default, Origin::Default),
            Some((text, origin)) => match T::parse(&text) {
                Ok(value) => (value, origin),
                Err(wrong) => {
                    self.fault(key, &origin, Code::BadValue, format!("`{key}`: `{text}` {wrong}"));
                    (default, origin)
                }
            },
        };
        let show = value.show();
        self.effective.push(EffectiveSetting { key, value: show, bare: T::BARE, origin });
        value
    }

    /// Reports that a value is not right together with others.
    pub(super) fn contradiction(&mut self, key: &'static str, text: &str) {
        let effective = self.effective.iter().find(|setting| setting.key == key);
        let origin = effective.map_or(Origin::Default, |setting| setting.origin.clone());
        self.fault(key, &origin, Code::Contradiction, text.to_owned());
    }

    fn fault(&mut self, key: &str, origin: &Origin, code: Code, text: String) {
        self.faults.push(match origin {
            Origin::Default => Fault::new(code, format!("default of {key}"), text),
            Origin::File { path, place } => Fault::new(code, path.clone(), text).at(*place),
            Origin::Environment(name) | Origin::Flag(name) => Fault::new(code, name.clone(), text),
        });
    }

    pub(super) fn finish(self) -> (Vec<EffectiveSetting>, Faults) {
        (self.effective, self.faults)
    }
}

struct File<'a> {
    path: &'a str,
    text: &'a str,
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        DeValue::Boolean(flag) => Some(flag.to_string()),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

fn place_of(text: &str, offset: usize) -> Place {
    let before = text.get(..offset.min(text.len())).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Place { line, column, document: None }
}

/// In a cluster with a service named `tidegate`, Kubernetes puts its address into the environment of every pod.
fn is_of_a_kubernetes_service(name: &str) -> bool {
    let rest = name.strip_prefix(PREFIX).unwrap_or(name);
    rest.starts_with("SERVICE_") || rest == "PORT" || rest.starts_with("PORT_")
}
