//! The values of addresses: what each function type declares, and what is in memory of one address.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::group::{Expiration, ValueSpec};
use super::record::ValueChange;
use crate::address::FunctionType;
use crate::footprint::room;
use crate::id::Timestamp;
use crate::message::TypedValue;

/// What each function type has declared so far, in the order of registration. Declarations are never
/// withdrawn, so the list of a function type only grows at its end.
#[derive(Debug, Default)]
pub(super) struct Specs(BTreeMap<FunctionType, Arc<[ValueSpec]>>);

impl Specs {
    pub(super) fn of(&self, function: &FunctionType) -> Arc<[ValueSpec]> {
        self.0.get(function).cloned().unwrap_or_default()
    }

    pub(super) fn get(&self, function: &FunctionType) -> &[ValueSpec] {
        self.0.get(function).map_or(&[], |specs| specs)
    }

    /// Whether any function has values that expire.
    pub(super) fn any_expires(&self) -> bool {
        self.0.values().flat_map(|specs| &**specs).any(|spec| spec.expiration != Expiration::Never)
    }

    pub(super) fn set(&mut self, function: FunctionType, specs: Arc<[ValueSpec]>) {
        self.0.insert(function, specs);
    }
}

/// The values of one address that are in memory.
#[derive(Debug, Default)]
pub(super) struct Values {
    /// How many of the declared values are known, present or not: the first ones.
    known: usize,
    /// By name. Few, and most addresses have one: a vector without spare room is the smallest that there is.
    held: Vec<Known>,
    /// Of the payloads whose rows the store has.
    stored_bytes: usize,
}

/// A value that exists.
#[derive(Debug)]
struct Known {
    name: Arc<str>,
    held: Held,
    /// The store does not have its row yet: the overlay has it, shares its payload, and counts that.
    unflushed: bool,
}

impl Known {
    /// What its payload counts for here.
    fn share(&self) -> usize {
        if self.unflushed { 0 } else { self.held.value.footprint_shared() }
    }
}

/// A value with the moment at which it disappears.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Held {
    pub(super) value: TypedValue,
    pub(super) expires_at: Timestamp,
}

/// The values as a function shall see them.
pub(super) struct Presented {
    pub(super) values: Vec<(Arc<str>, Option<TypedValue>)>,
    /// Values that are still there but count as absent; the commit removes them.
    pub(super) expired: Vec<Arc<str>>,
}

impl Values {
    /// What they take of memory beside the struct and what the overlay counts.
    pub(super) fn bytes(&self) -> usize {
        self.stored_bytes + room::<Known>(self.held.capacity())
    }

    /// The declared values that must be read before the function can see them.
    pub(super) fn unknown<'a>(&self, specs: &'a [ValueSpec]) -> &'a [ValueSpec] {
        specs.get(self.known..).unwrap_or_default()
    }

    /// The first `known` declared values are known now; `found` are those that exist of the new ones. The store does not
    /// have those that are `unflushed`.
    pub(super) fn learn(
        &mut self,
        known: usize,
        found: impl Iterator<Item = (Arc<str>, Held)>,
        unflushed: impl Fn(&str) -> bool,
    ) {
        self.known = known;
        for (name, held) in found {
            let unflushed = unflushed(&name);
            self.insert(Known { name, held, unflushed });
        }
    }

    /// The store has values that it did not have: from now on they count here.
    pub(super) fn flushed(&mut self, unflushed: impl Fn(&str) -> bool) {
        for known in &mut self.held {
            if known.unflushed && !unflushed(&known.name) {
                known.unflushed = false;
                self.stored_bytes += known.share();
            }
        }
    }

    /// A value, unless it is absent.
    pub(super) fn get(&self, name: &str) -> Option<&Held> {
        self.position(name).ok().map(|index| &self.held[index].held)
    }

    fn position(&self, name: &str) -> Result<usize, usize> {
        self.held.binary_search_by(|known| (*known.name).cmp(name))
    }

    pub(super) fn present(&self, specs: &[ValueSpec], now: Timestamp) -> Presented {
        let mut presented =
            Presented { values: Vec::with_capacity(specs.len()), expired: Vec::new() };
        for spec in specs {
            let held = self.get(&spec.name);
            let value = match held {
                Some(held) if held.expires_at <= now => {
                    presented.expired.push(spec.name.clone());
                    None
                }
                Some(held) => Some(held.value.clone()),
                None => None,
            };
            presented.values.push((spec.name.clone(), value));
        }
        presented
    }

    pub(super) fn apply(&mut self, name: &Arc<str>, change: &ValueChange) {
        match change {
            ValueChange::Put { value, expires_at, .. } => {
                let held = Held { value: value.clone(), expires_at: *expires_at };
                self.insert(Known { name: name.clone(), held, unflushed: true });
            }
            ValueChange::Refresh { expires_at } => {
                if let Ok(index) = self.position(name) {
                    self.held[index].held.expires_at = *expires_at;
                }
            }
            ValueChange::Delete { .. } => self.remove(name),
        }
    }

    fn insert(&mut self, known: Known) {
        self.stored_bytes += known.share();
        match self.position(&known.name) {
            Ok(index) => {
                let replaced = core::mem::replace(&mut self.held[index], known);
                self.stored_bytes -= replaced.share();
            }
            Err(index) => {
                self.held.reserve_exact(1);
                self.held.insert(index, known);
            }
        }
    }

    fn remove(&mut self, name: &str) {
        if let Ok(index) = self.position(name) {
            self.stored_bytes -= self.held.remove(index).share();
        }
    }

    /// For the simulation: loses a value behind the back of the log.
    pub(super) fn corrupt(&mut self) {
        if let Some(name) = self.held.first().map(|known| known.name.clone()) {
            self.remove(&name);
        }
    }
}

impl ValueSpec {
    /// Whether presenting the value postpones its expiry.
    pub(super) const fn is_refreshable(&self) -> bool {
        matches!(self.expiration, Expiration::AfterInvoke(_))
    }

    /// When the value disappears if it is written, or presented where that counts, at `now`.
    pub(super) const fn expires_at(&self, now: Timestamp) -> Timestamp {
        match self.expiration {
            Expiration::Never => Timestamp::NEVER,
            Expiration::AfterWrite(ms) | Expiration::AfterInvoke(ms) => now.plus_ms(ms),
        }
    }
}
