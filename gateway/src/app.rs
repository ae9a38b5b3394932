//! The only place that names implementations: builds a node from its configuration, starts and stops it.
//!
//! Start: ports, data directory, ownership, log, claim, restore, serve. Stop is the other way round: the doors close first,
//! functions answer what is under way, everything becomes durable, rows are flushed, and the log ends.

mod edges;

use std::sync::Arc;
use std::time::Duration;

use tidegate_core::route::HASH_VERSION;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use ulid::Ulid;

use self::edges::Edges;
use crate::admin::readiness::Readiness;
use crate::admin::{self, BindError};
use crate::config::Effective;
use crate::config::node::NodeSettings;
use crate::driver::budget::Budget;
use crate::driver::retention::LogRetention;
use crate::driver::{DriverFailure, DriverHandle, FlushPolicy, Inbox, Shared, inbox};
use crate::egress::file::FileEgressError;
use crate::ingress::http::records::PathConflict;
use crate::ingress::http::serve::serve;
use crate::ingress::{Door, http};
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
    /// The process could not be prepared: metrics or signals.
    #[error("TG-0232: the process could not be prepared: {0}")]
    Process(String),
    /// A partition could not go on; recovery at the next start finds everything again.
    #[error(transparent)]
    Driver(#[from] DriverFailure),
}

/// Runs a node until it is told to stop.
pub async fn run(config: Effective) -> Result<(), StartError> {
    telemetry::start_logging(&config.node.log);
    let metrics = admin::metrics::install_recorder().map_err(|error| StartError::Process(error.to_string()))?;
    let ports = Ports::bind(&config.node).await?;
    let lock = Arc::new(DirectoryLock::acquire(&config.node.data)?);
    let readiness = Readiness::default();
    let (handles, inboxes) = drivers(config.node.partitions.get());
    let budget = Budget::new(budget_bytes(&config.node), config.node.partitions.get());
    let edges = Edges::build(&config, &handles)?;
    let router = Router::new(config.node.partitions, handles.clone(), Arc::clone(&budget), edges.awaited());
    let door: Arc<dyn Door> = Arc::new(router);
    let stopping = CancellationToken::new();
    let listening = http::router(Arc::clone(&door), edges.http.clone(), stopping.clone())?;
    let operators = CancellationToken::new();
    let admin = admin::router(door, readiness.clone(), metrics.clone());
    let admin = tokio::spawn(admin::serve(ports.admin, admin, operators.clone()));
    tokio::spawn(admin::metrics::upkeep(metrics));
    tokio::spawn(telemetry::show_gauges(Arc::clone(&budget)));
    tokio::spawn(edges.clone().expire());

    let (failed, mut failures) = unbounded_channel();
    let node = take_over(&config, &lock, &edges, handles, inboxes, &budget, failed).await?;
    readiness.set(true);
    tracing::info!(listen = %config.node.ingress.listen, admin = %config.node.admin_listen, "the node takes messages");
    let limits = edges.http.limits.clone();
    let ingress = tokio::spawn(serve(ports.ingress, listening, limits, stopping.clone()));

    let ended = until_stopped(&mut failures).await;
    readiness.set(false);
    tracing::info!("the node is stopping");
    stopping.cancel();
    // Its tasks have nothing to report: a panic in one was reported when it happened.
    drop(ingress.await);
    budget.close();
    let stopped = node.stop(config.node.shutdown_grace).await;
    edges.stop();
    operators.cancel();
    drop(admin.await);
    ended?;
    stopped?;
    tracing::info!("the node has stopped; nothing is left in its log that is not in its store");
    Ok(())
}

struct Ports {
    ingress: TcpListener,
    admin: TcpListener,
}

impl Ports {
    async fn bind(node: &NodeSettings) -> Result<Self, StartError> {
        let address = node.ingress.listen;
        let listen = |cause| StartError::Listen { address, cause };
        let ingress = TcpListener::bind(address).await.map_err(listen)?;
        Ok(Self { ingress, admin: admin::bind(node.admin_listen).await? })
    }
}

fn drivers(partitions: u16) -> (Vec<DriverHandle>, Vec<Inbox>) {
    (0..partitions).map(|_| inbox()).unzip()
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
    handles: Vec<DriverHandle>,
    inboxes: Vec<Inbox>,
    budget: &Arc<Budget>,
    failed: mpsc::UnboundedSender<DriverFailure>,
) -> Result<Node, StartError> {
    let node = &config.node;
    let layout = Layout { partitions: node.partitions, hash_version: HASH_VERSION };
    let ownership: Arc<dyn Ownership> = Arc::new(SingleOwner::open_or_create(&node.data, layout)?);
    let incarnation = Ulid::generate();
    let log: Arc<dyn NodeLog> = Arc::new(FileLog::create(lock, incarnation, &FileLogOptions::default())?);
    let claims = ownership.claim(incarnation).await?;
    let history: Arc<dyn History> = Arc::new(FileHistory::new(Arc::clone(lock)));
    remove_leftovers(&history, ownership.named().await).await?;
    let cache_bytes = usize::try_from(node.store.cache_bytes).unwrap_or(usize::MAX);
    let options = SlateOptions { cache_bytes, ..SlateOptions::default() };
    let store: Arc<dyn StateStore> = Arc::new(SlateStore::in_directory(&state_directory(&node.data), &options)?);
    let limits = node.limits();
    let flush = FlushPolicy {
        interval: node.store.flush_interval,
        dirty_bytes: (limits.resident_bytes / 2).max(1 << 20),
        backlog_bytes: node.node_log_backlog_bytes,
    };
    let shared = Arc::new(Shared {
        retention: LogRetention::new(Arc::clone(&log), node.partitions.get()),
        log,
        ownership,
        retire: retire(&history),
        invoker: edges.invoker(),
        durable_input: edges.durable_input(),
        sinks: edges.sinks(),
        peers: handles,
        budget: Arc::clone(budget),
        load_slots: Arc::new(Semaphore::new(LOADS)),
        flush,
        failed,
    });
    let application = Arc::new(config.module.application());
    let plan = Plan { partitions: node.partitions, application, limits, history, store };
    Ok(Node::start(&Arc::new(plan), claims, &shared, inboxes).await?)
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

/// Resolves when the process is told to stop, or when a partition cannot go on.
async fn until_stopped(failures: &mut mpsc::UnboundedReceiver<DriverFailure>) -> Result<(), StartError> {
    let process = |error: std::io::Error| StartError::Process(error.to_string());
    let mut terminate = signal(SignalKind::terminate()).map_err(process)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(process)?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
        failure = failures.recv() => match failure {
            Some(failure) => {
                tracing::error!(%failure, "the node cannot go on");
                Err(failure.into())
            }
            None => Ok(()),
        },
    }
}

/// How often egresses look for records that are too old.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(5);
