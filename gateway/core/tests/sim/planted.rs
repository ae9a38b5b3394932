//! Proof that the checkers bite: with each bug planted, one at a time, some seed breaks a promise. The same seeds keep all
//! promises without it.

use tidegate_core::partition::planted::Bug;

use crate::plan::{Flaw, Plan};
use crate::runs::run;

const STEPS: usize = 900;

/// Looks for the first seed that catches something planted.
fn catch(what: &str, most_seeds: u64, plant: impl Fn(Plan) -> Plan) {
    let quiet = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let caught = (1..=most_seeds)
        .find_map(|seed| Some((seed, run(plant(Plan::of(seed, STEPS)), false).result.err()?)));
    std::panic::set_hook(quiet);
    let Some((seed, error)) = caught else {
        panic!("{what} was not caught by {most_seeds} seeds");
    };
    println!("{what}: seed {seed}: {error:.160}");
}

macro_rules! caught {
    ($($name:ident: $with:ident($planted:expr) within $seeds:literal;)*) => {
        $(
            #[test]
            fn $name() {
                catch(stringify!($name), $seeds, |plan| plan.$with($planted));
            }
        )*
    };
}

caught! {
    dedup_off: with_bug(Bug::DedupOff) within 20;
    gap_accepted: with_bug(Bug::GapAccepted) within 20;
    ungated_duplicate_acknowledgement: with_bug(Bug::UngatedDuplicateAcknowledgement) within 300;
    acknowledge_before_durable: with_bug(Bug::AcknowledgeBeforeDurable) within 20;
    send_before_durable: with_bug(Bug::SendBeforeDurable) within 20;
    late_answer_accepted: with_bug(Bug::LateAnswerAccepted) within 100;
    outbox_cleared_too_early: with_bug(Bug::OutboxClearedTooEarly) within 100;
    value_changed_outside_the_fold: with_bug(Bug::ValueChangedOutsideTheFold) within 20;
    configuration_read_in_apply: with_bug(Bug::ConfigurationReadInApply) within 300;
    timer_fired_twice: with_bug(Bug::TimerFiredTwice) within 20;
    timer_lost_at_flush: with_bug(Bug::TimerLostAtFlush) within 100;
    token_not_freed: with_bug(Bug::TokenNotFreed) within 100;
    expiry_not_refreshed: with_bug(Bug::ExpiryNotRefreshed) within 20;
    refresh_of_expired_value: with_bug(Bug::RefreshOfExpiredValue) within 100;
    messages_swapped: with_bug(Bug::MessagesSwapped) within 20;
    undurable_row_flushed: with_bug(Bug::UndurableRowFlushed) within 20;
    load_across_flush: with_bug(Bug::LoadAcrossFlush) within 100;
    tail_overtaken: with_bug(Bug::TailOvertaken) within 100;
    reply_to_dead_incarnation_blocks: with_bug(Bug::ReplyToDeadIncarnationBlocks) within 100;
    any_head_dropped: with_bug(Bug::AnyHeadDropped) within 100;
    paused_function_invoked: with_bug(Bug::PausedFunctionInvoked) within 20;
    swept_by_hint: with_bug(Bug::SweptByHint) within 20;
    swept_in_flight: with_bug(Bug::SweptInFlight) within 300;
    blocked_type_starves_others: with_bug(Bug::BlockedTypeStarvesOthers) within 100;
    step_split: with_flaw(Flaw::StepSplit) within 300;
    epoch_not_persisted: with_flaw(Flaw::EpochNotPersisted) within 600;
    tail_adopted_then_lost: with_flaw(Flaw::TailAdoptedThenLost) within 100;
    speculation_across_nodes: with_flaw(Flaw::SpeculationAcrossNodes) within 300;
    log_trimmed_too_early: with_flaw(Flaw::LogTrimmedTooEarly) within 100;
    flush_torn: with_flaw(Flaw::FlushTorn) within 100;
}

/// Two full partitions that send to each other go on: what is inside spills, and is never refused.
#[test]
fn two_full_partitions_drain() {
    let mut tails = 0;
    for seed in 1..=20 {
        let run = run(Plan::crowded(seed, STEPS), false);
        run.result.unwrap_or_else(|error| panic!("crowded seed {seed}: {error}"));
        tails += run.coverage.get("the tail of an outbox was read").copied().unwrap_or_default();
    }
    assert!(tails > 0, "no outbox was ever longer than memory");
}

/// If they refused each other's messages while they are full, and invoked nothing, they would wait for ever.
#[test]
fn two_full_partitions_stop() {
    let plant = |plan: Plan| Plan::crowded(plan.seed, STEPS).with_flaw(Flaw::FullPartitionsStop);
    catch("two_full_partitions_stop", 20, plant);
}
