//! Everything that the world keeps of one partition: the running one if any, its store, its ownership row, what waits for
//! durability, and what the checkers know.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use tidegate_core::address::Address;
use tidegate_core::id::{Lsn, PartitionId, Sequence, Ticket};
use tidegate_core::partition::Partition;
use tidegate_core::partition::order::Subject;
use tidegate_core::partition::row::{Row, RowKey};
use tidegate_core::partition::rows;
use tidegate_core::route::PartitionCount;

use crate::bank::Op;
use crate::fact::Step;
use crate::model::Model;
use crate::network::{Flight, Gated};
use crate::store::Store;

/// A part of the partition's history: entries of the log of one incarnation.
#[derive(Clone, Debug)]
pub struct Link {
    pub incarnation: usize,
    pub from: usize,
    pub to: Option<usize>,
}

/// The log of one incarnation.
#[derive(Debug, Default)]
pub struct Log {
    pub entries: Vec<Rc<Step>>,
    pub synced: usize,
    pub alive: bool,
}

pub type Fold = BTreeMap<RowKey, Row>;

#[derive(Debug)]
pub struct Site {
    pub partition: Option<Partition>,
    /// The incarnation that owns it, or owned it last.
    pub incarnation: usize,
    /// The epoch in the ownership row.
    pub epoch: u64,
    pub chain: Vec<Link>,
    pub store: Store,
    pub gate: VecDeque<Gated>,
    pub durable: Lsn,
    pub flights: BTreeMap<Address, Flight>,
    /// Orders for addresses that were not answered yet.
    pub orders: BTreeSet<Ticket>,
    /// Messages that operators have ordered to be dropped.
    pub droppable: BTreeMap<Address, BTreeSet<Sequence>>,
    /// What its node was told is paused.
    pub told_paused: BTreeSet<Subject>,
    /// What is true now, and what is true of the durable history.
    pub live: Model,
    pub kept: Model,
    /// Every step that survived so far, and how many of them `kept` knows.
    pub history: Vec<Rc<Step>>,
    pub kept_steps: usize,
    pub fold: Fold,
    /// What the store must hold, and how many steps of the history that is.
    pub stored: Fold,
    pub stored_steps: usize,
}

impl Site {
    pub fn new(id: PartitionId, partitions: PartitionCount) -> Self {
        Self {
            partition: None,
            incarnation: 0,
            epoch: 0,
            chain: Vec::new(),
            store: Store::default(),
            gate: VecDeque::new(),
            durable: Lsn::NONE,
            flights: BTreeMap::new(),
            orders: BTreeSet::new(),
            droppable: BTreeMap::new(),
            told_paused: BTreeSet::new(),
            live: Model::new(id, partitions),
            kept: Model::new(id, partitions),
            history: Vec::new(),
            kept_steps: 0,
            fold: Fold::new(),
            stored: Fold::new(),
            stored_steps: 0,
        }
    }

    /// The messages that wait for an address, with their numbers.
    pub fn waiting(&self, address: &Address) -> Vec<(Sequence, Op)> {
        let from = RowKey::Mailbox(address.clone(), Sequence::FIRST);
        let until = RowKey::Mailbox(address.clone(), Sequence(u64::MAX));
        let rows = self.fold.range(from..until);
        let messages = rows.filter_map(|(key, row)| match (key, row) {
            (RowKey::Mailbox(_, sequence), Row::Message(message)) => {
                Some((*sequence, Op::of(&message.argument)))
            }
            _ => None,
        });
        messages.collect()
    }

    /// The history is durable up to a step.
    pub fn keep(&mut self, durable: Lsn) -> Result<(), String> {
        self.durable = durable;
        while let Some(step) = self.history.get(self.kept_steps)
            && step.last <= durable.0
        {
            for fact in &step.facts {
                self.kept.apply(fact)?;
            }
            self.kept_steps += 1;
        }
        Ok(())
    }

    /// DUR-3: the store holds exactly what the history says up to its applied position, which ends a step.
    pub fn check_store(&mut self, applied: Lsn) -> Result<(), String> {
        if applied > self.durable {
            return Err(format!("DUR-3: the store holds {applied}, durable is {}", self.durable));
        }
        while let Some(step) = self.history.get(self.stored_steps)
            && step.last <= applied.0
        {
            step.records.iter().for_each(|record| fold(&mut self.stored, record));
            self.stored_steps += 1;
        }
        let end = self.stored_steps.checked_sub(1).map_or(0, |last| self.history[last].last);
        if end != applied.0 {
            return Err(format!("DUR-3: the store's position {applied} splits a step"));
        }
        let held = self.store.rows.iter().filter(|(key, _)| **key != RowKey::Applied);
        if !held.eq(self.stored.iter()) {
            let wrong = difference(&self.store.rows, &self.stored);
            return Err(format!("DUR-3: the store at {applied} differs: {wrong}"));
        }
        Ok(())
    }

    /// After a crash only a part of the history is left.
    pub fn forget_after(&mut self, last: Lsn) -> Result<(), String> {
        self.history.retain(|step| step.last <= last.0);
        self.keep(last)?;
        self.live = self.kept.clone();
        self.fold = self.stored.clone();
        for step in &self.history[self.stored_steps.min(self.history.len())..] {
            step.records.iter().for_each(|record| fold(&mut self.fold, record));
        }
        Ok(())
    }
}

/// Folds a record into rows.
pub fn fold(rows: &mut Fold, record: &tidegate_core::partition::record::Record) {
    rows::changes(record, &mut |key, row| {
        match row {
            Some(row) => rows.insert(key, row),
            None => rows.remove(&key),
        };
    });
}

fn difference(held: &Fold, expected: &Fold) -> String {
    let missing = expected.iter().find(|(key, row)| held.get(key) != Some(row));
    let surplus =
        held.iter().find(|(key, _)| !expected.contains_key(key) && **key != RowKey::Applied);
    format!("missing {missing:?}, surplus {surplus:?}")
}
