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

/// What a writer needs of a file, so that tests can have one that fails.
pub(super) trait Device {
    /// Removes everything from here on.
    fn cut(&mut self, at: u64) -> io::Result<()>;
    /// Writes from here on.
    fn write(&mut self, at: u64, lines: &[u8]) -> io::Result<()>;
    /// Returns when what was written is durable.
    fn sync(&mut self) -> io::Result<()>;
}

impl Device for File {
    fn cut(&mut self, at: u64) -> io::Result<()> {
        self.set_len(at)
    }

    fn write(&mut self, at: u64, lines: &[u8]) -> io::Result<()> {
        self.seek(SeekFrom::Start(at))?;
        self.write_all(lines)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Writes one file.
pub(super) struct Writer<D> {
    egress: EgressId,
    file: D,
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

impl<D: Device> Writer<D> {
    pub(super) fn new(
        egress: EgressId,
        file: D,
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
                self.file.cut(self.durable_bytes)?;
            }
            self.torn = true;
            self.file.write(self.durable_bytes, &self.lines)?;
            self.file.sync()?;
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::sync::{Arc, Mutex, mpsc};

    use bytes::Bytes;
    use tidegate_core::address::{Address, FunctionType};
    use tidegate_core::id::Timestamp;
    use tidegate_core::message::TypedValue;
    use tidegate_core::partition::record::Emitted;

    use super::*;

    /// Fails a number of times, after doing half of what it was asked.
    struct Flaky {
        content: Arc<Mutex<Vec<u8>>>,
        failing_writes: u32,
        failing_syncs: u32,
    }

    impl Device for Flaky {
        fn cut(&mut self, at: u64) -> io::Result<()> {
            self.content.lock().unwrap().truncate(usize::try_from(at).unwrap());
            Ok(())
        }

        fn write(&mut self, at: u64, lines: &[u8]) -> io::Result<()> {
            let mut content = self.content.lock().unwrap();
            assert_eq!(content.len() as u64, at, "nothing torn may lie before what is written");
            if self.failing_writes > 0 {
                self.failing_writes -= 1;
                content.extend_from_slice(&lines[..lines.len() / 2]);
                return Err(io::ErrorKind::StorageFull.into());
            }
            content.extend_from_slice(lines);
            Ok(())
        }

        fn sync(&mut self) -> io::Result<()> {
            if self.failing_syncs > 0 {
                self.failing_syncs -= 1;
                return Err(io::Error::other("a sync that failed on purpose"));
            }
            Ok(())
        }
    }

    fn entry(sequence: u64) -> Entry {
        let sender = Address::new(FunctionType::parse("shop/cart").unwrap(), "ann").unwrap();
        let argument = TypedValue::new("shop/receipt", Bytes::from_static(b"{}"));
        let emitted = Emitted { sender, at: Timestamp(sequence), argument };
        Entry { partition: PartitionId(0), sequence: Sequence(sequence), emitted }
    }

    fn sequences(content: &[u8]) -> Vec<u64> {
        let lines = content.split_inclusive(|&byte| byte == b'\n');
        let sequence = |line| {
            serde_json::from_slice::<serde_json::Value>(line).unwrap()["sequence"].as_u64().unwrap()
        };
        lines.map(sequence).collect()
    }

    #[test]
    fn what_failed_is_written_again_once_and_acknowledged_only_then() {
        let content = Arc::new(Mutex::new(Vec::new()));
        let file = Flaky { content: content.clone(), failing_writes: 1, failing_syncs: 1 };
        let (acknowledged, acknowledgements) = mpsc::channel();
        let acknowledge: Acknowledge =
            Arc::new(move |_, _, through| acknowledged.send(through).unwrap());
        let egress = EgressId::parse("shop/receipts").unwrap();
        let mut writer = Writer::new(egress, file, Recovered::default(), acknowledge);
        writer.take(&entry(1)).unwrap();
        writer.take(&entry(2)).unwrap();
        assert!(writer.flush().is_err());
        writer.take(&entry(3)).unwrap();
        assert!(writer.flush().is_err());
        assert!(acknowledgements.try_recv().is_err());
        writer.flush().unwrap();
        assert_eq!(acknowledgements.try_recv(), Ok(Sequence(3)));
        writer.take(&entry(4)).unwrap();
        writer.flush().unwrap();
        assert_eq!(sequences(&content.lock().unwrap()), [1, 2, 3, 4]);
    }

    #[test]
    fn the_thread_goes_on_by_itself_when_the_device_works_again() {
        let content = Arc::new(Mutex::new(Vec::new()));
        let file = Flaky { content: content.clone(), failing_writes: 1, failing_syncs: 0 };
        let (acknowledged, acknowledgements) = mpsc::channel();
        let acknowledge: Acknowledge =
            Arc::new(move |_, _, through| acknowledged.send(through).unwrap());
        let egress = EgressId::parse("shop/receipts").unwrap();
        let writer = Writer::new(egress, file, Recovered::default(), acknowledge);
        let (queue, entries) = mpsc::channel();
        let thread = std::thread::spawn(move || writer.run(&entries));
        queue.send(entry(1)).unwrap();
        assert_eq!(acknowledgements.recv(), Ok(Sequence(1)));
        drop(queue);
        thread.join().unwrap();
        assert_eq!(sequences(&content.lock().unwrap()), [1]);
    }
}
