//! What things take of an allocator, so that bounds on memory bound what a process really has.
//!
//! An estimate that no content can put far off, held against the system's allocator by `benches/memory.rs`.

/// What an allocator keeps beside each piece of memory.
const HEADER_BYTES: usize = 8;
/// Pieces come in multiples of this.
const STEP_BYTES: usize = 16;
/// Smaller pieces there are none.
const PIECE_BYTES_MIN: usize = 32;
/// The two counts of an `Arc`.
const COUNTS_BYTES: usize = 2 * size_of::<usize>();

/// What a piece of memory for so many bytes takes; nothing for none.
pub(crate) const fn allocated(bytes: usize) -> usize {
    if bytes == 0 {
        return 0;
    }
    let piece = bytes.saturating_add(HEADER_BYTES).saturating_add(STEP_BYTES - 1);
    let piece = piece - piece % STEP_BYTES;
    if piece < PIECE_BYTES_MIN { PIECE_BYTES_MIN } else { piece }
}

/// What an `Arc` of so many bytes takes.
pub(crate) const fn counted(bytes: usize) -> usize {
    allocated(COUNTS_BYTES.saturating_add(bytes))
}

/// What a collection with room for so many items takes.
pub(crate) const fn room<T>(items: usize) -> usize {
    allocated(items.saturating_mul(size_of::<T>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_never_smaller_than_what_was_asked_for() {
        assert_eq!(allocated(0), 0);
        for bytes in 1..10_000 {
            let piece = allocated(bytes);
            assert!((bytes + HEADER_BYTES..bytes + 2 * PIECE_BYTES_MIN).contains(&piece));
        }
        assert!(allocated(usize::MAX) > usize::MAX / 2, "nothing overflows");
    }
}
