//! Faults: what is wrong with a configuration, where, and what would be right. They are gathered and reported
//! together, so that a user repairs a file once and not once per fault.

use std::fmt;

/// The stable codes of configuration faults; each has a page in `docs/errors/`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Code {
    /// A file cannot be read.
    Unreadable,
    /// A file is not valid YAML or TOML.
    Syntax,
    /// A key means nothing there.
    UnknownKey,
    /// A key that is needed is not there.
    MissingKey,
    /// A value is not one that the key takes.
    BadValue,
    /// A component has a kind that nobody knows.
    UnknownKind,
    /// A component has a kind that is known, but that this node does not serve yet.
    NotServed,
    /// Two declarations claim the same thing.
    Duplicate,
    /// An ingress sends to a function that no endpoint declares.
    UndeclaredTarget,
    /// Values are each right but not together.
    Contradiction,
    /// The module declares no function.
    NoFunctions,
    /// The module is in a format that cannot be read.
    ModuleFormat,
}

impl Code {
    /// The code as users see it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "TG-0100",
            Self::Syntax => "TG-0101",
            Self::UnknownKey => "TG-0102",
            Self::MissingKey => "TG-0103",
            Self::BadValue => "TG-0104",
            Self::UnknownKind => "TG-0105",
            Self::NotServed => "TG-0106",
            Self::Duplicate => "TG-0107",
            Self::UndeclaredTarget => "TG-0108",
            Self::Contradiction => "TG-0109",
            Self::NoFunctions => "TG-0110",
            Self::ModuleFormat => "TG-0111",
        }
    }
}

/// Whether a fault stands in the way of starting.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// The node does not start.
    Error,
    /// The node starts; `--strict` makes it an error.
    Warning,
}

/// A place in a file; lines and columns count from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
    /// Which document of a YAML file, from 1; nothing in other files.
    pub document: Option<usize>,
}

/// Something that is wrong with a configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// Its stable code.
    pub code: Code,
    /// Whether it stands in the way of starting.
    pub severity: Severity,
    /// What is at fault: a file, an environment variable, a flag.
    pub source: String,
    /// Where in the file.
    pub place: Option<Place>,
    /// What is wrong.
    pub text: String,
    /// What would be right, if that can be said.
    pub help: Option<String>,
}

impl Fault {
    /// An error without a place.
    #[must_use]
    pub fn new(code: Code, source: impl Into<String>, text: impl Into<String>) -> Self {
        let (source, text) = (source.into(), text.into());
        Self { code, severity: Severity::Error, source, place: None, text, help: None }
    }

    /// The same fault at a place.
    #[must_use]
    pub fn at(self, place: Place) -> Self {
        Self { place: Some(place), ..self }
    }

    /// The same fault with an advice.
    #[must_use]
    pub fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// The same fault as a warning.
    #[must_use]
    pub fn as_warning(self) -> Self {
        Self { severity: Severity::Warning, ..self }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(out, "{severity}[{}]: {}\n  --> {}", self.code.as_str(), self.text, self.source)?;
        if let Some(Place { line, column, document }) = self.place {
            write!(out, ":{line}:{column}")?;
            if let Some(document) = document {
                write!(out, " (document {document})")?;
            }
        }
        match &self.help {
            Some(help) => write!(out, "\n   = help: {help}"),
            None => Ok(()),
        }
    }
}

/// All that is wrong with a configuration.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Adds one.
    pub fn push(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    /// Adds all of another collection.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Whether one of them stands in the way of starting.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|fault| fault.severity == Severity::Error)
    }

    /// Makes every warning an error.
    pub fn make_strict(&mut self) {
        for fault in &mut self.0 {
            fault.severity = Severity::Error;
        }
    }

    /// Puts them into the order of the files, and of the places in each.
    pub fn sort(&mut self) {
        self.0.sort_by(|a, b| (&a.source, a.place).cmp(&(&b.source, b.place)));
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(out, "{separator}{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}
