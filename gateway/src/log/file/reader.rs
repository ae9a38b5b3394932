//! Reads the steps of one partition from a sealed log, frame by frame.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};

use bytes::Bytes;
use tidegate_core::id::PartitionId;
use ulid::Ulid;

use super::super::frame::{FrameError, FrameHeader, HEADER_BYTES};
use super::super::{FrameNumber, LoggedStep, Step};
use super::layout::{BLOCK_BYTES, whole_blocks};
use super::recover::{Damage, RecoverError};
use super::scan::Scan;

/// Small frames of other partitions are skipped inside this buffer, large ones by seeking.
const READ_AHEAD_BYTES: usize = 256 << 10;

/// The steps of one partition, in the order in which they were appended. Ends after the first error.
pub struct StepReader<'a> {
    scan: &'a Scan,
    incarnation: Ulid,
    partition: PartitionId,
    from: FrameNumber,
    /// The segment that comes after the one that is read.
    next_segment: usize,
    segment: Option<OpenSegment>,
    steps: VecDeque<LoggedStep>,
}

struct OpenSegment {
    index: usize,
    file: BufReader<File>,
    offset: u64,
    next: FrameNumber,
    end: FrameNumber,
}

impl<'a> StepReader<'a> {
    pub(super) fn new(
        scan: &'a Scan,
        incarnation: Ulid,
        partition: PartitionId,
        from: FrameNumber,
    ) -> Self {
        let next_segment = 0;
        let steps = VecDeque::new();
        Self { scan, incarnation, partition, from, next_segment, segment: None, steps }
    }

    fn advance(&mut self) -> Result<Option<LoggedStep>, RecoverError> {
        while self.steps.is_empty() {
            match &mut self.segment {
                Some(segment) if segment.next < segment.end => self.read_frame()?,
                _ => match self.open_next()? {
                    Some(segment) => self.segment = Some(segment),
                    None => return Ok(None),
                },
            }
        }
        Ok(self.steps.pop_front())
    }

    fn open_next(&mut self) -> Result<Option<OpenSegment>, RecoverError> {
        while self.next_segment <= self.scan.end_segment {
            let index = self.next_segment;
            self.next_segment += 1;
            let (first, end) = (self.scan.segments[index].first, self.end_of(index));
            if end <= self.from {
                continue;
            }
            let path = &self.scan.segments[index].path;
            let file = File::open(path).map_err(RecoverError::io("open", path))?;
            let mut file = BufReader::with_capacity(READ_AHEAD_BYTES, file);
            let offset = BLOCK_BYTES as u64;
            file.seek(SeekFrom::Start(offset)).map_err(RecoverError::io("read", path))?;
            return Ok(Some(OpenSegment { index, file, offset, next: first, end }));
        }
        Ok(None)
    }

    fn end_of(&self, index: usize) -> FrameNumber {
        if index == self.scan.end_segment {
            return self.scan.end;
        }
        self.scan.segments[index + 1].first
    }

    fn read_frame(&mut self) -> Result<(), RecoverError> {
        let Some(segment) = &mut self.segment else { return Ok(()) };
        let (number, offset) = (segment.next, segment.offset);
        let wanted = (number >= self.from).then_some(self.partition);
        let read = segment.read_frame(self.incarnation, wanted);
        let path = &self.scan.segments[segment.index].path;
        let steps = read.map_err(|error| match error {
            FrameReadError::Io(source) => RecoverError::io("read", path)(source),
            FrameReadError::Bad(error) => {
                let damage = Damage::Changed(error);
                RecoverError::Corrupt { path: path.clone(), offset, damage }
            }
        })?;
        self.steps.extend(steps.into_iter().map(|step| LoggedStep { frame: number, step }));
        Ok(())
    }
}

enum FrameReadError {
    Io(std::io::Error),
    Bad(FrameError),
}

impl From<std::io::Error> for FrameReadError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<FrameError> for FrameReadError {
    fn from(error: FrameError) -> Self {
        Self::Bad(error)
    }
}

impl OpenSegment {
    /// Reads the wanted section of the next frame, and goes behind the frame.
    fn read_frame(
        &mut self,
        incarnation: Ulid,
        wanted: Option<PartitionId>,
    ) -> Result<Vec<Step>, FrameReadError> {
        let mut header = [0; HEADER_BYTES];
        self.file.read_exact(&mut header)?;
        let header = FrameHeader::decode(&header)?;
        if (header.incarnation, header.number) != (incarnation, self.next) {
            return Err(FrameError::Absent.into());
        }
        let mut read = HEADER_BYTES;
        let mut steps = Vec::new();
        if let Some(partition) = wanted {
            let index = header.decode_index(&self.bytes(header.index_bytes())?)?;
            read += header.index_bytes();
            if let Some(entry) = index.iter().find(|entry| entry.partition == partition) {
                self.skip(entry.offset - read)?;
                steps = entry.decode_section(self.bytes(entry.bytes)?)?;
                read = entry.offset + entry.bytes;
            }
        }
        let taken = whole_blocks(header.frame_bytes());
        self.skip(taken - read)?;
        self.offset += taken as u64;
        self.next = self.next.next();
        Ok(steps)
    }

    fn bytes(&mut self, length: usize) -> std::io::Result<Bytes> {
        let mut bytes = vec![0; length];
        self.file.read_exact(&mut bytes)?;
        Ok(bytes.into())
    }

    fn skip(&mut self, bytes: usize) -> std::io::Result<()> {
        let bytes = i64::try_from(bytes).map_err(std::io::Error::other)?;
        self.file.seek_relative(bytes)
    }
}

impl Iterator for StepReader<'_> {
    type Item = Result<LoggedStep, RecoverError>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.advance().transpose();
        if !matches!(step, Some(Ok(_))) {
            self.segment = None;
            self.next_segment = self.scan.segments.len();
        }
        step
    }
}
