//! Rules about error codes: each one that a user may see has a page, and each page is about a code that exists.

use std::collections::BTreeMap;

use crate::scan::line_of;
use crate::tree::{File, Tree};
use crate::{bites, holds};

const PAGES: &str = "docs/errors/";
const SECTIONS: [&str; 2] = ["\n## Why\n", "\n## What to do\n"];

/// The codes in a text, with their positions.
fn codes(text: &str) -> Vec<(usize, &str)> {
    let code = |(at, _): (usize, &str)| {
        let code = text.get(at..at + 7)?;
        let digits = code[3..].bytes().all(|byte| byte.is_ascii_digit());
        let ends = !text[at + 7..].starts_with(|c: char| c.is_ascii_digit());
        (digits && ends).then_some((at, code))
    };
    text.match_indices("TG-").filter_map(code).collect()
}

/// Where each code of the shipped source stands first.
fn in_source(tree: &Tree) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for file in tree.shipped().filter(|file| file.path.contains("src/")) {
        let text = file.without_tests();
        for (at, code) in codes(&text) {
            let place = file.violation(line_of(&text, at), code);
            found.entry(code.to_owned()).or_insert(place);
        }
    }
    found
}

fn pages(tree: &Tree) -> BTreeMap<String, &File> {
    tree.files
        .iter()
        .filter_map(|file| {
            let name = file.path.strip_prefix(PAGES)?.strip_suffix(".md")?;
            (!codes(name).is_empty()).then(|| (name.to_owned(), file))
        })
        .collect()
}

fn codes_and_pages_go_in_pairs(tree: &Tree) -> Vec<String> {
    let (source, pages) = (in_source(tree), pages(tree));
    let unexplained = source.iter().filter(|(code, _)| !pages.contains_key(*code));
    let unexplained =
        unexplained.map(|(code, place)| format!("{place} has no page {PAGES}{code}.md"));
    let unused = pages.iter().filter(|(code, _)| !source.contains_key(*code));
    let unused =
        unused.map(|(code, file)| file.violation(1, format!("no source has the code {code}")));
    unexplained.chain(unused).collect()
}

fn pages_say_why_and_what_to_do(tree: &Tree) -> Vec<String> {
    let lacks = |(code, file): (&String, &&File)| {
        let title = file.text.lines().next().unwrap_or_default();
        if !title.starts_with(&format!("# {code}")) || title.len() < code.len() + 10 {
            return Some(file.violation(1, format!("the title is not `# {code}: …`")));
        }
        let missing = SECTIONS.iter().find(|section| !file.text.contains(**section))?;
        Some(file.violation(1, format!("there is no section `{}`", missing.trim())))
    };
    pages(tree).iter().filter_map(lacks).collect()
}

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    holds(codes_and_pages_go_in_pairs);
    let files = [
        ("gateway/src/a.rs", "const A: &str = \"TG-9001\";\n#[error(\"TG-9002 {x}\")]\n"),
        ("gateway/src/b.rs", "#[cfg(test)]\nmod tests { const B: &str = \"TG-9009\"; }\n"),
        ("docs/errors/TG-9001.md", "# TG-9001: x\n"),
        ("docs/errors/TG-9003.md", "# TG-9003: y\n"),
        ("docs/errors/README.md", "# all\n"),
    ];
    bites(codes_and_pages_go_in_pairs, &files, ["gateway/src/a.rs:2", "TG-9003.md:1"]);
}

#[test]
fn every_page_says_why_and_what_to_do() {
    holds(pages_say_why_and_what_to_do);
    let good = "# TG-9001: something broke\n\n## Why\n\nx\n\n## What to do\n\ny\n";
    let files = [
        ("docs/errors/TG-9001.md", good),
        ("docs/errors/TG-9002.md", good),
        ("docs/errors/TG-9003.md", "# TG-9003: something broke\n\n## Why\n\nx\n"),
    ];
    bites(
        pages_say_why_and_what_to_do,
        &files,
        ["TG-9002.md:1: the title", "TG-9003.md:1: there is no section"],
    );
}
