//! The body of an answer, put together from its pieces. Bounded in bytes; one that comes in a single piece is not copied.

use bytes::{Bytes, BytesMut};

use super::super::fault::{Fault, InvokeError};

/// What has arrived so far.
pub(super) struct Gathering {
    limit: usize,
    first: Bytes,
    /// With the first piece, once there is a second one.
    all: Option<BytesMut>,
}

impl Gathering {
    /// Nothing yet. A size that is announced is refused before anything is read.
    pub(super) fn new(announced: u64, limit: usize) -> Result<Self, Fault> {
        if announced > limit as u64 {
            return Err(too_large(limit));
        }
        Ok(Self { limit, first: Bytes::new(), all: None })
    }

    /// Adds a piece, behind which so many bytes are announced.
    pub(super) fn add(&mut self, piece: Bytes, announced: u64) -> Result<(), Fault> {
        let before = self.all.as_ref().map_or(self.first.len(), BytesMut::len);
        if before + piece.len() > self.limit {
            return Err(too_large(self.limit));
        }
        if before == 0 {
            self.first = piece;
            return Ok(());
        }
        let announced = usize::try_from(announced).unwrap_or(usize::MAX).min(self.limit);
        let all = self.all.get_or_insert_with(|| {
            let mut all = BytesMut::with_capacity(before + piece.len() + announced);
            all.extend_from_slice(&self.first);
            all
        });
        all.extend_from_slice(&piece);
        Ok(())
    }

    /// The whole of it.
    pub(super) fn end(self) -> Bytes {
        self.all.map_or(self.first, BytesMut::freeze)
    }
}

fn too_large(limit: usize) -> Fault {
    Fault::Request(InvokeError::AnswerTooLarge { limit })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn gathered(announced: u64, pieces: &[&'static [u8]]) -> Result<Bytes, Fault> {
        let mut body = Gathering::new(announced, 6)?;
        for piece in pieces {
            body.add(Bytes::from_static(piece), 0)?;
        }
        Ok(body.end())
    }

    #[test]
    fn pieces_follow_each_other_up_to_the_limit() {
        assert_eq!(gathered(0, &[]).unwrap(), "");
        assert_eq!(gathered(6, &[b"abcdef"]).unwrap(), "abcdef");
        assert_eq!(gathered(0, &[b"ab", b"", b"cd", b"ef"]).unwrap(), "abcdef");
        assert_eq!(gathered(7, &[]), Err(too_large(6)));
        assert_eq!(gathered(0, &[b"abcdefg"]), Err(too_large(6)));
        assert_eq!(gathered(0, &[b"abc", b"def", b"g"]), Err(too_large(6)));
    }

    #[test]
    fn a_single_piece_is_not_copied() {
        let piece = Bytes::from(vec![7; 5]);
        let mut body = Gathering::new(5, 6).unwrap();
        body.add(piece.clone(), 0).unwrap();
        assert_eq!(body.end().as_ptr(), piece.as_ptr());
    }
}
