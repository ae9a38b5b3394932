//! The edges of a node as its module declares them: sinks, endpoints, and what the HTTP listener serves.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use tidegate_core::address::{EgressId, FunctionType};
use tidegate_core::partition::event::Event;
use tokio::time::{MissedTickBehavior, interval};

use super::{EXPIRY_INTERVAL, StartError, tls};
use crate::clock::Clock;
use crate::config::Effective;
use crate::config::module::{
    self, Egress, EgressKind, Endpoint, HttpIngress, Ingress, IngressKind, KeySource,
};
use crate::driver::DriverHandle;
use crate::egress::file::{FileEgressConfig, FileSink};
use crate::egress::http::{HttpSink, Retention};
use crate::egress::{Acknowledge, Awaited, Sink};
use crate::ingress::http::HttpConfig;
use crate::ingress::http::limits::HttpLimits;
use crate::ingress::http::records::{HttpIngressConfig, KeyRule};
use crate::invoker::{Answers, EndpointConfig, FunctionPattern, Invoke, Invoker, UrlTemplate};
use crate::node::Sinks;

/// Everything that is declared around the partitions.
#[derive(Clone)]
pub(super) struct Edges {
    pub(super) http: HttpConfig,
    invoker: Arc<Invoker>,
    http_sinks: HashMap<EgressId, Arc<HttpSink>>,
    file_sinks: Arc<Mutex<HashMap<EgressId, Arc<FileSink>>>>,
    speculation: Arc<Speculation>,
}

/// Which functions may run on input that is not durable yet; a name of its own goes before its namespace.
#[derive(Default)]
struct Speculation {
    functions: HashMap<FunctionType, bool>,
    namespaces: HashMap<Arc<str>, bool>,
}

impl Edges {
    pub(super) fn build(config: &Effective, drivers: &[DriverHandle]) -> Result<Self, StartError> {
        let mut edges = Self {
            http: http_config(config),
            invoker: invoker(&config.module.endpoints, drivers)?,
            http_sinks: HashMap::new(),
            file_sinks: Arc::default(),
            speculation: Arc::new(Speculation::of(&config.module.endpoints)),
        };
        for egress in &config.module.egresses {
            edges.open(egress, acknowledge(drivers))?;
        }
        Ok(edges)
    }

    fn open(&mut self, egress: &Egress, acknowledge: Acknowledge) -> Result<(), StartError> {
        let id = egress.id.clone();
        match &egress.kind {
            EgressKind::Http(declared) => {
                let bytes = usize::try_from(declared.bytes).unwrap_or(usize::MAX);
                let age = declared.age.unwrap_or(std::time::Duration::MAX);
                let sink = HttpSink::new(id.clone(), Retention { age, bytes }, acknowledge);
                self.http_sinks.insert(id, Arc::new(sink));
            }
            EgressKind::File { path } => {
                let sink = FileSink::open(
                    FileEgressConfig { id: id.clone(), path: path.clone() },
                    acknowledge,
                )?;
                self.files().insert(id, Arc::new(sink));
            }
        }
        Ok(())
    }

    fn files(&self) -> std::sync::MutexGuard<'_, HashMap<EgressId, Arc<FileSink>>> {
        self.file_sinks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn invoker(&self) -> Arc<dyn Invoke> {
        self.invoker.clone()
    }

    pub(super) fn sinks(&self) -> Sinks {
        let http =
            self.http_sinks.iter().map(|(id, sink)| (id.clone(), sink.clone() as Arc<dyn Sink>));
        let files = self.files();
        let files = files.iter().map(|(id, sink)| (id.clone(), sink.clone() as Arc<dyn Sink>));
        http.chain(files).collect()
    }

    pub(super) fn awaited(&self) -> HashMap<EgressId, Arc<dyn Awaited>> {
        self.http_sinks
            .iter()
            .map(|(id, sink)| (id.clone(), sink.clone() as Arc<dyn Awaited>))
            .collect()
    }

    /// Whether a function may run only on durable input.
    pub(super) fn durable_input(&self) -> Arc<dyn Fn(&FunctionType) -> bool + Send + Sync> {
        let speculation = Arc::clone(&self.speculation);
        Arc::new(move |function| !speculation.allows(function))
    }

    /// Gives up records of egresses that are too old. Never returns.
    pub(super) async fn expire(self, clock: Clock) {
        let mut ticks = interval(EXPIRY_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let now = clock.now();
            self.http_sinks.values().for_each(|sink| sink.expire(now));
        }
    }

    /// Ends what runs in the background; files are complete afterwards.
    pub(super) fn stop(&self) {
        self.invoker.stop();
        self.files().clear();
    }
}

fn acknowledge(drivers: &[DriverHandle]) -> Acknowledge {
    let drivers = drivers.to_vec();
    Arc::new(move |egress, partition, through| {
        if let Some(driver) = drivers.get(usize::from(partition.0)) {
            driver.happened(Event::EgressAcknowledged { egress: egress.clone(), through });
        }
    })
}

fn invoker(endpoints: &[Endpoint], drivers: &[DriverHandle]) -> Result<Arc<Invoker>, StartError> {
    let drivers = drivers.to_vec();
    let answers: Answers = Arc::new(move |partition, event| {
        if let Some(driver) = drivers.get(usize::from(partition.0)) {
            driver.happened(event);
        }
    });
    let endpoints = endpoints.iter().map(endpoint).collect::<Result<_, _>>()?;
    Ok(Invoker::new(endpoints, answers, u64::from(std::process::id()))?)
}

fn endpoint(declared: &Endpoint) -> Result<EndpointConfig, StartError> {
    let functions = match declared.functions.clone() {
        module::FunctionPattern::One(function) => FunctionPattern::Exact(function),
        module::FunctionPattern::Namespace(namespace) => FunctionPattern::Namespace(namespace),
    };
    let name = functions.to_string();
    let url = UrlTemplate::parse(declared.url.as_str())
        .map_err(|cause| StartError::Endpoint { name: name.clone(), cause })?;
    let files = tls::read(&declared.transport.tls);
    let mut config = EndpointConfig::new(&name, vec![functions], url);
    let transport = &declared.transport;
    config.tls = files.map_err(|cause| StartError::TlsFiles { name, cause })?;
    config.call_timeout = transport.call_timeout;
    config.connect_timeout = transport.connect_timeout;
    config.concurrency =
        NonZeroUsize::new(declared.treatment.concurrency).unwrap_or(config.concurrency);
    if let Some(messages) = declared.batch_messages {
        config.messages_per_request = messages.max(config.messages_per_request);
    }
    if let Some(bytes) = transport.answer_bytes {
        config.payload_max_bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    }
    Ok(config)
}

impl Speculation {
    fn of(endpoints: &[Endpoint]) -> Self {
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

    fn allows(&self, function: &FunctionType) -> bool {
        let allowed = self.functions.get(function);
        *allowed.or_else(|| self.namespaces.get(function.namespace())).unwrap_or(&true)
    }
}

fn http_config(config: &Effective) -> HttpConfig {
    let settings = &config.node.ingress;
    let limits = HttpLimits {
        connections: usize::try_from(settings.connections).unwrap_or(usize::MAX),
        drain: config.node.shutdown_grace.min(HttpLimits::default().drain),
        message_bytes: usize::try_from(settings.body_bytes).unwrap_or(usize::MAX),
        call_timeout: settings.call_timeout,
        header_timeout: settings.header_timeout,
        idle_timeout: settings.idle_timeout,
        wait_max: settings.call_timeout_longest,
        ..HttpLimits::default()
    };
    let ingresses = config.module.ingresses.iter().map(|ingress| match &ingress.kind {
        IngressKind::Http(declared) => http_ingress(ingress, declared),
    });
    let readable =
        config.module.egresses.iter().filter(|egress| matches!(egress.kind, EgressKind::Http(_)));
    HttpConfig {
        limits,
        tokens: None,
        ingresses: ingresses.collect(),
        egresses: readable.map(|egress| egress.id.clone()).collect(),
    }
}

fn http_ingress(ingress: &Ingress, declared: &HttpIngress) -> HttpIngressConfig {
    HttpIngressConfig {
        id: ingress.id.clone(),
        path: declared.path.clone(),
        value_type: declared.value_type.to_string(),
        targets: declared.targets.clone(),
        key: match &declared.key {
            KeySource::JsonPointer(pointer) => KeyRule::JsonPointer(pointer.clone()),
            KeySource::Path => KeyRule::LastPathSegment,
            KeySource::Header(name) => KeyRule::Header(name.to_string()),
        },
    }
}
