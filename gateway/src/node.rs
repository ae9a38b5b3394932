//! Which partitions this process owns: claims them, restores them from store and log, lets them run, hands them over.

use std::collections::{BTreeMap, HashMap};
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
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use ulid::Ulid;

use crate::clock::Clock;
use crate::driver::loader::{RowError, load_all};
use crate::driver::{Command, Driver, DriverHandle, Inbox, Shared};
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
    /// The log failed while the node was stopping.
    #[error(transparent)]
    Log(#[from] LogFailure),
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
    drivers: JoinSet<()>,
    handles: Vec<DriverHandle>,
    stores: Vec<Arc<dyn PartitionStore>>,
    store: Arc<dyn StateStore>,
    shared: Arc<Shared>,
}

impl Node {
    /// Restores the claimed partitions and lets them run. Each one serves as soon as it is restored itself.
    pub async fn start(
        plan: &Arc<Plan>,
        claims: Vec<Claim>,
        shared: &Arc<Shared>,
        inboxes: Vec<Inbox>,
    ) -> Result<Self, NodeError> {
        let sealed = open_logs(plan, &claims).await?;
        let mut node = Self {
            drivers: JoinSet::new(),
            handles: shared.peers.clone(),
            stores: Vec::new(),
            store: Arc::clone(&plan.store),
            shared: Arc::clone(shared),
        };
        let mut restoring = JoinSet::new();
        for (claim, inbox) in claims.into_iter().zip(inboxes) {
            let (plan, sealed) = (Arc::clone(plan), Arc::clone(&sealed));
            restoring.spawn(async move { (inbox, restore(&plan, claim, &sealed).await) });
        }
        let mut restored = Vec::new();
        while let Some(joined) = restoring.join_next().await {
            let (inbox, partition) = joined.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()));
            restored.push((inbox, partition?));
        }
        for (inbox, restored) in restored {
            node.run(inbox, restored).await?;
        }
        Ok(node)
    }

    async fn run(&mut self, inbox: Inbox, restored: Restored) -> Result<(), NodeError> {
        let Restored { partition, adoption, store } = restored;
        let id = partition.id();
        let first = Lsn(partition.lsn().0 + 1 - adoption.records.len() as u64);
        self.shared.ownership.adopted(id, first).await?;
        self.stores.push(Arc::clone(&store));
        let me = self.handles[usize::from(id.0)].clone();
        let driver = Driver::new(partition, adoption, Arc::clone(&self.shared), store, (me, inbox));
        self.drivers.spawn(driver.run());
        Ok(())
    }

    /// Lets functions that are under way answer for a while, then makes everything durable, flushes it, and closes log
    /// and databases.
    pub async fn stop(mut self, grace: Duration) -> Result<(), NodeError> {
        let patience = Instant::now() + grace;
        let finished: Vec<_> = self.handles.iter().map(|driver| finish(driver, patience)).collect();
        let mut flushed = Vec::new();
        for (partition, finished) in (0..).map(PartitionId).zip(finished) {
            // A driver that failed has said so already, and has nothing to flush.
            if let Ok(Ok(last)) = timeout_at(patience + grace, finished).await {
                flushed.push((partition, last));
            }
        }
        self.drivers.shutdown().await;
        self.shared.log.close().await?;
        self.shared.ownership.released(flushed).await?;
        for store in &self.stores {
            store.close().await?;
        }
        self.store.close().await?;
        Ok(())
    }
}

fn finish(driver: &DriverHandle, patience: Instant) -> oneshot::Receiver<Lsn> {
    let (finished, done) = oneshot::channel();
    driver.tell(Command::Finish { patience, finished });
    done
}

type SealedLogs = Arc<BTreeMap<Ulid, Box<dyn Sealed>>>;

/// Opens every log that some partition must replay, once.
async fn open_logs(plan: &Arc<Plan>, claims: &[Claim]) -> Result<SealedLogs, NodeError> {
    let names: Vec<Ulid> = claims.iter().flat_map(|claim| &claim.replay).map(|link| link.incarnation).collect();
    let history = Arc::clone(&plan.history);
    blocking(move || {
        let mut sealed = BTreeMap::new();
        for name in names {
            if !sealed.contains_key(&name) {
                sealed.insert(name, history.open(name)?);
            }
        }
        Ok(Arc::new(sealed))
    })
    .await
}

/// A partition that may begin.
struct Restored {
    partition: Partition,
    adoption: Effects,
    store: Arc<dyn PartitionStore>,
}

async fn restore(plan: &Plan, claim: Claim, sealed: &SealedLogs) -> Result<Restored, NodeError> {
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
        let adopted = restoring.adopt(Clock::start().now(), claim.epoch, &mut adoption);
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
        let records =
            decode_step(bytes).map_err(|cause| NodeError::Record { partition, incarnation, cause })?;
        restoring.replay(step.first, &records).map_err(|cause| NodeError::Restore { partition, cause })?;
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
    named: std::collections::BTreeSet<Ulid>,
) -> Result<(), NodeError> {
    let history = Arc::clone(history);
    blocking(move || {
        for incarnation in history.list()?.into_iter().filter(|incarnation| !named.contains(incarnation)) {
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

/// The sinks of a node, by egress.
pub type Sinks = HashMap<tidegate_core::address::EgressId, Arc<dyn crate::egress::Sink>>;
