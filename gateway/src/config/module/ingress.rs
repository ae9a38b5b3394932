//! Reads ingresses.

use http::HeaderName;
use tidegate_core::address::{FunctionType, Typename};

use super::fields::{Fields, flag};
use super::model::{FunctionPattern, HttpIngress, Ingress, IngressKind, KeySource};
use super::{endpoint, playground};
use crate::config::fault::{Code, Place};

/// Paths of the node's own interface.
const RESERVED: &str = "/v1";

/// What an ingress declares: id, path and targets with their places, for the checks between components.
pub(super) struct Read {
    pub(super) id: Option<(Typename, Place)>,
    pub(super) path: Option<(String, Place)>,
    pub(super) port: Option<(u16, Place)>,
    pub(super) targets: Vec<(FunctionType, Place)>,
    pub(super) ingress: Option<Ingress>,
}

/// Reads the `spec` of an HTTP ingress.
pub(super) fn http(spec: &Fields<'_>) -> Read {
    let id = spec.read_needed("id", id);
    let path = spec.read_needed("path", path);
    let value_type = spec.read_needed("valueType", typename);
    let targets = spec.read_list("targets", function);
    let key = key(spec);
    let ingress = (|| {
        let http = HttpIngress {
            path: path.clone()?.0,
            value_type: value_type?.0,
            targets: targets.iter().map(|(target, _)| target.clone()).collect(),
            key: key?,
        };
        Some(Ingress { id: id.clone()?.0, kind: IngressKind::Http(http) })
    })();
    Read { id, path, port: None, targets, ingress }
}

/// The name of an ingress or egress.
pub(super) fn id(text: &str) -> Result<Typename, String> {
    let id = typename(text)?;
    match playground::is_reserved(&id) {
        true => Err("is a name that the playground's topics have inside".to_owned()),
        false => Ok(id),
    }
}

/// `namespace/name`.
pub(super) fn typename(text: &str) -> Result<Typename, String> {
    Typename::parse(text).map_err(|error| format!("is not a name: {error}"))
}

fn function(text: &str) -> Result<FunctionType, String> {
    match endpoint::pattern(text)? {
        FunctionPattern::One(function) => Ok(function),
        FunctionPattern::Namespace(_) => Err("must be one function".to_owned()),
    }
}

fn path(text: &str) -> Result<String, String> {
    let trimmed = text.strip_suffix('/').unwrap_or(text);
    if !trimmed.starts_with('/') {
        return Err("must begin with a slash and name at least one segment".to_owned());
    }
    if trimmed == RESERVED || trimmed.starts_with(&format!("{RESERVED}/")) {
        return Err(format!("is below `{RESERVED}`, which belongs to Tidegate's own interface"));
    }
    if trimmed.contains("//") || trimmed.contains(['?', '#', '{', '}', '*', ' ']) {
        return Err("must be plain segments between single slashes".to_owned());
    }
    Ok(trimmed.to_owned())
}

fn key(spec: &Fields<'_>) -> Option<KeySource> {
    spec.needed("key")?;
    let fields = spec.child("key")?;
    let given: Vec<_> = ["jsonPointer", "path", "header"]
        .into_iter()
        .filter(|key| fields.get(key).is_some())
        .collect();
    match given[..] {
        ["jsonPointer"] => fields.read("jsonPointer", json_pointer).map(KeySource::JsonPointer),
        ["path"] => match fields.read("path", flag)? {
            true => Some(KeySource::Path),
            false => {
                fields.error("path", Code::BadValue, "`key.path` can only be true");
                None
            }
        },
        ["header"] => fields.read("header", header).map(KeySource::Header),
        _ => {
            let text = "`key` must have exactly one of `jsonPointer`, `path` and `header`";
            spec.error("key", Code::BadValue, text);
            None
        }
    }
}

fn json_pointer(text: &str) -> Result<String, String> {
    let escapes_are_right = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    if !text.starts_with('/') || !escapes_are_right {
        return Err("is not a JSON pointer such as `/order/id` (RFC 6901)".to_owned());
    }
    Ok(text.to_owned())
}

fn header(text: &str) -> Result<HeaderName, String> {
    text.parse().map_err(|_| "is not the name of a header".to_owned())
}
