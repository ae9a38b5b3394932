//! Reads egresses.

use tidegate_core::address::Typename;

use super::endpoint::bytes;
use super::fields::{Fields, text};
use super::ingress::id;
use super::model::{Egress, EgressKind, Retention};
use crate::config::duration::parse_positive;
use crate::config::fault::Place;

/// What an egress declares.
pub(super) struct Read {
    pub(super) id: Option<(Typename, Place)>,
    pub(super) file: Option<(String, Place)>,
    pub(super) port: Option<(u16, Place)>,
    pub(super) egress: Option<Egress>,
}

/// Reads the `spec` of an HTTP egress.
pub(super) fn http(spec: &Fields<'_>) -> Read {
    let id = spec.read_needed("id", id);
    let defaults = Retention::default();
    let retention = spec.child("retention").map_or(defaults.clone(), |fields| Retention {
        age: fields.read("age", parse_positive),
        bytes: fields.read_or("bytes", defaults.bytes, bytes),
    });
    let egress = id.clone().map(|(id, _)| Egress { id, kind: EgressKind::Http(retention) });
    Read { id, file: None, port: None, egress }
}

/// Reads the `spec` of a file egress.
pub(super) fn file(spec: &Fields<'_>) -> Read {
    let id = spec.read_needed("id", id);
    let file = spec.read_needed("path", text);
    let egress = id
        .clone()
        .zip(file.clone())
        .map(|((id, _), (path, _))| Egress { id, kind: EgressKind::File { path: path.into() } });
    Read { id, file, port: None, egress }
}
