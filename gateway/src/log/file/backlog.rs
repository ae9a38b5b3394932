//! Counts the bytes of frames that are durable and not trimmed.

use std::collections::VecDeque;

use super::super::FrameNumber;

/// The sizes of the frames from the floor on.
pub(super) struct Backlog {
    floor: FrameNumber,
    sizes: VecDeque<usize>,
    bytes: u64,
}

impl Backlog {
    pub(super) fn new() -> Self {
        Self { floor: FrameNumber::FIRST, sizes: VecDeque::new(), bytes: 0 }
    }

    /// No frame below is counted.
    pub(super) fn floor(&self) -> FrameNumber {
        self.floor
    }

    /// Bytes of all frames that are counted.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The next frame has become durable.
    pub(super) fn push(&mut self, bytes: usize, frame: FrameNumber) {
        // A floor above the frame was set before the frame was there.
        if frame >= self.floor {
            self.sizes.push_back(bytes);
            self.bytes += bytes as u64;
        }
    }

    /// Forgets the frames below.
    pub(super) fn trim(&mut self, below: FrameNumber) {
        while self.floor < below {
            self.floor = if let Some(bytes) = self.sizes.pop_front() {
                self.bytes -= bytes as u64;
                self.floor.next()
            } else {
                below
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_is_not_trimmed() {
        let mut backlog = Backlog::new();
        for (frame, bytes) in [(1, 10), (2, 20), (3, 30)] {
            backlog.push(bytes, FrameNumber(frame));
        }
        backlog.trim(FrameNumber(3));
        assert_eq!((backlog.bytes(), backlog.floor()), (30, FrameNumber(3)));
        backlog.trim(FrameNumber(2));
        assert_eq!((backlog.bytes(), backlog.floor()), (30, FrameNumber(3)));
    }

    #[test]
    fn a_floor_above_the_end_covers_frames_to_come() {
        let mut backlog = Backlog::new();
        backlog.trim(FrameNumber(3));
        for (frame, bytes) in [(1, 10), (2, 20), (3, 30)] {
            backlog.push(bytes, FrameNumber(frame));
        }
        assert_eq!(backlog.bytes(), 30);
        backlog.trim(FrameNumber(4));
        assert_eq!(backlog.bytes(), 0);
    }
}
