//! Reads the components of StateFun's playground: an ingress that takes messages for any function, and an egress with topics
//! from which records are fetched one by one, each on a port of its own.
//!
//! There is one egress for functions, but a topic that nobody fetches must not hold up the others. So each topic is an egress of
//! its own inside, and what a function sends to the one is handed to the topic that it names.

use std::num::NonZeroU16;

use tidegate_core::address::{EgressId, Typename};

use super::fields::Fields;
use super::model::{Egress, EgressKind, Ingress, IngressKind, Playground};
use super::{egress, ingress};
use crate::config::fault::Place;

const NAMESPACE: &str = "io.statefun.playground";
const INGRESS: &str = "ingress";
const EGRESS: &str = "egress";
/// No module can declare an egress with this namespace by accident: the kinds with an `id` refuse it.
const TOPICS: &str = "io.statefun.playground.topics";

impl Playground {
    /// The egress that functions send to, whatever the topic.
    #[must_use]
    pub fn egress_id() -> EgressId {
        name(EGRESS)
    }

    /// The egress that a topic is inside.
    #[must_use]
    pub fn topic_id(topic: &str) -> Option<EgressId> {
        EgressId::new(TOPICS, topic).ok()
    }
}

/// Whether a name is one of those that topics have inside.
pub(super) fn is_reserved(id: &Typename) -> bool {
    id.namespace() == TOPICS
}

/// Reads the `spec` of the ingress.
pub(super) fn ingress(spec: &Fields<'_>) -> ingress::Read {
    let port = spec.read_needed("port", port);
    let id = name(INGRESS);
    let read =
        port.map(|(port, _)| Ingress { id: id.clone(), kind: IngressKind::Playground { port } });
    ingress::Read {
        id: Some((id, spec.place())),
        path: None,
        port,
        targets: Vec::new(),
        ingress: read,
    }
}

/// Reads the `spec` of the egress.
pub(super) fn egress(spec: &Fields<'_>) -> egress::Read {
    let port = spec.read_needed("port", port);
    let mut topics: Vec<String> =
        spec.read_list("topics", topic).into_iter().map(|(topic, _)| topic).collect();
    topics.sort();
    topics.dedup();
    let id = Playground::egress_id();
    let read = port.map(|(port, _): (u16, Place)| {
        let playground = Playground { port, topics };
        Egress { id: id.clone(), kind: EgressKind::Playground(playground) }
    });
    egress::Read { id: Some((id, spec.place())), file: None, port, egress: read }
}

fn name(of: &str) -> Typename {
    Typename::new(NAMESPACE, of).expect("the parts are names")
}

fn port(text: &str) -> Result<u16, String> {
    let port: NonZeroU16 =
        text.parse().map_err(|_| "must be a port, from 1 to 65535".to_owned())?;
    Ok(port.get())
}

fn topic(text: &str) -> Result<String, String> {
    match Playground::topic_id(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err("is not a topic: it is empty, too long, or has a slash".to_owned()),
    }
}
