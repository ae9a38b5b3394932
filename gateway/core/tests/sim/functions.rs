//! The functions of the bank: pure, so that running one again gives the same answer. They check what they are shown:
//! the messages of each stream come in order, none is missing, none comes twice (ORD-2, ONCE-1).

use std::sync::Arc;

use bytes::Bytes;
use tidegate_core::address::Address;
use tidegate_core::message::{Message, TypedValue};
use tidegate_core::partition::group::{
    Delayed, Expiration, Group, Mutation, Rejection, RejectionReason, Response, ValueSpec,
};

use crate::bank::{Kind, LEDGER, Ledger, Op, account, audit_of, typename};

/// What became of a group.
#[derive(Debug)]
pub enum Verdict {
    Processed(Box<Response>),
    Incomplete(Vec<ValueSpec>),
    Failed,
}

const NOTE: &str = "bank/note";

pub fn specs() -> [ValueSpec; 3] {
    let spec = |name: &str, typename: &str, expiration| ValueSpec {
        name: name.into(),
        typename: typename.into(),
        expiration,
    };
    [
        spec("ledger", LEDGER, Expiration::Never),
        spec("note", NOTE, Expiration::AfterWrite(300)),
        spec("visit", NOTE, Expiration::AfterInvoke(400)),
    ]
}

/// Processes a group; the error is a broken promise.
pub fn run(group: &Group) -> Result<Verdict, String> {
    let [ledger, note, visit] = specs();
    if !presents(group, "ledger") {
        return Ok(Verdict::Incomplete(vec![ledger]));
    }
    if !presents(group, "visit") {
        return Ok(Verdict::Incomplete(vec![ledger, note, visit]));
    }
    let ops: Vec<Op> = group.messages.iter().map(|message| Op::of(&message.argument)).collect();
    for op in &ops {
        if let Kind::Poison { times } = op.kind
            && (ops.len() > 1 || group.attempt <= times)
        {
            return Ok(Verdict::Failed);
        }
    }
    let mut teller = Teller::new(group);
    for (op, message) in ops.iter().zip(&group.messages) {
        teller.process(op, message)?;
    }
    Ok(Verdict::Processed(Box::new(teller.close())))
}

fn presents(group: &Group, name: &str) -> bool {
    group.values.iter().any(|(known, _)| &**known == name)
}

fn value<'a>(group: &'a Group, name: &str) -> Option<&'a TypedValue> {
    let found = group.values.iter().find(|(known, _)| &**known == name);
    found.and_then(|(_, value)| value.as_ref())
}

struct Teller<'a> {
    address: &'a Address,
    ledger: Ledger,
    visited: bool,
    response: Response,
}

impl<'a> Teller<'a> {
    fn new(group: &'a Group) -> Self {
        let visited = value(group, "visit").is_some();
        let ledger = Ledger::of(value(group, "ledger"));
        Self { address: &group.address, ledger, visited, response: Response::default() }
    }

    fn process(&mut self, op: &Op, message: &Message) -> Result<(), String> {
        self.ledger.operations += 1;
        if let Some((stream, place)) = &op.stream {
            let last = self.ledger.received.entry(stream.to_string()).or_default();
            if *place != *last + 1 {
                return Err(format!("{}: `{op}` follows {last} of its stream", self.address));
            }
            *last = *place;
        }
        if op.id.is_multiple_of(3) {
            let egress = if op.id.is_multiple_of(2) { "bank/out" } else { "bank/slow" };
            self.response.egress.push((typename(egress), op.value()));
        }
        match &op.kind {
            Kind::Reply { .. } | Kind::Relay { .. } | Kind::Answer { .. } => {
                self.answer(op, message);
            }
            Kind::Later { .. } | Kind::Schedule { .. } | Kind::Cancel { .. } => self.delay(op),
            _ => self.work(op),
        }
        Ok(())
    }

    fn work(&mut self, op: &Op) {
        match op.kind {
            Kind::Transfer { to, amount } => self.pay(op, account(to), amount),
            Kind::Deposit { amount } => self.ledger.balance += amount,
            Kind::Aside { amount } => {
                // Rejected while the audit is not declared, so without a place in a stream.
                self.ledger.balance -= amount;
                let deposit = Op::new(op.id, Kind::Deposit { amount });
                self.response.sends.push((audit_of(self.address), deposit.value()));
            }
            Kind::FanOut { count, accounts } => {
                for number in 0..count {
                    self.pay(op, account((op.id + number) % accounts), 1);
                }
            }
            Kind::Note { keep: true } => {
                let note = TypedValue::new(NOTE, Bytes::from(format!("note {}", op.id)));
                self.response.mutations.push(Mutation::Modify("note".into(), note));
            }
            Kind::Note { keep: false } => {
                self.response.mutations.push(Mutation::Delete("note".into()));
            }
            Kind::Nonsense => self.nonsense(op),
            _ => {}
        }
        if !self.visited && op.id.is_multiple_of(2) {
            self.visited = true;
            let visit = TypedValue::new(NOTE, Bytes::from(format!("visit {}", op.id)));
            self.response.mutations.push(Mutation::Modify("visit".into(), visit));
        }
    }

    fn pay(&mut self, op: &Op, to: Address, amount: i64) {
        self.ledger.balance -= amount;
        let place = self.ledger.sent.entry(to.to_string()).or_default();
        *place += 1;
        let stream = Some((Arc::from(self.address.to_string()), *place));
        let deposit = Op { id: op.id, stream, kind: Kind::Deposit { amount } };
        self.response.sends.push((to, deposit.value()));
    }

    fn delay(&mut self, op: &Op) {
        let entry = match op.kind {
            Kind::Later { to, amount, ms } => {
                self.ledger.balance -= amount;
                let argument = Op::new(op.id, Kind::Deposit { amount }).value();
                Delayed::Send { delay_ms: ms, target: account(to), argument, token: None }
            }
            Kind::Schedule { to, amount, ms, token } => Delayed::Send {
                delay_ms: ms,
                target: self.address.clone(),
                argument: Op::new(op.id, Kind::Transfer { to, amount }).value(),
                token: Some(format!("t{token}").into()),
            },
            Kind::Cancel { token } => Delayed::Cancel { token: format!("t{token}").into() },
            _ => return,
        };
        self.response.delayed.push(entry);
    }

    fn answer(&mut self, op: &Op, message: &Message) {
        let argument =
            |number: u64| Op::new(op.id, Kind::Deposit { amount: number as i64 }).value();
        match (&op.kind, &message.caller) {
            (Kind::Reply { times, again_ms }, Some(caller)) => {
                for number in 0..*times {
                    self.response.sends.push((caller.clone(), argument(number)));
                }
                if let Some(delay_ms) = *again_ms {
                    let (target, argument) = (caller.clone(), argument(99));
                    let delayed = Delayed::Send { delay_ms, target, argument, token: None };
                    self.response.delayed.push(delayed);
                }
            }
            (Kind::Relay { via }, Some(caller)) => {
                let kind = Kind::Answer { home: caller.id.to_string() };
                self.response.sends.push((account(*via), Op::new(op.id, kind).value()));
            }
            (Kind::Answer { home }, _) => {
                let caller =
                    Address { function: typename("tidegate/reply"), id: home.as_str().into() };
                self.response.sends.push((caller, argument(7)));
            }
            _ => {}
        }
    }

    fn nonsense(&mut self, op: &Op) {
        let nobody = Address::new(typename("bank/nobody"), "a1").unwrap();
        self.response.sends.push((nobody, op.value()));
        self.response.egress.push((typename("bank/nowhere"), op.value()));
        let target = account(0);
        let delayed = Delayed::Send { delay_ms: -5, target, argument: op.value(), token: None };
        self.response.delayed.push(delayed);
        let reason = RejectionReason::InvalidAddress;
        self.response.malformed.push(Rejection { reason, subject: "nothing".into() });
    }

    fn close(mut self) -> Response {
        let ledger = Mutation::Modify("ledger".into(), self.ledger.value());
        self.response.mutations.push(ledger);
        self.response
    }
}
