//! A deployment whose nodes live one after the other: the rows, the logs and the ownership file stay, the rest is new.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tempfile::TempDir;
use tidegate::clock::Clock;
use tidegate::clock::floor::Floor;
use tidegate::driver::budget::Budget;
use tidegate::driver::meters::FunctionLabels;
use tidegate::driver::retention::LogRetention;
use tidegate::driver::{DriverFailure, FlushPolicy, Shared, inbox};
use tidegate::egress::Sink;
use tidegate::egress::open::{Egresses, Open};
use tidegate::ingress::{Door, DoorError, Inbound, Outcome, Visitor};
use tidegate::log::memory::{MemoryLog, SyncMode};
use tidegate::log::{
    AppendTicket, FrameNumber, History, HistoryError, LogFailure, LoggedStep, NodeLog, Sealed,
};
use tidegate::node::{Node, NodeError, Plan, Stopped};
use tidegate::ownership::single::SingleOwner;
use tidegate::ownership::{Layout, Ownership};
use tidegate::router::Router;
use tidegate::store::StateStore;
use tidegate::store::faulty::{Faults, FaultyStore};
use tidegate::store::memory::MemoryStore;
use tidegate_core::address::{Address, EgressId, FunctionType};
use tidegate_core::codec::row::{decode_row, encode_key};
use tidegate_core::id::{Lsn, PartitionId, Sequence};
use tidegate_core::limits::Limits;
use tidegate_core::message::TypedValue;
use tidegate_core::partition::record::Emitted;
use tidegate_core::partition::row::{Row, RowKey};
use tidegate_core::policy::{Application, FunctionPolicy};
use tidegate_core::route::{HASH_VERSION, PartitionCount};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use ulid::Ulid;

use crate::functions::{Behaviour, Functions, silent};

pub(crate) const PARTITIONS: PartitionCount = PartitionCount::new(4).unwrap();

/// The function type of all addresses; `bank/careful` is the one that wants durable input.
const FUNCTION: &str = "bank/account";
const CAREFUL: &str = "bank/careful";

pub(crate) fn value(text: &str) -> TypedValue {
    TypedValue::new("test/text", Bytes::copy_from_slice(text.as_bytes()))
}

pub(crate) fn text(value: &TypedValue) -> String {
    String::from_utf8(value.value.to_vec()).unwrap()
}

pub(crate) fn address(id: &str) -> Address {
    Address::new(FunctionType::parse(FUNCTION).unwrap(), id).unwrap()
}

pub(crate) fn careful(id: &str) -> Address {
    Address::new(FunctionType::parse(CAREFUL).unwrap(), id).unwrap()
}

pub(crate) fn egress() -> EgressId {
    EgressId::parse("bank/journal").unwrap()
}

/// Ids that belong to a partition.
pub(crate) fn ids_in(partition: u16) -> impl Iterator<Item = String> {
    let ids = (0..).map(|number: u32| format!("id{number}"));
    ids.filter(move |id| PARTITIONS.partition_of(&address(id)) == PartitionId(partition))
}

/// The first id that belongs to a partition.
pub(crate) fn id_in(partition: u16) -> String {
    ids_in(partition).next().unwrap()
}

/// Lets everything happen that can happen without time.
pub(crate) async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

/// What stays when a node goes.
pub(crate) struct Deployment {
    directory: TempDir,
    pub(crate) rows: MemoryStore,
    logs: Logs,
    first: Mutex<Option<Ulid>>,
    /// By how much the wall clock has been set wrong, in microseconds.
    jumped: Arc<AtomicI64>,
    created: Instant,
    /// That of the last life, whose time is kept.
    clock: Mutex<Option<Clock>>,
}

type Logs = Arc<Mutex<BTreeMap<Ulid, Arc<MemoryLog>>>>;

/// What the wall clock of a deployment says at first, in microseconds since the Unix epoch.
const WALL_US: u64 = 1_700_000_000_000_000;

/// How a node lives.
#[derive(Clone, Copy)]
pub(crate) struct Life {
    pub(crate) behaviour: Behaviour,
    pub(crate) sync: SyncMode,
    pub(crate) flush: FlushPolicy,
    pub(crate) budget: usize,
}

impl Default for Life {
    fn default() -> Self {
        Self {
            behaviour: silent,
            sync: SyncMode::Explicit,
            flush: FlushPolicy {
                interval: Duration::from_secs(30),
                dirty_bytes: usize::MAX,
                backlog_bytes: u64::MAX,
            },
            budget: 1 << 30,
        }
    }
}

/// A node that lives.
pub(crate) struct Living {
    pub(crate) log: Arc<MemoryLog>,
    pub(crate) store: Arc<Faults>,
    pub(crate) functions: Arc<Functions>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) door: Arc<Router>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) failures: UnboundedReceiver<DriverFailure>,
    pub(crate) node: Node,
}

/// A sink that acknowledges nothing by itself.
#[derive(Default)]
pub(crate) struct Journal(Mutex<Vec<(PartitionId, Sequence, String)>>);

impl Journal {
    pub(crate) fn entries(&self) -> Vec<(PartitionId, Sequence, String)> {
        self.0.lock().unwrap().clone()
    }
}

impl Sink for Journal {
    fn emit(&self, partition: PartitionId, sequence: Sequence, emitted: Emitted) {
        self.0.lock().unwrap().push((partition, sequence, text(&emitted.argument)));
    }
}

impl Deployment {
    pub(crate) fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let (logs, first, rows) = (Logs::default(), Mutex::default(), MemoryStore::new());
        let (jumped, created, clock) = (Arc::default(), Instant::now(), Mutex::default());
        Self { directory, rows, logs, first, jumped, created, clock }
    }

    /// Sets the wall clock forward or back by so many seconds.
    pub(crate) fn set_clock(&self, seconds: i64) {
        self.jumped.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
    }

    /// A clock that follows the wall clock of this deployment, and goes on from where the last one was.
    fn clock(&self) -> Clock {
        let (jumped, created) = (Arc::clone(&self.jumped), self.created);
        let wall = Box::new(move || {
            let right = WALL_US + created.elapsed().as_micros() as u64;
            right.saturating_add_signed(jumped.load(Ordering::Relaxed))
        });
        let floor = Floor::in_directory(self.directory.path());
        let mut last = self.clock.lock().unwrap();
        if let Some(last) = &*last {
            floor.raise(last.now()).unwrap();
        }
        last.insert(Clock::following(wall, floor.read().unwrap())).clone()
    }

    /// Starts a node that is expected to start.
    pub(crate) async fn start(&self, life: Life) -> Living {
        let living = self.try_start(life).await.unwrap();
        settle().await;
        living
    }

    pub(crate) async fn try_start(&self, life: Life) -> Result<Living, NodeError> {
        let layout = Layout { partitions: PARTITIONS, hash_version: HASH_VERSION };
        let ownership = SingleOwner::open_or_create(self.directory.path(), layout).unwrap();
        let (incarnation, log) = (Ulid::generate(), Arc::new(MemoryLog::new(life.sync)));
        self.logs.lock().unwrap().insert(incarnation, Arc::clone(&log));
        self.first.lock().unwrap().get_or_insert(incarnation);
        let claims = ownership.claim(incarnation).await?;
        let (handles, inboxes): (Vec<_>, Vec<_>) = (0..PARTITIONS.get()).map(|_| inbox()).unzip();
        let inboxes = (0..).map(PartitionId).zip(inboxes).collect();
        let functions = Functions::new(life.behaviour, handles.clone());
        let (failed, failures) = unbounded_channel();
        let (budget, clock) = (Budget::new(life.budget, PARTITIONS.get()), self.clock());
        let journal = Arc::new(Journal::default());
        let logs = Arc::clone(&self.logs);
        let shared = Arc::new(Shared {
            clock: clock.clone(),
            retention: LogRetention::new(log.clone(), PARTITIONS.get()),
            log: log.clone(),
            ownership: Arc::new(ownership),
            retire: Arc::new(move |gone| drop(logs.lock().unwrap().remove(&gone))),
            invoker: functions.clone(),
            durable_input: Arc::new(|function| function.as_str() == CAREFUL),
            turns: tidegate::driver::turns::TurnKeeper::new(Default::default(), handles.clone()),
            pauses: Arc::default(),
            egresses: Arc::new(Egresses::new(Open {
                sinks: HashMap::from([(egress(), journal.clone() as Arc<dyn Sink>)]),
                ..Open::default()
            })),
            peers: handles.clone(),
            budget: budget.clone(),
            load_slots: Arc::new(Semaphore::new(16)),
            flush_slots: Arc::new(Semaphore::new(1)),
            labels: FunctionLabels::default(),
            flush: life.flush,
            failed,
        });
        let store = Arc::new(FaultyStore::new(Arc::new(self.rows.clone())));
        let faults = store.faults();
        let plan = Plan {
            partitions: PARTITIONS,
            application: application(),
            limits: budget.share(&Limits::default()),
            history: Arc::new(Past(Arc::clone(&self.logs))),
            store,
        };
        let node = Node::start(&Arc::new(plan), claims, &shared, inboxes).await?;
        let (egresses, pauses) = (Arc::default(), Arc::default());
        let door = Router::new(PARTITIONS, handles, budget.clone(), clock, egresses, pauses);
        let door = Arc::new(door);
        Ok(Living { log, store: faults, functions, journal, door, budget, failures, node })
    }

    /// The logs that are still there.
    pub(crate) fn logs(&self) -> usize {
        self.logs.lock().unwrap().len()
    }

    /// Loses what is in the log of the first life.
    pub(crate) fn lose_first_log(&self) {
        let first = self.first.lock().unwrap().unwrap();
        let empty = Arc::new(MemoryLog::new(SyncMode::Explicit));
        self.logs.lock().unwrap().insert(first, empty);
    }

    /// Another process opens the database of a partition.
    pub(crate) async fn open_elsewhere(&self, partition: u16) {
        self.rows.open(PartitionId(partition)).await.unwrap();
    }

    /// Up to which record the store is complete.
    pub(crate) fn applied(&self, partition: u16) -> Lsn {
        let key = encode_key(&RowKey::Applied);
        let rows = self.rows.rows(PartitionId(partition));
        let row = rows.into_iter().find(|(found, _)| found[..] == key[..]);
        match row.map(|(_, row)| decode_row(&RowKey::Applied, row).unwrap()) {
            Some(Row::Lsn(applied)) => applied,
            _ => Lsn::NONE,
        }
    }
}

impl Living {
    /// Sends a message; what became of it is in the task.
    pub(crate) fn send(&self, id: &str, message: &str) -> JoinHandle<Result<Outcome, DoorError>> {
        self.deliver(address(id), value(message), None)
    }

    pub(crate) fn deliver(
        &self,
        target: Address,
        argument: TypedValue,
        key: Option<&str>,
    ) -> JoinHandle<Result<Outcome, DoorError>> {
        let (door, inbound) = (self.door.clone(), inbound(target, argument, key));
        tokio::spawn(async move {
            let exception = door.send(&Visitor::new(), vec![inbound]).await.pop();
            exception.map_or(Ok(Outcome::Accepted), |(_, outcome)| outcome)
        })
    }

    pub(crate) fn call(
        &self,
        id: &str,
        message: &str,
        key: Option<&str>,
    ) -> JoinHandle<Result<Outcome, DoorError>> {
        let (door, inbound) = (self.door.clone(), inbound(address(id), value(message), key));
        tokio::spawn(async move { door.call(inbound, Duration::from_secs(60)).await })
    }

    /// Makes everything durable and lets what follows happen.
    pub(crate) async fn sync(&self) {
        settle().await;
        self.log.sync();
        settle().await;
    }

    /// Syncs until nothing waits any more.
    pub(crate) async fn sync_all(&self) {
        settle().await;
        while !self.log.waiting().is_empty() {
            self.sync().await;
        }
    }

    /// Stops with a patience for functions.
    pub(crate) async fn stop(self, patience: Duration) -> Result<Stopped, NodeError> {
        let log = self.log.clone();
        let syncing = tokio::spawn(async move {
            loop {
                log.sync();
                sleep(Duration::from_millis(5)).await;
            }
        });
        let stopped = self.node.stop(Instant::now() + patience, Duration::from_secs(10)).await;
        syncing.abort();
        stopped
    }

    /// Makes the oldest step durable that waits, alone.
    pub(crate) fn sync_one_step(&self) {
        let durable = self.log.durable().borrow().through;
        self.log.sync_through(AppendTicket(durable.0 + 1));
    }

    /// How many frames the log has had.
    pub(crate) fn frames(&self) -> u64 {
        self.log.durable().borrow().frame.0
    }

    /// Ends the log as a failed write would.
    pub(crate) fn fail_log(&self) {
        let cause = Arc::new(std::io::Error::other("a planned fault"));
        self.log.fail(LogFailure::Unknown(cause));
    }

    /// The sum that an address keeps.
    pub(crate) async fn sum(&self, id: &str) -> Option<String> {
        settle().await;
        let values = self.door.values(address(id)).await.unwrap();
        values.first().map(|(_, sum)| text(sum))
    }
}

/// The last record of a partition that a log still has, durable or not.
pub(crate) fn last_record(log: &MemoryLog, partition: u16) -> Lsn {
    let partition = PartitionId(partition);
    let durable = log.steps(partition, FrameNumber::default());
    let steps = durable.into_iter().map(|logged| logged.step).chain(log.waiting());
    let last = steps.filter(|step| step.partition == partition).map(|step| step.last).max();
    last.unwrap_or_default()
}

pub(crate) fn inbound(target: Address, argument: TypedValue, key: Option<&str>) -> Inbound {
    let hash = *blake3::hash(&argument.value).as_bytes();
    Inbound { target, argument, idempotency: key.map(|key| (key.to_owned(), hash)) }
}

fn application() -> Arc<Application> {
    let functions = [FUNCTION, CAREFUL].map(|name| FunctionType::parse(name).unwrap());
    let functions = functions.map(|function| (function, FunctionPolicy::default()));
    Arc::new(Application {
        functions: functions.into(),
        namespaces: BTreeMap::new(),
        egresses: BTreeSet::from([egress()]),
    })
}

/// The logs of earlier lives: what was synced of them.
struct Past(Logs);

impl History for Past {
    fn open(&self, incarnation: Ulid) -> Result<Box<dyn Sealed>, HistoryError> {
        let log = self.0.lock().unwrap().get(&incarnation).cloned();
        let log = log.ok_or_else(|| HistoryError::new(std::io::Error::other("no such log")))?;
        Ok(Box::new(PastLog(log)))
    }

    fn remove(&self, incarnation: Ulid) -> Result<(), HistoryError> {
        self.0.lock().unwrap().remove(&incarnation);
        Ok(())
    }

    fn list(&self) -> Result<Vec<Ulid>, HistoryError> {
        Ok(self.0.lock().unwrap().keys().copied().collect())
    }
}

struct PastLog(Arc<MemoryLog>);

impl Sealed for PastLog {
    fn steps(
        &self,
        partition: PartitionId,
    ) -> Box<dyn Iterator<Item = Result<LoggedStep, HistoryError>> + '_> {
        Box::new(self.0.steps(partition, FrameNumber::default()).into_iter().map(Ok))
    }
}
