//! Sources that can be read again, and clients: what they have sent, what they were told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tidegate_core::id::{Epoch, PartitionId, Ticket};
use tidegate_core::message::{ClientRequest, Envelope, SourceId, SourcePosition, TypedValue};
use tidegate_core::route::PartitionCount;

use crate::bank::{Kind, Op, account, audit_of};
use crate::network::Packet;
use crate::random::Random;

/// A replayable source with its present reader.
#[derive(Debug)]
pub struct Source {
    pub id: SourceId,
    pub records: Vec<(SourcePosition, Envelope)>,
    pub epoch: Epoch,
    checkpoint: SourcePosition,
    sent: BTreeMap<PartitionId, SourcePosition>,
    acknowledged: BTreeMap<PartitionId, SourcePosition>,
    open: BTreeSet<PartitionId>,
}

impl Source {
    pub fn new(
        number: usize,
        length: usize,
        accounts: u64,
        crowded: bool,
        ids: &mut u64,
        random: &mut Random,
    ) -> Self {
        let mut places: BTreeMap<u64, u32> = BTreeMap::new();
        let mut records = Vec::new();
        for index in 1..=length {
            let (to, kind) = draw(random, accounts, crowded);
            *ids += 1;
            let place = places.entry(to).or_default();
            let poison = matches!(kind, Kind::Poison { .. });
            let stream = (!poison).then(|| {
                *place += 1;
                (format!("source{number}").into(), *place)
            });
            let argument = Op { id: *ids, stream, kind }.value();
            // Some records hold several messages, and positions have gaps.
            let position = SourcePosition { record: index as u128 / 2 * 7 + 1, part: index as u32 };
            records.push((position, Envelope { caller: None, target: account(to), argument }));
        }
        if let Some((_, envelope)) = records.last_mut() {
            // One for a function that is not declared all the time.
            envelope.target = audit_of(&envelope.target);
            *ids += 1;
            envelope.argument = Op::new(*ids, Kind::Touch).value();
        }
        Self {
            id: format!("source/{number}").into(),
            records,
            epoch: Epoch::FIRST,
            checkpoint: SourcePosition::START,
            sent: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            open: BTreeSet::new(),
        }
    }

    /// The first record for a partition after a position.
    pub fn next_of(
        &self,
        partitions: PartitionCount,
        partition: PartitionId,
        after: SourcePosition,
    ) -> Option<&(SourcePosition, Envelope)> {
        self.records.iter().find(|(position, envelope)| {
            *position > after && partitions.partition_of(&envelope.target) == partition
        })
    }

    /// What the reader sends next to a partition.
    pub fn read(&mut self, partitions: PartitionCount, partition: PartitionId) -> Option<Packet> {
        let (source, epoch) = (self.id.clone(), self.epoch);
        if !self.open.contains(&partition) {
            return Some(Packet::Open { source, epoch, checkpoint: self.checkpoint });
        }
        let predecessor = *self.sent.entry(partition).or_insert(self.checkpoint);
        let (position, envelope) = self.next_of(partitions, partition, predecessor)?.clone();
        self.sent.insert(partition, position);
        Some(Packet::Record { source, epoch, predecessor, position, envelope })
    }

    /// The reader sends everything again that was not acknowledged.
    pub fn rewind(&mut self, partition: PartitionId) {
        let acknowledged = self.acknowledged.get(&partition).copied().unwrap_or(self.checkpoint);
        self.sent.insert(partition, acknowledged);
    }

    pub fn acknowledge(&mut self, partition: PartitionId, position: SourcePosition) {
        self.open.insert(partition);
        let acknowledged = self.acknowledged.entry(partition).or_default();
        *acknowledged = position.max(*acknowledged);
    }

    pub fn fenced(&mut self, partition: PartitionId) {
        self.open.remove(&partition);
    }

    pub fn gap(&mut self, partition: PartitionId, watermark: SourcePosition) {
        self.sent.insert(partition, watermark);
    }

    /// The position below which everything is acknowledged.
    fn done(&self, partitions: PartitionCount) -> SourcePosition {
        let mut done = self.checkpoint;
        for (position, envelope) in &self.records {
            let partition = partitions.partition_of(&envelope.target);
            if self.acknowledged.get(&partition).is_some_and(|known| known >= position) {
                done = done.max(*position);
            } else if *position > done {
                break;
            }
        }
        done
    }

    pub fn is_done(&self, partitions: PartitionCount) -> bool {
        self.records.last().is_none_or(|(last, _)| self.done(partitions) >= *last)
    }

    /// Another reader takes over. It knows what the one before has checkpointed, which may be less than what
    /// was acknowledged.
    pub fn restart(&mut self, partitions: PartitionCount, random: &mut Random) {
        if random.chance(60) {
            self.checkpoint = self.done(partitions);
        }
        self.epoch = self.epoch.next();
        self.open.clear();
        self.sent.clear();
        self.acknowledged.clear();
    }
}

/// A client's message, sent once or often.
#[derive(Debug)]
pub struct Client {
    pub operation: u64,
    pub envelope: Envelope,
    pub request: Option<Arc<ClientRequest>>,
    pub wants_reply: bool,
    /// Whether the function replies to it for sure.
    pub replies: bool,
    pub ticket: Option<Ticket>,
    /// The epoch of the partition when it was sent last.
    pub sent_in: Epoch,
    /// And the incarnation that owned it.
    pub sent_to: usize,
    pub answered: bool,
    pub accepted: bool,
    pub reply: Option<TypedValue>,
}

impl Client {
    pub fn new(operation: u64, accounts: u64, crowded: bool, random: &mut Random) -> Self {
        let (to, kind) = draw(random, accounts, crowded);
        let wants_reply = matches!(kind, Kind::Reply { .. } | Kind::Relay { .. });
        let replies = wants_reply && !matches!(kind, Kind::Reply { times: 0, again_ms: None });
        let target = account(to);
        let key = random.chance(50).then(|| format!("key{}", random.below(12)));
        let request = key.map(|key| Arc::new(ClientRequest::new(&target, &key, hash(operation))));
        let argument = Op::new(operation, kind).value();
        Self {
            operation,
            envelope: Envelope { caller: None, target, argument },
            request,
            wants_reply,
            replies,
            ticket: None,
            sent_in: Epoch::NONE,
            sent_to: usize::MAX,
            answered: false,
            accepted: false,
            reply: None,
        }
    }
}

fn hash(operation: u64) -> [u8; 32] {
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&operation.to_le_bytes());
    hash
}

/// Draws an operation and the account that it goes to.
fn draw(random: &mut Random, accounts: u64, crowded: bool) -> (u64, Kind) {
    let any = |random: &mut Random| random.below(accounts as usize) as u64;
    // Some accounts are busier than others.
    let to = if random.chance(40) { 0 } else { any(random) };
    if crowded {
        return (to, Kind::FanOut { count: random.between(5, 14), accounts });
    }
    let amount = random.between(1, 50) as i64;
    let ms = random.between(0, 700) as i64;
    let kind = match random.below(100) {
        0..30 => Kind::Transfer { to: any(random), amount },
        30..38 => Kind::Later { to: any(random), amount, ms },
        38..50 => Kind::Schedule { to: any(random), amount, ms, token: random.between(1, 3) },
        50..56 => Kind::Cancel { token: random.between(1, 3) },
        56..61 => Kind::Aside { amount },
        61..66 => Kind::FanOut { count: random.between(2, 9), accounts },
        66..72 => Kind::Note { keep: random.chance(80) },
        72..78 => Kind::Touch,
        78..87 => {
            let again_ms = random.chance(30).then(|| random.between(0, 300) as i64);
            Kind::Reply { times: random.between(0, 2), again_ms }
        }
        87..94 => Kind::Relay { via: any(random) },
        94..97 => Kind::Poison { times: *random.pick(&[1, 2, 2, u32::MAX]) },
        _ => Kind::Nonsense,
    };
    (to, kind)
}
