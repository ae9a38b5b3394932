//! What is paused on this node, as its partitions say: each keeps every pause, so each must be heard.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{PoisonError, RwLock};

use tidegate_core::address::Typename;
use tidegate_core::id::PartitionId;
use tidegate_core::partition::order::{Signature, Subject};

/// Something that is paused.
#[derive(Clone, Debug)]
pub struct Pause {
    /// What.
    pub subject: Subject,
    /// Who paused it first, when and why.
    pub signature: Signature,
    /// In how many partitions of this node; fewer than all if the order was cut short, and is to be repeated.
    pub partitions: usize,
}

#[derive(Debug)]
struct Known {
    signature: Signature,
    partitions: BTreeSet<PartitionId>,
}

/// Everything that is paused in some partition of this node.
#[derive(Debug, Default)]
pub struct Pauses(RwLock<BTreeMap<Subject, Known>>);

impl Pauses {
    /// A partition says that something is paused, or goes on.
    pub(super) fn changed(
        &self,
        partition: PartitionId,
        subject: Subject,
        paused: Option<Signature>,
    ) {
        let mut pauses = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match paused {
            Some(signature) => {
                let known = pauses
                    .entry(subject)
                    .or_insert_with(|| Known { signature, partitions: BTreeSet::new() });
                known.partitions.insert(partition);
            }
            None => {
                if let Some(known) = pauses.get_mut(&subject) {
                    known.partitions.remove(&partition);
                    if known.partitions.is_empty() {
                        pauses.remove(&subject);
                    }
                }
            }
        }
    }

    /// Whether an ingress is to take no messages.
    #[must_use]
    pub fn is_ingress_paused(&self, ingress: &Typename) -> bool {
        let pauses = self.0.read().unwrap_or_else(PoisonError::into_inner);
        !pauses.is_empty() && pauses.contains_key(&Subject::Ingress(ingress.clone()))
    }

    /// Everything that is paused, in order.
    #[must_use]
    pub fn list(&self) -> Vec<Pause> {
        let pauses = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let pause = |(subject, known): (&Subject, &Known)| Pause {
            subject: subject.clone(),
            signature: known.signature.clone(),
            partitions: known.partitions.len(),
        };
        pauses.iter().map(pause).collect()
    }
}
