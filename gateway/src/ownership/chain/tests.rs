//! The chain in the cases that shaped it, and under any history of a partition against a model of its logs and store.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use proptest::prelude::*;

use super::*;

const A: Ulid = Ulid(30);
const B: Ulid = Ulid(20);
const C: Ulid = Ulid(10);

fn names(chain: &Chain) -> Vec<Ulid> {
    chain.links().iter().map(|link| link.incarnation).collect()
}

#[test]
fn two_crashes_before_a_flush_leave_both_logs_to_replay() {
    let mut chain = Chain::default();
    chain.claim(A).unwrap();
    chain.adopt(Lsn(1)).unwrap();
    chain.claim(B).unwrap();
    let replay = chain.claim(C).unwrap();
    assert_eq!(replay.iter().map(|link| link.incarnation).collect::<Vec<_>>(), [A, B]);
    chain.flush(Lsn(1_000));
    assert_eq!(names(&chain), [A, B, C], "nobody knows yet where A and B end");

    chain.adopt(Lsn(8)).unwrap();
    chain.flush(Lsn(6));
    assert_eq!(names(&chain), [A, B, C]);
    chain.flush(Lsn(7));
    assert_eq!(names(&chain), [C]);
    assert_eq!(chain.epoch(), Epoch(3));
}

#[test]
fn the_running_incarnation_stays_however_far_the_store_is() {
    let mut chain = Chain::default();
    chain.claim(A).unwrap();
    chain.adopt(Lsn(1)).unwrap();
    chain.flush(Lsn(1_000));
    assert_eq!(names(&chain), [A]);
}

#[test]
fn an_incarnation_that_ended_in_order_leaves_nothing_to_replay() {
    let mut chain = Chain::default();
    chain.claim(A).unwrap();
    chain.adopt(Lsn(1)).unwrap();
    chain.claim(B).unwrap();
    chain.adopt(Lsn(8)).unwrap();
    chain.release(Lsn(9));
    assert_eq!(chain.claim(C).unwrap(), []);
    chain.adopt(Lsn(10)).unwrap();
    assert_eq!((names(&chain), chain.epoch()), (vec![C], Epoch(3)));
}

#[test]
fn a_log_that_begins_before_an_earlier_one_is_refused() {
    let mut chain = Chain::default();
    chain.claim(A).unwrap();
    chain.adopt(Lsn(9)).unwrap();
    chain.claim(B).unwrap();
    assert!(matches!(chain.adopt(Lsn(8)), Err(ChainError::Backward { .. })));
    chain.adopt(Lsn(9)).unwrap();
}

#[test]
fn nobody_adopts_without_a_claim() {
    assert_eq!(Chain::default().adopt(Lsn(1)), Err(ChainError::Unclaimed));
}

#[test]
fn a_chain_that_cannot_have_come_about_is_not_restored() {
    let link = |incarnation, from: Option<u64>, through: Option<u64>| Link {
        incarnation,
        from: from.map(Lsn),
        through: through.map(Lsn),
    };
    let restore = |links: &[Link]| Chain::restore(Epoch(1), links.to_vec()).unwrap_err();
    let twice = restore(&[link(A, None, None), link(A, None, None)]);
    assert_eq!(twice, ChainError::Repeated(A));
    let inverted = restore(&[link(A, Some(9), Some(7))]);
    assert!(matches!(inverted, ChainError::Inverted { .. }));
    let backward = restore(&[link(A, Some(9), Some(8)), link(B, Some(8), None)]);
    assert!(matches!(backward, ChainError::Backward { .. }));
    let open = restore(&[link(A, Some(1), None), link(B, Some(8), None)]);
    assert_eq!(open, ChainError::Open(A));
}

/// One life of a partition with its logs, as a node would drive it.
#[derive(Debug, Default)]
struct World {
    /// In memory, gone with a crash.
    chain: Chain,
    /// In the ownership file.
    kept: Chain,
    /// What each log holds durably, in the order in which they were written.
    logs: Vec<(Ulid, Vec<Lsn>)>,
    /// Appended to the running log, and not durable.
    buffered: Vec<Lsn>,
    /// The store holds every record up to here.
    applied: Lsn,
    /// The running incarnation has replayed the chain.
    adopted: bool,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// The process dies, if it lives; the next one claims, and may die before it has written the claim.
    Restart {
        name: u64,
        claim_is_kept: bool,
    },
    Adopt,
    Append(u8),
    /// So many of the buffered records become durable.
    Sync(u8),
    /// The store takes so many of the durable records that it does not hold; the chain hears of it and is perhaps kept.
    Flush {
        records: u8,
        kept: bool,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (any::<u64>(), any::<bool>())
            .prop_map(|(name, claim_is_kept)| Step::Restart { name, claim_is_kept }),
        3 => Just(Step::Adopt),
        2 => (0..5u8).prop_map(Step::Append),
        2 => (0..5u8).prop_map(Step::Sync),
        2 => (0..9u8, any::<bool>()).prop_map(|(records, kept)| Step::Flush { records, kept }),
    ];
    proptest::collection::vec(step, 0..60)
}

impl World {
    fn durable(&self) -> Lsn {
        self.logs.iter().flat_map(|(_, records)| records).max().copied().unwrap_or_default()
    }

    fn perform(&mut self, step: Step) {
        match step {
            Step::Restart { name, claim_is_kept } => self.restart(name, claim_is_kept),
            Step::Adopt if !self.adopted && !self.logs.is_empty() => self.adopt(),
            Step::Append(records) if self.adopted => self.append(records),
            Step::Sync(records) => self.sync(records),
            Step::Flush { records, kept } if self.adopted => self.flush(records, kept),
            _ => {}
        }
    }

    fn restart(&mut self, name: u64, claim_is_kept: bool) {
        // Names come in any order, but never twice.
        let incarnation = Ulid(u128::from(name) << 64 | self.logs.len() as u128);
        (self.buffered, self.adopted) = (Vec::new(), false);
        self.chain = self.kept.clone();
        if claim_is_kept {
            let replay = self.chain.claim(incarnation).unwrap();
            self.kept = self.chain.clone();
            self.check_replay(&replay);
            self.logs.push((incarnation, Vec::new()));
        } else if !self.kept.links().is_empty() {
            // It died; the next one starts from the same file.
            self.restart(name, true);
        }
    }

    /// Recovery: the store plus the logs of the chain, in its order, give every durable record without a gap.
    fn check_replay(&self, replay: &[Link]) {
        let mut at = self.applied;
        for link in replay {
            let (_, records) =
                self.logs.iter().find(|(name, _)| *name == link.incarnation).unwrap();
            for record in records.iter().filter(|record| **record > self.applied) {
                assert_eq!(*record, at.next(), "a record is missing or out of order");
                at = *record;
            }
        }
        assert_eq!(at, self.durable(), "durable records would be lost");
    }

    fn adopt(&mut self) {
        let first = self.durable().next();
        self.chain.adopt(first).unwrap();
        self.buffered = vec![first];
        self.adopted = true;
    }

    fn append(&mut self, records: u8) {
        for _ in 0..records {
            let last = self.buffered.last().copied().unwrap_or(self.durable());
            self.buffered.push(last.next());
        }
    }

    fn sync(&mut self, records: u8) {
        let records = usize::from(records).min(self.buffered.len());
        let durable = self.buffered.drain(..records);
        if let Some((_, log)) = self.logs.last_mut() {
            log.extend(durable);
        }
    }

    fn flush(&mut self, records: u8, kept: bool) {
        self.applied = Lsn(self.applied.0 + u64::from(records)).min(self.durable());
        self.chain.flush(self.applied);
        if kept {
            self.kept = self.chain.clone();
        }
    }

    fn check(&self) {
        let needed: Vec<Ulid> = self
            .logs
            .iter()
            .filter(|(_, records)| records.iter().any(|record| *record > self.applied))
            .map(|(name, _)| *name)
            .collect();
        for chain in [&self.chain, &self.kept] {
            let named = names(chain);
            let found: Vec<Ulid> =
                named.iter().filter(|name| needed.contains(name)).copied().collect();
            assert_eq!(found, needed, "the chain must name every log that is needed, in order");
            let restored = Chain::restore(chain.epoch(), chain.links().to_vec());
            assert_eq!(restored.as_ref(), Ok(chain));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_chain_names_every_log_that_is_needed_in_order(steps in steps()) {
        let mut world = World::default();
        world.restart(0, true);
        for step in steps {
            let before = world.kept.epoch();
            world.perform(step);
            world.check();
            prop_assert!(world.kept.epoch() >= before);
        }
    }
}
