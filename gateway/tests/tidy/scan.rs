//! Just enough reading of Rust: what is code, where items end, which paths are named.

use std::ops::Range;

/// The text with comments and the insides of texts blanked, every byte in its place.
pub(crate) fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => until(bytes, at, b"\n"),
            b'/' if bytes[at..].starts_with(b"/*") => until(bytes, at + 2, b"*/") + 2,
            b'"' => quoted(bytes, at),
            b'r' if !is_word(bytes, at.wrapping_sub(1)) && raw_hashes(bytes, at).is_some() => {
                raw(bytes, at)
            }
            b'\'' => character(bytes, at),
            _ => {
                at += 1;
                continue;
            }
        };
        let end = end.min(bytes.len());
        for byte in &mut code[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end;
    }
    String::from_utf8(code).unwrap()
}

fn until(bytes: &[u8], from: usize, what: &[u8]) -> usize {
    let from = from.min(bytes.len());
    bytes[from..]
        .windows(what.len())
        .position(|window| window == what)
        .map_or(bytes.len(), |at| from + at)
}

fn quoted(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

fn raw_hashes(bytes: &[u8], start: usize) -> Option<usize> {
    let hashes = bytes[start + 1..].iter().take_while(|byte| **byte == b'#').count();
    (bytes.get(start + 1 + hashes) == Some(&b'"')).then_some(hashes)
}

fn raw(bytes: &[u8], start: usize) -> usize {
    let hashes = raw_hashes(bytes, start).unwrap_or(0);
    let close = format!("\"{}", "#".repeat(hashes));
    until(bytes, start + 2 + hashes, close.as_bytes()) + close.len()
}

/// A character such as `'{'`; a lifetime has no quote at its end.
fn character(bytes: &[u8], start: usize) -> usize {
    if bytes.get(start + 1) == Some(&b'\\') {
        return until(bytes, start + 3, b"'") + 1;
    }
    let close = (2..=5).find(|length| bytes.get(start + length) == Some(&b'\''));
    match close {
        Some(length) if length == 2 || !bytes[start + 1].is_ascii() => start + length + 1,
        _ => start + 1,
    }
}

fn is_word(bytes: &[u8], at: usize) -> bool {
    bytes.get(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// The items under `#[cfg(test)]`.
pub(crate) fn test_items(code: &str) -> Vec<Range<usize>> {
    let starts = code.match_indices("#[cfg(test)]").map(|(at, _)| at);
    starts.map(|start| start..item_end(code, start + "#[cfg(test)]".len())).collect()
}

/// The text with ranges blanked.
pub(crate) fn erase(text: &str, ranges: &[Range<usize>]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for byte in ranges.iter().flat_map(Clone::clone) {
        if bytes[byte] != b'\n' {
            bytes[byte] = b' ';
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// Where an item ends: at its semicolon, or at the brace that closes its first one.
pub(crate) fn item_end(code: &str, start: usize) -> usize {
    let (mut round, mut curly) = (0_i32, 0_i32);
    for (at, byte) in code.bytes().enumerate().skip(start) {
        match byte {
            b'(' | b'[' => round += 1,
            b')' | b']' => round -= 1,
            b'{' => curly += 1,
            b'}' => curly -= 1,
            _ => {}
        }
        let closed = byte == b'}' && curly == 0;
        if round == 0 && (closed || byte == b';' && curly == 0) {
            return at + 1;
        }
    }
    code.len()
}

/// The line of a position, from 1.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// Where a word stands as a word of its own.
pub(crate) fn words(code: &str, word: &str) -> Vec<usize> {
    let bytes = code.as_bytes();
    let alone =
        |at: &usize| !is_word(bytes, at.wrapping_sub(1)) && !is_word(bytes, at + word.len());
    code.match_indices(word).map(|(at, _)| at).filter(alone).collect()
}

/// Every path of two segments or more that is named, also inside the braces of `use`, with its position.
pub(crate) fn paths(code: &str) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < code.len() {
        let starts = is_word(code.as_bytes(), at) && !is_word(code.as_bytes(), at.wrapping_sub(1));
        at = if starts { path(code, at, &[], &mut found) } else { at + 1 };
    }
    found.retain(|(_, segments)| segments.len() > 1);
    found
}

fn path(
    code: &str,
    start: usize,
    before: &[String],
    found: &mut Vec<(usize, Vec<String>)>,
) -> usize {
    let mut segments = before.to_vec();
    let mut at = start;
    loop {
        let length = code[at..]
            .bytes()
            .take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
            .count();
        segments.push(code[at..at + length].to_owned());
        at += length;
        match code[at..].strip_prefix("::") {
            Some(rest) if rest.starts_with('{') => return braces(code, at + 3, &segments, found),
            Some(rest) if rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') => {
                at += 2;
            }
            _ => break,
        }
    }
    found.push((start, segments));
    at
}

fn braces(
    code: &str,
    start: usize,
    before: &[String],
    found: &mut Vec<(usize, Vec<String>)>,
) -> usize {
    let mut at = start;
    while at < code.len() && code.as_bytes()[at] != b'}' {
        at = if is_word(code.as_bytes(), at) { path(code, at, before, found) } else { at + 1 };
    }
    at + 1
}

#[test]
fn comments_texts_and_characters_are_not_code() {
    let text = "a // {b}\n\"c {\\\" d\" 'e' '{' r#\"f \" }\"# /* g\n */ fn h<'i>(x: &'i str) {}";
    let code = blank(text);
    assert_eq!(code.len(), text.len());
    assert_eq!(code.split_whitespace().collect::<String>(), "afnh<i>(x:&istr){}");
    assert_eq!(line_of(&code, code.find("fn").unwrap()), 3);
}

#[test]
fn paths_are_found_inside_braces_too() {
    let found = paths("use a::{b, c::{d, e}};\nlet x = g::h(i);");
    let joined: Vec<_> = found.iter().map(|(_, segments)| segments.join("::")).collect();
    assert_eq!(joined, ["a::b", "a::c::d", "a::c::e", "g::h"]);
}

#[test]
fn test_items_end_where_their_braces_do() {
    let code = "fn a() {}\n#[cfg(test)]\nmod tests { fn b() { {} } }\nfn c(x: [u8; 2]) {}\n#[cfg(test)]\nuse d;\nfn e() {}";
    let rest = erase(code, &test_items(code));
    assert!(rest.contains("fn a") && rest.contains("fn c") && rest.contains("fn e"), "{rest}");
    assert!(!rest.contains("fn b") && !rest.contains("use d"), "{rest}");
}
