//! A failure stops one message, then one address, never the partition.

use tidegate_core::address::Address;
use tidegate_core::partition::effect::{Effect, Report};
use tidegate_core::partition::event::Event;
use tidegate_core::partition::group::{Delayed, RejectionReason, Response};
use tidegate_core::partition::order::{Order, OrderOutcome};
use tidegate_core::partition::record::Record;
use tidegate_core::policy::{Application, Exhausted, FunctionPolicy};

use crate::bench::{Bench, address, declaring, name, said, text};

fn reports(bench: &mut Bench) -> Vec<Report> {
    let effects = bench.take_effects().into_iter();
    let reports = effects.filter_map(|effect| match effect {
        Effect::Report(report) => Some(report),
        _ => None,
    });
    reports.collect()
}

#[test]
fn a_failing_group_is_halved_until_the_bad_message_stands_alone() {
    let mut bench = Bench::new();
    bench.send("a", "first");
    for number in 1..=4 {
        bench.send("a", &format!("{number}"));
    }
    let group = bench.group();
    bench.succeed(&group, Response::default());
    let mut sizes = Vec::new();
    for _ in 0..3 {
        let group = bench.group();
        sizes.push(group.messages.len());
        bench.fail(&group);
        bench.wait(10_000);
    }
    assert_eq!(sizes, [4, 2, 1]);
}

#[test]
fn a_message_that_keeps_failing_parks_its_address_and_no_other() {
    let mut bench = Bench::new();
    bench.send("a", "bad");
    bench.send("b", "good");
    let (bad, good) = (bench.group(), bench.group());
    bench.succeed(&good, Response::default());
    bench.fail(&bad);
    for _ in 0..2 {
        bench.wait(10_000);
        let bad = bench.group();
        bench.fail(&bad);
    }
    assert_eq!(bench.partition.parked(), 1);
    assert!(reports(&mut bench).iter().any(|it| matches!(it, Report::Parked { .. })));
    bench.send("a", "next");
    bench.wait(10_000);
    assert!(bench.groups.is_empty(), "a parked address keeps accepting but is not invoked");
    let head = bad.messages[0].sequence;
    let drop = || Order::DropHead { address: address("a"), expected: head };
    assert_eq!(bench.order(drop()), OrderOutcome::Dropped { messages: 1, parked: true });
    assert!(bench.groups.is_empty(), "it stays parked while others wait");
    let again = bench.order(drop());
    assert!(matches!(again, OrderOutcome::AnotherHead { .. }), "an order given twice drops once");
    assert_eq!(bench.order(Order::Redrive(address("a"))), OrderOutcome::Done);
    assert_eq!(said(&bench.group()), ["next"]);
}

#[test]
fn messages_wait_for_a_function_that_is_not_declared() {
    let mut bench = Bench::new();
    bench.send("a", "one");
    bench.tell(Event::ApplicationChanged(declaring(&[])));
    let group = bench.group();
    bench.fail(&group);
    bench.wait(10_000);
    assert!(bench.groups.is_empty());
    bench.tell(Event::ApplicationChanged(declaring(&["shop/cart"])));
    assert_eq!(said(&bench.group()), ["one"]);
}

#[test]
fn an_answer_counts_once() {
    let mut bench = Bench::new();
    bench.send("a", "one");
    let group = bench.group();
    bench.succeed(&group, Response::default());
    let last = bench.partition.lsn();
    bench.succeed(&group, Response::default());
    assert_eq!(bench.partition.lsn(), last);
    assert!(reports(&mut bench).contains(&Report::StaleAnswer));
}

#[test]
fn what_cannot_be_done_is_rejected_and_the_rest_is_done() {
    let mut bench = Bench::new();
    bench.send("a", "one");
    let group = bench.group();
    let nobody = Address::new(name("shop/nobody"), "x").unwrap();
    let early =
        Delayed::Send { delay_ms: -1, target: address("b"), argument: text("early"), token: None };
    let response = Response {
        sends: vec![(nobody, text("lost")), (address("b"), text("found"))],
        delayed: vec![early],
        egress: vec![(name("shop/nowhere"), text("lost"))],
        ..Response::default()
    };
    bench.succeed(&group, response);
    let reports = reports(&mut bench).into_iter();
    let rejected = reports.filter_map(|report| match report {
        Report::Rejected { rejection, .. } => Some(rejection.reason),
        _ => None,
    });
    let expected = [
        RejectionReason::UnknownFunction,
        RejectionReason::NegativeDelay,
        RejectionReason::UnknownEgress,
    ];
    assert_eq!(rejected.collect::<Vec<_>>(), expected);
    assert_eq!(said(&bench.group()), ["found"]);
}

#[test]
fn a_token_cancels_once_and_may_be_taken_again_in_the_same_answer() {
    let mut bench = Bench::new();
    let later = |what: &str| Delayed::Send {
        delay_ms: 100,
        target: address("b"),
        argument: text(what),
        token: Some("t".into()),
    };
    let cancel = || Delayed::Cancel { token: "t".into() };
    for delayed in [vec![later("old")], vec![cancel(), later("new")], vec![cancel()]] {
        bench.send("a", "go");
        let group = bench.group();
        bench.succeed(&group, Response { delayed, ..Response::default() });
    }
    bench.wait(1_000);
    assert!(bench.groups.is_empty(), "all that was to be sent later was cancelled");
}

#[test]
fn everything_that_waits_for_a_parked_address_can_be_dropped() {
    let mut bench = Bench::new();
    park(&mut bench);
    for number in 0..5 {
        bench.send("a", &format!("{number}"));
    }
    let outcome = bench.order(Order::DropAll(address("a")));
    assert_eq!(outcome, OrderOutcome::Dropped { messages: 6, parked: false });
    assert_eq!(bench.partition.parked(), 0);
    bench.send("a", "later");
    assert_eq!(said(&bench.group()), ["later"]);
    assert_eq!(bench.order(Order::Redrive(address("a"))), OrderOutcome::NotParked);
}

#[test]
fn an_order_is_signed() {
    let mut bench = Bench::new();
    park(&mut bench);
    bench.order(Order::Redrive(address("a")));
    let signed = bench.records.iter().find_map(|record| match record {
        Record::AddressReleased { signature, .. } => Some(signature.clone()),
        _ => None,
    });
    let signature = signed.unwrap();
    assert_eq!((&*signature.by, &*signature.reason), ("ada", "it is fixed"));
    assert_eq!(signature.at, bench.now);
}

#[test]
fn what_a_function_gives_up_on_leaves_as_a_dead_letter_and_its_address_goes_on() {
    let mut bench = Bench::new();
    let policy = FunctionPolicy {
        attempts: 2,
        exhausted: Exhausted::Drop(name("shop/out")),
        ..FunctionPolicy::default()
    };
    let mut application = Application::default();
    application.functions.insert(name("shop/cart"), policy);
    application.egresses.insert(name("shop/out"));
    bench.tell(Event::ApplicationChanged(application.into()));
    bench.send("a", "bad");
    let group = bench.group();
    bench.fail(&group);
    bench.send("a", "good");
    bench.wait(10_000);
    let group = bench.group();
    assert_eq!(said(&group), ["bad"]);
    bench.fail(&group);
    assert_eq!(said(&bench.group()), ["good"]);
    assert_eq!(bench.partition.parked(), 0);
    let letters: Vec<_> = bench
        .take_effects()
        .into_iter()
        .filter_map(|effect| match effect {
            Effect::Emit { emitted, .. } => Some(emitted),
            _ => None,
        })
        .collect();
    let [letter] = &letters[..] else { panic!("{letters:?}") };
    assert_eq!(&*letter.argument.typename, "io.tidegate/dead-letter");
    let expected = format!(
        r#"{{"address":"shop/cart/a","caller":null,"typename":"shop/text","value":"YmFk","error":"no","attempts":2,"time":{}}}"#,
        bench.now.0
    );
    assert_eq!(std::str::from_utf8(&letter.argument.value).unwrap(), expected);
}

#[test]
fn waits_grow_by_their_factor_up_to_the_longest() {
    let policy = FunctionPolicy {
        backoff_first_ms: 100,
        backoff_factor_percent: 150,
        backoff_longest_ms: 400,
        ..FunctionPolicy::default()
    };
    let waits: Vec<u64> = (1..=6).map(|failures| policy.backoff_ms(failures)).collect();
    assert_eq!(waits, [100, 150, 225, 337, 400, 400]);
    assert_eq!(policy.backoff_ms(u32::MAX), 400);
}

/// The only message of an address fails until it is parked.
fn park(bench: &mut Bench) {
    bench.send("a", "bad");
    for _ in 0..3 {
        let group = bench.group();
        bench.fail(&group);
        bench.wait(10_000);
    }
}
