//! The work that the benchmarks of the core measure: messages arrive, functions answer with a changed value, records are
//! encoded and become durable, and now and then what changed is flushed. All of it in memory, the same on every run.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot be taken has failed")]
#![allow(dead_code, reason = "no benchmark uses all of it")]

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use tidegate_core::address::{Address, FunctionType};
use tidegate_core::codec::record::encode_step;
use tidegate_core::id::{Epoch, PartitionId, Ticket, Timestamp};
use tidegate_core::limits::Limits;
use tidegate_core::message::{Envelope, Origin, TypedValue};
use tidegate_core::partition::effect::{Effect, Effects};
use tidegate_core::partition::event::Event;
use tidegate_core::partition::group::{Expiration, Group, Mutation, Response, ValueSpec};
use tidegate_core::partition::planted::Planted;
use tidegate_core::partition::restore::Restoring;
use tidegate_core::partition::{Memory, Partition, Setting};
use tidegate_core::policy::{Application, FunctionPolicy};
use tidegate_core::route::PartitionCount;

/// Messages that arrive before functions answer.
pub(crate) const ROUND: u64 = 256;

const FUNCTION: &str = "bench/count";
const VALUE: &str = "seen";
const VALUE_TYPE: &str = "bench/u64";
const MESSAGE: &[u8] = &[b'x'; 100];
/// Everything stays in memory.
const RESIDENT_BYTES: usize = 1 << 30;
const NOW: Timestamp = Timestamp(1_000_000);

/// Rounds after which what changed is flushed while keys are used for the first time.
const WARM_ROUNDS: u64 = 32;

/// A partition, the clients that send to its addresses in turn, and the functions that answer.
pub(crate) struct Workload {
    partition: Partition,
    effects: Effects,
    groups: Vec<Group>,
    targets: Vec<Address>,
    payload: TypedValue,
    value: TypedValue,
    /// Whether each value has its payload for itself, as it arrives, or all share one.
    pub(crate) own_payloads: bool,
    sent: u64,
    buffer: Vec<u8>,
}

impl Workload {
    /// Each of so many keys has been used once: its value is in memory, and in the store.
    pub(crate) fn new(keys: u64) -> Self {
        let mut workload = Self::cold(keys);
        workload.warm();
        workload
    }

    /// No key was used yet.
    pub(crate) fn cold(keys: u64) -> Self {
        let function = FunctionType::parse(FUNCTION).unwrap();
        let mut application = Application::default();
        application.functions.insert(function.clone(), FunctionPolicy::default());
        let setting = Setting {
            partition: PartitionId(0),
            partitions: PartitionCount::new(1).unwrap(),
            application: Arc::new(application),
            limits: Limits { resident_bytes: RESIDENT_BYTES, ..Limits::default() },
            planted: Planted::default(),
        };
        let mut effects = Effects::default();
        let partition = Restoring::begin(setting, []).adopt(NOW, Epoch::FIRST, &mut effects);
        let target = |key: u64| Address::new(function.clone(), &key.to_string()).unwrap();
        Self {
            partition: partition.unwrap(),
            effects,
            groups: Vec::new(),
            targets: (0..keys).map(target).collect(),
            payload: TypedValue::new("bench/payload", Bytes::from_static(MESSAGE)),
            value: TypedValue::new(VALUE_TYPE, Bytes::from_static(&[0; 8])),
            own_payloads: false,
            sent: 0,
            buffer: Vec::new(),
        }
    }

    /// Uses each key once, and flushes.
    pub(crate) fn warm(&mut self) {
        self.send(0);
        self.take();
        let missing = vec![ValueSpec {
            name: VALUE.into(),
            typename: VALUE_TYPE.into(),
            expiration: Expiration::Never,
        }];
        let batch = self.groups.pop().unwrap().batch;
        self.handle(Event::InvocationIncomplete { batch, missing });
        self.take();
        self.answer();
        for round in 1.. {
            if self.sent >= self.targets.len() as u64 {
                break;
            }
            self.round();
            if round % WARM_ROUNDS == 0 {
                self.flush();
            }
        }
        self.flush();
    }

    /// Some rounds, each of [`ROUND`] messages, and a flush.
    #[inline(never)]
    pub(crate) fn measured(&mut self, rounds: u64) {
        (0..rounds).for_each(|_| self.round());
        self.flush();
    }

    /// Messages arrive, then functions answer until nothing waits.
    pub(crate) fn round(&mut self) {
        self.fill(ROUND);
        while !self.groups.is_empty() {
            self.answer();
        }
        self.durable();
    }

    /// Messages arrive; no function answers yet.
    pub(crate) fn fill(&mut self, messages: u64) {
        for number in 0..messages {
            self.send((self.sent + number) % self.targets.len() as u64);
        }
        self.sent += messages;
        self.take();
    }

    /// Messages of their own payloads arrive and become durable; no function answers.
    pub(crate) fn crowd(&mut self, messages: u64) {
        for _ in 0..messages {
            self.payload.value = Bytes::copy_from_slice(MESSAGE);
            self.fill(1);
        }
        // Who was invoked has its group beside what waits, which is not what is looked at here.
        self.groups.clear();
        self.durable();
    }

    fn durable(&mut self) {
        self.handle(Event::RecordsDurable { lsn: self.partition.lsn() });
    }

    pub(crate) fn keys(&self) -> usize {
        self.targets.len()
    }

    pub(crate) fn memory(&self) -> Memory {
        self.partition.memory()
    }

    fn send(&mut self, key: u64) {
        let origin =
            Origin::Client { ticket: Ticket(self.sent), wants_reply: false, request: None };
        let target = self.targets[key as usize].clone();
        let envelope = Envelope { caller: None, target, argument: self.payload.clone() };
        self.handle(Event::MessageReceived { origin, envelope });
    }

    /// Every function that was invoked answers.
    fn answer(&mut self) {
        let answers: Vec<_> = self.groups.drain(..).map(|group| group.batch).collect();
        for batch in answers {
            let mut value = self.value.clone();
            if self.own_payloads {
                value.value = Bytes::copy_from_slice(&value.value);
            }
            let modify = Mutation::Modify(VALUE.into(), value);
            let response = Box::new(Response { mutations: vec![modify], ..Response::default() });
            self.handle(Event::InvocationSucceeded { batch, response });
        }
        self.take();
    }

    pub(crate) fn flush(&mut self) {
        black_box(self.partition.begin_flush());
        self.handle(Event::FlushCommitted);
    }

    fn handle(&mut self, event: Event) {
        self.partition.handle(NOW, event, &mut self.effects);
    }

    /// Encodes the records as the steps that they mostly are, one each, and performs the effects.
    fn take(&mut self) {
        for record in self.effects.records.drain(..) {
            self.buffer.clear();
            encode_step(std::slice::from_ref(&record), &mut self.buffer);
            black_box(&self.buffer);
        }
        let mut loads = Vec::new();
        for effect in self.effects.actions.drain(..) {
            match effect {
                Effect::Invoke { group, .. } => self.groups.push(group),
                Effect::Load { load, .. } => loads.push(load),
                _ => {}
            }
        }
        if loads.is_empty() {
            return;
        }
        for load in loads {
            self.handle(Event::RowsLoaded { load, rows: Vec::new(), more: false });
        }
        self.take();
    }
}
