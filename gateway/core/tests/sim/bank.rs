//! What messages of the bank say, and what an account remembers: both as text, so that a trace can be read.

use std::collections::BTreeMap;
use std::fmt;
use std::str::{FromStr, SplitWhitespace};
use std::sync::Arc;

use bytes::Bytes;
use tidegate_core::address::{Address, Typename};
use tidegate_core::message::TypedValue;

pub const ACCOUNT: &str = "bank/account";
pub const AUDIT: &str = "bank/audit";
pub const OP: &str = "bank/op";
pub const LEDGER: &str = "bank/ledger";

/// An operation: a message to an account or to its audit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Op {
    /// Unique for what a client or a source sends; what follows from it has the same id.
    pub id: u64,
    /// Whose stream it belongs to and its place there, where an order is promised.
    pub stream: Option<(Arc<str>, u32)>,
    pub kind: Kind,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Sends an amount to another account.
    Transfer { to: u64, amount: i64 },
    /// Sends an amount to another account after a while.
    Later { to: u64, amount: i64, ms: i64 },
    /// Orders itself to transfer after a while, under a token.
    Schedule { to: u64, amount: i64, ms: i64, token: u64 },
    /// Cancels what was scheduled under a token.
    Cancel { token: u64 },
    /// Receives an amount.
    Deposit { amount: i64 },
    /// Moves an amount to the audit of the same id.
    Aside { amount: i64 },
    /// Sends one unit to each of so many accounts.
    FanOut { count: u64, accounts: u64 },
    /// Writes the note, or removes it.
    Note { keep: bool },
    /// Does nothing, but presents the values.
    Touch,
    /// Replies to its caller: so often at once, once more after a while if given.
    Reply { times: u64, again_ms: Option<i64> },
    /// Has another account reply to its caller.
    Relay { via: u64 },
    /// Replies to an address that it was told.
    Answer { home: String },
    /// Fails so many times.
    Poison { times: u32 },
    /// Asks for things that cannot be done.
    Nonsense,
}

impl Op {
    pub fn new(id: u64, kind: Kind) -> Self {
        Self { id, stream: None, kind }
    }

    pub fn value(&self) -> TypedValue {
        TypedValue::new(OP, Bytes::from(self.to_string()))
    }

    pub fn of(value: &TypedValue) -> Self {
        std::str::from_utf8(&value.value).unwrap().parse().unwrap()
    }
}

impl fmt::Display for Op {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} ", self.id)?;
        match &self.stream {
            Some((stream, place)) => write!(out, "{stream} {place} ")?,
            None => out.write_str("- 0 ")?,
        }
        match &self.kind {
            Kind::Transfer { to, amount } => write!(out, "transfer {to} {amount}"),
            Kind::Later { to, amount, ms } => write!(out, "later {to} {amount} {ms}"),
            Kind::Schedule { to, amount, ms, token } => {
                write!(out, "schedule {to} {amount} {ms} {token}")
            }
            Kind::Cancel { token } => write!(out, "cancel {token}"),
            Kind::Deposit { amount } => write!(out, "deposit {amount}"),
            Kind::Aside { amount } => write!(out, "aside {amount}"),
            Kind::FanOut { count, accounts } => write!(out, "fanout {count} {accounts}"),
            Kind::Note { keep } => write!(out, "note {}", i32::from(*keep)),
            Kind::Touch => write!(out, "touch"),
            Kind::Reply { times, again_ms } => {
                write!(out, "reply {times} {}", again_ms.unwrap_or(-1))
            }
            Kind::Relay { via } => write!(out, "relay {via}"),
            Kind::Answer { home } => write!(out, "answer {home}"),
            Kind::Poison { times } => write!(out, "poison {times}"),
            Kind::Nonsense => write!(out, "nonsense"),
        }
    }
}

fn number<T: FromStr>(words: &mut SplitWhitespace<'_>) -> T {
    words.next().and_then(|word| word.parse().ok()).expect("a number")
}

impl FromStr for Op {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut words = text.split_whitespace();
        let id = number(&mut words);
        let stream: Arc<str> = words.next().ok_or(())?.into();
        let place: u32 = number(&mut words);
        let stream = (place > 0).then_some((stream, place));
        let kind = match words.next().ok_or(())? {
            "transfer" => Kind::Transfer { to: number(&mut words), amount: number(&mut words) },
            "later" => Kind::Later {
                to: number(&mut words),
                amount: number(&mut words),
                ms: number(&mut words),
            },
            "schedule" => Kind::Schedule {
                to: number(&mut words),
                amount: number(&mut words),
                ms: number(&mut words),
                token: number(&mut words),
            },
            "cancel" => Kind::Cancel { token: number(&mut words) },
            "deposit" => Kind::Deposit { amount: number(&mut words) },
            "aside" => Kind::Aside { amount: number(&mut words) },
            "fanout" => Kind::FanOut { count: number(&mut words), accounts: number(&mut words) },
            "note" => Kind::Note { keep: number::<i32>(&mut words) == 1 },
            "touch" => Kind::Touch,
            "reply" => {
                let (times, again): (u64, i64) = (number(&mut words), number(&mut words));
                Kind::Reply { times, again_ms: (again >= 0).then_some(again) }
            }
            "relay" => Kind::Relay { via: number(&mut words) },
            "answer" => Kind::Answer { home: words.next().ok_or(())?.into() },
            "poison" => Kind::Poison { times: number(&mut words) },
            "nonsense" => Kind::Nonsense,
            _ => return Err(()),
        };
        Ok(Self { id, stream, kind })
    }
}

pub fn typename(text: &str) -> Typename {
    Typename::parse(text).unwrap()
}

pub fn account(number: u64) -> Address {
    Address::new(typename(ACCOUNT), &format!("a{number}")).unwrap()
}

pub fn audit_of(address: &Address) -> Address {
    Address::new(typename(AUDIT), &address.id).unwrap()
}

/// What an account remembers of the money and of the streams that it is part of.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Ledger {
    pub balance: i64,
    pub operations: u64,
    pub received: BTreeMap<String, u32>,
    pub sent: BTreeMap<String, u32>,
}

impl Ledger {
    pub fn of(value: Option<&TypedValue>) -> Self {
        let Some(value) = value else { return Self::default() };
        let text = std::str::from_utf8(&value.value).unwrap();
        let mut parts = text.split('|');
        let mut part = || parts.next().unwrap();
        Self {
            balance: part().parse().unwrap(),
            operations: part().parse().unwrap(),
            received: streams_of(part()),
            sent: streams_of(part()),
        }
    }

    pub fn value(&self) -> TypedValue {
        let (received, sent) = (streams(&self.received), streams(&self.sent));
        let text = format!("{}|{}|{received}|{sent}", self.balance, self.operations);
        TypedValue::new(LEDGER, Bytes::from(text))
    }
}

fn streams(streams: &BTreeMap<String, u32>) -> String {
    let parts: Vec<String> =
        streams.iter().map(|(name, place)| format!("{name}={place}")).collect();
    parts.join(",")
}

fn streams_of(text: &str) -> BTreeMap<String, u32> {
    let parts = text.split(',').filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (name, place) = part.split_once('=').unwrap();
            (name.into(), place.parse().unwrap())
        })
        .collect()
}
