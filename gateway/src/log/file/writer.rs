//! The writer thread: takes what has gathered, writes it as one frame, syncs, publishes, and starts again.
//!
//! Frames follow each other strictly: the next one is not written before the sync of the last one returned. While a
//! sync runs, steps gather for the next frame; that is the whole of group commit. A write or sync that fails is never
//! tried again, since the kernel may have dropped the pages: the log fails for good.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use ulid::Ulid;

use super::super::{Durable, FrameNumber, LogFailure, frame};
use super::backlog::Backlog;
use super::buffer::{Buffer, Work};
use super::disk;
use super::meters::Meters;
use super::segments::Segments;

/// Called once, when the log has failed for good.
pub type OnFailure = Arc<dyn Fn(&LogFailure) + Send + Sync>;

/// The buffer of frames is given back beyond this, so that one large frame does not hold memory for ever.
const SCRATCH_BYTES_MAX: usize = 8 << 20;

pub(super) struct Writer {
    incarnation: Ulid,
    buffer: Arc<Buffer>,
    segments: Segments,
    durable: watch::Sender<Durable>,
    failure: Arc<Mutex<Option<LogFailure>>>,
    on_failure: OnFailure,
    disk_full_retry: Duration,
    backlog: Backlog,
    next: FrameNumber,
    scratch: Vec<u8>,
    meters: Meters,
}

/// Why the thread ends before the log was closed.
enum Stop {
    /// The log was dropped while it waited for space.
    Abandoned,
    Failed(LogFailure),
}

impl From<LogFailure> for Stop {
    fn from(failure: LogFailure) -> Self {
        Self::Failed(failure)
    }
}

impl Writer {
    pub(super) fn new(
        incarnation: Ulid,
        buffer: Arc<Buffer>,
        segments: Segments,
        failure: Arc<Mutex<Option<LogFailure>>>,
        options: &super::FileLogOptions,
    ) -> Self {
        Self {
            incarnation,
            buffer,
            segments,
            durable: watch::channel(Durable::default()).0,
            failure,
            on_failure: Arc::clone(&options.on_failure),
            disk_full_retry: options.disk_full_retry,
            backlog: Backlog::new(),
            next: FrameNumber::FIRST,
            scratch: Vec::new(),
            meters: Meters::new(),
        }
    }

    pub(super) fn durable(&self) -> watch::Receiver<Durable> {
        self.durable.subscribe()
    }

    /// Runs until the log is closed, abandoned or fails. Dropping the writer closes the channel of `durable`.
    pub(super) fn run(mut self) {
        while let Some(work) = self.buffer.next(self.backlog.floor()) {
            match self.perform(work) {
                Ok(()) => {}
                Err(Stop::Abandoned) => return,
                Err(Stop::Failed(failure)) => return self.fail(&failure),
            }
        }
    }

    fn perform(&mut self, work: Work) -> Result<(), Stop> {
        self.trim(work.floor)?;
        let through = work.through;
        if !work.steps.is_empty() {
            let steps = work.steps.len();
            self.scratch.clear();
            frame::encode(self.incarnation, self.next, work.steps, &mut self.scratch);
            self.make_space()?;
            self.write(steps)?;
        }
        let frame = FrameNumber(self.next.0 - 1);
        self.durable.send_replace(Durable { through, frame, backlog_bytes: self.backlog.bytes() });
        Ok(())
    }

    fn write(&mut self, steps: usize) -> Result<(), LogFailure> {
        let start = Instant::now();
        let bytes = self.segments.write(&mut self.scratch).map_err(unknown)?;
        self.meters.written(steps, bytes, start.elapsed());
        self.backlog.push(bytes, self.next);
        self.next = self.next.next();
        if self.scratch.capacity() > SCRATCH_BYTES_MAX {
            self.scratch = Vec::new();
        }
        Ok(())
    }

    /// Goes on to the next segment if the frame needs it, and waits as long as the disk is full.
    fn make_space(&mut self) -> Result<(), Stop> {
        if self.segments.fits(self.scratch.len()) {
            return Ok(());
        }
        let mut stalled = false;
        while let Err(error) = self.segments.roll(self.next) {
            if !disk::is_full(&error) {
                return Err(refused(error).into());
            }
            if !stalled {
                tracing::error!(code = "TG-0220", %error, "the disk is full: the log waits for space");
            }
            stalled = true;
            match self.buffer.stall(self.backlog.floor(), self.disk_full_retry) {
                Some(floor) => self.trim(floor)?,
                None => return Err(Stop::Abandoned),
            }
        }
        if stalled {
            tracing::info!("the log has space again");
            self.buffer.resume();
        }
        Ok(())
    }

    fn trim(&mut self, floor: FrameNumber) -> Result<(), LogFailure> {
        if floor > self.backlog.floor() {
            self.backlog.trim(floor);
            self.segments.trim(floor).map_err(refused)?;
        }
        Ok(())
    }

    fn fail(self, failure: &LogFailure) {
        tracing::error!(code = failure.code(), %failure, "the log has failed");
        self.buffer.abandon();
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure.clone());
        (self.on_failure)(failure);
    }
}

fn unknown(error: io::Error) -> LogFailure {
    LogFailure::Unknown(Arc::new(error))
}

fn refused(error: io::Error) -> LogFailure {
    LogFailure::Refused(Arc::new(error))
}
