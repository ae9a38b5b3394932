//! What the core computes for a message: accepting it, committing what its function answers, encoding both records, and
//! learning that they are durable, all in memory.
//!
//! `cargo bench -p tidegate-core --bench step` prints nanoseconds per message. Messages have 100 bytes, values 8. Where the
//! system tells it (Linux), time is the thread's own, so that other programs on the machine disturb little.
#![allow(clippy::print_stdout, reason = "its output is its purpose")]
#![allow(clippy::unwrap_used, reason = "a measurement that cannot be taken has failed")]

use std::hint::black_box;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

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
use tidegate_core::partition::{Partition, Setting};
use tidegate_core::policy::{Application, FunctionPolicy};
use tidegate_core::route::PartitionCount;

const FUNCTION: &str = "bench/count";
const VALUE: &str = "seen";
const VALUE_TYPE: &str = "bench/u64";
const MESSAGE: &[u8] = &[b'x'; 100];
/// Messages that arrive before functions answer.
const ROUND: u64 = 256;
/// Rounds between two flushes.
const ROUNDS_PER_FLUSH: u64 = 400;
const RUN: Duration = Duration::from_secs(2);
/// Everything stays in memory.
const RESIDENT_BYTES: usize = 1 << 30;

fn main() {
    println!("   keys   accept   commit   encode  durable    flush      all  ns per message");
    for keys in [1, 1_000, 100_000] {
        let mut bench = Bench::new(keys);
        bench.warm();
        bench.costs = Costs::default();
        let start = computed();
        while computed() - start < RUN {
            (0..ROUNDS_PER_FLUSH).for_each(|_| bench.round());
            bench.flush();
        }
        println!("{keys:7} {}", bench.costs.line());
    }
}

/// The time that this thread has computed; where nobody knows, the time that has passed.
fn computed() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = stat.and_then(|stat| stat.split(' ').next()?.parse().ok());
    nanoseconds.map_or_else(|| START.elapsed(), Duration::from_nanos)
}

/// What was spent on which part.
#[derive(Default)]
struct Costs {
    messages: u64,
    accept: Duration,
    commit: Duration,
    encode: Duration,
    durable: Duration,
    flush: Duration,
}

impl Costs {
    fn line(&self) -> String {
        let parts = [self.accept, self.commit, self.encode, self.durable, self.flush];
        let all: Duration = parts.iter().sum();
        let each = |spent: Duration| spent.as_nanos() as f64 / self.messages as f64;
        parts.iter().chain([&all]).map(|spent| format!("{:8.0} ", each(*spent))).collect()
    }
}

struct Bench {
    partition: Partition,
    effects: Effects,
    groups: Vec<Group>,
    targets: Vec<Address>,
    payload: TypedValue,
    value: TypedValue,
    sent: u64,
    buffer: Vec<u8>,
    costs: Costs,
}

impl Bench {
    fn new(keys: u64) -> Self {
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
            sent: 0,
            buffer: Vec::new(),
            costs: Costs::default(),
        }
    }

    /// Each key has its value in memory, and in the store.
    fn warm(&mut self) {
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
        while self.sent < self.targets.len() as u64 {
            self.round();
        }
        self.flush();
    }

    /// Messages arrive, then functions answer until nothing waits.
    fn round(&mut self) {
        let begun = computed();
        for number in 0..ROUND {
            self.send((self.sent + number) % self.targets.len() as u64);
        }
        self.costs.accept += computed() - begun;
        self.sent += ROUND;
        self.take();
        while !self.groups.is_empty() {
            self.answer();
        }
        let begun = computed();
        self.handle(Event::RecordsDurable { lsn: self.partition.lsn() });
        self.costs.durable += computed() - begun;
        self.costs.messages += ROUND;
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
        let begun = computed();
        for batch in answers {
            let modify = Mutation::Modify(VALUE.into(), self.value.clone());
            let response = Box::new(Response { mutations: vec![modify], ..Response::default() });
            self.handle(Event::InvocationSucceeded { batch, response });
        }
        self.costs.commit += computed() - begun;
        self.take();
    }

    fn flush(&mut self) {
        let begun = computed();
        black_box(self.partition.begin_flush());
        self.handle(Event::FlushCommitted);
        self.costs.flush += computed() - begun;
    }

    fn handle(&mut self, event: Event) {
        self.partition.handle(NOW, event, &mut self.effects);
    }

    /// Encodes the records as the steps that they mostly are, one each, and performs the effects.
    fn take(&mut self) {
        let begun = computed();
        for record in self.effects.records.drain(..) {
            self.buffer.clear();
            encode_step(std::slice::from_ref(&record), &mut self.buffer);
            black_box(&self.buffer);
        }
        self.costs.encode += computed() - begun;
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

const NOW: Timestamp = Timestamp(1_000_000);
