//! What Tidegate's parsers promise for every input, as functions that panic where a promise is broken.
//!
//! `make fuzz` runs them under libFuzzer, which looks for inputs that reach new code; the test `replay` runs them over the
//! corpora in `corpus/`, which hold valid samples and what was found. One program serves all targets: linking one for
//! each would take longer than most of them need to find something.

#![allow(clippy::unwrap_used, reason = "a broken promise is a panic")]

mod answers;
mod core;
mod door;
mod ingress;
mod log;
mod settings;

/// A parser with what it promises.
pub struct Target {
    /// Its name, and that of its corpus.
    pub name: &'static str,
    /// Panics if the input breaks a promise.
    pub run: fn(&[u8]),
}

const fn target(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, run }
}

/// Every target.
pub const TARGETS: [Target; 13] = [
    target("answer", answers::single),
    target("answer-batch", answers::batch),
    target("cli-address", settings::address),
    target("cursor", ingress::cursor),
    target("frame", log::frame),
    target("key", core::key),
    target("lines", ingress::lines),
    target("module", settings::module),
    target("node", settings::node),
    target("record", ingress::record),
    target("recovery", log::recovery),
    target("row", core::row),
    target("step", core::step),
];

/// The target of this name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
