//! What listens for messages: the node's own listener, and those of StateFun's playground if the module declares them.

use std::net::SocketAddr;

use axum::Router;
use futures::future::join_all;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::StartError;
use crate::config::Effective;
use crate::config::module::{
    EgressKind, HttpIngress, Ingress, IngressKind, KeySource, ModuleConfig, Playground,
};
use crate::ingress::http::limits::HttpLimits;
use crate::ingress::http::records::{HttpIngressConfig, KeyRule, PathConflict};
use crate::ingress::http::serve::serve;
use crate::ingress::http::{Declared, HttpConfig, HttpServices};

/// Bound ports, each with what is served there.
pub(super) struct Listeners(Vec<(TcpListener, Service)>);

enum Service {
    Node,
    PlaygroundIngress,
    PlaygroundEgress(Playground),
}

impl Listeners {
    /// Binds all of them. What the playground's components declare is a port; they listen on the interface of the node's
    /// own listener, so that nobody opens a door to the world without having said so.
    pub(super) async fn bind(config: &Effective) -> Result<Self, StartError> {
        let node = config.node.ingress.listen;
        let at = |port| SocketAddr::new(node.ip(), port);
        let mut wanted = vec![(node, Service::Node)];
        for ingress in &config.module.ingresses {
            if let IngressKind::Playground { port } = ingress.kind {
                wanted.push((at(port), Service::PlaygroundIngress));
            }
        }
        for egress in &config.module.egresses {
            if let EgressKind::Playground(playground) = &egress.kind {
                wanted.push((at(playground.port), Service::PlaygroundEgress(playground.clone())));
            }
        }
        let mut bound = Vec::new();
        for (address, service) in wanted {
            let listen = |cause| StartError::Listen { address, cause };
            bound.push((TcpListener::bind(address).await.map_err(listen)?, service));
        }
        Ok(Self(bound))
    }

    /// Serves until `stopping` is cancelled and open requests have ended.
    pub(super) fn serve(
        self,
        services: &HttpServices,
        limits: &HttpLimits,
        stopping: &CancellationToken,
    ) -> JoinHandle<()> {
        let served = self.0.into_iter().map(|(listener, service)| {
            serve(listener, service.router(services), limits.clone(), stopping.clone())
        });
        let all = join_all(served.collect::<Vec<_>>());
        tokio::spawn(async move { drop(all.await) })
    }
}

impl Service {
    fn router(self, services: &HttpServices) -> Router {
        match self {
            Self::Node => services.router(),
            Self::PlaygroundIngress => services.playground_ingress(),
            Self::PlaygroundEgress(playground) => {
                let inside = |topic: String| Some((topic.clone(), Playground::topic_id(&topic)?));
                services.playground_egress(playground.topics.into_iter().filter_map(inside))
            }
        }
    }
}

/// What the services of the node need to know.
pub(super) fn http_config(config: &Effective) -> HttpConfig {
    let settings = &config.node.ingress;
    let limits = HttpLimits {
        connections: usize::try_from(settings.connections).unwrap_or(usize::MAX),
        drain: config.node.shutdown_grace.min(HttpLimits::default().drain),
        message_bytes: usize::try_from(settings.body_bytes).unwrap_or(usize::MAX),
        call_timeout: settings.call_timeout,
        wait_max: settings.call_timeout_longest,
        ..HttpLimits::default()
    };
    HttpConfig {
        limits,
        token: config.ingress_token.as_ref().map(|token| token.expose().to_owned()),
        ingresses: ingresses(&config.module),
        egresses: readable(&config.module),
    }
}

/// What of it a module declares.
pub(super) fn declared(module: &ModuleConfig) -> Result<Declared, PathConflict> {
    Declared::new(ingresses(module), readable(module))
}

fn ingresses(module: &ModuleConfig) -> Vec<HttpIngressConfig> {
    let http = module.ingresses.iter().filter_map(|ingress| match &ingress.kind {
        IngressKind::Http(declared) => Some(http_ingress(ingress, declared)),
        IngressKind::Playground { .. } => None,
    });
    http.collect()
}

fn readable(module: &ModuleConfig) -> Vec<tidegate_core::address::EgressId> {
    let http = module.egresses.iter().filter(|egress| matches!(egress.kind, EgressKind::Http(_)));
    http.map(|egress| egress.id.clone()).collect()
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
