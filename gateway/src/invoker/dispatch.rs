//! Finds the endpoint of each group.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tidegate_core::id::PartitionId;
use tidegate_core::partition::event::Event;
use tidegate_core::partition::group::{Failure, FailureScope, Group};
use tokio_util::sync::CancellationToken;

use super::config::EndpointConfig;
use super::endpoint::Endpoint;
use super::fault::InvokeError;
use super::pace::Jitter;
use super::packing::Pending;
use super::routes::{Introduced, Prepared, Routes, Step, Way};
use super::tls::TlsError;
use super::transport::Transport;
use super::{Answers, Invoke};

/// Has functions process groups, each at the endpoint that is declared for it.
pub struct Invoker {
    dispatcher: Arc<Dispatcher>,
    jitter: Mutex<Jitter>,
}

/// Hands groups to endpoints, and on to others if those retire.
struct Dispatcher {
    routes: ArcSwap<Routes>,
    answers: Answers,
    stop: CancellationToken,
}

impl Invoker {
    /// Starts the endpoints on the current runtime. A function that several endpoints declare goes to the last of
    /// them; the configuration refuses such declarations. The seed spreads the pauses of failing endpoints: nodes should have
    /// different ones. Nothing is started if the certificates of an endpoint cannot be used.
    pub fn new(
        endpoints: Vec<EndpointConfig>,
        answers: Answers,
        seed: u64,
    ) -> Result<Arc<Self>, TlsError> {
        let prepared = Routes::default().prepare(endpoints)?;
        Ok(Self::with(prepared, answers, seed))
    }

    /// Starts the endpoints, given the ways to them.
    #[cfg(test)]
    pub(super) fn over(
        endpoints: impl IntoIterator<Item = (EndpointConfig, Arc<dyn Transport>)>,
        answers: Answers,
        seed: u64,
    ) -> Arc<Self> {
        Self::with(started(endpoints), answers, seed)
    }

    fn with(prepared: Prepared, answers: Answers, seed: u64) -> Arc<Self> {
        let stop = CancellationToken::new();
        let dispatcher = Arc::new(Dispatcher { routes: ArcSwap::default(), answers, stop });
        let invoker = Self { dispatcher, jitter: Mutex::new(Jitter::new(seed)) };
        drop(invoker.introduce(prepared));
        Arc::new(invoker)
    }

    /// Finds out what has to be started for these endpoints, and that it can be. Nothing changes yet.
    ///
    /// # Errors
    /// The certificates of an endpoint cannot be used.
    pub fn prepare(&self, endpoints: Vec<EndpointConfig>) -> Result<Prepared, TlsError> {
        self.dispatcher.routes.load().prepare(endpoints)
    }

    /// Serves what is declared from now on. What was declared before and is not any more is served until
    /// [`retire`](Self::retire).
    pub fn introduce(&self, prepared: Prepared) -> Introduced {
        let mut declared = Routes::default();
        for step in prepared.0 {
            let way = match step {
                Step::Keep(way) => way,
                Step::Start(config, transport) => self.start(*config, transport),
            };
            declared.add(&way);
        }
        let before = self.dispatcher.routes.load_full();
        self.dispatcher.routes.store(Arc::new(declared.beside(&before)));
        Introduced(declared)
    }

    /// Serves only what is declared. Requests that are under way to other endpoints end as they would have; groups that wait
    /// for them go to whoever serves their functions now, or fail because nobody does.
    pub fn retire(&self, introduced: Introduced) {
        self.dispatcher.routes.store(Arc::new(introduced.0));
    }

    fn start(&self, config: EndpointConfig, transport: Arc<dyn Transport>) -> Arc<Way> {
        let seed = self.jitter.lock().unwrap_or_else(PoisonError::into_inner).next();
        let answers = Arc::clone(&self.dispatcher.answers);
        // The dispatcher has the way to the endpoint, so the endpoint must not keep the dispatcher.
        let dispatcher = Arc::downgrade(&self.dispatcher);
        let hand_back = move |pending: Pending| {
            if let Some(dispatcher) = dispatcher.upgrade() {
                dispatcher.submit(pending);
            }
        };
        let (jitter, stop) = (Jitter::new(seed), self.dispatcher.stop.clone());
        let endpoint = Endpoint::start(config.clone(), transport, answers, jitter, hand_back, stop);
        Arc::new(Way { config, endpoint })
    }

    /// Takes no more groups, drops those that wait, and breaks off the requests under way. None of them has an answer.
    pub fn stop(&self) {
        self.dispatcher.stop.cancel();
    }
}

/// Endpoints that all have to be started, given the ways to them.
#[cfg(test)]
pub(super) fn started(
    endpoints: impl IntoIterator<Item = (EndpointConfig, Arc<dyn Transport>)>,
) -> Prepared {
    let start = |(config, transport)| Step::Start(Box::new(config), transport);
    Prepared(endpoints.into_iter().map(start).collect())
}

impl Dispatcher {
    fn submit(&self, pending: Pending) {
        if self.stop.is_cancelled() {
            return;
        }
        let routes = self.routes.load();
        match routes.find(&pending.group.address.function) {
            Some(way) => way.endpoint.submit(pending),
            None => self.refuse(&pending),
        }
    }

    /// The partitions check it before, but on another view of the declarations if these have just changed.
    fn refuse(&self, pending: &Pending) {
        let function = pending.group.address.function.to_string();
        let text = InvokeError::NotDeclared { function }.to_string().into();
        let failure = Failure { scope: FailureScope::Group, text };
        let failed = Event::InvocationFailed { batch: pending.group.batch, failure };
        (self.answers)(pending.partition, failed);
    }
}

impl Invoke for Invoker {
    fn submit(&self, partition: PartitionId, group: Group) {
        self.dispatcher.submit(Pending { partition, group });
    }
}

impl Drop for Invoker {
    fn drop(&mut self) {
        self.stop();
    }
}
