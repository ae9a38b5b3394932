//! LIM-1: whatever comes in, memory stays within its bounds; what does not fit waits in the store, and nothing is lost.

use tidegate_core::id::Timestamp;
use tidegate_core::limits::Limits;
use tidegate_core::partition::Memory;
use tidegate_core::partition::group::Response;

use crate::bench::{Bench, address, name, said, text};

const MESSAGES: usize = 100_000;
const RESIDENT_BYTES: usize = 1 << 20;
const DIRTY_BYTES: usize = 4 << 20;
/// What a mailbox, a load and the groups in flight may add at the bound.
const SLACK_BYTES: usize = 1 << 20;

fn bench() -> Bench {
    let limits = Limits {
        resident_bytes: RESIDENT_BYTES,
        mailbox_bytes: 64 << 10,
        queue_bytes: 64 << 10,
        load_bytes: 64 << 10,
        groups_in_flight: 64,
        ..Limits::default()
    };
    let mut bench = Bench::with(limits, 1);
    bench.keep_records = false;
    bench
}

/// Flushes in time, and looks at the bound.
fn keep_bounds(bench: &mut Bench) {
    if bench.partition.memory().dirty > DIRTY_BYTES {
        bench.flush();
        bench.take_effects();
        // What is flushed counts as resident from then on: whoever drives the partition lets it make room at once.
        while bench.partition.next_deadline() == Some(Timestamp(0)) {
            bench.wait(0);
        }
    }
    let resident = bench.partition.memory().resident;
    assert!(resident <= RESIDENT_BYTES + SLACK_BYTES, "{resident} bytes are resident");
}

#[test]
fn many_messages_for_one_slow_address_wait_in_the_store() {
    let mut bench = bench();
    for number in 0..MESSAGES {
        bench.send("slow", &format!("{number}"));
        keep_bounds(&mut bench);
    }
    let mut next = 0;
    while let Some(group) = bench.groups.pop_front() {
        for what in said(&group) {
            assert_eq!(what, next.to_string(), "messages come in order");
            next += 1;
        }
        bench.succeed(&group, Response::default());
        keep_bounds(&mut bench);
    }
    assert_eq!(next, MESSAGES);
}

#[test]
fn many_messages_from_one_answer_wait_in_the_store() {
    let mut bench = bench();
    bench.send("one", "go");
    let group = bench.group();
    let sends =
        (0..MESSAGES).map(|to| (address(&format!("to {to}")), text("one of many"))).collect();
    bench.succeed(&group, Response { sends, ..Response::default() });
    keep_bounds(&mut bench);
    let mut processed = 0;
    while let Some(group) = bench.groups.pop_front() {
        processed += group.messages.len();
        bench.succeed(&group, Response::default());
        keep_bounds(&mut bench);
    }
    assert_eq!(processed, MESSAGES);
    assert!(bench.partition.is_quiet());
    bench.flush();
    assert_eq!(bench.applied(), Some(bench.partition.lsn()));
}

/// A bench whose mailboxes may have little when memory is short, with messages that wait behind the one in flight.
fn crowded(resident_bytes: usize) -> Bench {
    let limits = Limits { resident_bytes, mailbox_bytes: 4 << 10, ..Limits::default() };
    let mut bench = Bench::with(limits, 1);
    for number in 0..WAITING {
        bench.send("busy", &format!("{number}"));
    }
    bench
}

const WAITING: usize = 200;

fn process_all(bench: &mut Bench) -> Vec<String> {
    let mut processed = Vec::new();
    while let Some(group) = bench.groups.pop_front() {
        processed.extend(said(&group));
        bench.succeed(&group, Response::default());
    }
    processed
}

#[test]
fn a_waiting_message_counts_once_before_and_after_it_is_flushed() {
    let mut bench = crowded(RESIDENT_BYTES);
    let before = bench.partition.memory();
    bench.flush();
    let after = bench.partition.memory();
    let sum = |memory: Memory| memory.resident + memory.dirty;
    assert!(after.dirty < before.dirty / 10, "what is flushed is not dirty: {after:?}");
    assert!(after.resident > before.dirty / 2, "what still waits is resident: {after:?}");
    assert!(sum(after) < sum(before), "{before:?} became {after:?}");
}

#[test]
fn a_long_mailbox_stays_in_memory_while_there_is_room() {
    let mut bench = crowded(RESIDENT_BYTES);
    bench.flush();
    let loads = bench.partition.tally().address_loads;
    assert_eq!(process_all(&mut bench).len(), WAITING);
    assert_eq!(bench.partition.tally().address_loads, loads, "nothing was read again");
}

#[test]
fn a_long_mailbox_is_left_to_the_store_when_memory_is_short() {
    let mut bench = crowded(16 << 10);
    bench.flush();
    while bench.partition.next_deadline() == Some(Timestamp(0)) {
        bench.wait(0);
    }
    let loads = bench.partition.tally().address_loads;
    let resident = bench.partition.memory().resident;
    assert!(resident <= 16 << 10, "{resident} bytes are resident");
    let expected: Vec<String> = (0..WAITING).map(|number| number.to_string()).collect();
    assert_eq!(process_all(&mut bench), expected, "in order, and nothing is lost");
    assert!(bench.partition.tally().address_loads > loads, "the rest was read again");
}

#[test]
fn what_is_under_way_is_told_in_numbers() {
    let mut bench = Bench::new();
    for id in ["a", "b", "c"] {
        bench.send(id, "one");
    }
    assert_eq!(bench.partition.activity().groups_in_flight, 3);
    let (a, b) = (bench.group(), bench.group());
    let record = vec![(name("shop/out"), text("record"))];
    bench.succeed(&a, Response { egress: record, ..Response::default() });
    bench.fail(&b);
    let activity = bench.partition.activity();
    assert_eq!((activity.groups_in_flight, activity.backing_off, activity.residents), (1, 1, 3));
    let backlogs: Vec<_> = bench.partition.egress_backlogs().collect();
    let [(egress, backlog)] = backlogs[..] else { panic!("{backlogs:?}") };
    assert_eq!((egress, backlog.records), (&name("shop/out"), 1));
    assert!(backlog.bytes > 0);
}
