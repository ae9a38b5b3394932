//! The endpoints of a module as the invoker wants them, and which of their functions may run ahead of the log.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use tidegate_core::address::FunctionType;

use super::{StartError, tls};
use crate::config::module::{self, Endpoint};
use crate::invoker::{EndpointConfig, FunctionPattern, UrlTemplate};

/// What the invoker needs to know of each endpoint. Reads the files of certificates and keys.
pub(super) fn configs(endpoints: &[Endpoint]) -> Result<Vec<EndpointConfig>, StartError> {
    endpoints.iter().map(config).collect()
}

fn config(declared: &Endpoint) -> Result<EndpointConfig, StartError> {
    let functions = match declared.functions.clone() {
        module::FunctionPattern::One(function) => FunctionPattern::Exact(function),
        module::FunctionPattern::Namespace(namespace) => FunctionPattern::Namespace(namespace),
    };
    let name = functions.to_string();
    let url = UrlTemplate::parse(declared.url.as_str())
        .map_err(|cause| StartError::Endpoint { name: name.clone(), cause })?;
    let files = tls::read(&declared.transport.tls);
    let mut config = EndpointConfig::new(&name, vec![functions], url);
    config.tls = files.map_err(|cause| StartError::TlsFiles { name, cause })?;
    set_bounds(&mut config, declared);
    set_timeouts(&mut config, &declared.transport);
    Ok(config)
}

fn set_bounds(config: &mut EndpointConfig, declared: &Endpoint) {
    let connections = declared.treatment.concurrency.min(declared.transport.pool_connections);
    config.concurrency = NonZeroUsize::new(connections).unwrap_or(config.concurrency);
    if let Some(messages) = declared.batch_messages {
        config.messages_per_request = messages.max(config.messages_per_request);
    }
    if let Some(bytes) = declared.transport.answer_bytes {
        config.payload_max_bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    }
}

fn set_timeouts(config: &mut EndpointConfig, transport: &module::Transport) {
    config.call_timeout = transport.call_timeout;
    config.connect_timeout = transport.connect_timeout;
    config.read_timeout = transport.read_timeout;
    // Until an answer begins, a request may stand still while it is written, and again while it is processed.
    config.begin_timeout =
        transport.read_timeout.map(|read| read + transport.write_timeout.unwrap_or_default());
    config.idle_connection_kept = transport.pool_idle;
}

/// Which functions may run on input that is not durable yet; a name of its own goes before its namespace.
#[derive(Default)]
pub(super) struct Speculation {
    functions: HashMap<FunctionType, bool>,
    namespaces: HashMap<Arc<str>, bool>,
}

impl Speculation {
    pub(super) fn of(endpoints: &[Endpoint]) -> Self {
        let mut speculation = Self::default();
        for endpoint in endpoints {
            let allowed = endpoint.treatment.speculative;
            match endpoint.functions.clone() {
                module::FunctionPattern::One(function) => {
                    speculation.functions.insert(function, allowed);
                }
                module::FunctionPattern::Namespace(namespace) => {
                    speculation.namespaces.insert(namespace, allowed);
                }
            }
        }
        speculation
    }

    pub(super) fn allows(&self, function: &FunctionType) -> bool {
        let allowed = self.functions.get(function);
        *allowed.or_else(|| self.namespaces.get(function.namespace())).unwrap_or(&true)
    }
}
