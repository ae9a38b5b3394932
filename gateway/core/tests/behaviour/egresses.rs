//! Records for sinks that come and go.

use tidegate_core::id::Sequence;
use tidegate_core::partition::effect::Effect;
use tidegate_core::partition::event::Event;
use tidegate_core::partition::group::Response;

use crate::bench::{Bench, declaring, name, text};

fn emit(bench: &mut Bench, records: usize) {
    bench.send("a", "one");
    let group = bench.group();
    let egress = (0..records).map(|number| (name("shop/out"), text(&number.to_string())));
    bench.succeed(&group, Response { egress: egress.collect(), ..Response::default() });
}

fn emitted(bench: &mut Bench) -> Vec<u64> {
    let number = |effect| match effect {
        Effect::Emit { sequence, .. } => Some(sequence.0),
        _ => None,
    };
    bench.take_effects().into_iter().filter_map(number).collect()
}

fn acknowledge(bench: &mut Bench, through: u64) {
    let egress = name("shop/out");
    bench.tell(Event::EgressAcknowledged { egress, through: Sequence(through) });
}

#[test]
fn a_sink_that_was_opened_anew_gets_what_was_not_acknowledged_from_the_first_on() {
    let mut bench = Bench::new();
    emit(&mut bench, 5);
    assert_eq!(emitted(&mut bench), [1, 2, 3, 4, 5]);
    acknowledge(&mut bench, 2);
    bench.tell(Event::EgressReopened { egress: name("shop/out") });
    assert_eq!(emitted(&mut bench), [3, 4, 5]);
    emit(&mut bench, 1);
    assert_eq!(emitted(&mut bench), [6]);
    acknowledge(&mut bench, 6);
    bench.tell(Event::EgressReopened { egress: name("shop/out") });
    bench.tell(Event::EgressReopened { egress: name("shop/unknown") });
    assert_eq!(emitted(&mut bench), []);
}

#[test]
fn records_of_an_egress_that_is_not_declared_any_more_wait_until_it_returns() {
    let mut bench = Bench::new();
    emit(&mut bench, 2);
    emitted(&mut bench);
    let without = tidegate_core::policy::Application {
        egresses: [].into(),
        ..(*declaring(&["shop/cart"])).clone()
    };
    bench.tell(Event::ApplicationChanged(without.into()));
    emit(&mut bench, 1);
    assert_eq!(emitted(&mut bench), [], "what is sent meanwhile is rejected");
    bench.tell(Event::ApplicationChanged(declaring(&["shop/cart"])));
    bench.tell(Event::EgressReopened { egress: name("shop/out") });
    assert_eq!(emitted(&mut bench), [1, 2]);
}
