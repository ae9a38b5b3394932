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
        let mut change = Self::default();
        compare(&before.endpoints, &after.endpoints, |endpoint, difference| {
            change.note(difference, endpoint_name(endpoint));
        });
        compare(&before.ingresses, &after.ingresses, |ingress, difference| {
            let name = format!("ingress {}", ingress.id);
            if difference != Difference::None
                && matches!(ingress.kind, IngressKind::Playground { .. })
            {
                change.fixed.push(name.clone());
            }
            change.note(difference, name);
        });
        compare(&before.egresses, &after.egresses, |egress, difference| {
            change.egress(egress, difference);
        });
        change
    }

    fn egress(&mut self, egress: &Egress, difference: Difference) {
        let (id, name) = (egress.id.clone(), format!("egress {}", egress.id));
        if difference != Difference::None && matches!(egress.kind, EgressKind::Playground(_)) {
            self.fixed.push(name.clone());
        }
        match difference {
            Difference::Added => self.opened.push(id),
            Difference::Removed => self.closed.push(id),
            Difference::Changed => self.reopened.push(id),
            Difference::None => {}
        }
        self.note(difference, name);
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

/// Tells of each component of two modules what became of it. One that changed is told as it was if it cannot be as it was
/// after a restart only.
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

fn endpoint_name(endpoint: &Endpoint) -> String {
    match &endpoint.functions {
        FunctionPattern::One(function) => format!("endpoint {function}"),
        FunctionPattern::Namespace(namespace) => format!("endpoint {namespace}/*"),
    }
}
