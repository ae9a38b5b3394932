//! Rules about the shape of files, and about what does not belong into them.

use crate::scan::{blank, item_end, line_of, words};
use crate::tree::{File, Tree};
use crate::{bites, holds};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

fn files_open_with_their_purpose(tree: &Tree) -> Vec<String> {
    let silent = tree.rust().filter(|file| !file.text.starts_with("//!"));
    silent.map(|file| file.violation(1, "the file does not open with `//!`")).collect()
}

fn files_are_short(tree: &Tree) -> Vec<String> {
    let long = tree.rust().filter(|file| file.text.lines().count() > FILE_LINES_MAX);
    long.map(|file| {
        let lines = file.text.lines().count();
        file.violation(lines, format!("{lines} lines, at most {FILE_LINES_MAX} are allowed"))
    })
    .collect()
}

fn functions_are_short(tree: &Tree) -> Vec<String> {
    tree.shipped().flat_map(long_functions).collect()
}

fn long_functions(file: &File) -> Vec<String> {
    let code = file.code();
    let functions = words(&code, "fn").into_iter().filter(|at| !code[at + 2..].starts_with('('));
    functions
        .filter_map(|start| {
            let end = item_end(&code, start);
            let lines = line_of(&code, end) - line_of(&code, start) + 1;
            let text =
                format!("a function of {lines} lines, at most {FUNCTION_LINES_MAX} are allowed");
            (lines > FUNCTION_LINES_MAX).then(|| file.violation(line_of(&code, start), text))
        })
        .collect()
}

/// Marks of unfinished work; put together so that this file has none.
const UNFINISHED: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

fn nothing_is_unfinished(tree: &Tree) -> Vec<String> {
    let in_file = |file: &File| {
        let marks = UNFINISHED.iter().flat_map(|mark| words(&file.text, mark));
        marks
            .map(|at| file.violation(line_of(&file.text, at), "a mark of unfinished work"))
            .collect::<Vec<_>>()
    };
    tree.files.iter().flat_map(in_file).collect()
}

fn nothing_is_left_from_debugging(tree: &Tree) -> Vec<String> {
    let in_file = |file: &File| {
        let code = blank(&file.text);
        let left = words(&code, "dbg").into_iter().filter(|at| code[at + 3..].starts_with('!'));
        left.map(|at| file.violation(line_of(&code, at), "`dbg!` is left")).collect::<Vec<_>>()
    };
    tree.rust().flat_map(in_file).collect()
}

/// Beginnings of paths that exist on one machine only; put together so that this file has none.
const MACHINE_PATHS: [&str; 5] = [
    concat!("/", "home/"),
    concat!("/", "Users/"),
    concat!("/", "root/"),
    concat!("/", "work/"),
    concat!("C:", "\\"),
];

fn no_path_of_a_machine(tree: &Tree) -> Vec<String> {
    let in_file = |file: &File| {
        let begins = |at: &usize| {
            !file.text[..*at].ends_with(|c: char| c.is_alphanumeric() || "-_.{}".contains(c))
        };
        let found =
            MACHINE_PATHS.iter().flat_map(|path| file.text.match_indices(path)).map(|(at, _)| at);
        let found = found.filter(begins);
        found
            .map(|at| file.violation(line_of(&file.text, at), "a path of one machine"))
            .collect::<Vec<_>>()
    };
    tree.files.iter().flat_map(in_file).collect()
}

#[test]
fn every_file_opens_with_its_purpose() {
    holds(files_open_with_their_purpose);
    let files = [("a/src/x.rs", "//! Says it.\n"), ("a/src/y.rs", "use z;\n//! Too late.\n")];
    bites(files_open_with_their_purpose, &files, ["a/src/y.rs:1"]);
}

#[test]
fn every_file_is_short() {
    holds(files_are_short);
    let (short, long) = ("x\n".repeat(500), "x\n".repeat(501));
    bites(
        files_are_short,
        &[("a/short.rs", &short), ("a/tests/long.rs", &long)],
        ["a/tests/long.rs:501"],
    );
}

#[test]
fn every_function_is_short() {
    holds(functions_are_short);
    let of = |lines: usize| {
        format!("\nfn f(x: [u8; 2]) -> fn(u8) {{\n{}}}\n", "    x; // }\n".repeat(lines - 2))
    };
    let in_tests = format!("#[cfg(test)]\nmod tests {{{}}}\n", of(99));
    let files = [
        ("a/src/short.rs", of(70)),
        ("a/src/long.rs", of(71)),
        ("a/src/tested.rs", in_tests),
        ("a/tests/long.rs", of(99)),
        ("a/src/part.rs", "#[cfg(test)]\nmod fixtures;\n".to_owned()),
        ("a/src/part/fixtures.rs", of(99)),
        ("a/src/inner.rs", format!("#![cfg(test)]\n{}", of(99))),
    ];
    let files = files.each_ref().map(|(path, text)| (*path, text.as_str()));
    bites(functions_are_short, &files, ["a/src/long.rs:2: a function of 71 lines"]);
}

#[test]
fn no_work_is_left_unfinished() {
    holds(nothing_is_unfinished);
    let planted = format!("//! x\n// {}: later\n", UNFINISHED[0]);
    bites(nothing_is_unfinished, &[("a.rs", &planted), ("b.md", "mastodon\n")], ["a.rs:2"]);
}

#[test]
fn no_debugging_is_left() {
    holds(nothing_is_left_from_debugging);
    let files = [("a.rs", "// dbg!(x)\nlet y = dbg!(x);\n"), ("b.rs", "let s = \"dbg!\";")];
    bites(nothing_is_left_from_debugging, &files, ["a.rs:2"]);
}

#[test]
fn no_file_names_a_path_of_one_machine() {
    holds(no_path_of_a_machine);
    let planted = format!("cd {}ann/code\n", MACHINE_PATHS[0]);
    let files =
        [("a.md", planted.as_str()), ("b.md", "see https://example.org/work/ and ./work/x\n")];
    bites(no_path_of_a_machine, &files, ["a.md:1"]);
}
