//! Rules about who may know whom: the layers of the architecture.

use std::collections::BTreeSet;

use crate::scan::{line_of, paths, words};
use crate::tree::{File, Tree};
use crate::{bites, holds};

/// The parts of the gateway that talk to the world.
const EDGES: [&str; 7] = ["log", "store", "ownership", "ingress", "invoker", "egress", "peer"];
/// What edges may know of the gateway beside themselves.
const BELOW_EDGES: [&str; 3] = ["config", "payload", "telemetry"];
/// The parts of a partition's state, which only `state` and `mod` put together.
const PARTS: [&str; 6] = ["dedup", "mailbox", "values", "outbox", "egress", "timers"];
/// The traits whose implementations only `app.rs` names.
const EDGE_TRAITS: [&str; 7] =
    ["NodeLog", "StateStore", "PartitionStore", "Ownership", "Source", "Invoke", "Sink"];

/// The paths that a file names, from the root of its crate: `super` and `self` are resolved.
fn resolved(file: &File) -> Vec<(usize, Vec<String>)> {
    let code = file.code();
    let resolve =
        |(at, segments): (usize, Vec<String>)| (line_of(&code, at), absolute(file, segments));
    paths(&code).into_iter().map(resolve).collect()
}

fn absolute(file: &File, segments: Vec<String>) -> Vec<String> {
    let mut base = file.modules();
    let mut rest = segments.iter().peekable();
    match segments[0].as_str() {
        "crate" => return segments,
        "self" => drop(rest.next()),
        "super" => {}
        _ => return segments,
    }
    while rest.peek().is_some_and(|segment| *segment == "super") {
        rest.next();
        base.pop();
    }
    let root = std::iter::once("crate".to_owned());
    root.chain(base).chain(rest.cloned()).collect()
}

fn in_gateway(file: &File) -> Option<&str> {
    file.path.strip_prefix("gateway/src/")
}

fn core_and_protocol_stand_alone(tree: &Tree) -> Vec<String> {
    let ours = ["tidegate", "tidegate_core", "tidegate_protocol", "tidegate_sdk"];
    let in_file = |file: &File| {
        let inner = file.path.starts_with("gateway/core/src/")
            || file.path.starts_with("gateway/protocol/src/");
        let named = resolved(file)
            .into_iter()
            .filter(|(_, path)| inner && ours.contains(&path[0].as_str()));
        named
            .map(|(line, path)| file.violation(line, format!("imports `{}`", path.join("::"))))
            .collect::<Vec<_>>()
    };
    tree.shipped().flat_map(in_file).collect()
}

fn parts_do_not_know_each_other(tree: &Tree) -> Vec<String> {
    let in_file = |file: &File| {
        let inner = file.path.strip_prefix("gateway/core/src/partition/").unwrap_or_default();
        let part = inner.split(['/', '.']).next().unwrap_or_default();
        let other = |path: &[String]| {
            path.len() > 2
                && path[0] == "crate"
                && path[1] == "partition"
                && PARTS.contains(&path[2].as_str())
                && path[2] != part
        };
        let named =
            resolved(file).into_iter().filter(|(_, path)| PARTS.contains(&part) && other(path));
        named
            .map(|(line, path)| file.violation(line, format!("`{part}` knows `{}`", path[2])))
            .collect::<Vec<_>>()
    };
    tree.shipped().flat_map(in_file).collect()
}

fn edges_know_only_what_is_below(tree: &Tree) -> Vec<String> {
    let in_file = |file: &File| {
        let part =
            in_gateway(file).and_then(|inner| inner.split(['/', '.']).next()).unwrap_or_default();
        let allowed: &[&str] = match part {
            "config" => &[],
            edge if EDGES.contains(&edge) => &BELOW_EDGES,
            _ => return Vec::new(),
        };
        let beyond = |path: &[String]| {
            path[0] == "crate"
                && path.len() > 1
                && path[1] != part
                && !allowed.contains(&path[1].as_str())
        };
        let named = resolved(file).into_iter().filter(|(_, path)| beyond(path));
        named
            .map(|(line, path)| file.violation(line, format!("`{part}` knows `{}`", path[1])))
            .collect::<Vec<_>>()
    };
    tree.shipped().flat_map(in_file).collect()
}

/// The types that implement a trait of an edge, with the edge.
fn implementations(tree: &Tree) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for file in tree.shipped() {
        let edge =
            in_gateway(file).and_then(|inner| inner.split(['/', '.']).next()).unwrap_or_default();
        if !EDGES.contains(&edge) {
            continue;
        }
        let code = file.code();
        for start in words(&code, "impl") {
            let head = code[start..].split('{').next().unwrap_or_default();
            if let Some((before, after)) = head.split_once(" for ")
                && EDGE_TRAITS.iter().any(|name| !words(before, name).is_empty())
            {
                let path = after
                    .trim_start()
                    .split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
                let name = path
                    .into_iter()
                    .next()
                    .unwrap_or_default()
                    .rsplit("::")
                    .next()
                    .unwrap_or_default();
                found.insert((edge.to_owned(), name.to_owned()));
            }
        }
    }
    found
}

fn only_the_app_names_implementations(tree: &Tree) -> Vec<String> {
    let implementations = implementations(tree);
    let in_file = |file: &File| {
        let inner =
            in_gateway(file).filter(|inner| *inner != "app.rs" && !inner.starts_with("app/"));
        let Some(inner) = inner else { return Vec::new() };
        let code = file.code();
        let foreign =
            implementations.iter().filter(|(edge, _)| inner.split(['/', '.']).next() != Some(edge));
        let named =
            foreign.flat_map(|(_, name)| words(&code, name).into_iter().map(move |at| (at, name)));
        named
            .map(|(at, name)| file.violation(line_of(&code, at), format!("names `{name}`")))
            .collect()
    };
    tree.shipped().flat_map(in_file).collect()
}

fn only_a_few_files_name_the_cloud(tree: &Tree) -> Vec<String> {
    let in_file = |file: &File| {
        let inner = in_gateway(file).unwrap_or_default();
        let cloud = inner
            .split('/')
            .any(|name| ["kinesis", "lambda", "dynamodb"].iter().any(|of| name.starts_with(of)));
        let log = inner == "log/object.rs" || inner.starts_with("log/object/");
        let store = inner == "store/slate.rs" || inner.starts_with("store/slate/");
        let foreign = |segment: &String| match segment.as_str() {
            "object_store" => !(cloud || log || store),
            name => name.starts_with("aws_") && !(cloud || log),
        };
        let named = resolved(file).into_iter().filter(|(_, path)| path.iter().any(foreign));
        named
            .map(|(line, path)| file.violation(line, format!("names `{}`", path.join("::"))))
            .collect::<Vec<_>>()
    };
    tree.shipped().flat_map(in_file).collect()
}

fn the_sdk_has_no_aws_crate(tree: &Tree) -> Vec<String> {
    let manifest = tree.files.iter().filter(|file| file.path == "lambda-sdk/Cargo.toml");
    let in_file = |file: &File| {
        let lines = (1..)
            .zip(file.text.lines())
            .filter(|(_, line)| line.trim_start().starts_with("aws-sdk-"));
        lines
            .map(|(number, line)| file.violation(number, format!("depends on {line}")))
            .collect::<Vec<_>>()
    };
    manifest.flat_map(in_file).collect()
}

#[test]
fn the_core_and_the_protocol_import_nothing_of_ours() {
    holds(core_and_protocol_stand_alone);
    let files = [
        ("gateway/core/src/a.rs", "use crate::b;\nuse tidegate_protocol::wire;\n"),
        ("gateway/protocol/src/a.rs", "fn f(x: tidegate_core::id::Lsn) {}\n"),
        ("gateway/src/a.rs", "use tidegate_core::id;\n"),
    ];
    bites(core_and_protocol_stand_alone, &files, ["core/src/a.rs:2", "protocol/src/a.rs:1"]);
}

#[test]
fn the_parts_of_a_partition_do_not_import_each_other() {
    holds(parts_do_not_know_each_other);
    let files = [
        ("gateway/core/src/partition/mailbox.rs", "use super::{row::RowKey, timers::Timers};\n"),
        (
            "gateway/core/src/partition/dedup.rs",
            "use super::event::Event;\nuse crate::message::values;\n",
        ),
        ("gateway/core/src/partition/outbox/spill.rs", "fn f() { super::super::egress::g() }\n"),
        ("gateway/core/src/partition/state.rs", "use super::timers::Timers;\n"),
    ];
    bites(
        parts_do_not_know_each_other,
        &files,
        ["mailbox.rs:1: `mailbox` knows `timers`", "spill.rs:1"],
    );
}

#[test]
fn edges_import_only_what_is_below_them() {
    holds(edges_know_only_what_is_below);
    let files = [
        (
            "gateway/src/log/file.rs",
            "use super::NodeLog;\nuse crate::config::NodeSettings;\nuse crate::store::x;\n",
        ),
        ("gateway/src/store/slate.rs", "use crate::{log::Step, telemetry};\n"),
        (
            "gateway/src/ingress/http.rs",
            "#[cfg(test)]\nmod tests { use crate::driver::Driver; }\nuse crate::router::Router;\n",
        ),
        ("gateway/src/config/mod.rs", "use crate::log::Step;\n"),
        ("gateway/src/driver.rs", "use crate::log::Step;\n"),
    ];
    let expected = [
        "`log` knows `store`",
        "`store` knows `log`",
        "`ingress` knows `router`",
        "`config` knows `log`",
    ];
    bites(edges_know_only_what_is_below, &files, expected);
}

#[test]
fn only_the_app_knows_which_implementation_it_is() {
    holds(only_the_app_names_implementations);
    let files = [
        ("gateway/src/log/file.rs", "pub struct FileLog;\nimpl super::NodeLog for FileLog {}\n"),
        ("gateway/src/invoker/http.rs", "impl<C: Connect> Invoke\n    for HttpInvoker<C> {}\n"),
        ("gateway/src/app.rs", "use crate::log::FileLog;\n"),
        ("gateway/src/driver.rs", "// FileLog is fine here\nuse crate::log::FileLog;\n"),
        ("gateway/src/node.rs", "#[cfg(test)]\nmod tests { use crate::log::FileLog; }\n"),
    ];
    bites(only_the_app_names_implementations, &files, ["driver.rs:2: names `FileLog`"]);
}

#[test]
fn few_files_name_crates_of_the_cloud() {
    holds(only_a_few_files_name_the_cloud);
    let files = [
        ("gateway/src/ingress/kinesis/shard.rs", "use aws_sdk_kinesis::Client;\n"),
        ("gateway/src/log/object.rs", "use object_store::ObjectStore;\n"),
        ("gateway/src/store/slate.rs", "use slatedb::object_store::path::Path;\n"),
        ("gateway/src/store/mod.rs", "use slatedb::object_store::path::Path;\n"),
        ("gateway/src/app.rs", "fn f() { aws_config::load() }\n"),
        ("lambda-sdk/src/lib.rs", "use aws_sdk_lambda::Client;\n"),
    ];
    bites(
        only_a_few_files_name_the_cloud,
        &files,
        ["store/mod.rs:1", "app.rs:1", "lambda-sdk/src/lib.rs:1"],
    );
}

#[test]
fn the_sdk_depends_on_no_sdk_of_aws() {
    holds(the_sdk_has_no_aws_crate);
    let files =
        [("lambda-sdk/Cargo.toml", "[dependencies]\nbytes = \"1\"\naws-sdk-lambda = \"1\"\n")];
    bites(the_sdk_has_no_aws_crate, &files, ["Cargo.toml:3"]);
}
