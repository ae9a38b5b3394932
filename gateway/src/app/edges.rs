//! The edges of a node as its module declares them, and how they become those of another module while the node runs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use tidegate_core::address::{EgressId, FunctionType};
use tidegate_core::partition::event::Event;
use tokio::time::{MissedTickBehavior, interval};

use super::endpoints::{self, Speculation};
use super::limits::limits;
use super::sinks::Sinks;
use super::{EXPIRY_INTERVAL, StartError};
use crate::clock::Clock;
use crate::config::module::{EgressKind, ModuleConfig};
use crate::driver::DriverHandle;
use crate::driver::turns::TurnKeeper;
use crate::egress::open::Egresses;
use crate::egress::playground::hand_to_topics;
use crate::invoker::{Answers, Introduced, Invoke, Invoker, Prepared};

/// Everything that is declared around the partitions, but what listens.
pub(super) struct Edges {
    invoker: Arc<Invoker>,
    /// What drivers and readers see of `sinks`.
    egresses: Arc<Egresses>,
    sinks: Mutex<Sinks>,
    speculation: Arc<ArcSwap<Speculation>>,
    turns: Arc<TurnKeeper>,
}

/// The edges of another module, of which nothing can fail any more.
pub(super) struct NextEdges {
    pub(super) endpoints: Prepared,
    pub(super) speculation: Speculation,
    /// The sinks of egresses that are new or changed.
    pub(super) sinks: Sinks,
}

impl Edges {
    pub(super) fn build(
        module: &ModuleConfig,
        drivers: &[DriverHandle],
    ) -> Result<Self, StartError> {
        let sinks = Sinks::open(&module.egresses, drivers)?;
        let endpoints = endpoints::configs(&module.endpoints)?;
        let seed = u64::from(std::process::id());
        Ok(Self {
            invoker: Invoker::new(endpoints, answers(module, drivers), seed)?,
            egresses: Arc::new(Egresses::new(sinks.as_open())),
            sinks: Mutex::new(sinks),
            speculation: Arc::new(ArcSwap::from_pointee(Speculation::of(&module.endpoints))),
            turns: TurnKeeper::new(limits(&module.endpoints), drivers.to_vec()),
        })
    }

    pub(super) fn invoker(&self) -> Arc<dyn Invoke> {
        self.invoker.clone()
    }

    pub(super) fn egresses(&self) -> Arc<Egresses> {
        Arc::clone(&self.egresses)
    }

    pub(super) fn turns(&self) -> Arc<TurnKeeper> {
        Arc::clone(&self.turns)
    }

    /// Other limits hold from now on.
    pub(super) fn set_limits(&self, module: &ModuleConfig) {
        self.turns.set_limits(limits(&module.endpoints));
    }

    /// Whether a function may run only on durable input.
    pub(super) fn durable_input(&self) -> Arc<dyn Fn(&FunctionType) -> bool + Send + Sync> {
        let speculation = Arc::clone(&self.speculation);
        Arc::new(move |function| !speculation.load().allows(function))
    }

    /// Makes ready what another module needs, of whose egresses only `opening` have to be opened. Nothing changes yet.
    pub(super) fn prepare(
        &self,
        module: &ModuleConfig,
        opening: &[EgressId],
        drivers: &[DriverHandle],
    ) -> Result<NextEdges, StartError> {
        let endpoints = self.invoker.prepare(endpoints::configs(&module.endpoints)?)?;
        let opening = module.egresses.iter().filter(|egress| opening.contains(&egress.id));
        let sinks = Sinks::open(opening, drivers)?;
        Ok(NextEdges { endpoints, speculation: Speculation::of(&module.endpoints), sinks })
    }

    /// Serves the functions of another module beside those of before.
    pub(super) fn introduce(&self, endpoints: Prepared, speculation: Speculation) -> Introduced {
        self.speculation.store(Arc::new(speculation));
        self.invoker.introduce(endpoints)
    }

    /// Serves no other functions any more.
    pub(super) fn retire(&self, introduced: Introduced) {
        self.invoker.retire(introduced);
    }

    /// Opens sinks in the place of others. The partitions must know that these egresses are closed. Those of before write what
    /// they were handed, if they can, before the new ones get anything.
    pub(super) async fn exchange(&self, closed: &[EgressId], opened: Sinks) {
        let before = self.sinks().take(closed);
        self.show();
        let ended = tokio::task::spawn_blocking(move || drop(before)).await;
        if ended.is_err() {
            tracing::error!("a sink could not be closed in order");
        }
        self.sinks().extend(opened);
        self.show();
    }

    fn show(&self) {
        self.egresses.replace(self.sinks().as_open());
    }

    fn sinks(&self) -> MutexGuard<'_, Sinks> {
        // Every change under the lock is complete before anything can panic.
        self.sinks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives up records of egresses that are too old. Never returns.
    pub(super) async fn expire(self: Arc<Self>, clock: Clock) {
        let mut ticks = interval(EXPIRY_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let expiring = self.sinks().expiring();
            expiring.iter().for_each(|sink| sink.expire(clock.now()));
        }
    }

    /// Ends what runs in the background; files are complete afterwards.
    pub(super) fn stop(&self) {
        self.invoker.stop();
        let sinks = std::mem::take(&mut *self.sinks());
        self.show();
        drop(sinks);
    }
}

fn answers(module: &ModuleConfig, drivers: &[DriverHandle]) -> Answers {
    let drivers = drivers.to_vec();
    let playground =
        module.egresses.iter().any(|egress| matches!(egress.kind, EgressKind::Playground(_)));
    Arc::new(move |partition, mut event| {
        if playground && let Event::InvocationSucceeded { response, .. } = &mut event {
            hand_to_topics(response);
        }
        if let Some(driver) = drivers.get(usize::from(partition.0)) {
            driver.happened(event);
        }
    })
}
