//! What another module changes.

use tidegate_core::address::EgressId;

use crate::admin::module::Changes;
use crate::config::module::{
    Egress, EgressKind, Endpoint, FunctionPattern, Ingress, IngressKind, ModuleConfig,
};

/// The difference between two modules.
#[derive(Default)]
pub(super) struct Change {
    /// By names of components.
    pub(super) names: Changes,
    /// Egresses that get another sink.
    pub(super) reopened: Vec<EgressId>,
    /// Egresses that get a sink.
    pub(super) opened: Vec<EgressId>,
    /// Egresses that lose their sink.
    pub(super) closed: Vec<EgressId>,
    /// Names of components that cannot change while the node runs.
    pub(super) fixed: Vec<String>,
}

impl Change {
    pub(super) fn between(before: &ModuleConfig, after: &ModuleConfig) -> Self {
        let mut change = Self { fixed: fixed(before, after), ..Self::default() };
        compare(&before.endpoints, &after.endpoints, |endpoint, difference| {
            change.note(difference, endpoint_name(endpoint));
        });
        compare(&before.ingresses, &after.ingresses, |ingress, difference| {
            change.note(difference, format!("ingress {}", ingress.id));
        });
        compare(&before.egresses, &after.egresses, |egress, difference| {
            match difference {
                Difference::Added => change.opened.push(egress.id.clone()),
                Difference::Removed => change.closed.push(egress.id.clone()),
                Difference::Changed => change.reopened.push(egress.id.clone()),
                Difference::None => {}
            }
            change.note(difference, format!("egress {}", egress.id));
        });
        change
    }

    fn note(&mut self, difference: Difference, name: String) {
        match difference {
            Difference::Added => self.names.added.push(name),
            Difference::Removed => self.names.removed.push(name),
            Difference::Changed => self.names.changed.push(name),
            Difference::None => self.names.unchanged += 1,
        }
    }

    /// Notes an endpoint that is declared as before, but with other certificates in its files.
    pub(super) fn note_restarted(&mut self, functions: &str) {
        let name = format!("endpoint {functions}");
        let names = &mut self.names;
        if !names.added.contains(&name) && !names.changed.contains(&name) {
            names.unchanged -= 1;
            names.changed.push(name);
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Difference {
    Added,
    Removed,
    Changed,
    None,
}

/// What has a name in a module.
trait Named: PartialEq {
    fn is_named_as(&self, other: &Self) -> bool;
}

impl Named for Endpoint {
    fn is_named_as(&self, other: &Self) -> bool {
        self.functions == other.functions
    }
}

impl Named for Ingress {
    fn is_named_as(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Named for Egress {
    fn is_named_as(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

/// Tells what became of each component, first of those of the later module.
fn compare<T: Named>(before: &[T], after: &[T], mut tell: impl FnMut(&T, Difference)) {
    for one in after {
        match before.iter().find(|other| one.is_named_as(other)) {
            None => tell(one, Difference::Added),
            Some(same) if same == one => tell(one, Difference::None),
            Some(_) => tell(one, Difference::Changed),
        }
    }
    for one in before.iter().filter(|one| !after.iter().any(|other| one.is_named_as(other))) {
        tell(one, Difference::Removed);
    }
}

/// Listeners are opened when the node starts.
fn fixed(before: &ModuleConfig, after: &ModuleConfig) -> Vec<String> {
    let ingresses = |module: &ModuleConfig| -> Vec<Ingress> {
        let listens = |one: &&Ingress| matches!(one.kind, IngressKind::Playground { .. });
        module.ingresses.iter().filter(listens).cloned().collect()
    };
    let egresses = |module: &ModuleConfig| -> Vec<Egress> {
        let listens = |one: &&Egress| matches!(one.kind, EgressKind::Playground(_));
        module.egresses.iter().filter(listens).cloned().collect()
    };
    let mut fixed = Vec::new();
    if ingresses(before) != ingresses(after) {
        fixed.push("ingress io.statefun.playground/ingress".to_owned());
    }
    if egresses(before) != egresses(after) {
        fixed.push("egress io.statefun.playground/egress".to_owned());
    }
    fixed
}

fn endpoint_name(endpoint: &Endpoint) -> String {
    match &endpoint.functions {
        FunctionPattern::One(function) => format!("endpoint {function}"),
        FunctionPattern::Namespace(namespace) => format!("endpoint {namespace}/*"),
    }
}
