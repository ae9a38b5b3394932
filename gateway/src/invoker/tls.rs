//! Encrypted connections: whom the gateway trusts, and who it says it is.

use std::fmt;
use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};

/// What https needs beyond the URL. All of it is text in PEM form.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TlsConfig {
    /// The certificates of the authorities to trust instead of the system's.
    pub trusted: Option<Arc<[u8]>>,
    /// Who the gateway is, for endpoints that want to know.
    pub identity: Option<Identity>,
}

/// A certificate with its key.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate, and those between it and its authority.
    pub certificates: Arc<[u8]>,
    /// The private key, not encrypted.
    pub key: Arc<[u8]>,
}

impl fmt::Debug for Identity {
    /// Without the key.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Identity")
    }
}

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Every endpoint would be refused.
    #[error("TG-0412 there are no certificates of authorities to trust{}", reasons(.0))]
    NobodyTrusted(Vec<rustls_native_certs::Error>),
    /// Not PEM, or not the item that is wanted there.
    #[error("TG-0412 the {what} cannot be read: {cause}")]
    Unreadable {
        /// Which text.
        what: &'static str,
        /// Why.
        cause: pem::Error,
    },
    /// Readable, but of no use.
    #[error("TG-0412 the certificates cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

fn reasons(errors: &[rustls_native_certs::Error]) -> String {
    errors.iter().map(|error| format!(": {error}")).collect()
}

/// The client side of encrypted connections.
pub(super) fn client(config: &TlsConfig) -> Result<ClientConfig, TlsError> {
    let roots = match &config.trusted {
        Some(pem) => given_roots(pem)?,
        None => system_roots()?,
    };
    let builder = builder(roots)?;
    let Some(identity) = &config.identity else { return Ok(builder.with_no_client_auth()) };
    let chain = certificates("client certificate", &identity.certificates)?;
    let key = PrivateKeyDer::from_pem_slice(&identity.key)
        .map_err(|cause| TlsError::Unreadable { what: "client key", cause })?;
    Ok(builder.with_client_auth_cert(chain, key)?)
}

/// For connections that are not encrypted: what would be is refused.
pub(super) fn client_without_trust() -> Result<ClientConfig, TlsError> {
    Ok(builder(RootCertStore::empty())?.with_no_client_auth())
}

/// The provider is named, for a process that links several has no default one.
fn builder(roots: RootCertStore) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, TlsError> {
    Ok(ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots))
}

fn given_roots(pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("trusted certificates", pem)? {
        roots.add(certificate)?;
    }
    if roots.is_empty() { Err(TlsError::NobodyTrusted(Vec::new())) } else { Ok(roots) }
}

/// Systems carry certificates that are not understood, which is no reason to trust none.
fn system_roots() -> Result<RootCertStore, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() { Err(TlsError::NobodyTrusted(found.errors)) } else { Ok(roots) }
}

fn certificates(what: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|cause| TlsError::Unreadable { what, cause })
}
