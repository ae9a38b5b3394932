//! What waits for an endpoint, and how it is put into requests.

use std::collections::VecDeque;

use tidegate_core::id::PartitionId;
use tidegate_core::partition::group::Group;

use super::config::EndpointConfig;

/// A group that a partition waits for.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    /// Whom to answer.
    pub(super) partition: PartitionId,
    /// What to process.
    pub(super) group: Group,
}

/// How the groups of a parcel may travel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// A single group, which may share its request with the ones that wait behind it.
    Open,
    /// The remains of a request that failed: they travel without others, so that the cause is found by halving.
    Sealed,
    /// A single group that travels in a request of protocol v3, whatever the endpoint speaks.
    Plain,
}

/// Groups that travel together.
#[derive(Clone, Debug)]
pub(super) struct Parcel {
    /// Never empty.
    pub(super) groups: Vec<Pending>,
    /// Whether others may join.
    pub(super) form: Form,
    /// Whether the endpoint failed at it before in a way that may be the parcel's fault; then how many requests the
    /// endpoint had served by that time.
    pub(super) suspect_since: Option<u64>,
    /// When it began to wait: parcels are numbered over all URLs of an endpoint.
    pub(super) arrival: u64,
}

impl Parcel {
    /// A group that has just arrived.
    pub(super) fn open(pending: Pending, arrival: u64) -> Self {
        Self { groups: vec![pending], form: Form::Open, suspect_since: None, arrival }
    }

    /// Whether there is nothing to halve.
    pub(super) fn is_alone(&self) -> bool {
        self.groups.len() == 1
    }

    /// Two parcels with half of the groups each, in order.
    pub(super) fn halves(mut self) -> [Self; 2] {
        let second = self.groups.split_off(self.groups.len() / 2);
        self.form = Form::Sealed;
        let second = Self { groups: second, ..self.emptied() };
        [self, second]
    }

    /// A parcel for each group, for an endpoint that takes one at a time.
    pub(super) fn singles(self, form: Form) -> impl DoubleEndedIterator<Item = Self> {
        let empty = Self { form, ..self.emptied() };
        self.groups.into_iter().map(move |pending| Self { groups: vec![pending], ..empty.clone() })
    }

    fn emptied(&self) -> Self {
        Self {
            groups: Vec::new(),
            form: self.form,
            suspect_since: self.suspect_since,
            arrival: self.arrival,
        }
    }

    fn is_sociable(&self) -> bool {
        let small = self.groups.iter().all(|it| it.group.messages.len() <= SOCIABLE_MESSAGES);
        self.form == Form::Open && small
    }

    /// What it adds to a request.
    pub(super) fn load(&self) -> Load {
        self.groups.iter().fold(Load::default(), |load, pending| Load {
            groups: load.groups + 1,
            messages: load.messages + pending.group.messages.len(),
            bytes: load.bytes + pending.group.cost(),
        })
    }
}

/// What a request carries, or may carry.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Load {
    pub(super) groups: usize,
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

impl Load {
    /// What a request of an endpoint may carry.
    pub(super) fn most(config: &EndpointConfig) -> Self {
        Self {
            groups: config.groups_per_request.get(),
            messages: config.messages_per_request.get(),
            bytes: config.bytes_per_request.get(),
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            groups: self.groups + other.groups,
            messages: self.messages + other.messages,
            bytes: self.bytes + other.bytes,
        }
    }

    fn fits(self, most: Self) -> bool {
        self.groups <= most.groups && self.messages <= most.messages && self.bytes <= most.bytes
    }
}

/// A group of more messages travels alone: whoever shared its request would wait for all of them, and an address that is flooded
/// would slow down those beside it.
const SOCIABLE_MESSAGES: usize = 64;

/// Takes a request's worth from the front: whatever waits there, with as many open parcels behind an open one as fit.
pub(super) fn take_packed(waiting: &mut VecDeque<Parcel>, most: Load) -> Option<Parcel> {
    let mut parcel = waiting.pop_front()?;
    if !parcel.is_sociable() {
        return Some(parcel);
    }
    let mut load = parcel.load();
    while let Some(next) = waiting.front() {
        let together = load.plus(next.load());
        if !next.is_sociable() || !together.fits(most) {
            break;
        }
        load = together;
        parcel.suspect_since = parcel.suspect_since.or(next.suspect_since);
        parcel.groups.extend(waiting.pop_front().into_iter().flat_map(|next| next.groups));
    }
    Some(parcel)
}

/// Takes the first group. What travelled with it before stays at the front.
pub(super) fn take_single(waiting: &mut VecDeque<Parcel>) -> Option<Parcel> {
    let parcel = waiting.pop_front()?;
    if parcel.is_alone() {
        return Some(parcel);
    }
    let form = parcel.form;
    for single in parcel.singles(form).rev() {
        waiting.push_front(single);
    }
    waiting.pop_front()
}
