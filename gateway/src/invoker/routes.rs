//! Which endpoint serves which function, and how that changes while the node runs.
//!
//! A change has two steps, because the partitions go by the new declarations only a little later. First everything that is declared
//! from now on is introduced, beside what was before; when no partition submits groups by the old declarations any more, what is
//! not declared is retired. An endpoint that is declared as before is kept, with what was learned about it.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_core::address::FunctionType;

use super::config::{EndpointConfig, FunctionPattern};
use super::endpoint::Endpoint;
use super::http::HttpTransport;
use super::tls::TlsError;
use super::transport::Transport;

/// The way to an endpoint that works. When nobody has it any more, the endpoint retires.
pub(super) struct Way {
    pub(super) config: EndpointConfig,
    pub(super) endpoint: Arc<Endpoint>,
}

impl Drop for Way {
    fn drop(&mut self) {
        self.endpoint.retire();
    }
}

/// The way of each function.
#[derive(Clone, Default)]
pub(super) struct Routes {
    exact: BTreeMap<FunctionType, Arc<Way>>,
    namespaces: BTreeMap<Arc<str>, Arc<Way>>,
}

/// Endpoints that can be introduced: nothing about them can fail any more.
pub struct Prepared(pub(super) Vec<Step>);

/// One endpoint of a change.
pub(super) enum Step {
    /// It is declared as before.
    Keep(Arc<Way>),
    /// It has to be started.
    Start(Box<EndpointConfig>, Arc<dyn Transport>),
}

/// A change whose first step is done.
pub struct Introduced(pub(super) Routes);

impl Routes {
    /// The way of a function. An exact name goes before a namespace.
    pub(super) fn find(&self, function: &FunctionType) -> Option<&Arc<Way>> {
        self.exact.get(function).or_else(|| self.namespaces.get(function.namespace()))
    }

    /// The same with the way of some more functions, which goes before any that they had.
    pub(super) fn add(&mut self, way: &Arc<Way>) {
        for pattern in &way.config.functions {
            match pattern.clone() {
                FunctionPattern::Exact(function) => self.exact.insert(function, Arc::clone(way)),
                FunctionPattern::Namespace(namespace) => {
                    self.namespaces.insert(namespace, Arc::clone(way))
                }
            };
        }
    }

    /// These ways, and for all other functions those of before.
    pub(super) fn beside(&self, before: &Self) -> Self {
        let mut all = before.clone();
        all.exact.extend(self.exact.clone());
        all.namespaces.extend(self.namespaces.clone());
        all
    }

    /// Finds out what has to be started.
    pub(super) fn prepare(&self, endpoints: Vec<EndpointConfig>) -> Result<Prepared, TlsError> {
        let step = |config| match self.same(&config) {
            Some(way) => Ok(Step::Keep(way)),
            None => {
                let transport = HttpTransport::new(&config)?;
                Ok(Step::Start(Box::new(config), Arc::new(transport) as Arc<dyn Transport>))
            }
        };
        Ok(Prepared(endpoints.into_iter().map(step).collect::<Result<_, TlsError>>()?))
    }

    fn same(&self, config: &EndpointConfig) -> Option<Arc<Way>> {
        let mut ways = self.exact.values().chain(self.namespaces.values());
        ways.find(|way| way.config == *config).cloned()
    }
}

impl Prepared {
    /// The endpoints that are not as they were, by name.
    pub fn started(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|step| match step {
            Step::Keep(_) => None,
            Step::Start(config, _) => Some(&*config.name),
        })
    }
}
