//! What a seed decides before anything happens: how large the world is, how little memory it has, how much goes wrong.

use std::sync::Arc;

use tidegate_core::limits::Limits;
use tidegate_core::partition::planted::{Bug, Planted};
use tidegate_core::policy::{Application, Exhausted, FunctionPolicy};
use tidegate_core::route::PartitionCount;

use crate::bank::{ACCOUNT, AUDIT, typename};
use crate::model::RETENTION_MS;
use crate::random::Random;

/// Something that the world does wrong on purpose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flaw {
    /// A crash keeps a part of a step.
    StepSplit,
    /// A new epoch is used before it is durable with whoever gives out epochs.
    EpochNotPersisted,
    /// An adopter reads a tail that was never synced and that disappears later.
    TailAdoptedThenLost,
    /// A full partition takes nothing from peers and answers no invocations.
    FullPartitionsStop,
    /// A speculative message reaches a partition that another incarnation owns by now.
    SpeculationAcrossNodes,
    /// The log is trimmed although the store has not caught up.
    LogTrimmedTooEarly,
    /// A crash in a flush leaves a part of it in the store.
    FlushTorn,
}

#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub partitions: PartitionCount,
    pub nodes: usize,
    pub limits: Limits,
    pub accounts: u64,
    pub sources: usize,
    /// How many steps faults go on.
    pub steps: usize,
    /// Chances in a thousand steps: that a node crashes, that a partition moves.
    pub crash: usize,
    pub movement: usize,
    /// Chances in a hundred: that a packet is lost or repeated, that an invocation fails or is answered twice.
    pub loss: usize,
    pub repeat: usize,
    pub fail: usize,
    /// Chances in a hundred that a log is synced when it could be: some disks are slow.
    pub sync: usize,
    pub planted: Planted,
    pub flaw: Option<Flaw>,
    /// What fails too often leaves as a dead letter, and parks nothing.
    pub dead_letters: bool,
    /// Every message sends many others.
    pub crowded: bool,
}

impl Plan {
    pub fn of(seed: u64, steps: usize) -> Self {
        let mut random = Random::new(seed);
        let tight = random.chance(60);
        let calm = random.chance(15);
        let faults = |percent: usize| if calm { 0 } else { percent };
        Self {
            seed,
            partitions: PartitionCount::new(*random.pick(&[2, 2, 4])).unwrap(),
            nodes: 1 + random.below(3),
            limits: if tight { tight_limits(&mut random) } else { loose_limits() },
            accounts: random.between(4, 14),
            sources: 1 + random.below(2),
            steps,
            crash: faults(random.below(14)),
            movement: faults(random.below(6)),
            loss: faults(random.below(20)),
            repeat: faults(random.below(20)),
            fail: faults(random.below(15)),
            sync: *random.pick(&[100, 100, 60, 20]),
            planted: Planted::default(),
            flaw: None,
            dead_letters: seed.is_multiple_of(3),
            crowded: false,
        }
    }

    /// Two partitions on two nodes, with the least memory, that send to each other what they can.
    pub fn crowded(seed: u64, steps: usize) -> Self {
        let limits = tight_limits(&mut Random::new(seed));
        let partitions = PartitionCount::new(2).unwrap();
        let plan = Self { partitions, nodes: 2, limits, crowded: true, ..Self::of(seed, steps) };
        Self { crash: 0, movement: 0, accounts: 14, ..plan }
    }

    pub fn with_bug(mut self, bug: Bug) -> Self {
        self.planted = Planted::bug(bug);
        self
    }

    pub fn with_flaw(mut self, flaw: Flaw) -> Self {
        if matches!(flaw, Flaw::EpochNotPersisted | Flaw::StepSplit) {
            // These show only where a crash hits the right moment.
            (self.crash, self.sync, self.repeat) = (20, 10, 60);
        }
        self.flaw = Some(flaw);
        self
    }
}

fn loose_limits() -> Limits {
    Limits { idempotency_retention_ms: RETENTION_MS, resend_after_ms: 300, ..Limits::default() }
}

fn tight_limits(random: &mut Random) -> Limits {
    Limits {
        resident_bytes: random.between(2_500, 7_000) as usize,
        mailbox_bytes: random.between(500, 1_200) as usize,
        queue_bytes: random.between(500, 1_500) as usize,
        timer_bytes: random.between(500, 1_500) as usize,
        load_bytes: random.between(200, 800) as usize,
        groups_in_flight: random.between(1, 4) as usize,
        idempotency_keys: random.between(3, 12),
        idempotency_retention_ms: RETENTION_MS,
        resend_after_ms: 300,
    }
}

/// What the application declares; sometimes without the audit function.
pub fn application(with_audit: bool, dead_letters: bool) -> Arc<Application> {
    let policy = FunctionPolicy {
        batch_messages: 5,
        batch_bytes: 2_000,
        attempts: 3,
        exhausted: match dead_letters {
            true => Exhausted::Drop(typename("bank/letters")),
            false => Exhausted::Park,
        },
        backoff_first_ms: 20,
        backoff_longest_ms: 100,
        ..FunctionPolicy::default()
    };
    let mut application = Application::default();
    application.functions.insert(typename(ACCOUNT), policy.clone());
    if with_audit {
        let limited = FunctionPolicy { groups_in_flight: 2, by_turns: true, ..policy };
        application.functions.insert(typename(AUDIT), limited);
    }
    application.egresses.insert(typename("bank/out"));
    application.egresses.insert(typename("bank/letters"));
    application.egresses.insert(typename("bank/slow"));
    Arc::new(application)
}
