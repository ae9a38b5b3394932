//! Runs every target over its corpus, and over what is easily wrong with each entry. `UPDATE_EXPECT=1` adds samples first.
#![allow(clippy::unwrap_used)] // a test fails by panicking

mod samples;

use std::fs;
use std::path::{Path, PathBuf};

use tidegate_fuzz::{TARGETS, Target};

fn corpus(target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name)
}

fn entries(target: &Target) -> Vec<(PathBuf, Vec<u8>)> {
    let read =
        fs::read_dir(corpus(target)).unwrap_or_else(|_| panic!("{} has no corpus", target.name));
    let mut paths: Vec<_> = read.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let content = |path: PathBuf| {
        let bytes = fs::read(&path).unwrap();
        (path, bytes)
    };
    paths.into_iter().map(content).collect()
}

#[test]
fn every_target_keeps_its_promises_for_its_corpus() {
    for target in &TARGETS {
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            fs::create_dir_all(corpus(target)).unwrap();
            for (name, sample) in samples::of(target.name) {
                fs::write(corpus(target).join(name), sample).unwrap();
            }
        }
        let entries = entries(target);
        assert!(!entries.is_empty(), "{} has an empty corpus", target.name);
        for (path, bytes) in entries {
            eprintln!("{}", path.display());
            (target.run)(&bytes);
        }
    }
}

/// What is cut off, and what has one wrong bit. Recovery needs files for each, so it gets a few only.
#[test]
fn every_target_keeps_its_promises_for_damaged_entries() {
    for target in &TARGETS {
        let most = if target.name == "recovery" { 20 } else { 300 };
        for (path, bytes) in entries(target) {
            let step = (bytes.len() / most).max(1);
            for at in (0..bytes.len()).step_by(step) {
                eprintln!("{} at {at}", path.display());
                (target.run)(&bytes[..at]);
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << (at % 8);
                (target.run)(&damaged);
            }
        }
    }
}

#[test]
fn no_corpus_is_without_a_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(tidegate_fuzz::named(&name).is_some(), "{name}");
    }
}
