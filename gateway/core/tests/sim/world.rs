//! The world around the partitions: what happens next is drawn, what a partition asks for is done, and every step is
//! checked against the model.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use tidegate_core::id::{Lsn, PartitionId, Ticket, Timestamp};
use tidegate_core::partition::effect::Effects;
use tidegate_core::partition::event::Event;
use tidegate_core::partition::invariants;
use tidegate_core::partition::order::{Order, OrderOutcome};
use tidegate_core::policy::Application;

use crate::fact::Step;
use crate::ingress::{Client, Source};
use crate::network::{Call, InTransit, Sink};
use crate::plan::{Plan, application};
use crate::random::Random;
use crate::site::{Log, Site, fold};
use crate::trace::Trace;
use crate::turns::Turns;

/// The error is a broken promise.
pub type Checked = Result<(), String>;

pub struct World {
    pub plan: Plan,
    pub random: Random,
    pub now: Timestamp,
    pub step: usize,
    pub faults: bool,
    pub sites: Vec<Site>,
    pub logs: Vec<Log>,
    pub packets: Vec<InTransit>,
    pub calls: Vec<Call>,
    pub last_call: u64,
    pub sources: Vec<Source>,
    pub clients: Vec<Client>,
    pub tickets: BTreeMap<Ticket, usize>,
    pub last_ticket: u64,
    /// Operations are numbered over all sources and clients.
    pub ids: u64,
    pub sink: Sink,
    pub application: Arc<Application>,
    pub crashes: usize,
    pub coverage: BTreeMap<&'static str, u64>,
    pub trace: Trace,
    pub handled: u64,
    pub turns: Turns,
    /// Orders that were not answered yet, with what must become of them.
    pub orders: BTreeMap<Ticket, OrderOutcome>,
    /// The last order for an address, which may be given again.
    pub last_order: Option<(PartitionId, Order)>,
}

/// Something that may happen next.
type Happening = fn(&mut World) -> Checked;

/// How often what happens.
const HAPPENINGS: [(usize, Happening); 15] = [
    (20, World::something_arrives),
    (20, World::something_is_answered),
    (16, World::something_is_read),
    (12, World::a_log_is_synced),
    (6, World::a_flush_begins),
    (6, World::a_flush_is_committed),
    (10, World::time_passes),
    (8, World::a_source_goes_on),
    (8, World::a_client_calls),
    (4, World::a_sink_acknowledges),
    (4, World::a_partition_is_adopted),
    (4, World::an_operator_acts),
    (4, World::a_turn_is_granted),
    (3, World::a_walk_meets_values),
    (2, World::something_breaks),
];

impl World {
    pub fn new(plan: Plan, tracing: bool) -> Self {
        let mut random = Random::new(plan.seed ^ 0xABCD_EF01);
        let mut ids = 0;
        let length = 12 + random.below(20);
        let sources = (0..plan.sources)
            .map(|number| {
                Source::new(number, length, plan.accounts, plan.crowded, &mut ids, &mut random)
            })
            .collect();
        let partitions = plan.partitions;
        let logs = (0..plan.nodes).map(|_| Log { alive: true, ..Log::default() }).collect();
        Self {
            random,
            now: Timestamp(1_000_000),
            step: 0,
            faults: true,
            sites: partitions.partitions().map(|id| Site::new(id, partitions)).collect(),
            logs,
            packets: Vec::new(),
            calls: Vec::new(),
            last_call: 0,
            sources,
            clients: Vec::new(),
            tickets: BTreeMap::new(),
            last_ticket: 0,
            ids,
            sink: Sink::default(),
            application: application(true, plan.dead_letters),
            crashes: 0,
            coverage: BTreeMap::new(),
            trace: Trace::new(tracing),
            handled: 0,
            turns: Turns::default(),
            orders: BTreeMap::new(),
            last_order: None,
            plan,
        }
    }

    /// Lets things happen until faults stop, then has everything drain and looks at what is left.
    pub fn run(&mut self) -> Checked {
        for partition in self.plan.partitions.partitions() {
            self.adopt(partition)?;
        }
        let total: usize = HAPPENINGS.iter().map(|(weight, _)| weight).sum();
        for step in 0..self.plan.steps {
            self.step = step;
            let mut drawn = self.random.below(total);
            let happening = HAPPENINGS.iter().find(|(weight, _)| {
                let found = drawn < *weight;
                drawn = drawn.saturating_sub(*weight);
                found
            });
            let (_, happen) = happening.expect("weights cover the draw");
            happen(self)?;
        }
        self.faults = false;
        self.drain()?;
        self.check_end()
    }

    pub fn cover(&mut self, what: &'static str) {
        *self.coverage.entry(what).or_default() += 1;
    }

    /// Partitions that run.
    pub fn running(&self) -> Vec<PartitionId> {
        let running = self.sites.iter().filter_map(|site| site.partition.as_ref());
        running.map(tidegate_core::partition::Partition::id).collect()
    }

    pub fn site(&mut self, partition: PartitionId) -> &mut Site {
        &mut self.sites[usize::from(partition.0)]
    }

    /// Tells a partition what happened, if it runs.
    pub fn tell(&mut self, to: PartitionId, event: Event) -> Checked {
        let now = self.now;
        let site = &mut self.sites[usize::from(to.0)];
        let Some(partition) = &mut site.partition else { return Ok(()) };
        let mut out = Effects::default();
        let note = self.trace.event(&event);
        partition.handle(now, event, &mut out);
        self.perform(to, &note, out)
    }

    /// Appends the records of a step, then does what it asks for.
    pub fn perform(&mut self, of: PartitionId, note: &str, out: Effects) -> Checked {
        self.handled += 1;
        let lsn = self.site(of).partition.as_ref().map_or(Lsn::NONE, |running| running.lsn());
        let (now, epoch) = (self.now, self.site(of).epoch);
        self.trace.step(self.step, now, of, epoch, lsn, note, &out);
        if !out.records.is_empty() {
            self.append(of, lsn, out.records)?;
        }
        for action in out.actions {
            self.act(of, lsn, action)?;
        }
        if self.handled.is_multiple_of(8) || self.trace.is_on() {
            self.check_invariants(of)?;
        }
        Ok(())
    }

    fn append(
        &mut self,
        of: PartitionId,
        last: Lsn,
        records: Vec<tidegate_core::partition::record::Record>,
    ) -> Checked {
        let first = last.0 + 1 - records.len() as u64;
        let mut facts = Vec::with_capacity(records.len());
        for record in &records {
            let fact = self.fact(of, record)?;
            let site = self.site(of);
            site.live.apply(&fact)?;
            fold(&mut site.fold, record);
            facts.push(fact);
        }
        let step = Rc::new(Step { partition: of, first, last: last.0, records, facts });
        let site = self.site(of);
        let expected = site.history.last().map_or(1, |step| step.last + 1);
        if first != expected {
            return Err(format!("DUR-2: partition {of} appends {first} after {}", expected - 1));
        }
        site.history.push(step.clone());
        let incarnation = site.incarnation;
        self.logs[incarnation].entries.push(step);
        Ok(())
    }

    fn check_invariants(&mut self, of: PartitionId) -> Checked {
        let limits = &self.plan.limits;
        // What is let in below the bound may still grow by its mailbox and its values.
        let most = limits.resident_bytes / 512 + limits.groups_in_flight + 2;
        let slack = most * (limits.mailbox_bytes + limits.load_bytes + 1_500);
        let site = &self.sites[usize::from(of.0)];
        let Some(partition) = &site.partition else { return Ok(()) };
        let checked = invariants::memory_equals_fold(partition, &site.fold)
            .and_then(|()| invariants::one_group_per_address(partition))
            .and_then(|()| invariants::turns_are_shared(partition))
            .and_then(|()| invariants::memory_is_bounded(partition, slack));
        checked.map_err(|violation| violation.to_string())
    }
}
