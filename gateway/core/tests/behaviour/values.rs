//! Values: declared by a handshake, presented to the function, gone when they expire.

use tidegate_core::message::TypedValue;
use tidegate_core::partition::event::Event;
use tidegate_core::partition::group::{Expiration, Group, Mutation, Response, ValueSpec};

use crate::bench::{Bench, text};

fn declare(bench: &mut Bench, expiration: Expiration) {
    bench.send("a", "declare");
    let group = bench.group();
    assert!(group.values.is_empty());
    let spec = ValueSpec { name: "seen".into(), typename: "shop/text".into(), expiration };
    bench.tell(Event::InvocationIncomplete { batch: group.batch, missing: vec![spec] });
    let group = bench.group();
    assert_eq!(shown(&group), None);
    let mutations = vec![Mutation::Modify("seen".into(), text("value"))];
    bench.succeed(&group, Response { mutations, ..Response::default() });
}

fn shown(group: &Group) -> Option<TypedValue> {
    assert_eq!(&*group.values[0].0, "seen");
    group.values[0].1.clone()
}

/// Sends a message after a while and says what the function is shown.
fn look(bench: &mut Bench, after_ms: u64) -> Option<TypedValue> {
    bench.wait(after_ms);
    bench.send("a", "look");
    let group = bench.group();
    bench.succeed(&group, Response::default());
    shown(&group)
}

#[test]
fn a_value_stays() {
    let mut bench = Bench::new();
    declare(&mut bench, Expiration::Never);
    assert_eq!(look(&mut bench, 1 << 40), Some(text("value")));
}

#[test]
fn a_value_expires_after_it_was_written() {
    let mut bench = Bench::new();
    declare(&mut bench, Expiration::AfterWrite(100));
    assert_eq!(look(&mut bench, 60), Some(text("value")));
    assert_eq!(look(&mut bench, 39), Some(text("value")));
    assert_eq!(look(&mut bench, 1), None);
}

#[test]
fn presenting_a_value_postpones_its_expiry() {
    let mut bench = Bench::new();
    declare(&mut bench, Expiration::AfterInvoke(100));
    assert_eq!(look(&mut bench, 60), Some(text("value")));
    assert_eq!(look(&mut bench, 60), Some(text("value")));
    assert_eq!(look(&mut bench, 100), None);
    bench.flush();
    assert!(!bench.store.keys().any(|key| format!("{key:?}").contains("seen\"")), "it is purged");
}

#[test]
fn an_answer_that_changes_an_undeclared_value_fails_its_group() {
    let mut bench = Bench::new();
    bench.send("a", "one");
    let group = bench.group();
    let mutations = vec![Mutation::Modify("unknown".into(), text("value"))];
    let last = bench.partition.lsn();
    bench.succeed(&group, Response { mutations, ..Response::default() });
    assert_eq!(bench.partition.lsn(), last);
    bench.wait(10_000);
    assert_eq!(bench.group().attempt, 2);
}
