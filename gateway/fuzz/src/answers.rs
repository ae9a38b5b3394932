//! What functions answer: protocol v3, and its extension for many groups.

use bytes::Bytes;
use tidegate::invoker::examine::{examine_batch, examine_single};

/// Any bytes are an answer or have a reason why not.
pub(crate) fn single(input: &[u8]) {
    let _ = examine_single(Bytes::copy_from_slice(input));
}

/// Any bytes are an answer or have a reason why not; there is at most one result for each group of the request, and results
/// are counted only as far as the answer has them.
pub(crate) fn batch(input: &[u8]) {
    const GROUPS: u16 = 4;
    if let Ok((results, unmatched)) = examine_batch(Bytes::copy_from_slice(input), GROUPS) {
        assert!(results <= usize::from(GROUPS));
        assert!((results + unmatched) * 2 <= input.len(), "more results than bytes");
    }
}
