//! Values: declared by a handshake, presented to the function, gone when they expire.

use tidegate_core::message::TypedValue;
use tidegate_core::partition::event::Event;
use tidegate_core::partition::group::{Expiration, Group, Mutation, Response, ValueSpec};
use tidegate_core::partition::row::RowKey;

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

/// A walk through the store meets every row that it holds.
fn walk(bench: &mut Bench) {
    let keys = bench.store.keys().cloned().collect();
    bench.tell(Event::ExpiryFound { keys });
}

fn is_stored(bench: &mut Bench) -> bool {
    bench.flush();
    bench.store.keys().any(|key| matches!(key, RowKey::Value(..) | RowKey::Expiry(..)))
}

#[test]
fn an_expired_value_is_purged_although_nobody_asks_for_it() {
    for expiration in [Expiration::AfterWrite(100), Expiration::AfterInvoke(100)] {
        let mut bench = Bench::new();
        declare(&mut bench, expiration);
        assert!(bench.partition.has_expiring_values());
        assert!(is_stored(&mut bench));
        bench.wait(99);
        walk(&mut bench);
        assert!(is_stored(&mut bench), "its time is not over: {expiration:?}");
        bench.wait(1);
        walk(&mut bench);
        assert!(!is_stored(&mut bench), "{expiration:?}");
        assert_eq!(bench.partition.tally().values_swept, 1);
        assert_eq!(look(&mut bench, 0), None);
    }
}

#[test]
fn a_value_that_was_written_again_since_the_walk_met_it_stays() {
    let mut bench = Bench::new();
    declare(&mut bench, Expiration::AfterWrite(100));
    bench.flush();
    bench.wait(100);
    bench.send("a", "again");
    let group = bench.group();
    let mutations = vec![Mutation::Modify("seen".into(), text("later"))];
    bench.succeed(&group, Response { mutations, ..Response::default() });
    // The store still holds the value of before.
    walk(&mut bench);
    assert_eq!(look(&mut bench, 50), Some(text("later")));
}

#[test]
fn a_value_that_a_function_was_shown_stays_until_its_answer() {
    let mut bench = Bench::new();
    declare(&mut bench, Expiration::AfterInvoke(100));
    bench.flush();
    bench.wait(99);
    bench.send("a", "look");
    let group = bench.group();
    assert_eq!(shown(&group), Some(text("value")));
    bench.wait(10);
    walk(&mut bench);
    bench.succeed(&group, Response::default());
    // The answer has postponed it.
    assert_eq!(look(&mut bench, 99), Some(text("value")));
}

#[test]
fn without_values_that_expire_there_is_nothing_to_walk_for() {
    let mut bench = Bench::new();
    declare(&mut bench, Expiration::Never);
    assert!(!bench.partition.has_expiring_values());
    bench.flush();
    bench.wait(1 << 40);
    walk(&mut bench);
    assert_eq!(look(&mut bench, 0), Some(text("value")));
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
