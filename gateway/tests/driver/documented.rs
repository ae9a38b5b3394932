//! Every metric has a line in `docs/metrics.md`, and every line a metric.

use std::collections::BTreeSet;
use std::path::Path;

/// The names of metrics in a text, each of which stands between two of the marks.
fn names(text: &str, mark: char) -> BTreeSet<String> {
    let is_name = |part: &&str| {
        part.starts_with("tidegate_") && part.chars().all(|c| c.is_ascii_lowercase() || c == '_')
    };
    text.split(mark).filter(is_name).map(str::to_owned).collect()
}

fn in_sources(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            in_sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            // A module is named with quotes in attributes and paths too, but without anything after it.
            found.extend(names(&text, '"'));
        }
    }
}

#[test]
fn every_metric_is_documented() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut used = BTreeSet::new();
    in_sources(&root.join("src"), &mut used);
    used.retain(|name| !["tidegate_core", "tidegate_protocol", "tidegate_sdk"].contains(&&**name));
    let page = std::fs::read_to_string(root.join("../docs/metrics.md")).unwrap();
    assert_eq!(used, names(&page, '`'));
    assert!(used.len() > 20, "the names are found");
}

#[test]
fn every_metric_says_what_it_is() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let table = std::fs::read_to_string(source.join("telemetry/described.rs")).unwrap();
    let mut used = BTreeSet::new();
    for entry in std::fs::read_dir(&source).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("telemetry") {
            in_sources(&path, &mut used);
        }
    }
    used.retain(|name| !["tidegate_core", "tidegate_protocol", "tidegate_sdk"].contains(&&**name));
    let described = names(&table, '"');
    let silent: Vec<_> = used.difference(&described).collect();
    assert!(silent.is_empty(), "without a description: {silent:?}");
}
