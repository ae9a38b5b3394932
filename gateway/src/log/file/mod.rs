//! The log of an embedded node: files on a local disk.
//!
//! [`FileLog`] is the log of the running incarnation, [`SealedLog`] the log of an earlier one. Blocking work happens on
//! the writer thread of a `FileLog`; what opens, reads and removes logs blocks its caller and belongs on a blocking
//! thread.
//!
//! Measured with `benches/log.rs` on two cores shared with a load of 11, ext4 on a virtual disk: 0.4 million steps of
//! 100 bytes a second with 8192 in flight (p50 19 ms, p99 33 ms), 24 thousand with 64 (0.3 ms, 16 ms); 0.18 million steps
//! of 1000 bytes a second. A backlog of 304 MB was verified and sealed in 0.46 s, and read by eight partitions in 0.5 s.

mod backlog;
mod buffer;
pub mod disk;
pub mod history;
mod layout;
mod meters;
mod reader;
mod recover;
mod scan;
mod sealed;
mod segments;
mod writer;

use std::fmt;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tidegate_core::limits::{FRAME_BYTES_MAX, SEGMENT_BYTES, STEP_BYTES_MAX};
use tokio::sync::watch;
use ulid::Ulid;

pub use layout::BLOCK_BYTES;
pub use reader::StepReader;
pub use recover::{Damage, RecoverError, list, remove};
pub use sealed::SealedLog;
pub use writer::OnFailure;

use self::buffer::Buffer;
use self::disk::{Disk, LocalDisk};
use self::segments::Segments;
use self::writer::Writer;
use super::frame::{HEADER_BYTES, STEP_OVERHEAD_BYTES_MAX};
use super::lock::DirectoryLock;
use super::{AppendTicket, Durable, FrameNumber, LogFailure, NodeLog, Step};

const _: () = assert!(HEADER_BYTES + STEP_OVERHEAD_BYTES_MAX + STEP_BYTES_MAX <= FRAME_BYTES_MAX);
const _: () = assert!(SEGMENT_BYTES.is_multiple_of(BLOCK_BYTES));

/// What may be chosen about a [`FileLog`]. The defaults are right for production.
#[derive(Clone)]
pub struct FileLogOptions {
    /// Bytes of a segment: whole blocks, enough for its head, the largest frame and a seal.
    pub segment_bytes: usize,
    /// Bytes of the largest frame.
    pub frame_bytes_max: usize,
    /// Bytes of steps in the buffer at which `room` waits.
    pub buffer_bytes: usize,
    /// How long the first step of a frame waits for company. Zero: a frame is written as soon as the last sync returned.
    pub linger: Duration,
    /// How often a full disk is asked for space again.
    pub disk_full_retry: Duration,
    /// The disk.
    pub disk: Arc<dyn Disk>,
    /// Called on the writer thread when the log has failed for good. The default ends the process, since what was
    /// built on the lost steps cannot be taken back.
    pub on_failure: OnFailure,
}

impl Default for FileLogOptions {
    fn default() -> Self {
        Self {
            segment_bytes: SEGMENT_BYTES,
            frame_bytes_max: FRAME_BYTES_MAX,
            buffer_bytes: 32 << 20,
            linger: Duration::ZERO,
            disk_full_retry: Duration::from_secs(1),
            disk: Arc::new(LocalDisk),
            on_failure: Arc::new(|_| std::process::abort()),
        }
    }
}

/// The log could not be created.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// Incarnations are never reused, so that a log has one writer in its whole life.
    #[error("{}: the log {} is there already", self.code(), .directory.display())]
    Exists {
        /// The directory of the log.
        directory: PathBuf,
    },
    /// There is no space for the first segment.
    #[error("{}: no space for {bytes} bytes of log in {}", self.code(), .directory.display())]
    DiskFull {
        /// The directory of the log.
        directory: PathBuf,
        /// Bytes of a segment.
        bytes: usize,
    },
    /// The operating system refused.
    #[error("{}: cannot create the log {}: {source}", self.code(), .directory.display())]
    Io {
        /// The directory of the log.
        directory: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl CreateError {
    /// The stable code of the error, as in `docs/errors`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Exists { .. } => "TG-0214",
            Self::DiskFull { .. } => "TG-0220",
            Self::Io { .. } => "TG-0213",
        }
    }
}

/// The log of the running incarnation, in files.
///
/// Dropping it without `close` ends it like a crash would: what waits is not written. The drop waits for a sync that
/// is under way.
pub struct FileLog {
    buffer: Arc<Buffer>,
    durable: watch::Receiver<Durable>,
    failure: Arc<Mutex<Option<LogFailure>>>,
    writer: Option<JoinHandle<()>>,
}

impl FileLog {
    /// Creates the log. When this returns it is durable that the log is there, and empty: only then may the
    /// ownership name it.
    ///
    /// # Panics
    /// If the sizes in the options do not fit each other.
    pub fn create(
        lock: &DirectoryLock,
        incarnation: Ulid,
        options: &FileLogOptions,
    ) -> Result<Self, CreateError> {
        options.validate();
        let bytes = options.segment_bytes;
        let failed =
            |source| create_error(layout::log(lock.directory(), incarnation), bytes, source);
        let disk = Arc::clone(&options.disk);
        let segments =
            Segments::create(disk, lock.directory(), incarnation, bytes).map_err(failed)?;
        let (bound, frame_max) = (options.buffer_bytes, options.frame_bytes_max);
        let buffer = Arc::new(Buffer::new(bound, frame_max, options.linger));
        let failure = Arc::new(Mutex::new(None));
        let shared = (Arc::clone(&buffer), Arc::clone(&failure));
        let writer = Writer::new(incarnation, shared.0, segments, shared.1, options);
        let durable = writer.durable();
        let thread = thread::Builder::new().name("log".into());
        let thread = thread.spawn(move || writer.run()).map_err(failed)?;
        Ok(Self { buffer, durable, failure, writer: Some(thread) })
    }
}

impl FileLogOptions {
    fn validate(&self) {
        assert!(self.segment_bytes.is_multiple_of(BLOCK_BYTES), "a segment is whole blocks");
        let (head, seal) = (BLOCK_BYTES, BLOCK_BYTES);
        let needed = head + layout::whole_blocks(self.frame_bytes_max) + seal;
        assert!(needed <= self.segment_bytes, "the largest frame does not fit into a segment");
    }
}

impl NodeLog for FileLog {
    fn room(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.buffer.room())
    }

    fn append(&self, step: Step) -> AppendTicket {
        self.buffer.append(step)
    }

    fn durable(&self) -> watch::Receiver<Durable> {
        self.durable.clone()
    }

    fn trim(&self, below: FrameNumber) {
        self.buffer.trim(below);
    }

    fn close(&self) -> Pin<Box<dyn Future<Output = Result<(), LogFailure>> + Send + '_>> {
        let last = self.buffer.close();
        let mut durable = self.durable.clone();
        Box::pin(async move {
            while durable.changed().await.is_ok() {}
            let through = durable.borrow().through;
            match self.failure() {
                Some(failure) => Err(failure),
                None if through < last => Err(ended_early()),
                None => Ok(()),
            }
        })
    }

    fn buffered_bytes(&self) -> usize {
        self.buffer.bytes()
    }

    fn failure(&self) -> Option<LogFailure> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for FileLog {
    fn drop(&mut self) {
        self.buffer.abandon();
        if let Some(writer) = self.writer.take() {
            // Its panic was reported by the hook when it happened.
            let _ = writer.join();
        }
    }
}

impl fmt::Debug for FileLog {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("FileLog")
            .field("durable", &*self.durable.borrow())
            .finish_non_exhaustive()
    }
}

fn create_error(directory: PathBuf, bytes: usize, source: io::Error) -> CreateError {
    match source.kind() {
        io::ErrorKind::AlreadyExists => CreateError::Exists { directory },
        _ if disk::is_full(&source) => CreateError::DiskFull { directory, bytes },
        _ => CreateError::Io { directory, source },
    }
}

fn ended_early() -> LogFailure {
    LogFailure::Unknown(Arc::new(io::Error::other("the writer of the log ended")))
}
