//! Function types share the places for groups: one that is paused, limited or slow never takes those of the others.

use tidegate_core::address::{Address, Typename};
use tidegate_core::id::Ticket;
use tidegate_core::limits::Limits;
use tidegate_core::message::Origin;
use tidegate_core::partition::effect::Effect;
use tidegate_core::partition::event::Event;
use tidegate_core::partition::group::{Group, Response};
use tidegate_core::partition::order::{Order, OrderOutcome, Subject};
use tidegate_core::policy::{Application, FunctionPolicy};

use crate::bench::{Bench, declaring, name};

const SLOW: &str = "shop/slow";
const QUICK: &str = "shop/quick";

fn bench(places: usize) -> Bench {
    let limits = Limits { groups_in_flight: places, ..Limits::default() };
    let mut bench = Bench::with(limits, 1);
    bench.tell(Event::ApplicationChanged(declaring(&[SLOW, QUICK])));
    bench
}

fn send(bench: &mut Bench, function: &str, id: &str) {
    let origin = Origin::Client { ticket: Ticket(0), wants_reply: false, request: None };
    bench.receive(origin, Address::new(name(function), id).unwrap(), "go");
}

/// The addresses whose groups are to be processed since it was asked last.
fn begun(bench: &mut Bench) -> Vec<String> {
    bench.groups.iter().map(|group| group.address.to_string()).collect()
}

fn pause(bench: &mut Bench, order: fn(Subject) -> Order) -> OrderOutcome {
    let order = order(Subject::Function(name(SLOW)));
    let (by, reason) = ("ada".into(), "it is slow".into());
    bench.tell(Event::Ordered { ticket: Ticket(7), order, by, reason });
    let outcome = bench.take_effects().into_iter().find_map(|effect| match effect {
        Effect::AnswerOperator { ticket: Ticket(7), outcome, .. } => Some(outcome),
        _ => None,
    });
    outcome.expect("an order is answered")
}

#[test]
fn a_type_that_answers_nothing_leaves_places_to_the_others() {
    let mut bench = bench(8);
    for id in 0..100 {
        send(&mut bench, SLOW, &format!("s{id}"));
    }
    assert_eq!(bench.groups.len(), 6, "three quarters of all places");
    send(&mut bench, QUICK, "q0");
    assert_eq!(begun(&mut bench).last().unwrap(), "shop/quick/q0");
    let groups: Vec<Group> = bench.groups.drain(..).collect();
    for _ in 0..20 {
        // The quick one goes round and round beside what is stuck.
        send(&mut bench, QUICK, "q0");
    }
    bench.succeed(groups.last().unwrap(), Response::default());
    assert_eq!(begun(&mut bench), ["shop/quick/q0"]);
}

#[test]
fn types_have_their_turns_one_after_the_other() {
    let mut bench = bench(1);
    send(&mut bench, SLOW, "s0");
    for id in 1..4 {
        send(&mut bench, SLOW, &format!("s{id}"));
    }
    send(&mut bench, QUICK, "q1");
    send(&mut bench, QUICK, "q2");
    let mut order = Vec::new();
    while let Some(group) = bench.groups.pop_front() {
        order.push(group.address.id.to_string());
        bench.succeed(&group, Response::default());
    }
    assert_eq!(order, ["s0", "s1", "q1", "s2", "q2", "s3"]);
}

#[test]
fn a_type_has_as_many_groups_in_flight_as_its_policy_allows() {
    let mut bench = bench(8);
    let mut application = Application::default();
    let policy = FunctionPolicy { groups_in_flight: 2, ..FunctionPolicy::default() };
    application.functions.insert(name(SLOW), policy);
    bench.tell(Event::ApplicationChanged(application.into()));
    for id in 0..5 {
        send(&mut bench, SLOW, &format!("s{id}"));
    }
    assert_eq!(bench.groups.len(), 2);
    let group = bench.group();
    bench.succeed(&group, Response::default());
    assert_eq!(bench.groups.len(), 2, "an answer makes room for the next one");
}

#[test]
fn a_paused_function_waits_and_goes_on() {
    let mut bench = bench(8);
    assert_eq!(pause(&mut bench, Order::Pause), OrderOutcome::Done);
    assert_eq!(pause(&mut bench, Order::Pause), OrderOutcome::AlreadySo);
    send(&mut bench, SLOW, "s0");
    send(&mut bench, QUICK, "q0");
    assert_eq!(begun(&mut bench), ["shop/quick/q0"]);
    bench.groups.clear();
    assert_eq!(pause(&mut bench, Order::Resume), OrderOutcome::Done);
    assert_eq!(begun(&mut bench), ["shop/slow/s0"]);
    assert_eq!(pause(&mut bench, Order::Resume), OrderOutcome::AlreadySo);
}

#[test]
fn a_group_of_a_limited_type_waits_for_its_turn() {
    let mut bench = bench(8);
    let limited: Typename = name(SLOW);
    let mut application = Application::default();
    let policy = FunctionPolicy { by_turns: true, ..FunctionPolicy::default() };
    application.functions.insert(limited.clone(), policy);
    bench.tell(Event::ApplicationChanged(application.into()));
    bench.take_effects();
    send(&mut bench, SLOW, "s0");
    send(&mut bench, SLOW, "s1");
    let asked = bench.take_effects().into_iter().filter_map(|effect| match effect {
        Effect::AskTurns { count, .. } => Some(count),
        _ => None,
    });
    assert_eq!(asked.sum::<usize>(), 2);
    assert!(bench.groups.is_empty());
    bench.tell(Event::TurnsGranted { function: limited.clone(), count: 1 });
    assert_eq!(begun(&mut bench), ["shop/slow/s0"]);
    bench.tell(Event::TurnsGranted { function: limited, count: 2 });
    assert_eq!(bench.groups.len(), 2);
    let returned = |effect: &Effect| matches!(effect, Effect::ReturnTurns { count: 1, .. });
    assert!(bench.take_effects().iter().any(returned), "a turn that nobody needs is given back");
}
