//! What is paused on this node, as its partitions say: each keeps every pause, so each must be heard. What is paused and not declared
//! by the module is told to the operator, once each time that it comes about: it may be a misspelt name, which pauses nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tidegate_core::address::Typename;
use tidegate_core::id::PartitionId;
use tidegate_core::partition::order::{Signature, Subject};
use tidegate_core::policy::Application;

/// Something that is paused.
#[derive(Clone, Debug)]
pub struct Pause {
    /// What.
    pub subject: Subject,
    /// Who paused it first, when and why.
    pub signature: Signature,
    /// In how many partitions of this node; fewer than all if the order was cut short, and is to be repeated.
    pub partitions: usize,
    /// Whether the module declares it.
    pub declared: bool,
}

/// What a module declares of what can be paused.
#[derive(Clone, Debug)]
pub struct Pausable {
    /// Functions.
    pub application: Arc<Application>,
    /// Ingresses.
    pub ingresses: BTreeSet<Typename>,
}

impl Pausable {
    fn has(&self, subject: &Subject) -> bool {
        match subject {
            Subject::Function(function) => self.application.policy(function).is_some(),
            Subject::Ingress(ingress) => self.ingresses.contains(ingress),
        }
    }
}

#[derive(Debug)]
struct Known {
    signature: Signature,
    partitions: BTreeSet<PartitionId>,
}

/// Everything that is paused in some partition of this node.
#[derive(Debug, Default)]
pub struct Pauses(RwLock<State>);

#[derive(Debug, Default)]
struct State {
    known: BTreeMap<Subject, Known>,
    /// Nothing before the module is known.
    declared: Option<Pausable>,
}

impl State {
    fn declares(&self, subject: &Subject) -> bool {
        self.declared.as_ref().is_none_or(|declared| declared.has(subject))
    }
}

impl Pauses {
    /// From now on this is declared.
    pub fn declare(&self, declared: Pausable) {
        let mut state = self.write();
        let news =
            state.known.keys().filter(|subject| !declared.has(subject) && state.declares(subject));
        news.for_each(warn);
        state.declared = Some(declared);
    }

    /// A partition says that something is paused, or goes on.
    pub(super) fn changed(
        &self,
        partition: PartitionId,
        subject: Subject,
        paused: Option<Signature>,
    ) {
        let mut state = self.write();
        let Some(signature) = paused else {
            if let Some(known) = state.known.get_mut(&subject) {
                known.partitions.remove(&partition);
                if known.partitions.is_empty() {
                    state.known.remove(&subject);
                }
            }
            return;
        };
        if !state.known.contains_key(&subject) && !state.declares(&subject) {
            warn(&subject);
        }
        let known = state
            .known
            .entry(subject)
            .or_insert_with(|| Known { signature: signature.clone(), partitions: BTreeSet::new() });
        known.partitions.insert(partition);
        // Each partition signs for itself, and which one is heard first differs from start to start.
        if signature.at < known.signature.at {
            known.signature = signature;
        }
    }

    /// Whether an ingress is to take no messages.
    #[must_use]
    pub fn is_ingress_paused(&self, ingress: &Typename) -> bool {
        let known = &self.read().known;
        !known.is_empty() && known.contains_key(&Subject::Ingress(ingress.clone()))
    }

    /// Whether the module declares what can be paused.
    #[must_use]
    pub fn is_declared(&self, subject: &Subject) -> bool {
        self.read().declares(subject)
    }

    /// Everything that is paused, in order.
    #[must_use]
    pub fn list(&self) -> Vec<Pause> {
        let state = self.read();
        let pause = |(subject, known): (&Subject, &Known)| Pause {
            subject: subject.clone(),
            signature: known.signature.clone(),
            partitions: known.partitions.len(),
            declared: state.declares(subject),
        };
        state.known.iter().map(pause).collect()
    }

    // Every change under the lock is complete before anything can panic.

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn warn(subject: &Subject) {
    let (kind, name) = match subject {
        Subject::Function(name) => ("function", name),
        Subject::Ingress(name) => ("ingress", name),
    };
    tracing::warn!(kind, %name, "TG-0707: what is paused is not declared by the module");
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use tidegate_core::id::Timestamp;
    use tidegate_core::policy::FunctionPolicy;

    use super::*;

    fn named(text: &str) -> Typename {
        Typename::parse(text).unwrap()
    }

    fn declaring(function: &str, ingress: &str) -> Pausable {
        let mut application = Application::default();
        application.functions.insert(named(function), FunctionPolicy::default());
        Pausable { application: application.into(), ingresses: [named(ingress)].into() }
    }

    fn pause(pauses: &Pauses, subject: &Subject) {
        let signature = Signature { at: Timestamp(1), by: "ada".into(), reason: "".into() };
        pauses.changed(PartitionId(0), subject.clone(), Some(signature));
    }

    #[test]
    fn what_the_module_does_not_declare_is_marked_as_long_as_it_does_not() {
        let pauses = Pauses::default();
        let subjects =
            [Subject::Function(named("shop/cart")), Subject::Ingress(named("shop/orders"))];
        subjects.iter().for_each(|subject| pause(&pauses, subject));
        let declared = |pauses: &Pauses| -> Vec<bool> {
            pauses.list().iter().map(|pause| pause.declared).collect()
        };
        assert_eq!(declared(&pauses), [true, true], "nobody knows before the module is known");
        pauses.declare(declaring("shop/cart", "shop/other"));
        assert_eq!(declared(&pauses), [true, false]);
        pauses.declare(declaring("shop/other", "shop/orders"));
        assert_eq!(declared(&pauses), [false, true]);
        assert!(!pauses.is_declared(&subjects[0]) && pauses.is_declared(&subjects[1]));
    }

    #[test]
    fn the_first_signature_counts_whichever_partition_is_heard_first() {
        let subject = Subject::Function(named("shop/cart"));
        let since = |order: [u64; 3]| {
            let pauses = Pauses::default();
            for at in order {
                let signature =
                    Signature { at: Timestamp(at), by: "ada".into(), reason: "".into() };
                pauses.changed(PartitionId(at as u16), subject.clone(), Some(signature));
            }
            pauses.list()[0].signature.at
        };
        for order in [[1, 2, 3], [3, 1, 2], [2, 3, 1]] {
            assert_eq!(since(order), Timestamp(1));
        }
    }

    #[test]
    fn what_goes_on_in_the_last_partition_is_paused_no_more() {
        let pauses = Pauses::default();
        let subject = Subject::Ingress(named("shop/orders"));
        pause(&pauses, &subject);
        assert!(pauses.is_ingress_paused(&named("shop/orders")));
        pauses.changed(PartitionId(0), subject, None);
        assert!(!pauses.is_ingress_paused(&named("shop/orders")) && pauses.list().is_empty());
    }
}
