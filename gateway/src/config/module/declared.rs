//! The checks between components: nothing is declared twice, and every target is served.

use std::collections::BTreeMap;

use tidegate_core::address::{EgressId, FunctionType, Typename};

use super::fields::Report;
use super::model::FunctionPattern;
use crate::config::fault::{Code, Place};
use crate::config::nearest::nearest;

/// What the components of a module declare, with the places of the first declarations.
#[derive(Default)]
pub(super) struct Declared {
    functions: BTreeMap<FunctionPattern, Place>,
    ingresses: BTreeMap<Typename, Place>,
    egresses: BTreeMap<Typename, Place>,
    paths: BTreeMap<String, Place>,
    files: BTreeMap<String, Place>,
    ports: BTreeMap<u16, Place>,
    targets: Vec<(FunctionType, Place)>,
    /// Egresses for dead letters.
    letters: Vec<(EgressId, Place)>,
    unreadable_functions: bool,
}

impl Declared {
    pub(super) fn functions(
        &mut self,
        report: &Report<'_>,
        (pattern, place): (FunctionPattern, Place),
    ) {
        let text = match &pattern {
            FunctionPattern::One(function) => format!("`{function}`"),
            FunctionPattern::Namespace(namespace) => format!("`{namespace}/*`"),
        };
        once(
            report,
            &mut self.functions,
            pattern,
            place,
            &format!("{text} is served by two endpoints"),
        );
    }

    pub(super) fn ingress(&mut self, report: &Report<'_>, (id, place): (Typename, Place)) {
        let text = format!("there are two ingresses `{id}`");
        once(report, &mut self.ingresses, id, place, &text);
    }

    pub(super) fn path(&mut self, report: &Report<'_>, (path, place): (String, Place)) {
        let text = format!("two ingresses listen at `{path}`");
        once(report, &mut self.paths, path, place, &text);
    }

    pub(super) fn egress(&mut self, report: &Report<'_>, (id, place): (Typename, Place)) {
        let text = format!("there are two egresses `{id}`");
        once(report, &mut self.egresses, id, place, &text);
    }

    pub(super) fn file(&mut self, report: &Report<'_>, (path, place): (String, Place)) {
        let text = format!("two egresses write to `{path}`");
        once(report, &mut self.files, path, place, &text);
    }

    pub(super) fn port(&mut self, report: &Report<'_>, (port, place): (u16, Place)) {
        let text = format!("two components listen at port {port}");
        once(report, &mut self.ports, port, place, &text);
    }

    pub(super) fn targets(&mut self, targets: Vec<(FunctionType, Place)>) {
        self.targets.extend(targets);
    }

    pub(super) fn letters(&mut self, letters: Option<(EgressId, Place)>) {
        self.letters.extend(letters);
    }

    /// Reports every egress for dead letters that is not declared. Done when all documents were read.
    pub(super) fn check_letters(&self, report: &Report<'_>) {
        for (egress, place) in &self.letters {
            if self.egresses.contains_key(egress) {
                continue;
            }
            let text = format!("the egress `{egress}` for dead letters is not declared");
            let fault = report.fault(Code::UndeclaredTarget, *place, text);
            let names = self.egresses.keys().map(Typename::as_str);
            report.push(match nearest(egress.as_str(), names) {
                Some(name) => fault.with_help(format!("did you mean `{name}`?")),
                None => fault.with_help(format!("add an egress with `id: {egress}`")),
            });
        }
    }

    /// There is an endpoint, but which functions it serves could not be read: that is reported already.
    pub(super) fn unreadable_functions(&mut self) {
        self.unreadable_functions = true;
    }

    /// Whether there is an endpoint at all.
    pub(super) fn has_functions(&self) -> bool {
        !self.functions.is_empty() || self.unreadable_functions
    }

    /// Reports every target that no endpoint serves. Done when all documents were read: order does not matter.
    /// An endpoint that could not be read may be the one that serves it.
    pub(super) fn check_targets(&self, report: &Report<'_>) {
        if self.unreadable_functions {
            return;
        }
        for (target, place) in &self.targets {
            if self.serves(target) {
                continue;
            }
            let text = format!("the target `{target}` is not served by any endpoint");
            let fault = report.fault(Code::UndeclaredTarget, *place, text);
            let names = self.functions.keys().filter_map(|pattern| match pattern {
                FunctionPattern::One(function) => Some(function.as_str()),
                FunctionPattern::Namespace(_) => None,
            });
            let help = match nearest(target.as_str(), names) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("add an endpoint with `functions: {target}`"),
            };
            report.push(fault.with_help(help));
        }
    }

    fn serves(&self, target: &FunctionType) -> bool {
        let namespace = FunctionPattern::Namespace(target.namespace().into());
        self.functions.contains_key(&FunctionPattern::One(target.clone()))
            || self.functions.contains_key(&namespace)
    }
}

fn once<K: Ord>(
    report: &Report<'_>,
    seen: &mut BTreeMap<K, Place>,
    key: K,
    place: Place,
    text: &str,
) {
    match seen.get(&key) {
        Some(first) => {
            let fault = report.fault(Code::Duplicate, place, text);
            report.push(fault.with_help(format!("the first is in line {}", first.line)));
        }
        None => {
            seen.insert(key, place);
        }
    }
}
