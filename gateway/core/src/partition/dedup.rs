//! What was accepted already, by kind of origin. Upholds ONCE-1.
//!
//! Peers number their messages without gaps, so only the number after the watermark is new. Sources have gaps, so each
//! message names its predecessor. Clients are not here: their keys are rows that expire.

use alloc::collections::BTreeMap;

use super::planted::{Bug, Planted};
use super::record::Provenance;
use crate::id::{Epoch, PartitionId, Sequence};
use crate::message::{SourceId, SourcePosition};

/// Whether a message from a peer is new.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum PeerVerdict {
    New,
    Repeated { watermark: Sequence },
    Gap { expected: Sequence },
}

/// Whether a message from a source is new.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SourceVerdict {
    New,
    Repeated { watermark: SourcePosition },
    Gap { watermark: SourcePosition },
    Fenced { by: Epoch },
}

#[derive(Debug, Default)]
pub(super) struct Dedup {
    peers: BTreeMap<PartitionId, Sequence>,
    sources: BTreeMap<SourceId, (Epoch, SourcePosition)>,
}

impl Dedup {
    pub(super) fn judge_peer(
        &self,
        partition: PartitionId,
        sequence: Sequence,
        planted: &Planted,
    ) -> PeerVerdict {
        let watermark = self.peers.get(&partition).copied().unwrap_or_default();
        if sequence <= watermark && !planted.has(Bug::DedupOff) {
            PeerVerdict::Repeated { watermark }
        } else if sequence > watermark.next() && !planted.has(Bug::GapAccepted) {
            PeerVerdict::Gap { expected: watermark.next() }
        } else {
            PeerVerdict::New
        }
    }

    pub(super) fn judge_source(
        &self,
        source: &SourceId,
        reader: Epoch,
        predecessor: SourcePosition,
        position: SourcePosition,
        planted: &Planted,
    ) -> SourceVerdict {
        let (epoch, watermark) = self.source(source);
        if reader != epoch {
            SourceVerdict::Fenced { by: epoch }
        } else if position <= watermark && !planted.has(Bug::DedupOff) {
            SourceVerdict::Repeated { watermark }
        } else if predecessor > watermark {
            SourceVerdict::Gap { watermark }
        } else {
            SourceVerdict::New
        }
    }

    /// The epoch of the last reader of a source, and the watermark.
    pub(super) fn source(&self, source: &SourceId) -> (Epoch, SourcePosition) {
        self.sources.get(source).copied().unwrap_or_default()
    }

    pub(super) fn note(&mut self, provenance: &Provenance) {
        match provenance {
            Provenance::Peer { partition, sequence } => self.set_peer(*partition, *sequence),
            Provenance::Source { source, epoch, position } => {
                self.set_source(source.clone(), *epoch, *position);
            }
            Provenance::Client { .. } => {}
        }
    }

    pub(super) fn set_peer(&mut self, partition: PartitionId, watermark: Sequence) {
        self.peers.insert(partition, watermark);
    }

    pub(super) fn set_source(&mut self, source: SourceId, epoch: Epoch, watermark: SourcePosition) {
        self.sources.insert(source, (epoch, watermark));
    }
}
