//! Reads the documents of a module one after the other: which component each one is, and what it declares.

use super::declared::Declared;
use super::fields::{Fields, Report};
use super::kinds::{Form, Kind, Known, look_up};
use super::model::ModuleConfig;
use super::{egress, endpoint, ingress, playground, transport};
use crate::config::fault::{Code, Place};
use crate::config::nearest::did_you_mean;
use crate::config::yaml::{Node, Value};

/// The keys of a component.
const COMPONENT: [&str; 2] = ["kind", "spec"];

pub(super) struct Reader<'a> {
    report: &'a Report<'a>,
    declared: Declared,
    config: ModuleConfig,
}

impl<'a> Reader<'a> {
    pub(super) fn new(report: &'a Report<'a>) -> Self {
        Self { report, declared: Declared::default(), config: ModuleConfig::default() }
    }

    /// Reads a document; an empty one is nothing.
    pub(super) fn document(&mut self, document: &'a Node) {
        match &document.value {
            Value::Null => {}
            Value::Map(entries) => self.component(document, entries),
            Value::Text(_) | Value::List(_) => {
                let text = "a document must be a mapping with `kind` and `spec`";
                self.report.error(Code::BadValue, document.place, text);
            }
        }
    }

    /// Checks what only all documents together show.
    pub(super) fn check(&self) {
        self.declared.check_targets(self.report);
        self.declared.check_letters(self.report);
        if !self.declared.has_functions() {
            let text = "the module declares no function: no message can be processed";
            let place = Place { line: 1, column: 1, document: Some(1) };
            self.report.push(self.report.fault(Code::NoFunctions, place, text).as_warning());
        }
    }

    pub(super) fn finish(self) -> ModuleConfig {
        self.config
    }

    fn component(&mut self, document: &'a Node, entries: &[(Node, Node)]) {
        let kind = document.get("kind").filter(|node| node.value != Value::Null);
        let name = kind.and_then(Node::text);
        self.check_keys(entries, name.is_some_and(|name| name.starts_with("io.statefun.")));
        let spec = document.get("spec").filter(|node| node.value != Value::Null);
        match (kind, name.map(look_up)) {
            (None, _) => {
                self.report.error(Code::MissingKey, document.place, "the component has no `kind`");
            }
            (Some(kind), None) => {
                self.report.error(Code::BadValue, kind.place, "`kind` must be a text");
            }
            (Some(kind), Some(Known::Never(near))) => self.unknown(kind, near),
            (Some(kind), Some(Known::NotYet)) => self.not_yet(kind, spec),
            (Some(place), Some(Known::Works(kind))) => match spec {
                Some(spec) => self.spec(kind, spec),
                None => {
                    let text = format!("the component of kind {} has no `spec`", kind.name);
                    self.report.error(Code::MissingKey, place.place, text);
                }
            },
        }
    }

    fn check_keys(&self, entries: &[(Node, Node)], foreign: bool) {
        for (key, _) in entries {
            let name = key.text().unwrap_or_default();
            if !COMPONENT.contains(&name) {
                let text = format!("unknown key `{name}` in a component");
                let fault = self.report.fault(Code::UnknownKey, key.place, text);
                let fault = fault.with_help(did_you_mean(name, &COMPONENT));
                self.report.push(if foreign { fault.as_warning() } else { fault });
            }
        }
    }

    fn unknown(&self, kind: &Node, near: Option<&str>) {
        let text = format!("unknown kind `{}`", kind.text().unwrap_or_default());
        let fault = self.report.fault(Code::UnknownKind, kind.place, text);
        self.report.push(match near {
            Some(near) => fault.with_help(format!("did you mean `{near}`?")),
            None => fault.with_help("`docs/configuration.md` lists all kinds"),
        });
    }

    /// The functions of such an endpoint count as declared: that they are not served is said once.
    fn not_yet(&mut self, kind: &Node, spec: Option<&Node>) {
        let text =
            format!("the kind {} is not yet served by this node", kind.text().unwrap_or_default());
        self.report.error(Code::NotServed, kind.place, text);
        if let Some(functions) = spec.and_then(|spec| spec.get("functions"))
            && let Some(Ok(pattern)) = functions.text().map(endpoint::pattern)
        {
            self.declared.functions(self.report, (pattern, functions.place));
        }
    }

    fn spec(&mut self, kind: &'static Kind, spec: &'a Node) {
        let Some(fields) = Fields::of_spec(self.report, kind, spec) else { return };
        match kind.form {
            Form::EndpointV2 => self.endpoint(endpoint::read(&fields, transport::of_v2)),
            Form::EndpointV1 => self.endpoint(endpoint::read(&fields, transport::of_v1)),
            Form::HttpIngress => self.ingress(ingress::http(&fields)),
            Form::HttpEgress => self.egress(egress::http(&fields)),
            Form::FileEgress => self.egress(egress::file(&fields)),
            Form::PlaygroundIngress => self.ingress(playground::ingress(&fields)),
            Form::PlaygroundEgress => self.egress(playground::egress(&fields)),
        }
    }

    fn endpoint(&mut self, read: endpoint::Read) {
        match read.functions {
            Some(functions) => self.declared.functions(self.report, functions),
            None => self.declared.unreadable_functions(),
        }
        self.declared.letters(read.egress);
        self.config.endpoints.extend(read.endpoint);
    }

    fn ingress(&mut self, read: ingress::Read) {
        if let Some(id) = read.id {
            self.declared.ingress(self.report, id);
        }
        if let Some(path) = read.path {
            self.declared.path(self.report, path);
        }
        if let Some(port) = read.port {
            self.declared.port(self.report, port);
        }
        self.declared.targets(read.targets);
        self.config.ingresses.extend(read.ingress);
    }

    fn egress(&mut self, read: egress::Read) {
        if let Some(id) = read.id {
            self.declared.egress(self.report, id);
        }
        if let Some(file) = read.file {
            self.declared.file(self.report, file);
        }
        if let Some(port) = read.port {
            self.declared.port(self.report, port);
        }
        self.config.egresses.extend(read.egress);
    }
}
