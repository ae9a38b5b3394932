//! The thread that writes an egress file: many records, one `fdatasync`, then one acknowledgement per partition.
//!
//! A write or sync that failed may have left anything behind the last good sync. So the file is cut back to there and the same lines are
//! written again, until it works: they are still in memory, and what was acknowledged lies before the cut.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tidegate_core::address::EgressId;
use tidegate_core::id::{PartitionId, Sequence};

use super::Entry;
use super::recovery::{Recovered, Written};
use crate::egress::Acknowledge;
use crate::payload::write_egress_line;

/// Enough lines for one sync.
const BATCH_BYTES: usize = 4 << 20;
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_LONGEST: Duration = Duration::from_secs(10);

/// Writes one file.
pub(super) struct Writer {
    egress: EgressId,
    file: File,
    /// What is in the file or in `lines`.
    written: BTreeMap<PartitionId, Written>,
    /// Where the last durable line ends.
    durable_bytes: u64,
    /// There may be anything behind it.
    torn: bool,
    /// Lines that are not durable yet.
    lines: Vec<u8>,
    /// What may be acknowledged once `lines` are durable.
    unacknowledged: BTreeMap<PartitionId, Sequence>,
    acknowledge: Acknowledge,
}

/// The file holds records of another deployment under the same numbers.
#[derive(Debug, thiserror::Error)]
#[error(
    "TG-0504: the file of egress {egress} already has sequence {sequence} of partition {partition}, from before this record was \
     emitted: it belongs to another deployment"
)]
struct OtherHistory {
    egress: EgressId,
    partition: PartitionId,
    sequence: Sequence,
}

impl Writer {
    pub(super) fn new(
        egress: EgressId,
        file: File,
        recovered: Recovered,
        acknowledge: Acknowledge,
    ) -> Self {
        Self {
            egress,
            file,
            written: recovered.written,
            durable_bytes: recovered.bytes,
            torn: false,
            lines: Vec::new(),
            unacknowledged: BTreeMap::new(),
            acknowledge,
        }
    }

    /// Writes until the sink is dropped.
    pub(super) fn run(mut self, entries: &Receiver<Entry>) {
        while let Ok(entry) = entries.recv() {
            if let Err(error) = self.take_all(&entry, entries) {
                tracing::error!(%error, "a file egress has stopped; its records are kept");
                return;
            }
            if !self.flush_until_it_works(entries) {
                return;
            }
        }
    }

    fn take_all(&mut self, first: &Entry, entries: &Receiver<Entry>) -> Result<(), OtherHistory> {
        self.take(first)?;
        while self.lines.len() < BATCH_BYTES
            && let Ok(entry) = entries.try_recv()
        {
            self.take(&entry)?;
        }
        Ok(())
    }

    /// A record that is in the file already is only acknowledged again. It was emitted no later than the latest one there;
    /// a later one under a number that is taken comes from another history, and skipping it would lose it.
    fn take(&mut self, entry: &Entry) -> Result<(), OtherHistory> {
        let written = self.written.entry(entry.partition).or_default();
        if entry.sequence <= written.through {
            if entry.emitted.at > written.latest {
                return Err(OtherHistory {
                    egress: self.egress.clone(),
                    partition: entry.partition,
                    sequence: entry.sequence,
                });
            }
        } else {
            let place = (entry.partition, entry.sequence);
            write_egress_line(&mut self.lines, None, place, &entry.emitted)
                .expect("numbers, strings and checked JSON are always JSON");
            written.through = entry.sequence;
            written.latest = written.latest.max(entry.emitted.at);
        }
        let unacknowledged = self.unacknowledged.entry(entry.partition).or_default();
        *unacknowledged = entry.sequence.max(*unacknowledged);
        Ok(())
    }

    /// Returns whether everything was written; only if the sink was dropped meanwhile it may not be.
    fn flush_until_it_works(&mut self, entries: &Receiver<Entry>) -> bool {
        let mut pause = RETRY_FIRST;
        while let Err(error) = self.flush() {
            metrics::counter!("tidegate_egress_write_failures_total", "egress" => self.egress.to_string())
                .increment(1);
            tracing::error!(egress = %self.egress, %error, ?pause, "TG-0502: an egress file cannot be written; retrying");
            match entries.recv_timeout(pause) {
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.flush().is_ok(),
                Ok(entry) => {
                    if let Err(error) = self.take(&entry) {
                        tracing::error!(%error, "a file egress has stopped; its records are kept");
                        return false;
                    }
                }
            }
            pause = (pause * 2).min(RETRY_LONGEST);
        }
        true
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.lines.is_empty() {
            if self.torn {
                self.file.set_len(self.durable_bytes)?;
            }
            self.torn = true;
            self.file.seek(SeekFrom::Start(self.durable_bytes))?;
            self.file.write_all(&self.lines)?;
            self.file.sync_data()?;
            self.torn = false;
            self.durable_bytes += self.lines.len() as u64;
            self.lines.clear();
            self.lines.shrink_to(BATCH_BYTES);
        }
        for (partition, through) in std::mem::take(&mut self.unacknowledged) {
            (self.acknowledge)(&self.egress, partition, through);
        }
        Ok(())
    }
}
