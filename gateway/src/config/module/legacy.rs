//! The module format of StateFun 3.0: one document with a `version`, in which all components are nested. It is unfolded into
//! the components that it means, each at its place, and these are read like all others.

use super::fields::Report;
use crate::config::fault::{Code, Place};
use crate::config::nearest::did_you_mean;
use crate::config::yaml::{Node, Value};

/// The one version that StateFun 3 reads.
const VERSION: &str = "3.0";
const DOCUMENT: [&str; 2] = ["version", "module"];
const MODULE: [&str; 2] = ["meta", "spec"];

/// The lists of a module, with the key that wraps each of their components, and the key of `meta` that names its kind.
const LISTS: [(&str, &str, &str); 3] = [
    ("endpoints", "endpoint", "kind"),
    ("ingresses", "ingress", "type"),
    ("egresses", "egress", "type"),
];

/// What the short names of this format mean; other names mean themselves.
const KINDS: [(&str, &str); 5] = [
    ("http", "io.statefun.endpoints.v1/http"),
    ("io.statefun.kafka/ingress", "io.statefun.kafka.v1/ingress"),
    ("io.statefun.kafka/egress", "io.statefun.kafka.v1/egress"),
    ("io.statefun.kinesis/ingress", "io.statefun.kinesis.v1/ingress"),
    ("io.statefun.kinesis/egress", "io.statefun.kinesis.v1/egress"),
];

/// Replaces a document of this format by its components; all other documents stay as they are.
pub(super) fn unfold(documents: Vec<Node>, report: &Report<'_>) -> Vec<Node> {
    let total = documents.iter().filter(|document| document.value != Value::Null).count();
    let mut components = Vec::new();
    for document in documents {
        let Some(version) = document.get("version") else {
            components.push(document);
            continue;
        };
        if total > 1 {
            let text = "a document with a `version` is a whole module and stands alone";
            report.error(Code::ModuleFormat, document.place, text);
        }
        if version.text() != Some(VERSION) {
            let text =
                format!("the module format `{}` cannot be read", version.text().unwrap_or(""));
            let fault = report.fault(Code::ModuleFormat, version.place, text);
            report.push(fault.with_help(format!(
                "there are \"{VERSION}\" and, without a `version`, one document with `kind` and `spec` for each component"
            )));
            continue;
        }
        module(&document, report, &mut components);
    }
    components
}

fn module(document: &Node, report: &Report<'_>, components: &mut Vec<Node>) {
    only(document, &DOCUMENT, report);
    let Some(module) = needed(document, "module", report) else { return };
    only(module, &MODULE, report);
    if let Some(kind) = module.get("meta").and_then(|meta| meta.get("type"))
        && kind.text() != Some("remote")
    {
        report.error(Code::BadValue, kind.place, "`module.meta.type` must be `remote`");
    }
    let Some(spec) = needed(module, "spec", report) else { return };
    only(spec, &LISTS.map(|(list, ..)| list), report);
    for (list, wrapper, kind) in LISTS {
        for entry in entries(spec, list, report) {
            only(entry, &[wrapper], report);
            if let Some(inner) = needed(entry, wrapper, report) {
                components.extend(component(inner, kind, report));
            }
        }
    }
}

/// The component of one entry, with `kind` and `spec` as they stand in the other format.
fn component(inner: &Node, kind: &str, report: &Report<'_>) -> Option<Node> {
    only(inner, &MODULE, report);
    let meta = needed(inner, "meta", report)?;
    only(meta, &[kind, "id"], report);
    let named = needed(meta, kind, report)?;
    let mut spec = inner.get("spec")?.clone();
    if let (Value::Map(fields), Some(id)) = (&mut spec.value, meta.get("id")) {
        fields.push((text("id", id.place), id.clone()));
    }
    let name = named.text().map(long_name);
    let named = Node {
        place: named.place,
        value: name.map_or_else(|| named.value.clone(), |name| Value::Text(name.to_owned())),
    };
    let fields = vec![(text("kind", named.place), named), (text("spec", spec.place), spec)];
    Some(Node { place: inner.place, value: Value::Map(fields) })
}

fn long_name(name: &str) -> &str {
    KINDS.iter().find(|(short, _)| *short == name).map_or(name, |(_, long)| long)
}

fn text(text: &str, place: Place) -> Node {
    Node { place, value: Value::Text(text.to_owned()) }
}

fn needed<'n>(node: &'n Node, key: &str, report: &Report<'_>) -> Option<&'n Node> {
    let found = node.get(key).filter(|found| found.value != Value::Null);
    if found.is_none() {
        report.error(Code::MissingKey, node.place, format!("`{key}` is missing"));
    }
    found
}

/// The entries of a list, which need not be there.
fn entries<'n>(spec: &'n Node, list: &str, report: &Report<'_>) -> &'n [Node] {
    match spec.get(list).map(|node| (node, &node.value)) {
        None | Some((_, Value::Null)) => &[],
        Some((_, Value::List(entries))) => entries,
        Some((node, _)) => {
            report.error(Code::BadValue, node.place, format!("`{list}` must be a list"));
            &[]
        }
    }
}

/// StateFun ignores keys that it does not know, so they are only warned about.
fn only(node: &Node, known: &[&str], report: &Report<'_>) {
    let Value::Map(fields) = &node.value else { return };
    for (key, _) in fields {
        let name = key.text().unwrap_or_default();
        if !known.contains(&name) {
            let text = format!("unknown key `{name}` in a module of format {VERSION}");
            let fault = report.fault(Code::UnknownKey, key.place, text);
            report.push(fault.with_help(did_you_mean(name, known)).as_warning());
        }
    }
}
