//! A failure stops one message, then one address, never the partition.

use tidegate_core::address::Address;
use tidegate_core::partition::effect::{Effect, Report};
use tidegate_core::partition::event::Event;
use tidegate_core::partition::group::{Delayed, RejectionReason, Response};

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
    assert!(reports(&mut bench).iter().any(|it| matches!(it, Report::Parked { .. })));
    bench.send("a", "next");
    bench.wait(10_000);
    assert!(bench.groups.is_empty(), "a parked address keeps accepting but is not invoked");
    bench.tell(Event::HeadDropped { address: address("a") });
    assert!(bench.groups.is_empty(), "it stays parked while others wait");
    bench.tell(Event::AddressReleased { address: address("a") });
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
