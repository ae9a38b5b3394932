//! Placeholder of `ownership`.
