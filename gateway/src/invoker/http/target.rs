//! Where the requests of a function go, and what is the same in all of them: made once, not for each request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HOST, HeaderMap, USER_AGENT};
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderValue, Method, Request, Uri};
use http_body_util::Full;
use tidegate_core::address::FunctionType;
use tidegate_core::trace::TraceContext;

use super::super::config::UrlTemplate;
use super::super::encoding;
use super::super::lane::Dialect;
use super::super::wire::media;

const USER_AGENT_VALUE: &str = concat!("tidegate/", env!("CARGO_PKG_VERSION"));

/// Targets of functions with URLs of their own that are kept. Names of functions come from outside; beyond this, all are made anew.
const TARGETS_KEPT: usize = 256;

/// The targets of an endpoint.
pub(super) struct Targets {
    url: UrlTemplate,
    /// Of all functions, if they share their URL; nothing if that is none.
    shared: Option<Arc<Target>>,
    /// Of each function otherwise.
    own: Mutex<HashMap<FunctionType, Arc<Target>>>,
}

impl Targets {
    pub(super) fn new(url: &UrlTemplate) -> Self {
        let any = FunctionType::new("any", "function").ok();
        let shared = any.filter(|_| !url.differs_by_name()).and_then(|any| Target::of(url, &any));
        Self { url: url.clone(), shared: shared.map(Arc::new), own: Mutex::default() }
    }

    /// The target of a function; nothing if its name makes no valid URL.
    pub(super) fn of(&self, function: &FunctionType) -> Option<Arc<Target>> {
        if !self.url.differs_by_name() {
            return self.shared.clone();
        }
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(target) = own.get(function) {
            return Some(Arc::clone(target));
        }
        let target = Arc::new(Target::of(&self.url, function)?);
        if own.len() >= TARGETS_KEPT {
            own.clear();
        }
        own.insert(function.clone(), Arc::clone(&target));
        Some(target)
    }
}

/// Whom a connection leads to: scheme and authority.
pub(super) type Origin = Arc<Uri>;

/// Where the requests of a function go.
pub(super) struct Target {
    /// Whom to connect to.
    pub(super) origin: Origin,
    path: Uri,
    single: HeaderMap,
    batch: HeaderMap,
}

impl Target {
    fn of(url: &UrlTemplate, function: &FunctionType) -> Option<Self> {
        let url = url.of(function)?;
        let host = HeaderValue::from_str(&host(&url)?).ok()?;
        let path = url.path_and_query().map_or("/", PathAndQuery::as_str);
        let path = Uri::builder().path_and_query(path).build().ok()?;
        let mut origin = url.into_parts();
        origin.path_and_query = Some(PathAndQuery::from_static("/"));
        let origin = Arc::new(Uri::from_parts(origin).ok()?);
        let headers = |content_type| {
            HeaderMap::from_iter([
                (HOST, host.clone()),
                (CONTENT_TYPE, HeaderValue::from_static(content_type)),
                (ACCEPT, HeaderValue::from_static(media::ACCEPT)),
                (ACCEPT_ENCODING, HeaderValue::from_static(encoding::ACCEPTED)),
                (USER_AGENT, HeaderValue::from_static(USER_AGENT_VALUE)),
            ])
        };
        let (single, batch) = (headers(media::OCTET_STREAM), headers(media::BATCH));
        Some(Self { origin, path, single, batch })
    }

    /// A request to it, for the connection itself: with a path instead of a URL.
    pub(super) fn request(
        &self,
        dialect: Dialect,
        trace: Option<&TraceContext>,
        body: Bytes,
    ) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.path.clone();
        let headers = match dialect {
            Dialect::Single => &self.single,
            Dialect::Batch => &self.batch,
        };
        *request.headers_mut() = headers.clone();
        if let Some(trace) = trace {
            add_trace(trace, request.headers_mut());
        }
        request
    }
}

/// The header `host`: without a port where it is that of the scheme, and never with what may stand before the host.
fn host(url: &Uri) -> Option<String> {
    let host = url.host()?;
    let usual = if url.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
    Some(match url.port_u16().filter(|port| *port != usual) {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    })
}

/// A state of a trace comes from outside; what cannot stand in a header is left out.
fn add_trace(trace: &TraceContext, headers: &mut HeaderMap) {
    let state = trace.state.as_deref().map(HeaderValue::from_str);
    let texts =
        [("traceparent", Some(HeaderValue::from_str(&trace.traceparent()))), ("tracestate", state)];
    for (name, value) in texts {
        if let Some(Ok(value)) = value {
            headers.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn target(url: &str, function: &str) -> Arc<Target> {
        let targets = Targets::new(&UrlTemplate::parse(url).unwrap());
        targets.of(&FunctionType::parse(function).unwrap()).unwrap()
    }

    fn request(url: &str) -> (String, String, String) {
        let target = target(url, "shop/cart");
        let request = target.request(Dialect::Batch, None, Bytes::new());
        let host = request.headers()[HOST].to_str().unwrap().to_owned();
        (target.origin.to_string(), host, request.uri().to_string())
    }

    #[test]
    fn a_request_names_the_host_and_the_path_of_its_url() {
        let text = |texts: (&str, &str, &str)| (texts.0.into(), texts.1.into(), texts.2.into());
        for (url, expected) in [
            ("http://host:8000/run?x=1", ("http://host:8000/", "host:8000", "/run?x=1")),
            ("http://host", ("http://host/", "host", "/")),
            ("http://host:80/a", ("http://host:80/", "host", "/a")),
            ("https://host:443/a", ("https://host:443/", "host", "/a")),
            ("https://host:80/a", ("https://host:80/", "host:80", "/a")),
            ("http://[::1]:81/a", ("http://[::1]:81/", "[::1]:81", "/a")),
            ("http://{function.name}.svc/a", ("http://cart.svc/", "cart.svc", "/a")),
            ("http://host/{function.name}/a", ("http://host/", "host", "/cart/a")),
        ] {
            assert_eq!(request(url), text(expected), "{url}");
        }
    }

    #[test]
    fn a_user_in_the_url_is_told_to_nobody() {
        assert_eq!(request("http://me:secret@host:81/a").1, "host:81");
    }

    #[test]
    fn functions_have_their_own_targets_where_the_url_says_so_however_many_there_are() {
        let url = UrlTemplate::parse("http://host/{function.name}").unwrap();
        let targets = Targets::new(&url);
        for number in 0..3 * TARGETS_KEPT {
            let function = FunctionType::new("shop", &format!("f-{number}")).unwrap();
            let target = targets.of(&function).unwrap();
            assert_eq!(target.path.path(), format!("/f-{number}"));
            assert!(Arc::ptr_eq(&target, &targets.of(&function).unwrap()));
            assert!(targets.own.lock().unwrap().len() <= TARGETS_KEPT);
        }
    }
}
