//! Nodes: their logs are synced, they crash, and others adopt their partitions from the store and the chain of logs.

use std::rc::Rc;

use tidegate_core::id::{Epoch, Lsn, PartitionId};
use tidegate_core::partition::Setting;
use tidegate_core::partition::effect::Effects;
use tidegate_core::partition::event::Event;
use tidegate_core::partition::restore::Restoring;

use crate::fact::Step;
use crate::plan::Flaw;
use crate::site::{Link, Log};
use crate::world::{Checked, World};

impl World {
    pub fn a_log_is_synced(&mut self) -> Checked {
        if !self.random.chance(self.plan.sync) {
            return Ok(());
        }
        let incarnation = *self.random.pick(&self.alive());
        let log = &self.logs[incarnation];
        let waiting = log.entries.len() - log.synced;
        let count = if self.random.chance(60) { waiting } else { self.random.below(waiting + 1) };
        self.sync(incarnation, count)
    }

    pub fn alive(&self) -> Vec<usize> {
        (0..self.logs.len()).filter(|incarnation| self.logs[*incarnation].alive).collect()
    }

    /// So many further entries of a log are durable now.
    pub fn sync(&mut self, incarnation: usize, count: usize) -> Checked {
        let log = &mut self.logs[incarnation];
        let from = log.synced;
        log.synced += count;
        let entries = log.entries[from..log.synced].to_vec();
        for entry in &entries {
            self.site(entry.partition).keep(Lsn(entry.last))?;
        }
        for partition in self.plan.partitions.partitions() {
            let site = self.site(partition);
            if site.incarnation != incarnation || site.partition.is_none() {
                continue;
            }
            let lsn = site.durable;
            let late = self.faults && self.random.chance(20);
            self.open_gate(partition)?;
            if !late {
                self.tell(partition, Event::RecordsDurable { lsn })?;
            }
        }
        Ok(())
    }

    pub fn a_flush_begins(&mut self) -> Checked {
        let running = self.running();
        if running.is_empty() {
            return Ok(());
        }
        let of = *self.random.pick(&running);
        self.begin_flush(of);
        Ok(())
    }

    pub fn begin_flush(&mut self, of: PartitionId) {
        let trimmed_early = self.plan.flaw == Some(Flaw::LogTrimmedTooEarly);
        let site = self.site(of);
        let Some(partition) = site.partition.as_mut().filter(|_| site.store.flush.is_none()) else {
            return;
        };
        site.store.flush = partition.begin_flush();
        if trimmed_early && site.store.flush.is_some() {
            site.chain.retain(|link| link.to.is_none());
        }
    }

    pub fn a_flush_is_committed(&mut self) -> Checked {
        let of = PartitionId(self.random.below(self.sites.len()) as u16);
        self.commit_flush(of)
    }

    pub fn commit_flush(&mut self, of: PartitionId) -> Checked {
        let logs = &self.logs;
        let site = &mut self.sites[usize::from(of.0)];
        let Some(applied) = site.store.commit_flush() else { return Ok(()) };
        site.check_store(applied)?;
        site.chain.retain(|link| {
            let Some(to) = link.to else { return true };
            let entries = logs[link.incarnation].entries.get(link.from..to);
            // Nothing is left if even the adoption itself was lost.
            entries
                .unwrap_or_default()
                .iter()
                .any(|step| step.partition == of && step.last > applied.0)
        });
        self.tell(of, Event::FlushCommitted)
    }

    pub fn something_breaks(&mut self) -> Checked {
        match self.random.below(100) {
            drawn if drawn < self.plan.crash * 4 => {
                let incarnation = *self.random.pick(&self.alive());
                self.crash(incarnation)
            }
            drawn if drawn < self.plan.crash * 4 + self.plan.movement * 4 => {
                let running = self.running();
                if running.is_empty() {
                    return Ok(());
                }
                let partition = *self.random.pick(&running);
                self.hand_over(partition)
            }
            drawn if drawn > 75 => {
                let index = self.random.below(self.sources.len());
                self.sources[index].restart(self.plan.partitions, &mut self.random);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A node ends. Its log keeps what was synced, and by luck a part of the rest, in whole steps.
    pub fn crash(&mut self, incarnation: usize) -> Checked {
        self.crashes += 1;
        self.lose_adopted_tails();
        let log = &mut self.logs[incarnation];
        let unsynced = log.entries.len() - log.synced;
        let luck = if self.random.chance(40) { 0 } else { self.random.below(unsynced + 1) };
        let keep = log.synced + luck;
        let cut = log.entries.split_off(keep);
        log.alive = false;
        let (step, now) = (self.step, self.now);
        self.trace.note(step, now, || {
            format!(
                "incarnation {incarnation} crashes, {keep} steps are left, {} are lost",
                cut.len()
            )
        });
        if luck > 0 {
            self.cover("an unsynced tail survived a crash");
        }
        if !cut.is_empty() {
            self.cover("an unsynced tail was lost in a crash");
        }
        if self.plan.flaw == Some(Flaw::StepSplit)
            && let Some(step) = cut.first()
            && step.records.len() > 1
        {
            let records = step.records[..1].to_vec();
            let (partition, first) = (step.partition, step.first);
            let part = Step { partition, first, last: first, records, facts: Vec::new() };
            self.logs[incarnation].entries.push(Rc::new(part));
        }
        for partition in self.plan.partitions.partitions() {
            let site = self.site(partition);
            if site.incarnation == incarnation && site.partition.is_some() {
                self.end(partition, &cut)?;
            }
        }
        self.logs.push(Log { alive: true, ..Log::default() });
        Ok(())
    }

    /// The running partition is gone; a flush that was under way is in the store, or not.
    fn end(&mut self, partition: PartitionId, cut: &[Rc<Step>]) -> Checked {
        self.forget_turns(partition);
        let flushed = self.random.chance(50);
        let torn = self.plan.flaw == Some(Flaw::FlushTorn);
        let length = self.logs[self.sites[usize::from(partition.0)].incarnation].entries.len();
        let site = self.site(partition);
        site.partition = None;
        site.gate.clear();
        site.flights.clear();
        site.orders.clear();
        site.droppable.clear();
        site.told_paused.clear();
        site.store.loads.clear();
        if torn && let Some(flush) = &mut site.store.flush {
            let half = flush.rows.len() / 2;
            flush.rows.truncate(half);
        }
        if let Some(open) = site.chain.last_mut() {
            open.to = Some(length);
        }
        let lost = cut.iter().find(|step| step.partition == partition);
        let last = site.history.last().map_or(0, |step| step.last);
        let last = lost.map_or(last, |step| step.first - 1);
        site.forget_after(Lsn(last))?;
        if flushed && let Some(applied) = site.store.commit_flush() {
            site.check_store(applied)?;
        }
        site.store.flush = None;
        Ok(())
    }

    /// For the flaw: tails that were adopted disappear.
    fn lose_adopted_tails(&mut self) {
        if self.plan.flaw == Some(Flaw::TailAdoptedThenLost) {
            for log in self.logs.iter_mut().filter(|log| !log.alive) {
                log.entries.truncate(log.synced);
            }
        }
    }

    /// A partition leaves a node that goes on: everything is durable before.
    fn hand_over(&mut self, partition: PartitionId) -> Checked {
        self.cover("a partition was handed over");
        let incarnation = self.site(partition).incarnation;
        let log = &self.logs[incarnation];
        self.sync(incarnation, log.entries.len() - log.synced)?;
        // Telling a partition what is durable may have made it append.
        let log = &self.logs[incarnation];
        self.sync(incarnation, log.entries.len() - log.synced)?;
        let log = &mut self.logs[incarnation];
        let cut = log.entries.split_off(log.synced);
        if !cut.is_empty() {
            return Err("a partition appends for ever without a cause".into());
        }
        self.end(partition, &cut)
    }

    pub fn a_partition_is_adopted(&mut self) -> Checked {
        let partition = PartitionId(self.random.below(self.sites.len()) as u16);
        self.adopt(partition)
    }

    /// A node takes a partition over, unless one has it.
    pub fn adopt(&mut self, partition: PartitionId) -> Checked {
        if self.site(partition).partition.is_some() {
            return Ok(());
        }
        let incarnation = *self.random.pick(&self.alive());
        let from = self.logs[incarnation].entries.len();
        let persisted = self.plan.flaw != Some(Flaw::EpochNotPersisted);
        let site = self.site(partition);
        site.epoch = 1 + if persisted { site.epoch } else { site.kept.epoch.0 };
        site.incarnation = incarnation;
        let restoring = self.restore(partition)?;
        let site = self.site(partition);
        site.chain.push(Link { incarnation, from, to: None });
        let known = site.history.last().map_or(0, |step| step.last);
        if restoring.lsn().0 != known {
            return Err(format!(
                "DUR-2: {partition} is restored to {}, not {known}",
                restoring.lsn()
            ));
        }
        let epoch = Epoch(site.epoch);
        let mut out = Effects::default();
        let adopted = restoring.adopt(self.now, epoch, &mut out);
        self.site(partition).partition = Some(adopted.map_err(|error| error.to_string())?);
        self.perform(partition, &format!("adopted by incarnation {incarnation}"), out)
    }

    fn restore(&mut self, partition: PartitionId) -> Result<Restoring, String> {
        let setting = Setting {
            partition,
            partitions: self.plan.partitions,
            application: self.application.clone(),
            limits: self.plan.limits.clone(),
            planted: self.plan.planted,
        };
        let site = &self.sites[usize::from(partition.0)];
        let applied = site.store.applied();
        let mut restoring = Restoring::begin(setting, site.store.head());
        let mut logs = 0;
        for link in &site.chain {
            let entries = &self.logs[link.incarnation].entries;
            let to = link.to.unwrap_or(entries.len()).min(entries.len());
            let mut news = false;
            for step in entries.get(link.from..to).unwrap_or_default() {
                if step.partition == partition {
                    news |= step.last > applied.0;
                    let replayed = restoring.replay(Lsn(step.first), &step.records);
                    replayed.map_err(|error| format!("DUR-3: {partition}: {error}"))?;
                }
            }
            logs += usize::from(news);
        }
        if logs > 1 {
            self.cover("two logs or more were replayed");
        }
        Ok(restoring)
    }
}
