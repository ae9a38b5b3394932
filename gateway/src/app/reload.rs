//! The module is read anew while the node runs: all of it takes effect, or nothing.
//!
//! Whatever can fail is done first, beside what runs: the file is read and checked, certificates and keys are read, files of
//! egresses are opened. Then the change is made in an order in which no message meets a node that knows only half of it:
//!
//! 1. endpoints are introduced beside those of before;
//! 2. every partition goes by the new declarations, and hands nothing to egresses that get another sink;
//! 3. endpoints that are not declared any more retire, sinks are exchanged, ingresses are served as declared;
//! 4. the partitions hand out again what the sinks of before did not acknowledge.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use tidegate_core::address::EgressId;
use tokio::sync::Mutex;

use super::change::Change;
use super::edges::{Edges, NextEdges};
use super::listeners;
use crate::admin::module::{Changes, ReloadError, ReloadModule, Reloaded};
use crate::config::module::ModuleConfig;
use crate::config::{self, Effective};
use crate::driver::DriverHandle;
use crate::driver::declare::Declaration;
use crate::driver::pauses::{Pausable, Pauses};
use crate::ingress::http::{Declared, HttpServices};

/// Reads the module anew when it is told to.
#[derive(Clone)]
pub(super) struct Reloader(Arc<Parts>);

struct Parts {
    path: PathBuf,
    strict: bool,
    drivers: Vec<DriverHandle>,
    edges: Arc<Edges>,
    services: HttpServices,
    pauses: Arc<Pauses>,
    /// The module in effect; none while the node starts or stops. Locked for the whole of a change.
    current: Mutex<Option<ModuleConfig>>,
}

/// Another module, of which nothing can fail any more.
struct Next {
    module: ModuleConfig,
    change: Change,
    edges: NextEdges,
    declared: Declared,
    warnings: config::fault::Faults,
}

impl Reloader {
    pub(super) fn new(
        config: &Effective,
        drivers: Vec<DriverHandle>,
        edges: Arc<Edges>,
        services: HttpServices,
        pauses: Arc<Pauses>,
    ) -> Self {
        Self(Arc::new(Parts {
            path: config.node.module.clone(),
            strict: config.node.strict,
            drivers,
            edges,
            services,
            pauses,
            current: Mutex::new(None),
        }))
    }

    /// From now on the module, which is this one, may be read anew.
    pub(super) async fn begin(&self, module: ModuleConfig) {
        *self.0.current.lock().await = Some(module);
    }

    /// From now on it may not. A change that is under way is completed, or given up because drivers have ended.
    pub(super) async fn end(&self) {
        self.0.current.lock().await.take();
    }

    /// Reads the module anew because a signal said so: what becomes of it is in the log only.
    pub(super) fn on_signal(&self) {
        let this = self.clone();
        tokio::spawn(async move {
            match this.reload().await {
                Ok(_) => {}
                Err(ReloadError::Faults(faults)) => {
                    for fault in faults.iter() {
                        tracing::error!("{fault}");
                    }
                    tracing::error!(
                        faults = faults.len(),
                        "TG-0780: the module has faults; nothing was changed"
                    );
                }
                Err(error) => tracing::error!(%error, "the module was not reloaded"),
            }
        });
    }
}

#[async_trait]
impl ReloadModule for Reloader {
    async fn reload(&self) -> Result<Reloaded, ReloadError> {
        // A change that was begun is completed, whoever has lost interest in it.
        let parts = Arc::clone(&self.0);
        match tokio::spawn(async move { parts.reload().await }).await {
            Ok(outcome) => outcome,
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        }
    }
}

impl Parts {
    async fn reload(self: Arc<Self>) -> Result<Reloaded, ReloadError> {
        let mut current = self.current.lock().await;
        let before = current.clone().ok_or(ReloadError::NotNow)?;
        let parts = Arc::clone(&self);
        let prepared = tokio::task::spawn_blocking(move || parts.prepare(&before)).await;
        let next = match prepared {
            Ok(next) => next?,
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        };
        let Next { module, change, edges, declared, warnings } = next;
        let names = change.names.clone();
        self.apply(&module, change, edges, declared).await?;
        *current = Some(module);
        log(&names, &warnings);
        Ok(Reloaded { changes: names, warnings })
    }

    /// Everything that can fail, and that takes time.
    fn prepare(&self, before: &ModuleConfig) -> Result<Next, ReloadError> {
        let (module, warnings) =
            config::load_module(&self.path, self.strict).map_err(ReloadError::Faults)?;
        let mut change = Change::between(before, &module);
        if !change.fixed.is_empty() {
            return Err(ReloadError::NeedsRestart(change.fixed));
        }
        let refused = |cause: &dyn std::fmt::Display| ReloadError::Refused(cause.to_string());
        let declared = listeners::declared(&module).map_err(|error| refused(&error))?;
        let opening: Vec<_> = change.opened.iter().chain(&change.reopened).cloned().collect();
        let edges = self
            .edges
            .prepare(&module, &opening, &self.drivers)
            .map_err(|error| refused(&error))?;
        edges.endpoints.started().for_each(|functions| change.note_restarted(functions));
        Ok(Next { module, change, edges, declared, warnings })
    }

    async fn apply(
        &self,
        module: &ModuleConfig,
        change: Change,
        edges: NextEdges,
        declared: Declared,
    ) -> Result<(), ReloadError> {
        let introduced = self.edges.introduce(edges.endpoints, edges.speculation);
        let closed: Arc<[EgressId]> =
            change.opened.iter().chain(&change.reopened).cloned().collect();
        self.edges.set_limits(module);
        self.declare(module, &closed).await?;
        self.edges.retire(introduced);
        let ending: Vec<_> = change.closed.iter().chain(&change.reopened).cloned().collect();
        self.edges.exchange(&ending, edges.sinks).await;
        for driver in &self.drivers {
            driver.reopen(Arc::clone(&closed));
        }
        self.services.declare(declared);
        self.pauses.declare(pausable(module));
        Ok(())
    }

    /// Returns when every partition goes by the declaration.
    async fn declare(
        &self,
        module: &ModuleConfig,
        closed: &Arc<[EgressId]>,
    ) -> Result<(), ReloadError> {
        let application = Arc::new(module.application());
        let told: Vec<_> = self
            .drivers
            .iter()
            .map(|driver| {
                let (application, closed) = (Arc::clone(&application), Arc::clone(closed));
                driver.declare(Declaration { application, closed })
            })
            .collect();
        for declared in told {
            declared.await.map_err(|_| ReloadError::NotNow)?;
        }
        Ok(())
    }
}

/// What of a module can be paused.
pub(super) fn pausable(module: &ModuleConfig) -> Pausable {
    let ingresses = module.ingresses.iter().map(|ingress| ingress.id.clone()).collect();
    Pausable { application: Arc::new(module.application()), ingresses }
}

fn log(changes: &Changes, warnings: &config::fault::Faults) {
    for warning in warnings.iter() {
        tracing::warn!("{warning}");
    }
    tracing::info!(
        added = ?changes.added, removed = ?changes.removed, changed = ?changes.changed, unchanged = changes.unchanged,
        "the module was reloaded"
    );
}
