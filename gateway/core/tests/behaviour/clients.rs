//! Clients: idempotency keys, replies, refusals.

use tidegate_core::address::Address;
use tidegate_core::id::Ticket;
use tidegate_core::limits::Limits;
use tidegate_core::message::Origin;
use tidegate_core::partition::effect::{ClientAnswer, ClientRefusal, Effect};
use tidegate_core::partition::group::Response;

use crate::bench::{Bench, name, text};

fn answers(bench: &mut Bench) -> Vec<(Ticket, ClientAnswer)> {
    let effects = bench.take_effects().into_iter();
    let answers = effects.filter_map(|effect| match effect {
        Effect::AnswerClient { ticket, answer, .. } => Some((ticket, answer)),
        _ => None,
    });
    answers.collect()
}

fn reply(bench: &mut Bench, replies: &[&str]) {
    let group = bench.group();
    let caller = group.messages[0].caller.clone().expect("somebody waits");
    let sends = replies.iter().map(|reply| (caller.clone(), text(reply))).collect();
    bench.succeed(&group, Response { sends, ..Response::default() });
}

#[test]
fn the_first_reply_wins_and_is_repeated() {
    let mut bench = Bench::new();
    bench.call(1, "key", 7);
    assert!(matches!(answers(&mut bench)[..], [(Ticket(1), ClientAnswer::Accepted { .. })]));
    reply(&mut bench, &["first", "second"]);
    let effects = bench.take_effects();
    assert!(effects.iter().any(
        |effect| matches!(effect, Effect::Reply { argument, .. } if *argument == text("first"))
    ));
    bench.call(2, "key", 7);
    match &answers(&mut bench)[..] {
        [(Ticket(2), ClientAnswer::Repeated { progress, .. })] => {
            assert_eq!(progress.reply, Some(text("first")));
        }
        other => panic!("{other:?}"),
    }
    assert!(bench.groups.is_empty(), "the function does not run again");
}

#[test]
fn a_repetition_is_known_from_the_store_too() {
    let mut bench = Bench::new();
    bench.call(1, "key", 7);
    reply(&mut bench, &["first"]);
    bench.flush();
    bench.take_effects();
    bench.call(2, "key", 7);
    assert!(matches!(answers(&mut bench)[..], [(Ticket(2), ClientAnswer::Repeated { .. })]));
}

#[test]
fn the_same_key_with_another_body_is_refused() {
    let mut bench = Bench::new();
    bench.call(1, "key", 7);
    bench.take_effects();
    bench.call(2, "key", 8);
    let refused = ClientAnswer::Refused(ClientRefusal::KeyReused);
    assert_eq!(answers(&mut bench), [(Ticket(2), refused)]);
}

#[test]
fn a_full_table_refuses_new_keys_and_forgets_after_the_retention() {
    let limits = Limits { idempotency_keys: 1, idempotency_retention_ms: 500, ..Limits::default() };
    let mut bench = Bench::with(limits, 1);
    bench.call(1, "one", 1);
    reply(&mut bench, &["done"]);
    bench.take_effects();
    bench.call(2, "two", 2);
    let refused = ClientAnswer::Refused(ClientRefusal::TooManyKeys);
    assert_eq!(answers(&mut bench), [(Ticket(2), refused)]);
    bench.wait(500);
    bench.call(3, "two", 2);
    assert!(matches!(answers(&mut bench)[..], [(Ticket(3), ClientAnswer::Accepted { .. })]));
}

#[test]
fn a_message_to_nobody_is_refused() {
    let mut bench = Bench::new();
    let origin = Origin::Client { ticket: Ticket(4), wants_reply: false, request: None };
    bench.receive(origin, Address::new(name("shop/nobody"), "a").unwrap(), "hello");
    let refused = ClientAnswer::Refused(ClientRefusal::UnknownFunction);
    assert_eq!(answers(&mut bench), [(Ticket(4), refused)]);
}
