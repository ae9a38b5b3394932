//! The fraud-detection sample.
fn main() {}
