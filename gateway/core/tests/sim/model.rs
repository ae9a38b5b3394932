//! An independent, simple-minded model of one partition: everything in memory, nothing spilled, no store. The world feeds it
//! the facts; it decides what must be true, and says what is not.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use tidegate_core::address::{Address, EgressId, FunctionType};
use tidegate_core::id::{Epoch, PartitionId, Timestamp};
use tidegate_core::message::{
    ClientRequest, Envelope, RequestId, RequestKey, SourceId, SourcePosition, TypedValue,
};
use tidegate_core::partition::group::{Delayed, Expiration, Mutation, RejectionReason, ValueSpec};
use tidegate_core::partition::order::Subject;
use tidegate_core::route::PartitionCount;

use crate::bank::{Kind, Op};
use crate::fact::{Committed, Fact, From};

/// How long idempotent requests are remembered, in milliseconds.
pub const RETENTION_MS: u64 = 4_000;

#[derive(Clone, PartialEq, Debug)]
pub struct Note {
    pub caller: Option<Address>,
    pub argument: TypedValue,
    pub request: Option<RequestKey>,
}

#[derive(Clone, Debug)]
pub struct Pending {
    pub due: Timestamp,
    pub sender: Address,
    pub target: Address,
    pub argument: TypedValue,
    pub token: Option<Arc<str>>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Request {
    pub request: Arc<ClientRequest>,
    pub consumed_at: Option<Timestamp>,
    pub reply: Option<TypedValue>,
}

#[derive(Clone, Debug)]
pub struct Model {
    pub id: PartitionId,
    pub partitions: PartitionCount,
    pub epoch: Epoch,
    pub mailboxes: BTreeMap<Address, VecDeque<Note>>,
    pub parked: BTreeSet<Address>,
    pub paused: BTreeSet<Subject>,
    pub specs: BTreeMap<FunctionType, Vec<ValueSpec>>,
    pub values: BTreeMap<(Address, Arc<str>), (TypedValue, Timestamp)>,
    pub timers: Vec<Pending>,
    pub forgets: Vec<(Timestamp, RequestKey)>,
    /// Everything that was ever sent to other partitions, and how much of it they have.
    pub outbox: BTreeMap<PartitionId, Vec<Envelope>>,
    pub outbox_trimmed: BTreeMap<PartitionId, u64>,
    pub egress: BTreeMap<EgressId, Vec<(Address, TypedValue)>>,
    pub egress_trimmed: BTreeMap<EgressId, u64>,
    pub peers: BTreeMap<PartitionId, u64>,
    pub sources: BTreeMap<SourceId, (Epoch, SourcePosition)>,
    pub requests: BTreeMap<RequestKey, Request>,
    pub replies: BTreeMap<RequestId, Vec<TypedValue>>,
    /// Operations of clients that were accepted, and in which epoch.
    pub accepted: BTreeMap<u64, Epoch>,
    /// How often each address has processed each operation.
    pub consumed: BTreeMap<(Address, u64), u32>,
    /// Requests that were forgotten before their reply came.
    pub missed: BTreeSet<RequestKey>,
    /// Operations that an operator dropped.
    pub dropped: BTreeSet<u64>,
    /// Money whose deposit was rejected or discarded.
    pub stranded: i64,
}

pub type Checked = Result<(), String>;

impl Model {
    pub fn new(id: PartitionId, partitions: PartitionCount) -> Self {
        Self {
            id,
            partitions,
            epoch: Epoch::NONE,
            mailboxes: BTreeMap::new(),
            parked: BTreeSet::new(),
            paused: BTreeSet::new(),
            specs: BTreeMap::new(),
            values: BTreeMap::new(),
            timers: Vec::new(),
            forgets: Vec::new(),
            outbox: BTreeMap::new(),
            outbox_trimmed: BTreeMap::new(),
            egress: BTreeMap::new(),
            egress_trimmed: BTreeMap::new(),
            peers: BTreeMap::new(),
            sources: BTreeMap::new(),
            requests: BTreeMap::new(),
            replies: BTreeMap::new(),
            accepted: BTreeMap::new(),
            consumed: BTreeMap::new(),
            missed: BTreeSet::new(),
            dropped: BTreeSet::new(),
            stranded: 0,
        }
    }

    pub fn apply(&mut self, fact: &Fact) -> Checked {
        match fact {
            Fact::Adopted(epoch) => {
                if *epoch <= self.epoch {
                    return Err(format!("FENCE-1: epoch {epoch} follows {}", self.epoch));
                }
                self.epoch = *epoch;
            }
            Fact::Opened { source, epoch, watermark } => {
                let (known, before) = self.source(source);
                if *epoch < known || *watermark < before {
                    return Err(format!("ONCE-1: {source} reopened at {epoch} {watermark:?}"));
                }
                self.sources.insert(source.clone(), (*epoch, *watermark));
            }
            Fact::Accepted { from, envelope, dropped } => self.accept(from, envelope, *dropped)?,
            Fact::Registered { function, specs } => {
                self.specs.insert(function.clone(), specs.clone());
            }
            Fact::Committed(committed) => self.commit(committed)?,
            Fact::Fired { due, now, envelope } => self.fire(*due, *now, envelope)?,
            Fact::Forgotten { key } => {
                let index = self.forgets.iter().position(|(_, of)| of == key);
                self.forgets.swap_remove(index.ok_or("a request is forgotten twice")?);
                self.requests.remove(key);
            }
            Fact::OutboxTrimmed { destination, through } => {
                self.outbox_trimmed.insert(*destination, *through);
            }
            Fact::EgressTrimmed { egress, through } => {
                self.egress_trimmed.insert(egress.clone(), *through);
            }
            Fact::Parked(address) => {
                self.parked.insert(address.clone());
            }
            Fact::Released(address) => {
                if !self.parked.remove(address) {
                    return Err(format!("{address} is released but not parked"));
                }
            }
            Fact::Dropped { address, messages, parked, now } => {
                if *parked != self.parked.contains(address) {
                    return Err(format!("messages of {address} are dropped but it is not parked"));
                }
                for _ in 0..*messages {
                    self.drop_head(address, *now)?;
                }
            }
            Fact::LetterSent { address, egress, argument, now } => {
                self.send_letter(address, egress, argument, *now)?;
            }
            Fact::Expired { values, now } => {
                for key in values {
                    match self.values.remove(key) {
                        Some((_, expires_at)) if expires_at <= *now => {}
                        found => return Err(format!("{key:?} has not expired: {found:?}")),
                    }
                }
            }
            Fact::Paused(subject) => {
                if !self.paused.insert(subject.clone()) {
                    return Err(format!("{subject:?} is paused twice"));
                }
            }
            Fact::Resumed(subject) => {
                if !self.paused.remove(subject) {
                    return Err(format!("{subject:?} is resumed but not paused"));
                }
            }
            Fact::ReplyRecorded { address, wins } => self.record_reply(address, *wins)?,
        }
        Ok(())
    }

    pub fn source(&self, source: &SourceId) -> (Epoch, SourcePosition) {
        self.sources.get(source).copied().unwrap_or_default()
    }

    fn accept(&mut self, from: &From, envelope: &Envelope, dropped: bool) -> Checked {
        let mut note = Note {
            caller: envelope.caller.clone(),
            argument: envelope.argument.clone(),
            request: None,
        };
        match from {
            From::Peer(partition, sequence) => {
                let watermark = self.peers.entry(*partition).or_default();
                if *sequence != *watermark + 1 {
                    return Err(format!("ONCE-1: {sequence} of {partition} follows {watermark}"));
                }
                *watermark = *sequence;
                self.place(envelope.clone());
                return Ok(());
            }
            From::Source(source, position) => {
                let (epoch, watermark) = self.source(source);
                if *position <= watermark {
                    return Err(format!("ONCE-1: {position:?} of {source} follows {watermark:?}"));
                }
                self.sources.insert(source.clone(), (epoch, *position));
            }
            From::Client(operation, request) => {
                if let Some(request) = request {
                    let open = Request { request: request.clone(), consumed_at: None, reply: None };
                    if self.requests.insert(request.id, open).is_some() {
                        return Err(format!("ONCE-1: key {} is accepted twice", request.key));
                    }
                    note.request = Some(request.id);
                }
                self.accepted.insert(*operation, self.epoch);
            }
        }
        if !dropped {
            self.mailboxes.entry(envelope.target.clone()).or_default().push_back(note);
        }
        Ok(())
    }

    /// Puts a message where it belongs.
    fn place(&mut self, envelope: Envelope) {
        let destination = self.partitions.partition_of(&envelope.target);
        if destination != self.id {
            return self.outbox.entry(destination).or_default().push(envelope);
        }
        let Envelope { caller, target, argument } = envelope;
        if let Some((_, request @ RequestId::Waiting { epoch, .. })) = target.request()
            && target.is_reply()
        {
            if epoch == self.epoch {
                self.replies.entry(request).or_default().push(argument);
            }
            return;
        }
        let note = Note { caller, argument, request: None };
        self.mailboxes.entry(target).or_default().push_back(note);
    }

    fn commit(&mut self, committed: &Committed) -> Checked {
        let address = &committed.address;
        let mailbox = self.mailboxes.get_mut(address).ok_or("a commit without messages")?;
        let notes: Vec<Note> = mailbox.drain(..committed.messages.min(mailbox.len())).collect();
        if mailbox.is_empty() {
            self.mailboxes.remove(address);
        }
        for note in &notes {
            let operation = Op::of(&note.argument).id;
            *self.consumed.entry((address.clone(), operation)).or_default() += 1;
        }
        let mut requests: BTreeMap<RequestKey, Option<TypedValue>> =
            notes.iter().filter_map(|note| Some((note.request?, None))).collect();
        let mut rejected: Vec<RejectionReason> =
            committed.response.malformed.iter().map(|rejection| rejection.reason).collect();
        self.send(committed, &mut requests, &mut rejected);
        self.delay(committed, &mut rejected);
        for (egress, argument) in &committed.response.egress {
            if committed.application.egresses.contains(egress) {
                let entry = (address.clone(), argument.clone());
                self.egress.entry(egress.clone()).or_default().push(entry);
            } else {
                rejected.push(RejectionReason::UnknownEgress);
            }
        }
        self.change_values(committed);
        for (key, reply) in requests {
            self.complete(key, committed.now, reply)?;
        }
        let recorded: Vec<_> =
            committed.rejected.iter().map(|rejection| rejection.reason).collect();
        if recorded != rejected {
            return Err(format!("{address}: {recorded:?} were rejected instead of {rejected:?}"));
        }
        Ok(())
    }

    fn send(
        &mut self,
        committed: &Committed,
        requests: &mut BTreeMap<RequestKey, Option<TypedValue>>,
        rejected: &mut Vec<RejectionReason>,
    ) {
        for (target, argument) in &committed.response.sends {
            if !self.is_declared(committed, target) {
                self.strand(argument);
                rejected.push(RejectionReason::UnknownFunction);
                continue;
            }
            if target.is_reply()
                && let Some((home, RequestId::Keyed(key))) = target.request()
                && home == self.id
                && let Some(reply) = requests.get_mut(&key)
            {
                if reply.is_some() {
                    rejected.push(RejectionReason::RequestGone);
                } else {
                    *reply = Some(argument.clone());
                }
                continue;
            }
            let caller = Some(committed.address.clone());
            self.place(Envelope { caller, target: target.clone(), argument: argument.clone() });
        }
    }

    fn is_declared(&self, committed: &Committed, target: &Address) -> bool {
        target.is_reply() || committed.application.policy(&target.function).is_some()
    }

    fn strand(&mut self, argument: &TypedValue) {
        if let Kind::Deposit { amount } = Op::of(argument).kind {
            self.stranded += amount;
        }
    }

    fn delay(&mut self, committed: &Committed, rejected: &mut Vec<RejectionReason>) {
        let sender = &committed.address;
        for delayed in &committed.response.delayed {
            match delayed {
                Delayed::Cancel { token } => {
                    self.timers.retain(|pending| {
                        pending.sender != *sender || pending.token.as_ref() != Some(token)
                    });
                }
                Delayed::Send { target, .. } if !self.is_declared(committed, target) => {
                    rejected.push(RejectionReason::UnknownFunction);
                }
                Delayed::Send { delay_ms, .. } if *delay_ms < 0 => {
                    rejected.push(RejectionReason::NegativeDelay);
                }
                Delayed::Send { token: Some(token), .. } if self.has_token(sender, token) => {
                    rejected.push(RejectionReason::DuplicateToken);
                }
                Delayed::Send { delay_ms, target, argument, token } => self.timers.push(Pending {
                    due: committed.now.plus_ms(delay_ms.unsigned_abs()),
                    sender: sender.clone(),
                    target: target.clone(),
                    argument: argument.clone(),
                    token: token.clone(),
                }),
            }
        }
    }

    fn has_token(&self, sender: &Address, token: &Arc<str>) -> bool {
        self.timers
            .iter()
            .any(|pending| pending.sender == *sender && pending.token.as_ref() == Some(token))
    }

    fn change_values(&mut self, committed: &Committed) {
        let specs = self.specs.get(&committed.address.function).cloned().unwrap_or_default();
        let key = |name: &Arc<str>| (committed.address.clone(), name.clone());
        for spec in specs.iter().take(committed.presented) {
            if committed.absent.contains(&spec.name) {
                self.values.remove(&key(&spec.name));
            } else if let Some((_, expires_at)) = self.values.get_mut(&key(&spec.name))
                && let Expiration::AfterInvoke(ms) = spec.expiration
            {
                *expires_at = committed.now.plus_ms(ms);
            }
        }
        for mutation in &committed.response.mutations {
            match mutation {
                Mutation::Delete(name) => {
                    self.values.remove(&key(name));
                }
                Mutation::Modify(name, value) => {
                    let spec = specs.iter().find(|spec| spec.name == *name);
                    let expires_at = match spec.map(|spec| spec.expiration) {
                        Some(Expiration::AfterWrite(ms) | Expiration::AfterInvoke(ms)) => {
                            committed.now.plus_ms(ms)
                        }
                        _ => Timestamp::NEVER,
                    };
                    self.values.insert(key(name), (value.clone(), expires_at));
                }
            }
        }
    }

    fn complete(&mut self, key: RequestKey, now: Timestamp, reply: Option<TypedValue>) -> Checked {
        let request = self.requests.get_mut(&key).ok_or("an unknown request is completed")?;
        request.consumed_at = Some(now);
        request.reply.clone_from(&reply);
        self.forgets.push((now.plus_ms(RETENTION_MS), key));
        if let Some(reply) = reply {
            self.replies.entry(RequestId::Keyed(key)).or_default().push(reply);
        }
        Ok(())
    }

    fn fire(&mut self, due: Timestamp, now: Timestamp, envelope: &Envelope) -> Checked {
        let fired = self.timers.iter().position(|pending| {
            pending.due == due
                && pending.target == envelope.target
                && pending.argument == envelope.argument
                && Some(&pending.sender) == envelope.caller.as_ref()
        });
        let Some(fired) = fired else {
            return Err(format!("a timer fired that is not pending: {envelope:?} at {due}"));
        };
        if now < due {
            return Err(format!("a timer fired at {now}, before {due}"));
        }
        self.timers.swap_remove(fired);
        self.place(envelope.clone());
        Ok(())
    }

    fn drop_head(&mut self, address: &Address, now: Timestamp) -> Checked {
        let note = self.pop(address)?;
        self.dropped.insert(Op::of(&note.argument).id);
        self.strand(&note.argument);
        if let Some(key) = note.request {
            self.complete(key, now, None)?;
        }
        Ok(())
    }

    /// The message at the head leaves: what the sink gets tells it whole.
    fn send_letter(
        &mut self,
        address: &Address,
        egress: &EgressId,
        argument: &TypedValue,
        now: Timestamp,
    ) -> Checked {
        let head = self.mailboxes.get(address).and_then(VecDeque::front);
        let head = head.ok_or_else(|| format!("{address} has no message to give up"))?;
        let value = base64::Engine::encode(
            &base64::engine::general_purpose::STANDARD,
            &head.argument.value,
        );
        let text = String::from_utf8_lossy(&argument.value);
        let tells = text.contains(&format!(r#""address":"{address}""#))
            && text.contains(&format!(r#""value":"{value}""#))
            && text.contains(r#""attempts":3"#);
        if !tells {
            return Err(format!("{text} does not tell {head:?} of {address}"));
        }
        let letter = (address.clone(), argument.clone());
        self.egress.entry(egress.clone()).or_default().push(letter);
        self.drop_head(address, now)
    }

    fn pop(&mut self, address: &Address) -> Result<Note, String> {
        let mailbox = self.mailboxes.get_mut(address);
        let note = mailbox.and_then(VecDeque::pop_front);
        if self.mailboxes.get(address).is_some_and(VecDeque::is_empty) {
            self.mailboxes.remove(address);
        }
        note.ok_or_else(|| format!("the mailbox of {address} is empty"))
    }

    fn record_reply(&mut self, address: &Address, wins: bool) -> Checked {
        let note = self.pop(address)?;
        let Some((_, RequestId::Keyed(key))) = address.request() else {
            return Err(format!("{address} keeps no reply"));
        };
        if !self.requests.contains_key(&key) {
            self.missed.insert(key);
        }
        let open = self.requests.get_mut(&key).filter(|request| request.reply.is_none());
        if open.is_some() != wins {
            return Err(format!("{address}: a reply wins: {wins}, expected otherwise"));
        }
        if let Some(open) = open {
            open.reply = Some(note.argument.clone());
            self.replies.entry(RequestId::Keyed(key)).or_default().push(note.argument);
        }
        Ok(())
    }
}
