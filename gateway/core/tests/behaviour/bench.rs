//! A partition on a bench: its records are durable at once, its loads are answered at once from a store in memory, and what it
//! asks for is kept for the test to look at.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use tidegate_core::address::{Address, Typename};
use tidegate_core::id::{Epoch, LoadId, Lsn, PartitionId, Sequence, Ticket, Timestamp};
use tidegate_core::limits::Limits;
use tidegate_core::message::{ClientRequest, Envelope, Origin, TypedValue};
use tidegate_core::partition::effect::{Effect, Effects, LoadRequest};
use tidegate_core::partition::event::Event;
use tidegate_core::partition::group::{Failure, FailureScope, Group, Response};
use tidegate_core::partition::order::{Order, OrderOutcome};
use tidegate_core::partition::planted::Planted;
use tidegate_core::partition::record::Record;
use tidegate_core::partition::restore::Restoring;
use tidegate_core::partition::row::{Row, RowKey};
use tidegate_core::partition::{Partition, Setting};
use tidegate_core::policy::{Application, FunctionPolicy};
use tidegate_core::route::PartitionCount;

pub struct Bench {
    pub partition: Partition,
    pub store: BTreeMap<RowKey, Row>,
    pub now: Timestamp,
    /// Groups that a function shall process.
    pub groups: VecDeque<Group>,
    /// Every other effect but loads, in order.
    pub effects: Vec<Effect>,
    /// Every record, unless there are too many to keep.
    pub records: Vec<Record>,
    pub keep_records: bool,
}

pub fn name(text: &str) -> Typename {
    Typename::parse(text).unwrap()
}

pub fn address(id: &str) -> Address {
    Address::new(name("shop/cart"), id).unwrap()
}

pub fn text(value: &str) -> TypedValue {
    TypedValue::new("shop/text", Bytes::copy_from_slice(value.as_bytes()))
}

pub fn declaring(functions: &[&str]) -> Arc<Application> {
    let mut application = Application::default();
    for function in functions {
        let policy = FunctionPolicy { attempts: 3, batch_messages: 8, ..FunctionPolicy::default() };
        application.functions.insert(name(function), policy);
    }
    application.egresses.insert(name("shop/out"));
    Arc::new(application)
}

impl Bench {
    /// The only partition of an application with the function `shop/cart`.
    pub fn new() -> Self {
        Self::with(Limits::default(), 1)
    }

    pub fn with(limits: Limits, partitions: u16) -> Self {
        let setting = Setting {
            partition: PartitionId(0),
            partitions: PartitionCount::new(partitions).unwrap(),
            application: declaring(&["shop/cart"]),
            limits,
            planted: Planted::default(),
        };
        let mut out = Effects::default();
        let restoring = Restoring::begin(setting, []);
        let partition = restoring.adopt(Timestamp(1_000), Epoch::FIRST, &mut out).unwrap();
        let mut bench = Self {
            partition,
            store: BTreeMap::new(),
            now: Timestamp(1_000),
            groups: VecDeque::new(),
            effects: Vec::new(),
            records: Vec::new(),
            keep_records: true,
        };
        bench.perform(out);
        bench
    }

    /// Tells the partition what happened, then answers what it wants to read.
    pub fn tell(&mut self, event: Event) {
        let mut out = Effects::default();
        self.partition.handle(self.now, event, &mut out);
        self.perform(out);
    }

    fn perform(&mut self, out: Effects) {
        let mut waiting = VecDeque::from([out]);
        while let Some(out) = waiting.pop_front() {
            let durable = !out.records.is_empty();
            if self.keep_records {
                self.records.extend(out.records);
            }
            for action in out.actions {
                match action {
                    Effect::Invoke { group, .. } => self.groups.push_back(group),
                    Effect::Load { load, rows } => waiting.push_back(self.answer(load, &rows)),
                    effect => self.effects.push(effect),
                }
            }
            if durable {
                let lsn = self.partition.lsn();
                waiting.push_back(self.handled(Event::RecordsDurable { lsn }));
            }
        }
    }

    fn handled(&mut self, event: Event) -> Effects {
        let mut out = Effects::default();
        self.partition.handle(self.now, event, &mut out);
        out
    }

    fn answer(&mut self, load: LoadId, request: &LoadRequest) -> Effects {
        let mut rows: Vec<(RowKey, Row)> = Vec::new();
        let keyed = request.keys.iter().filter_map(|key| self.store.get_key_value(key));
        rows.extend(keyed.map(|(key, row)| (key.clone(), row.clone())));
        let mut more = false;
        if let Some(range) = &request.range {
            let mut bytes = 0;
            for (key, row) in self.store.range(range.from.clone()..range.until.clone()) {
                if bytes >= range.bytes {
                    more = true;
                    break;
                }
                bytes += row.cost();
                rows.push((key.clone(), row.clone()));
            }
        }
        self.handled(Event::RowsLoaded { load, rows, more })
    }

    pub fn flush(&mut self) {
        let Some(flush) = self.partition.begin_flush() else { return };
        for (key, row) in flush.rows {
            match row {
                Some(row) => self.store.insert(key, row),
                None => self.store.remove(&key),
            };
        }
        self.store.insert(RowKey::Applied, Row::Lsn(flush.applied));
        self.tell(Event::FlushCommitted);
    }

    pub fn applied(&self) -> Option<Lsn> {
        match self.store.get(&RowKey::Applied) {
            Some(Row::Lsn(lsn)) => Some(*lsn),
            _ => None,
        }
    }

    /// Time passes, and the partition is told.
    pub fn wait(&mut self, ms: u64) {
        self.now = self.now.plus_ms(ms);
        self.tell(Event::DeadlineReached);
    }

    /// A client without a key sends a message.
    pub fn send(&mut self, id: &str, what: &str) {
        let origin = Origin::Client { ticket: Ticket(0), wants_reply: false, request: None };
        self.receive(origin, address(id), what);
    }

    pub fn receive(&mut self, origin: Origin, target: Address, what: &str) {
        let envelope = Envelope { caller: None, target, argument: text(what) };
        self.tell(Event::MessageReceived { origin, envelope });
    }

    pub fn receive_from_peer(&mut self, sequence: u64, what: &str) {
        let origin = Origin::Peer { partition: PartitionId(1), sequence: Sequence(sequence) };
        self.receive(origin, address("a"), what);
    }

    pub fn call(&mut self, ticket: u64, key: &str, body: u8) {
        let request = Arc::new(ClientRequest::new(&address("a"), key, [body; 32]));
        let origin =
            Origin::Client { ticket: Ticket(ticket), wants_reply: true, request: Some(request) };
        self.receive(origin, address("a"), &format!("body {body}"));
    }

    /// The next group that a function shall process.
    pub fn group(&mut self) -> Group {
        self.groups.pop_front().expect("a group is in flight")
    }

    pub fn succeed(&mut self, group: &Group, response: Response) {
        let response = Box::new(response);
        self.tell(Event::InvocationSucceeded { batch: group.batch, response });
    }

    pub fn fail(&mut self, group: &Group) {
        let failure = Failure { scope: FailureScope::Group, text: "no".into() };
        self.tell(Event::InvocationFailed { batch: group.batch, failure });
    }

    /// An operator gives an order.
    pub fn order(&mut self, order: Order) -> OrderOutcome {
        let (by, reason) = ("ada".into(), "it is fixed".into());
        self.tell(Event::Ordered { ticket: Ticket(77), order, by, reason });
        let index = self
            .effects
            .iter()
            .position(|effect| matches!(effect, Effect::AnswerOperator { ticket: Ticket(77), .. }));
        match index.map(|index| self.effects.remove(index)) {
            Some(Effect::AnswerOperator { outcome, .. }) => outcome,
            _ => panic!("the order was not answered"),
        }
    }

    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }
}

/// What the messages of a group say.
pub fn said(group: &Group) -> Vec<String> {
    let bodies = group.messages.iter().map(|message| message.argument.value.to_vec());
    bodies.map(|body| String::from_utf8(body).unwrap()).collect()
}
