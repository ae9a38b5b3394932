//! Reads what stands on a command line.

use std::time::Duration;

use http::Uri;
use tidegate_core::address::{Address, Typename};

use crate::config::node::parse_duration;

/// `namespace/type/id`; the id may have slashes of its own.
pub fn address(text: &str) -> Result<Address, String> {
    let mut parts = text.splitn(3, '/');
    let (Some(namespace), Some(name), Some(id)) = (parts.next(), parts.next(), parts.next()) else {
        return Err("an address is namespace/type/id".to_owned());
    };
    let function = Typename::new(namespace, name).map_err(|error| error.to_string())?;
    Address::new(function, id).map_err(|error| error.to_string())
}

/// `namespace/name`.
pub(super) fn typename(text: &str) -> Result<String, String> {
    Typename::parse(text).map(|name| name.to_string()).map_err(|error| error.to_string())
}

/// A duration with its unit.
pub(super) fn timeout(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|wrong| format!("it {wrong}"))
}

/// The base of a gateway's interface.
pub(super) fn url(text: &str) -> Result<Uri, String> {
    let url: Uri = text.parse().map_err(|error| format!("it is not a URL: {error}"))?;
    match (url.scheme_str(), url.query()) {
        (Some("http" | "https"), None) if url.host().is_some_and(|host| !host.is_empty()) => {
            Ok(url)
        }
        _ => {
            Err("it must look like http://127.0.0.1:8080 or https://gateway.example.com".to_owned())
        }
    }
}

/// A path below a base.
pub(super) fn join(base: &Uri, path: &str) -> String {
    format!("{}/{path}", base.to_string().trim_end_matches('/'))
}
