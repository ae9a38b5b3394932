//! Functions that tests answer for, or that answer by themselves.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tidegate::driver::DriverHandle;
use tidegate::invoker::Invoke;
use tidegate_core::id::PartitionId;
use tidegate_core::message::TypedValue;
use tidegate_core::partition::event::Event;
use tidegate_core::partition::group::{
    Expiration, Failure, FailureScope, Group, Mutation, Response, ValueSpec,
};

use crate::world::{address, egress, text, value};

/// What answers a group; nothing leaves it to the test.
pub(crate) type Behaviour = fn(&Group) -> Option<Event>;

/// Everything that was submitted to functions.
pub(crate) struct Functions {
    behaviour: Behaviour,
    drivers: Mutex<Vec<DriverHandle>>,
    submitted: Mutex<Vec<(PartitionId, Group)>>,
}

impl Functions {
    pub(crate) fn new(behaviour: Behaviour, drivers: Vec<DriverHandle>) -> Arc<Self> {
        Arc::new(Self { behaviour, drivers: Mutex::new(drivers), submitted: Mutex::default() })
    }

    /// Every group so far.
    pub(crate) fn submitted(&self) -> Vec<Group> {
        self.submitted.lock().unwrap().iter().map(|(_, group)| group.clone()).collect()
    }

    /// What an address was given to process, in order; repetitions included.
    pub(crate) fn processed(&self, id: &str) -> Vec<String> {
        let groups = self.submitted().into_iter().filter(|group| &*group.address.id == id);
        groups.flat_map(|group| group.messages).map(|message| text(&message.argument)).collect()
    }

    /// Answers a group by its number among those that were submitted.
    pub(crate) fn answer(&self, index: usize, response: Response) {
        let (partition, group) = self.submitted.lock().unwrap()[index].clone();
        self.tell(partition, succeeded(&group, response));
    }

    /// Has a group fail, by its number among those that were submitted.
    pub(crate) fn fail(&self, index: usize) {
        let (partition, group) = self.submitted.lock().unwrap()[index].clone();
        let failure = Failure { scope: FailureScope::Group, text: "a planned fault".into() };
        self.tell(partition, Event::InvocationFailed { batch: group.batch, failure });
    }

    pub(crate) fn tell(&self, partition: PartitionId, event: Event) {
        self.drivers.lock().unwrap()[usize::from(partition.0)].happened(event);
    }
}

impl Invoke for Functions {
    fn submit(&self, partition: PartitionId, group: Group) {
        self.submitted.lock().unwrap().push((partition, group.clone()));
        if let Some(event) = (self.behaviour)(&group) {
            self.tell(partition, event);
        }
    }
}

pub(crate) fn succeeded(group: &Group, response: Response) -> Event {
    Event::InvocationSucceeded { batch: group.batch, response: Box::new(response) }
}

/// They never answer by themselves.
pub(crate) fn silent(_: &Group) -> Option<Event> {
    None
}

/// They take every message and do nothing.
pub(crate) fn content(group: &Group) -> Option<Event> {
    Some(succeeded(group, Response::default()))
}

/// They take every message but large ones, which stay.
pub(crate) fn delicate(group: &Group) -> Option<Event> {
    let heavy = group.messages.iter().any(|message| &*message.argument.typename == LARGE);
    if heavy { None } else { content(group) }
}

/// They send `again` to themselves for ever, and leave other messages to the test.
pub(crate) fn endless(group: &Group) -> Option<Event> {
    let message = group.messages.iter().find(|message| text(&message.argument) == "again")?;
    let sends = vec![(group.address.clone(), message.argument.clone())];
    Some(succeeded(group, Response { sends, ..Response::default() }))
}

/// Each message is a list of ids `a>b>c`: the rest of it goes to the first one, and in the end it is emitted.
pub(crate) fn relaying(group: &Group) -> Option<Event> {
    let mut response = Response::default();
    for message in &group.messages {
        match text(&message.argument).split_once('>') {
            Some((next, rest)) => response.sends.push((address(next), value(rest))),
            None => response.egress.push((egress(), message.argument.clone())),
        }
    }
    Some(succeeded(group, response))
}

/// They keep the sum of all messages, which are numbers, in a value, and emit each of them.
pub(crate) fn adding(group: &Group) -> Option<Event> {
    let Some((name, sum)) = group.values.first().cloned() else {
        let name: Arc<str> = "sum".into();
        let spec = ValueSpec { name, typename: "test/text".into(), expiration: Expiration::Never };
        return Some(Event::InvocationIncomplete { batch: group.batch, missing: vec![spec] });
    };
    let mut sum: u64 = sum.map_or(0, |sum| text(&sum).parse().unwrap());
    let mut response = Response::default();
    for message in &group.messages {
        sum += text(&message.argument).parse::<u64>().unwrap();
        response.egress.push((egress(), message.argument.clone()));
    }
    response.mutations.push(Mutation::Modify(name, value(&sum.to_string())));
    Some(succeeded(group, response))
}

/// They answer whoever called with what they were sent.
pub(crate) fn replying(group: &Group) -> Option<Event> {
    let replies = group
        .messages
        .iter()
        .filter_map(|message| Some((message.caller.clone()?, message.argument.clone())));
    let sends = replies.collect();
    Some(succeeded(group, Response { sends, ..Response::default() }))
}

const LARGE: &str = "test/bytes";

/// A payload of so many bytes.
pub(crate) fn large(bytes: usize) -> TypedValue {
    TypedValue::new(LARGE, Bytes::from(vec![7; bytes]))
}
