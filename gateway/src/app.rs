//! The only place that names implementations: builds a node from its configuration, starts and stops it.
//!
//! Start: ports, data directory, ownership, log, claim, restore, serve. Stop is the other way round: the doors close first,
//! functions answer what is under way, everything becomes durable, rows are flushed, and the log ends.

mod change;
mod edges;
mod endpoints;
mod guards;
mod limits;
mod listeners;
mod open_files;
mod reload;
mod signals;
mod sinks;
mod tls;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tidegate_core::id::PartitionId;
use tidegate_core::route::{HASH_VERSION, PartitionCount};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use ulid::Ulid;

use self::edges::Edges;
use self::guards::Guards;
use self::listeners::Listeners;
use self::reload::{Reloader, pausable};
use self::signals::{Hangups, Signals};
use crate::admin::readiness::Readiness;
use crate::admin::{self, BindError};
use crate::clock::Clock;
use crate::clock::floor::{Floor, Rising};
use crate::config::Effective;
use crate::config::node::NodeSettings;
use crate::driver::budget::Budget;
use crate::driver::meters::FunctionLabels;
use crate::driver::pauses::Pauses;
use crate::driver::retention::LogRetention;
use crate::driver::{DriverFailure, DriverHandle, FlushPolicy, Inbox, Shared, inbox};
use crate::egress::file::FileEgressError;
use crate::ingress::Door;
use crate::ingress::http::HttpServices;
use crate::ingress::http::records::PathConflict;
use crate::ingress::http::serve::Listener;
use crate::log::file::history::FileHistory;
use crate::log::file::{CreateError, FileLog, FileLogOptions};
use crate::log::lock::{DirectoryLock, LockError};
use crate::log::{History, NodeLog};
use crate::node::{Node, NodeError, Plan, remove_leftovers, state_directory};
use crate::ownership::single::SingleOwner;
use crate::ownership::{Layout, Ownership, OwnershipError};
use crate::router::Router;
use crate::store::slate::{SlateOptions, SlateStore};
use crate::store::{StateStore, StoreError};
use crate::telemetry;

/// Loads of rows that may be under way at once.
const LOADS: usize = 256;
/// Flushes of rows that may be under way at once: while one waits for the disk, the other one computes.
const FLUSHES: usize = 2;

/// A node could not start, or could not go on.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port for messages is taken or not ours.
    #[error("TG-0230: cannot listen on {address} for messages: {cause}")]
    Listen {
        /// Where.
        address: std::net::SocketAddr,
        /// What the operating system says.
        cause: std::io::Error,
    },
    /// Tokens or certificates of a listener cannot be used.
    #[error(transparent)]
    Guard(#[from] guards::GuardError),
    /// The port for operators is taken or not allowed.
    #[error(transparent)]
    Admin(#[from] BindError),
    /// The data directory is in use or unusable.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Ownership could not be read or kept.
    #[error(transparent)]
    Ownership(#[from] OwnershipError),
    /// The log could not be created.
    #[error(transparent)]
    Log(#[from] CreateError),
    /// The state store could not be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Partitions could not be taken over, or not be left in order.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// A declared ingress cannot be served.
    #[error(transparent)]
    Ingress(#[from] PathConflict),
    /// A declared file egress cannot be written.
    #[error(transparent)]
    Egress(#[from] FileEgressError),
    /// An endpoint has a URL that cannot be called.
    #[error("TG-0231: the endpoint {name} cannot be called: {cause}")]
    Endpoint {
        /// What it serves.
        name: String,
        /// Why.
        cause: crate::invoker::UrlError,
    },
    /// Certificates or keys of an endpoint cannot be used.
    #[error(transparent)]
    Tls(#[from] crate::invoker::TlsError),
    /// The files of certificates and keys of an endpoint cannot be used.
    #[error("{cause} (endpoint {name})")]
    TlsFiles {
        /// What it serves.
        name: String,
        /// Why.
        cause: tls::TlsFileError,
    },
    /// The process could not be prepared: metrics or signals.
    #[error("TG-0232: the process could not be prepared: {0}")]
    Process(String),
    /// Traces cannot be exported.
    #[error(transparent)]
    Traces(#[from] telemetry::trace::StartError),
    /// A partition could not go on; recovery at the next start finds everything again.
    #[error(transparent)]
    Driver(#[from] DriverFailure),
}

/// Runs a node until it is told to stop. Told a second time, it ends the process at once: that loses nothing that anybody was
/// told of, and the next start replays more.
pub async fn run(config: Effective) -> Result<(), StartError> {
    telemetry::start_logging(&config.node.log);
    let process = |error: std::io::Error| StartError::Process(error.to_string());
    let mut signals = Signals::listen().map_err(process)?;
    let mut hangups = Hangups::listen().map_err(process)?;
    let mut serving = tokio::select! {
        serving = Box::pin(Serving::start(&config)) => serving?,
        () = signals.next() => return Ok(()),
    };
    let ended = loop {
        tokio::select! {
            () = signals.next() => break Ok(()),
            () = hangups.next() => serving.reloader.on_signal(),
            failure = serving.failure() => break Err(failure.into()),
        }
    };
    tokio::select! {
        stopped = Box::pin(serving.stop(config.node.shutdown_grace)) => ended.and(stopped),
        () = signals.next() => {
            tracing::warn!("told to stop again: the process ends now");
            std::process::exit(EXIT_HURRIED)
        }
    }
}

/// The exit code of a process that ended without stopping in order.
const EXIT_HURRIED: i32 = 1;

/// A node that takes messages.
struct Serving {
    edges: Arc<Edges>,
    reloader: Reloader,
    budget: Arc<Budget>,
    node: Node,
    time: Rising,
    failures: UnboundedReceiver<DriverFailure>,
    readiness: Readiness,
    stopping: CancellationToken,
    ingress: JoinHandle<()>,
    /// Ends what is for operators, which goes on to the last.
    operators: CancellationToken,
    admin: JoinHandle<()>,
    traces: Option<telemetry::trace::Exporting>,
}

impl Serving {
    async fn start(config: &Effective) -> Result<Self, StartError> {
        open_files::allow(config.node.ingress.connections);
        let recorder = admin::metrics::install_recorder();
        let metrics = recorder.map_err(|error| StartError::Process(error.to_string()))?;
        let traces = telemetry::trace::start(&config.node.trace)?;
        let guards = Guards::read(config)?;
        let ports = Ports::bind(config, &guards).await?;
        let lock = Arc::new(DirectoryLock::acquire(&config.node.data)?);
        let time = Floor::in_directory(&config.node.data).start_clock();
        let (readiness, clock) = (Readiness::default(), time.clock());
        let (handles, inboxes) = drivers(config.node.partitions);
        let budget = Budget::new(budget_bytes(&config.node), config.node.partitions.get());
        let edges = Arc::new(Edges::build(&config.module, &handles)?);
        let pauses = Arc::new(Pauses::default());
        pauses.declare(pausable(&config.module));
        let router = Router::new(
            config.node.partitions,
            handles.clone(),
            Arc::clone(&budget),
            clock.clone(),
            edges.egresses(),
            Arc::clone(&pauses),
        );
        let router = Arc::new(router);
        let door: Arc<dyn Door> = router.clone();
        let stopping = CancellationToken::new();
        let http = listeners::http_config(config, &guards);
        let limits = http.limits.clone();
        let services = HttpServices::new(Arc::clone(&door), http, stopping.clone())?;
        let reloader = Reloader::new(
            config,
            handles.clone(),
            Arc::clone(&edges),
            services.clone(),
            Arc::clone(&pauses),
        );
        let operators = CancellationToken::new();
        let module = Arc::new(reloader.clone());
        let tokens = guards.admin.tokens.clone();
        let admin = admin::router(door, router, readiness.clone(), metrics.clone(), module, tokens);
        let admin = tokio::spawn(admin::serve(ports.admin, admin, operators.clone()));
        tokio::spawn(guards.watch());
        tokio::spawn(admin::metrics::upkeep(metrics));
        tokio::spawn(telemetry::show_gauges(Arc::clone(&budget)));
        tokio::spawn(Arc::clone(&edges).expire(clock.clone()));

        let (failed, failures) = unbounded_channel();
        let shared = Arc::clone(&budget);
        let drivers = Drivers { handles, inboxes, clock, budget: shared, pauses, failed };
        let node = take_over(config, &lock, &edges, drivers).await?;
        reloader.begin(config.module.clone()).await;
        readiness.set(true);
        tracing::info!(listen = %config.node.ingress.listen, admin = %config.node.admin_listen, "the node takes messages");
        let ingress = ports.ingress.serve(&services, &limits, &stopping);
        Ok(Self {
            edges,
            reloader,
            budget,
            node,
            time,
            failures,
            readiness,
            stopping,
            ingress,
            operators,
            admin,
            traces,
        })
    }

    /// Resolves when a partition cannot go on.
    async fn failure(&mut self) -> DriverFailure {
        match self.failures.recv().await {
            Some(failure) => {
                tracing::error!(%failure, "the node cannot go on");
                failure
            }
            // The node holds the other end.
            None => std::future::pending().await,
        }
    }

    /// Functions that are under way have `grace` to answer, and as long again remains for what must be written.
    async fn stop(self, grace: Duration) -> Result<(), StartError> {
        let patience = Instant::now() + grace;
        self.readiness.set(false);
        tracing::info!("the node is stopping");
        self.stopping.cancel();
        // Its tasks have nothing to report: a panic in one was reported when it happened.
        drop(self.ingress.await);
        self.budget.doors().close();
        let stopped = self.node.stop(patience, grace).await;
        self.time.stop();
        self.reloader.end().await;
        self.edges.stop();
        self.operators.cancel();
        drop(self.admin.await);
        if let Some(traces) = self.traces {
            traces.stop().await;
        }
        match &*stopped?.unflushed {
            [] => tracing::info!(
                "the node has stopped; nothing is left in its log that is not in its store"
            ),
            left => tracing::warn!(
                partitions = left.len(),
                "the node has stopped before all of its state was in its store; the next start takes it from the log"
            ),
        }
        Ok(())
    }
}

struct Ports {
    ingress: Listeners,
    admin: Listener,
}

impl Ports {
    async fn bind(config: &Effective, guards: &Guards) -> Result<Self, StartError> {
        let ingress = Listeners::bind(config, guards).await?;
        let socket = admin::bind(config.node.admin_listen, guards.admin.tokens.is_some()).await?;
        let admin = Listener { socket, encryption: guards.admin.encryption.clone() };
        Ok(Self { ingress, admin })
    }
}

/// The drivers of all partitions before they run, and what they share beside the edges.
struct Drivers {
    handles: Vec<DriverHandle>,
    inboxes: BTreeMap<PartitionId, Inbox>,
    clock: Clock,
    budget: Arc<Budget>,
    pauses: Arc<Pauses>,
    failed: UnboundedSender<DriverFailure>,
}

fn drivers(partitions: PartitionCount) -> (Vec<DriverHandle>, BTreeMap<PartitionId, Inbox>) {
    let driver = |partition| {
        let (handle, inbox) = inbox();
        (handle, (PartitionId(partition), inbox))
    };
    (0..partitions.get()).map(driver).unzip()
}

/// What the store's cache leaves of the memory.
fn budget_bytes(node: &NodeSettings) -> usize {
    usize::try_from(node.memory_bytes.saturating_sub(node.store.cache_bytes)).unwrap_or(usize::MAX)
}

/// Takes over the data directory: from here on the node owns what is in it.
async fn take_over(
    config: &Effective,
    lock: &Arc<DirectoryLock>,
    edges: &Edges,
    drivers: Drivers,
) -> Result<Node, StartError> {
    let node = &config.node;
    let layout = Layout { partitions: node.partitions, hash_version: HASH_VERSION };
    let ownership: Arc<dyn Ownership> = Arc::new(SingleOwner::open_or_create(&node.data, layout)?);
    let incarnation = Ulid::generate();
    let log: Arc<dyn NodeLog> =
        Arc::new(FileLog::create(lock, incarnation, &FileLogOptions::default())?);
    let claims = ownership.claim(incarnation).await?;
    let history: Arc<dyn History> = Arc::new(FileHistory::new(Arc::clone(lock)));
    remove_leftovers(&history, ownership.named().await).await?;
    let cache_bytes = usize::try_from(node.store.cache_bytes).unwrap_or(usize::MAX);
    let options = SlateOptions { cache_bytes, ..SlateOptions::default() };
    let store: Arc<dyn StateStore> =
        Arc::new(SlateStore::in_directory(&state_directory(&node.data), &options)?);
    let Drivers { handles, inboxes, clock, budget, pauses, failed } = drivers;
    let limits = budget.share(&node.limits());
    let flush = FlushPolicy {
        interval: node.store.flush_interval,
        dirty_bytes: budget.dirty_share(),
        backlog_bytes: node.node_log_backlog_bytes,
    };
    tokio::spawn(telemetry::show_backlog(Arc::downgrade(&log)));
    let shared = Arc::new(Shared {
        clock,
        retention: LogRetention::new(Arc::clone(&log), node.partitions.get()),
        log,
        ownership,
        retire: retire(&history),
        invoker: edges.invoker(),
        durable_input: edges.durable_input(),
        egresses: edges.egresses(),
        turns: edges.turns(),
        pauses,
        peers: handles,
        budget,
        load_slots: Arc::new(Semaphore::new(LOADS)),
        flush_slots: Arc::new(Semaphore::new(FLUSHES)),
        labels: FunctionLabels::default(),
        flush,
        failed,
    });
    let application = Arc::new(config.module.application());
    let plan = Plan { partitions: node.partitions, application, limits, history, store };
    let mut started = Node::start(&Arc::new(plan), claims, &shared, inboxes).await?;
    started.sweep(node.store.sweep_interval);
    Ok(started)
}

fn retire(history: &Arc<dyn History>) -> Arc<dyn Fn(Ulid) + Send + Sync> {
    let history = Arc::clone(history);
    Arc::new(move |incarnation| {
        let history = Arc::clone(&history);
        tokio::task::spawn_blocking(move || {
            // What cannot be deleted now is deleted at the next start.
            if let Err(error) = history.remove(incarnation) {
                tracing::warn!(%incarnation, %error, "a log that nobody needs could not be deleted");
            }
        });
    })
}

/// How often egresses look for records that are too old.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(5);
