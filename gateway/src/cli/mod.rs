//! Placeholder of `cli`.
