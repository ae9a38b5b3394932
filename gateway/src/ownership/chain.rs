//! The chain of one partition: which logs hold its history since the last store flush, in order. Pure; the rules are
//! in the [module above](super).
//!
//! Upheld after any sequence of claims, adoptions, flushes and crashes: the chain names every incarnation that may hold
//! a record which the store does not hold, in the order in which they wrote.

use tidegate_core::id::{Epoch, Lsn};
use ulid::Ulid;

/// One log of a chain, and which records of the partition it holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Link {
    /// Whose log.
    pub incarnation: Ulid,
    /// No record below this one is in it; unknown until the incarnation has replayed what came before.
    pub from: Option<Lsn>,
    /// No record above this one is in it; open until a later incarnation has replayed it.
    pub through: Option<Lsn>,
}

impl Link {
    /// Whether a store that holds every record up to `applied` has no use for the log.
    fn is_within(&self, applied: Lsn) -> bool {
        self.through.is_some_and(|through| through <= applied)
    }
}

/// The epoch of a partition and its chain; the last link is the incarnation that claimed last, unless that has released
/// the partition.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Chain {
    epoch: Epoch,
    links: Vec<Link>,
}

/// A chain that cannot have come about.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ChainError {
    /// An incarnation is never reused.
    #[error("incarnation {0} is in the chain twice")]
    Repeated(Ulid),
    /// Records are numbered in the order of the links.
    #[error(
        "the log of {incarnation} cannot begin at {first}: that of {earlier} begins at {begin}"
    )]
    Backward {
        /// The later log.
        incarnation: Ulid,
        /// Its first record.
        first: Lsn,
        /// The earlier log.
        earlier: Ulid,
        /// Its first record.
        begin: Lsn,
    },
    /// A log ends where the next one begins.
    #[error("the log of {incarnation} ends at {through} but begins at {from}")]
    Inverted {
        /// Whose log.
        incarnation: Ulid,
        /// Its first record.
        from: Lsn,
        /// Its last record.
        through: Lsn,
    },
    /// Only the running incarnation adopts, and it claims first.
    #[error("nobody has claimed the partition")]
    Unclaimed,
    /// An earlier link than the last one knows no end while a later one knows its beginning.
    #[error("the log of {0} has no end although a later one has a beginning")]
    Open(Ulid),
}

impl Chain {
    /// The chain as it was kept, if it can have come about.
    pub fn restore(epoch: Epoch, links: Vec<Link>) -> Result<Self, ChainError> {
        for (at, link) in links.iter().enumerate() {
            check_link(link, &links[at + 1..])?;
        }
        Ok(Self { epoch, links })
    }

    /// The epoch of the last claim.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// All links in order.
    #[must_use]
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// Begins a new epoch for an incarnation. Returns the links to replay.
    pub fn claim(&mut self, incarnation: Ulid) -> Result<Vec<Link>, ChainError> {
        if self.links.iter().any(|link| link.incarnation == incarnation) {
            return Err(ChainError::Repeated(incarnation));
        }
        let replay = self.links.clone();
        self.epoch = self.epoch.next();
        self.links.push(Link { incarnation, from: None, through: None });
        Ok(replay)
    }

    /// The running incarnation has replayed all other links and goes on at `first`: they end before it.
    pub fn adopt(&mut self, first: Lsn) -> Result<(), ChainError> {
        let (running, earlier) = self.links.split_last_mut().ok_or(ChainError::Unclaimed)?;
        let latest = earlier.iter().rev().find_map(|link| Some((link.incarnation, link.from?)));
        if let Some((earlier, begin)) = latest
            && first < begin
        {
            let incarnation = running.incarnation;
            return Err(ChainError::Backward { incarnation, first, earlier, begin });
        }
        running.from = Some(first);
        for link in earlier.iter_mut().filter(|link| link.through.is_none()) {
            link.through = Some(first.previous());
        }
        Ok(())
    }

    /// The store holds every record up to `applied`: links within it go, from the first one on. The running incarnation
    /// stays.
    pub fn flush(&mut self, applied: Lsn) {
        let earlier = self.links.len().saturating_sub(1);
        let gone = self.links[..earlier].iter().take_while(|link| link.is_within(applied)).count();
        self.links.drain(..gone);
    }

    /// The running incarnation has ended with the record `last`, and the store holds every record up to it.
    pub fn release(&mut self, last: Lsn) {
        if let Some(running) = self.links.last_mut() {
            running.through = Some(last);
        }
        let gone = self.links.iter().take_while(|link| link.is_within(last)).count();
        self.links.drain(..gone);
    }
}

fn check_link(link: &Link, later: &[Link]) -> Result<(), ChainError> {
    let incarnation = link.incarnation;
    if later.iter().any(|other| other.incarnation == incarnation) {
        return Err(ChainError::Repeated(incarnation));
    }
    // A log that was adopted and then got no record ends right before it begins.
    if let (Some(from), Some(through)) = (link.from, link.through)
        && through.next() < from
    {
        return Err(ChainError::Inverted { incarnation, from, through });
    }
    let Some((next, first)) = later.iter().find_map(|next| Some((next.incarnation, next.from?)))
    else {
        return Ok(());
    };
    match (link.from, link.through) {
        (Some(begin), _) if first < begin => {
            Err(ChainError::Backward { incarnation: next, first, earlier: incarnation, begin })
        }
        (_, None) => Err(ChainError::Open(incarnation)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
