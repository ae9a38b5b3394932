//! Placeholder of `admin`.
