//! Finds the endpoint of each group.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_core::address::FunctionType;
use tidegate_core::id::PartitionId;
use tidegate_core::partition::event::Event;
use tidegate_core::partition::group::{Failure, FailureScope, Group};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;

use super::config::{EndpointConfig, FunctionPattern};
use super::endpoint::Endpoint;
use super::fault::InvokeError;
use super::http::HttpTransport;
use super::pace::Jitter;
use super::packing::Pending;
use super::tls::TlsError;
use super::transport::Transport;
use super::{Answers, Invoke};

/// Has functions process groups, each at the endpoint that is declared for it.
pub struct Invoker {
    exact: BTreeMap<FunctionType, UnboundedSender<Pending>>,
    namespaces: BTreeMap<Arc<str>, UnboundedSender<Pending>>,
    answers: Answers,
    stop: CancellationToken,
}

impl Invoker {
    /// Starts a task for each endpoint on the current runtime. A function that several endpoints declare goes to the last of
    /// them; the configuration refuses such declarations. The seed spreads the pauses of failing endpoints: nodes should have
    /// different ones. Nothing is started if the certificates of an endpoint cannot be used.
    pub fn new(
        endpoints: Vec<EndpointConfig>,
        answers: Answers,
        seed: u64,
    ) -> Result<Arc<Self>, TlsError> {
        let over_http = |config: EndpointConfig| {
            let transport: Arc<dyn Transport> = Arc::new(HttpTransport::new(&config)?);
            Ok::<_, TlsError>((config, transport))
        };
        let endpoints: Vec<_> = endpoints.into_iter().map(over_http).collect::<Result<_, _>>()?;
        Ok(Self::over(endpoints, answers, seed))
    }

    /// Starts a task for each endpoint, given the way to it.
    pub(super) fn over(
        endpoints: impl IntoIterator<Item = (EndpointConfig, Arc<dyn Transport>)>,
        answers: Answers,
        seed: u64,
    ) -> Arc<Self> {
        let stop = CancellationToken::new();
        let mut jitter = Jitter::new(seed);
        let (mut exact, mut namespaces) = (BTreeMap::new(), BTreeMap::new());
        for (config, transport) in endpoints {
            let (inbox, arriving) = unbounded_channel();
            for pattern in &config.functions {
                match pattern.clone() {
                    FunctionPattern::Exact(function) => exact.insert(function, inbox.clone()),
                    FunctionPattern::Namespace(namespace) => {
                        namespaces.insert(namespace, inbox.clone())
                    }
                };
            }
            let endpoint =
                Endpoint::new(config, transport, Arc::clone(&answers), Jitter::new(jitter.next()));
            tokio::spawn(endpoint.run(arriving, stop.clone()));
        }
        Arc::new(Self { exact, namespaces, answers, stop })
    }

    /// Takes no more groups, drops those that wait, and breaks off the requests under way. None of them has an answer.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// An exact name goes before a namespace.
    fn endpoint_of(&self, function: &FunctionType) -> Option<&UnboundedSender<Pending>> {
        self.exact.get(function).or_else(|| self.namespaces.get(function.namespace()))
    }

    /// The partitions check it before, but on another view of the declarations if these have just changed.
    fn refuse(&self, partition: PartitionId, group: &Group) {
        let function = group.address.function.to_string();
        let text = InvokeError::NotDeclared { function }.to_string().into();
        let failure = Failure { scope: FailureScope::Group, text };
        (self.answers)(partition, Event::InvocationFailed { batch: group.batch, failure });
    }
}

impl Invoke for Invoker {
    fn submit(&self, partition: PartitionId, group: Group) {
        if self.stop.is_cancelled() {
            return;
        }
        match self.endpoint_of(&group.address.function) {
            // Only a stopped endpoint does not take it, and then the group is dropped as promised.
            Some(inbox) => drop(inbox.send(Pending { partition, group })),
            None => self.refuse(partition, &group),
        }
    }
}

impl Drop for Invoker {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
