//! Which partitions this process owns: claims them, restores them from store and log, lets them run, hands them over.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tidegate_core::codec::record::decode_step;
use tidegate_core::codec::row::head_range;
use tidegate_core::id::{Lsn, PartitionId};
use tidegate_core::limits::Limits;
use tidegate_core::partition::effect::Effects;
use tidegate_core::partition::planted::Planted;
use tidegate_core::partition::restore::{RestoreError, Restoring};
use tidegate_core::partition::{Partition, Setting};
use tidegate_core::policy::Application;
use tidegate_core::route::PartitionCount;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::AbortOnDropHandle;
use ulid::Ulid;

use crate::clock::Clock;
use crate::driver::loader::{RowError, load_all};
use crate::driver::run::{Driver, Ended};
use crate::driver::sweep::Walker;
use crate::driver::{Command, Inbox, Shared};
use crate::log::{History, HistoryError, LogFailure, Sealed};
use crate::ownership::{Claim, OwnershipError};
use crate::store::{PartitionStore, StateStore, StoreError};

/// A node could not take over its partitions.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// Ownership could not be claimed.
    #[error(transparent)]
    Ownership(#[from] OwnershipError),
    /// A database could not be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Rows could not be read.
    #[error(transparent)]
    Rows(#[from] RowError),
    /// An earlier log cannot be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// A record of an earlier log is not what was written.
    #[error("TG-0292: a record of partition {partition} in log {incarnation} is damaged: {cause}")]
    Record {
        /// Whose record.
        partition: PartitionId,
        /// In which log.
        incarnation: Ulid,
        /// What is wrong with it.
        cause: tidegate_core::codec::DecodeError,
    },
    /// Store and logs do not fit together.
    #[error("TG-0293: partition {partition} cannot be restored: {cause}")]
    Restore {
        /// Which partition.
        partition: PartitionId,
        /// Why.
        cause: RestoreError,
    },
    /// What is claimed is not what was to be claimed: messages to the other partitions would wait for ever.
    #[error("TG-0295: the claimed partitions are not those that the node was to own")]
    Claims,
    /// The log failed while the node was stopping.
    #[error(transparent)]
    Log(#[from] LogFailure),
    /// The log did not become durable in time while the node was stopping. What is not durable was acknowledged to nobody.
    #[error("TG-0296: the log could not be made durable in time while the node was stopping")]
    LogNotClosed,
}

/// How a node stopped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stopped {
    /// The partitions whose last records are in the log only: the next start replays them.
    pub unflushed: Vec<PartitionId>,
}

/// What partitions are restored with.
pub struct Plan {
    /// How many partitions there are.
    pub partitions: PartitionCount,
    /// What the application declares.
    pub application: Arc<Application>,
    /// The bounds of each partition.
    pub limits: Limits,
    /// The logs of earlier incarnations.
    pub history: Arc<dyn History>,
    /// The databases.
    pub store: Arc<dyn StateStore>,
}

/// The partitions of this process, running.
pub struct Node {
    drivers: JoinSet<(PartitionId, Ended)>,
    stores: BTreeMap<PartitionId, Arc<dyn PartitionStore>>,
    store: Arc<dyn StateStore>,
    shared: Arc<Shared>,
    /// Walks through the databases.
    walks: Vec<AbortOnDropHandle<()>>,
}

impl Node {
    /// Restores the claimed partitions, and lets them run once all of them are restored: a node that cannot have one of them
    /// writes nothing.
    pub async fn start(
        plan: &Arc<Plan>,
        claims: Vec<Claim>,
        shared: &Arc<Shared>,
        inboxes: BTreeMap<PartitionId, Inbox>,
    ) -> Result<Self, NodeError> {
        if !claims.iter().map(|claim| claim.partition).eq(inboxes.keys().copied()) {
            return Err(NodeError::Claims);
        }
        let restored = restore_all(plan, claims, &shared.clock).await?;
        let mut node = Self {
            drivers: JoinSet::new(),
            stores: BTreeMap::new(),
            store: Arc::clone(&plan.store),
            shared: Arc::clone(shared),
            walks: Vec::new(),
        };
        for ((id, inbox), restored) in inboxes.into_iter().zip(restored) {
            node.run(id, inbox, restored).await?;
        }
        Ok(node)
    }

    async fn run(
        &mut self,
        id: PartitionId,
        inbox: Inbox,
        restored: Restored,
    ) -> Result<(), NodeError> {
        let Restored { partition, adoption, store } = restored;
        let first = Lsn(partition.lsn().0 + 1 - adoption.records.len() as u64);
        self.shared.ownership.adopted(id, first).await?;
        self.stores.insert(id, Arc::clone(&store));
        let driver = Driver::new(partition, adoption, Arc::clone(&self.shared), store, inbox);
        self.drivers.spawn(async move { (id, driver.run().await) });
        Ok(())
    }

    /// From now on, values that have expired are looked for in the background, with such a pause between two walks through the
    /// database of a partition.
    pub fn sweep(&mut self, interval: Duration) {
        let partitions = self.stores.len().max(1) as u32;
        for (number, (partition, store)) in (1..).zip(&self.stores) {
            let Some(driver) = self.shared.peers.get(usize::from(partition.0)) else { continue };
            let walker = Walker {
                partition: *partition,
                driver: driver.clone(),
                store: Arc::clone(store),
                clock: self.shared.clock.clone(),
                interval,
            };
            let first = interval / partitions * number;
            self.walks.push(AbortOnDropHandle::new(tokio::spawn(walker.run(first))));
        }
    }

    /// Lets functions that are under way answer until `patience`, then makes everything durable, flushes it, and closes log
    /// and databases, for which there is `grace`. A store that is not available does not keep the node from stopping, since
    /// the log has everything.
    pub async fn stop(mut self, patience: Instant, grace: Duration) -> Result<Stopped, NodeError> {
        self.walks.clear();
        for driver in &self.shared.peers {
            // One that failed is not told: it has said so already, and is joined below.
            driver.tell(Command::Finish { patience });
        }
        let deadline = patience.max(Instant::now()) + grace;
        let mut unflushed: BTreeSet<PartitionId> = self.stores.keys().copied().collect();
        let mut flushed = Vec::new();
        while let Ok(Some(joined)) = timeout_at(deadline, self.drivers.join_next()).await {
            if let Ok((id, Ended::Flushed { last })) = joined {
                unflushed.remove(&id);
                flushed.push((id, last));
            }
        }
        self.drivers.shutdown().await;
        // The drivers may have used up the time, and the log needs some in any case.
        let closing = deadline.max(Instant::now() + CLOSING);
        timeout_at(closing, self.shared.log.close())
            .await
            .map_err(|_| NodeError::LogNotClosed)??;
        self.shared.ownership.released(flushed).await?;
        if timeout_at(closing, self.close_stores()).await.is_err() {
            tracing::warn!("the state store could not be closed in time, which loses nothing");
        }
        Ok(Stopped { unflushed: unflushed.into_iter().collect() })
    }

    async fn close_stores(&self) {
        for (partition, store) in &self.stores {
            if let Err(error) = store.close().await {
                tracing::warn!(%partition, %error, "a database could not be closed, which loses nothing");
            }
        }
        if let Err(error) = self.store.close().await {
            tracing::warn!(%error, "the state store could not be closed, which loses nothing");
        }
    }
}

/// The least time that log and databases have for closing.
const CLOSING: Duration = Duration::from_secs(5);

/// Restores all claimed partitions at once, in the order of the claims. All faults are reported, one is returned.
async fn restore_all(
    plan: &Arc<Plan>,
    claims: Vec<Claim>,
    clock: &Clock,
) -> Result<Vec<Restored>, NodeError> {
    let sealed = open_logs(plan, &claims).await?;
    let restoring = claims.into_iter().map(|claim| {
        let (plan, sealed, clock) = (Arc::clone(plan), Arc::clone(&sealed), clock.clone());
        let id = claim.partition;
        let restoring = tokio::spawn(async move { restore(&plan, claim, &sealed, clock).await });
        (id, AbortOnDropHandle::new(restoring))
    });
    let (mut restored, mut failed) = (Vec::new(), Vec::new());
    for (id, restoring) in restoring.collect::<Vec<_>>() {
        match restoring.await {
            Ok(Ok(partition)) => restored.push(partition),
            Ok(Err(error)) => failed.push((id, error)),
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        }
    }
    for (partition, error) in failed.iter().skip(1) {
        tracing::error!(%partition, %error, "a further partition could not be restored");
    }
    match failed.into_iter().next() {
        Some((_, error)) => Err(error),
        None => Ok(restored),
    }
}

type SealedLogs = Arc<BTreeMap<Ulid, Box<dyn Sealed>>>;

/// Opens every log that some partition must replay, once.
async fn open_logs(plan: &Arc<Plan>, claims: &[Claim]) -> Result<SealedLogs, NodeError> {
    let names: BTreeSet<Ulid> =
        claims.iter().flat_map(|claim| &claim.replay).map(|link| link.incarnation).collect();
    let history = Arc::clone(&plan.history);
    blocking(move || {
        let opened = names.into_iter().map(|name| Ok((name, history.open(name)?)));
        Ok(Arc::new(opened.collect::<Result<_, NodeError>>()?))
    })
    .await
}

/// A partition that may begin.
struct Restored {
    partition: Partition,
    adoption: Effects,
    store: Arc<dyn PartitionStore>,
}

async fn restore(
    plan: &Plan,
    claim: Claim,
    sealed: &SealedLogs,
    clock: Clock,
) -> Result<Restored, NodeError> {
    let id = claim.partition;
    let store: Arc<dyn PartitionStore> = plan.store.open(id).await?.into();
    let (from, until) = head_range();
    let head = load_all(&*store, from, &until).await?;
    let setting = Setting {
        partition: id,
        partitions: plan.partitions,
        application: Arc::clone(&plan.application),
        limits: plan.limits.clone(),
        planted: Planted::default(),
    };
    let sealed = Arc::clone(sealed);
    let (partition, adoption) = blocking(move || {
        let mut restoring = Restoring::begin(setting, head);
        for link in &claim.replay {
            if let Some(log) = sealed.get(&link.incarnation) {
                replay(&mut restoring, id, link.incarnation, &**log)?;
            }
        }
        let mut adoption = Effects::default();
        let adopted = restoring.adopt(clock.now(), claim.epoch, &mut adoption);
        let partition = adopted.map_err(|cause| NodeError::Restore { partition: id, cause })?;
        Ok((partition, adoption))
    })
    .await?;
    Ok(Restored { partition, adoption, store })
}

fn replay(
    restoring: &mut Restoring,
    partition: PartitionId,
    incarnation: Ulid,
    log: &dyn Sealed,
) -> Result<(), NodeError> {
    for logged in log.steps(partition) {
        let step = logged?.step;
        if step.last <= restoring.lsn() {
            continue;
        }
        // Bytes of its own: what stays in memory of a step must not keep its whole frame there.
        let bytes = bytes::Bytes::copy_from_slice(&step.records);
        let records = decode_step(bytes).map_err(|cause| NodeError::Record {
            partition,
            incarnation,
            cause,
        })?;
        restoring
            .replay(step.first, &records)
            .map_err(|cause| NodeError::Restore { partition, cause })?;
    }
    Ok(())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, NodeError> + Send + 'static,
) -> Result<T, NodeError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}

/// Deletes the logs that no chain names: what a crash left over.
pub async fn remove_leftovers(
    history: &Arc<dyn History>,
    named: BTreeSet<Ulid>,
) -> Result<(), NodeError> {
    let history = Arc::clone(history);
    blocking(move || {
        for incarnation in
            history.list()?.into_iter().filter(|incarnation| !named.contains(incarnation))
        {
            history.remove(incarnation)?;
        }
        Ok(())
    })
    .await
}

/// Where a node keeps its data below the data directory.
#[must_use]
pub fn state_directory(data: &std::path::Path) -> PathBuf {
    data.join("state")
}
