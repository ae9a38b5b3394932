//! The store of one partition: rows, a flush that is under way, and loads that see the store as it is at some moment
//! between the question and the answer.

use std::collections::BTreeMap;

use tidegate_core::id::{LoadId, Lsn};
use tidegate_core::partition::FlushBatch;
use tidegate_core::partition::effect::LoadRequest;
use tidegate_core::partition::row::{Row, RowKey};

use crate::random::Random;

/// Rows with whether the range holds more.
pub type Found = (Vec<(RowKey, Row)>, bool);

#[derive(Debug)]
pub struct Load {
    pub load: LoadId,
    request: LoadRequest,
    /// What was read already, if it was read early.
    early: Option<Found>,
    /// A flush was committed since it was issued.
    pub crossed: bool,
}

#[derive(Debug, Default)]
pub struct Store {
    pub rows: BTreeMap<RowKey, Row>,
    pub flush: Option<FlushBatch>,
    pub loads: Vec<Load>,
}

impl Store {
    pub fn applied(&self) -> Lsn {
        match self.rows.get(&RowKey::Applied) {
            Some(Row::Lsn(applied)) => *applied,
            _ => Lsn::NONE,
        }
    }

    /// The rows that are read whole when a partition is restored.
    pub fn head(&self) -> Vec<(RowKey, Row)> {
        let head = self.rows.iter().take_while(|(key, _)| !is_body(key));
        head.map(|(key, row)| (key.clone(), row.clone())).collect()
    }

    pub fn issue(&mut self, load: LoadId, request: LoadRequest, random: &mut Random) {
        let early = random.chance(60).then(|| self.read(&request));
        self.loads.push(Load { load, request, early, crossed: false });
    }

    /// Answers one of the loads.
    pub fn answer(&mut self, index: usize) -> (Load, Found) {
        let mut load = self.loads.swap_remove(index);
        let found = load.early.take().unwrap_or_else(|| self.read(&load.request));
        (load, found)
    }

    fn read(&self, request: &LoadRequest) -> Found {
        let mut found = Vec::new();
        let mut more = false;
        for key in &request.keys {
            if let Some(row) = self.rows.get(key) {
                found.push((key.clone(), row.clone()));
            }
        }
        if let Some(range) = &request.range {
            let mut bytes = 0;
            for (key, row) in self.rows.range(range.from.clone()..range.until.clone()) {
                if bytes >= range.bytes {
                    more = true;
                    break;
                }
                bytes += 60 + row.cost();
                found.push((key.clone(), row.clone()));
            }
        }
        (found, more)
    }

    /// The flush that is under way becomes true as a whole.
    pub fn commit_flush(&mut self) -> Option<Lsn> {
        let flush = self.flush.take()?;
        for (key, row) in flush.rows {
            match row {
                Some(row) => self.rows.insert(key, row),
                None => self.rows.remove(&key),
            };
        }
        self.rows.insert(RowKey::Applied, Row::Lsn(flush.applied));
        self.loads.iter_mut().for_each(|load| load.crossed = true);
        Some(flush.applied)
    }
}

fn is_body(key: &RowKey) -> bool {
    matches!(
        key,
        RowKey::Mailbox(..)
            | RowKey::Timer(_)
            | RowKey::Token(..)
            | RowKey::Outbox(..)
            | RowKey::Egress(..)
            | RowKey::Request(_)
            | RowKey::Value(..)
            | RowKey::Expiry(..)
    )
}
