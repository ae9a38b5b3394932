//! What an error of the engine means for its user.

use std::error::Error;
use std::io;
use std::sync::Arc;

use slatedb::object_store;
use slatedb::{CloseReason, ErrorKind};
use tidegate_core::id::PartitionId;

use crate::store::StoreError;

/// Names the kind of an engine's error. The text is the engine's own, which holds neither keys nor rows.
pub(super) fn classify(partition: PartitionId, error: &slatedb::Error) -> StoreError {
    match error.kind() {
        ErrorKind::Closed(CloseReason::Fenced) => StoreError::Fenced(partition),
        ErrorKind::Closed(CloseReason::Clean) => StoreError::closed(partition),
        ErrorKind::Unavailable if is_denied(error) => unusable(partition, error),
        // A background task that panicked: the database is opened anew for the next call.
        ErrorKind::Unavailable | ErrorKind::Transaction | ErrorKind::Closed(_) => {
            StoreError::Unavailable(describe(partition, error))
        }
        _ => unusable(partition, error),
    }
}

fn unusable(partition: PartitionId, error: &slatedb::Error) -> StoreError {
    StoreError::Unusable(describe(partition, error))
}

/// The error with all its causes: the engine's own text stops at "object store error".
fn describe(partition: PartitionId, error: &slatedb::Error) -> String {
    let mut text = format!("partition {partition}: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

/// Access is denied: waiting does not help.
fn is_denied(error: &slatedb::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return matches!(
                error.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
            );
        }
        let shared = error.downcast_ref::<Arc<object_store::Error>>().map(AsRef::as_ref);
        if let Some(error) = shared.or_else(|| error.downcast_ref::<object_store::Error>())
            && matches!(
                error,
                object_store::Error::PermissionDenied { .. }
                    | object_store::Error::Unauthenticated { .. }
            )
        {
            return true;
        }
        cause = error.source();
    }
    false
}
