//! Encrypted connections: the certificate of a listener, and the authorities that clients' certificates must come from.
//!
//! The files can be read again while the listener serves; connections that are open keep what they began with.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

/// What is spoken inside, the preferred first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The files of an encrypted listener, all in PEM form.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EncryptionFiles {
    /// The certificate, and those between it and its authority.
    pub certificate: PathBuf,
    /// Its private key, not encrypted.
    pub key: PathBuf,
    /// The authorities that certificates of clients must come from; without it clients need none.
    pub client_authorities: Option<PathBuf>,
}

/// Why the files of a listener cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EncryptionError {
    /// A file is not there, or not for us.
    #[error("TG-0330: the {what} {} cannot be read: {cause}", .path.display())]
    Unreadable {
        /// Which of the files.
        what: &'static str,
        /// Where it is.
        path: PathBuf,
        /// What the operating system says.
        cause: io::Error,
    },
    /// Not PEM, or not the item that is wanted there.
    #[error("TG-0330: there is no {what} in {}: {cause}", .path.display())]
    NotFound {
        /// Which of the files.
        what: &'static str,
        /// Where it is.
        path: PathBuf,
        /// Why.
        cause: pem::Error,
    },
    /// The certificate and the key do not go together, or are of a kind that is not known.
    #[error("TG-0330: the certificate and the key of the listener cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
    /// No client could be let in.
    #[error("TG-0330: the authorities for clients cannot be used: {0}")]
    Authorities(#[from] VerifierBuilderError),
}

/// How a listener encrypts.
#[derive(Debug)]
pub struct Encryption {
    files: EncryptionFiles,
    config: RwLock<Arc<ServerConfig>>,
}

impl Encryption {
    /// Reads the files.
    ///
    /// # Errors
    /// See [`EncryptionError`].
    pub fn read(files: EncryptionFiles) -> Result<Self, EncryptionError> {
        let config = RwLock::new(Arc::new(read(&files)?));
        Ok(Self { files, config })
    }

    /// Reads the files again. If they cannot be used, what was there goes on to count.
    ///
    /// # Errors
    /// See [`EncryptionError`].
    pub fn reload(&self) -> Result<(), EncryptionError> {
        let config = Arc::new(read(&self.files)?);
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    /// What greets the next connection.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner)).into()
    }
}

fn read(files: &EncryptionFiles) -> Result<ServerConfig, EncryptionError> {
    let provider = Arc::new(ring::default_provider());
    let chain = certificates("certificate", &files.certificate)?;
    let key = PrivateKeyDer::from_pem_slice(&content("key", &files.key)?).map_err(|cause| {
        EncryptionError::NotFound { what: "key", path: files.key.clone(), cause }
    })?;
    let clients = files.client_authorities.as_deref();
    let clients = clients.map(|path| verifier(path, &provider)).transpose()?;
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let builder = match clients {
        Some(clients) => builder.with_client_cert_verifier(clients),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(chain, key)?;
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
    Ok(config)
}

fn verifier(
    path: &Path,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, EncryptionError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("authority for clients", path)? {
        roots.add(certificate)?;
    }
    Ok(WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()?)
}

/// At least one certificate.
fn certificates(
    what: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, EncryptionError> {
    let not_found = |cause| EncryptionError::NotFound { what, path: path.to_owned(), cause };
    let pem = content(what, path)?;
    let found: Vec<_> =
        CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().map_err(not_found)?;
    if found.is_empty() { Err(not_found(pem::Error::NoItemsFound)) } else { Ok(found) }
}

fn content(what: &'static str, path: &Path) -> Result<Vec<u8>, EncryptionError> {
    std::fs::read(path).map_err(|cause| EncryptionError::Unreadable {
        what,
        path: path.to_owned(),
        cause,
    })
}
