//! The repository's own rules, read off its files: shape, layers, error pages. Each rule has a test that runs it
//! over the tree, and one that plants a violation and sees that it bites.
#![allow(clippy::unwrap_used)] // a test fails by panicking

#[path = "tidy/errors.rs"]
mod errors;
#[path = "tidy/layers.rs"]
mod layers;
#[path = "tidy/scan.rs"]
mod scan;
#[path = "tidy/shape.rs"]
mod shape;
#[path = "tidy/tree.rs"]
mod tree;

use tree::Tree;

/// A rule: what is wrong, each with the file and line.
type Rule = fn(&Tree) -> Vec<String>;

fn holds(rule: Rule) {
    let violations = rule(&Tree::of_repository());
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

/// The rule finds exactly these (parts of) violations in these files.
fn bites<const N: usize>(rule: Rule, files: &[(&str, &str)], expected: [&str; N]) {
    let violations = rule(&Tree::of(files));
    assert_eq!(violations.len(), N, "{violations:#?}");
    for (violation, part) in violations.iter().zip(expected) {
        assert!(violation.contains(part), "`{part}` is not in `{violation}`");
    }
}
