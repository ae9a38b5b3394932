//! The files of certificates and keys that endpoints of a module name, read when the node starts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::module::Tls;
use crate::invoker::{Identity, TlsConfig};

/// StateFun lets files be named as resources.
const FILE_PREFIX: &str = "file:";
/// How an encrypted key begins, in either form.
const ENCRYPTED: [&str; 2] = ["-----BEGIN ENCRYPTED PRIVATE KEY-----", "Proc-Type: 4,ENCRYPTED"];

/// The files of an endpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsFileError {
    /// A file is not there, or not for us.
    #[error("TG-0233: the {what} {} cannot be read: {cause}", .path.display())]
    Unreadable {
        /// Which setting names it.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        cause: std::io::Error,
    },
    /// Keys are read as they are.
    #[error("TG-0233: the client_key {} is encrypted; give it as a file without a password, and no client_key_password", .0.display())]
    Encrypted(PathBuf),
    /// A password without a key that it belongs to.
    #[error(
        "TG-0233: client_key_password is not supported: give client_key as a file without a password"
    )]
    Password,
    /// A certificate proves nothing without its key, nor a key without its certificate.
    #[error("TG-0233: client_cert and client_key belong together, but only one of them is given")]
    Half,
}

/// Reads what an endpoint needs.
pub(super) fn read(declared: &Tls) -> Result<TlsConfig, TlsFileError> {
    if declared.client_key_password.is_some() {
        return Err(match &declared.client_key {
            Some(key) => TlsFileError::Encrypted(plain(key).to_owned()),
            None => TlsFileError::Password,
        });
    }
    let trusted = declared.trust_cacerts.as_deref().map(|path| file("trust_cacerts", path));
    let identity = match (&declared.client_cert, &declared.client_key) {
        (Some(certificate), Some(key)) => Some(identity(certificate, key)?),
        (None, None) => None,
        _ => return Err(TlsFileError::Half),
    };
    Ok(TlsConfig { trusted: trusted.transpose()?, identity })
}

fn identity(certificate: &Path, key: &Path) -> Result<Identity, TlsFileError> {
    let certificates = file("client_cert", certificate)?;
    let pem = file("client_key", key)?;
    let text = String::from_utf8_lossy(&pem);
    if ENCRYPTED.iter().any(|mark| text.contains(mark)) {
        return Err(TlsFileError::Encrypted(plain(key).to_owned()));
    }
    Ok(Identity { certificates, key: pem })
}

fn file(what: &'static str, path: &Path) -> Result<Arc<[u8]>, TlsFileError> {
    let path = plain(path);
    let bytes = std::fs::read(path);
    bytes.map(Arc::from).map_err(|cause| TlsFileError::Unreadable {
        what,
        path: path.to_owned(),
        cause,
    })
}

/// The path of `file:path` and `file:///path`.
fn plain(path: &Path) -> &Path {
    let named = path.to_str().and_then(|text| text.strip_prefix(FILE_PREFIX));
    named.map_or(path, |named| Path::new(named.strip_prefix("//").unwrap_or(named)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    struct Files(tempfile::TempDir);

    impl Files {
        fn with(files: &[(&str, &str)]) -> Self {
            let directory = tempfile::TempDir::new().unwrap();
            for (name, text) in files {
                std::fs::write(directory.path().join(name), text).unwrap();
            }
            Self(directory)
        }

        fn path(&self, name: &str) -> Option<PathBuf> {
            Some(self.0.path().join(name))
        }
    }

    #[test]
    fn files_are_read_by_path_and_as_resources() {
        let files = Files::with(&[("ca", "authorities"), ("cert", "certificate"), ("key", "key")]);
        let prefixed = |prefix: &str, name| {
            Some(PathBuf::from(format!("{prefix}{}", files.path(name).unwrap().display())))
        };
        let declared = Tls {
            trust_cacerts: files.path("ca"),
            client_cert: prefixed("file:", "cert"),
            client_key: prefixed("file://", "key"),
            client_key_password: None,
        };
        let tls = read(&declared).unwrap();
        assert_eq!(*tls.trusted.unwrap(), *b"authorities");
        let identity = tls.identity.unwrap();
        assert_eq!((&*identity.certificates, &*identity.key), (&b"certificate"[..], &b"key"[..]));
    }

    #[test]
    fn without_files_the_system_is_trusted() {
        let tls = read(&Tls::default()).unwrap();
        assert!(tls.trusted.is_none() && tls.identity.is_none());
    }

    #[test]
    fn what_cannot_be_used_is_named_without_showing_what_is_in_it() {
        let secret = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nsecret";
        let files = Files::with(&[("cert", "certificate"), ("key", secret)]);
        let text = |declared: &Tls| read(declared).unwrap_err().to_string();
        let missing = Tls { trust_cacerts: files.path("nowhere"), ..Tls::default() };
        assert!(text(&missing).starts_with("TG-0233: the trust_cacerts "));
        let half = Tls { client_cert: files.path("cert"), ..Tls::default() };
        assert!(text(&half).contains("belong together"));
        let pair = Tls { client_key: files.path("key"), ..half };
        assert!(text(&pair).contains("is encrypted"));
        assert!(!text(&pair).contains("secret"));
        let password = Tls { client_key_password: files.path("cert"), ..pair };
        assert!(text(&password).contains("is encrypted"));
    }
}
