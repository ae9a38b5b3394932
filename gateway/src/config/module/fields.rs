//! Reads the fields of a component: known keys, needed keys, values of the right form. What is wrong becomes a
//! fault with its place, and reading goes on.

use std::cell::RefCell;

use super::kinds::Kind;
use crate::config::fault::{Code, Fault, Faults, Place};
use crate::config::nearest::did_you_mean;
use crate::config::yaml::{Node, Value};

/// Where faults of a file go.
pub(super) struct Report<'a> {
    source: &'a str,
    faults: RefCell<&'a mut Faults>,
}

impl<'a> Report<'a> {
    pub(super) fn new(source: &'a str, faults: &'a mut Faults) -> Self {
        Self { source, faults: RefCell::new(faults) }
    }

    /// A fault at a place of the file, to be pushed.
    pub(super) fn fault(&self, code: Code, place: Place, text: impl Into<String>) -> Fault {
        Fault::new(code, self.source, text).at(place)
    }

    pub(super) fn push(&self, fault: Fault) {
        self.faults.borrow_mut().push(fault);
    }

    /// Reports an error at a place.
    pub(super) fn error(&self, code: Code, place: Place, text: impl Into<String>) {
        self.push(self.fault(code, place, text));
    }
}

/// A mapping whose keys are known. Its path says which mapping of the kind it is, such as `transport.timeouts`.
pub(super) struct Fields<'a> {
    report: &'a Report<'a>,
    kind: &'static Kind,
    path: String,
    node: &'a Node,
}

impl<'a> Fields<'a> {
    /// The `spec` of a component.
    pub(super) fn of_spec(
        report: &'a Report<'a>,
        kind: &'static Kind,
        node: &'a Node,
    ) -> Option<Self> {
        Self::open(report, kind, String::new(), node)
    }

    fn open(
        report: &'a Report<'a>,
        kind: &'static Kind,
        path: String,
        node: &'a Node,
    ) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            let name = if path.is_empty() { "spec" } else { &path };
            report.error(Code::BadValue, node.place, format!("`{name}` must be a mapping"));
            return None;
        };
        let fields = Self { report, kind, path, node };
        let known = kind.keys_in(&fields.path);
        for (key, _) in entries {
            match key.text() {
                Some(name) if known.contains(&name) => {}
                name => fields.unknown(name.unwrap_or_default(), key.place, &known),
            }
        }
        Some(fields)
    }

    /// Where the mapping begins.
    pub(super) fn place(&self) -> Place {
        self.node.place
    }

    fn unknown(&self, name: &str, place: Place, known: &[&str]) {
        let text = format!("unknown key `{}` in {}", self.path_of(name), self.kind.name);
        let fault =
            self.report.fault(Code::UnknownKey, place, text).with_help(did_you_mean(name, known));
        let ours = self.kind.is_ours() || self.path.starts_with("tidegate");
        self.report.push(if ours { fault } else { fault.as_warning() });
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The node of a key, unless it is absent or null.
    pub(super) fn get(&self, key: &str) -> Option<&'a Node> {
        let known = self.kind.keys.contains(&self.path_of(key).as_str());
        debug_assert!(known, "`{key}` is read but not listed");
        self.node.get(key).filter(|node| node.value != Value::Null)
    }

    /// The node of a key that must be there.
    pub(super) fn needed(&self, key: &str) -> Option<&'a Node> {
        let node = self.get(key);
        if node.is_none() {
            let text = format!("`{}` is missing in {}", self.path_of(key), self.kind.name);
            self.report.error(Code::MissingKey, self.node.place, text);
        }
        node
    }

    /// A mapping below a key.
    pub(super) fn child(&self, key: &str) -> Option<Self> {
        let node = self.get(key)?;
        Self::open(self.report, self.kind, self.path_of(key), node)
    }

    /// A value, if it is there and right.
    pub(super) fn read<T>(
        &self,
        key: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.scalar(key, self.get(key)?, parse)
    }

    /// A value, or the default if it is absent (or wrong, which is reported).
    pub(super) fn read_or<T>(
        &self,
        key: &str,
        default: T,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> T {
        self.read(key, parse).unwrap_or(default)
    }

    /// A value that must be there, with its place.
    pub(super) fn read_needed<T>(
        &self,
        key: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<(T, Place)> {
        let node = self.needed(key)?;
        Some((self.scalar(key, node, parse)?, node.place))
    }

    /// The values of a list that must be there and not be empty; those that are right.
    pub(super) fn read_list<T>(
        &self,
        key: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<(T, Place)> {
        let Some(node) = self.needed(key) else { return Vec::new() };
        match &node.value {
            Value::List(items) if !items.is_empty() => {
                let read = |item: &'a Node| Some((self.scalar(key, item, &parse)?, item.place));
                items.iter().filter_map(read).collect()
            }
            _ => {
                let text = format!("`{}` must be a list of at least one", self.path_of(key));
                self.report.error(Code::BadValue, node.place, text);
                Vec::new()
            }
        }
    }

    fn scalar<T>(
        &self,
        key: &str,
        node: &Node,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let result = match &node.value {
            Value::Text(text) => parse(text).map_err(|wrong| format!("`{text}` {wrong}")),
            Value::Null => Err("nothing stands here".to_owned()),
            Value::List(_) => Err("must be a single value, not a list".to_owned()),
            Value::Map(_) => Err("must be a single value, not a mapping".to_owned()),
        };
        let wrong = match result {
            Ok(value) => return Some(value),
            Err(wrong) => wrong,
        };
        self.report.error(Code::BadValue, node.place, format!("`{}`: {wrong}", self.path_of(key)));
        None
    }

    /// Reports an error at the place of a key.
    pub(super) fn error(&self, key: &str, code: Code, text: impl Into<String>) {
        let place = self.get(key).map_or(self.node.place, |node| node.place);
        self.report.error(code, place, text);
    }

    /// Warns at the place of a key.
    pub(super) fn warn(&self, key: &str, code: Code, text: impl Into<String>) {
        let place = self.get(key).map_or(self.node.place, |node| node.place);
        self.report.push(self.report.fault(code, place, text).as_warning());
    }
}

/// A text that is not empty.
pub(super) fn text(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("must not be empty".to_owned()) } else { Ok(text.to_owned()) }
}

/// `true` or `false`.
pub(super) fn flag(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| "must be true or false".to_owned())
}

/// A whole number of at least one.
pub(super) fn count<T: TryFrom<u64>>(text: &str) -> Result<T, String> {
    let number: u64 =
        text.parse().map_err(|_| "must be a whole number of at least 1".to_owned())?;
    if number == 0 {
        return Err("must be at least 1".to_owned());
    }
    T::try_from(number).map_err(|_| "is too large".to_owned())
}
