//! What operators have paused. Few things are: each has a row, read whole when a partition is restored.

use alloc::collections::BTreeMap;

use super::order::{Signature, Subject};
use crate::address::FunctionType;

#[derive(Debug, Default)]
pub(super) struct Pauses(BTreeMap<Subject, Signature>);

impl Pauses {
    pub(super) fn get(&self, subject: &Subject) -> Option<&Signature> {
        self.0.get(subject)
    }

    /// Whether a function is paused, and by whom.
    pub(super) fn of_function(&self, function: &FunctionType) -> Option<&Signature> {
        // Nearly always nothing is paused, and this is asked for every group.
        if self.0.is_empty() {
            return None;
        }
        self.get(&Subject::Function(function.clone()))
    }

    pub(super) fn set(&mut self, subject: Subject, signature: Signature) {
        self.0.insert(subject, signature);
    }

    pub(super) fn remove(&mut self, subject: &Subject) {
        self.0.remove(subject);
    }

    /// Everything that is paused, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Subject, &Signature)> {
        self.0.iter()
    }
}
