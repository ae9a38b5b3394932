//! The files of certificates and keys that endpoints of a module name, read when the node starts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pkcs8::der::pem::{LineEnding, PemLabel};
use pkcs8::{EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef, SecretDocument};

use crate::config::module::Tls;
use crate::invoker::{Identity, TlsConfig};

/// StateFun lets files be named as resources.
const FILE_PREFIX: &str = "file:";
/// How a key begins that is encrypted as PKCS#8 says, and as OpenSSL did before.
const ENCRYPTED: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
const ENCRYPTED_OTHERWISE: &str = "Proc-Type: 4,ENCRYPTED";

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
    /// A password is needed.
    #[error("TG-0233: the client_key {} is encrypted, and there is no client_key_password", .0.display())]
    Encrypted(PathBuf),
    /// Encrypted in a way that is not read.
    #[error("TG-0233: the client_key {} is encrypted, but not as PKCS#8", .0.display())]
    NotPkcs8(PathBuf),
    /// The password is another one, or the encryption is one that is not known.
    #[error("TG-0233: the client_key {} cannot be decrypted: {cause}", .path.display())]
    Undecryptable {
        /// The file of the key.
        path: PathBuf,
        /// Why; holds nothing of key or password.
        cause: pkcs8::Error,
    },
    /// A password for a key that has none.
    #[error("TG-0233: there is a client_key_password, but no client_key that is encrypted")]
    Password,
    /// A certificate proves nothing without its key, nor a key without its certificate.
    #[error("TG-0233: client_cert and client_key belong together, but only one of them is given")]
    Half,
}

/// Reads what an endpoint needs.
pub(super) fn read(declared: &Tls) -> Result<TlsConfig, TlsFileError> {
    let trusted = declared.trust_cacerts.as_deref().map(|path| file("trust_cacerts", path));
    let identity = match (&declared.client_cert, &declared.client_key) {
        (Some(certificate), Some(key)) => {
            Some(identity(certificate, key, declared.client_key_password.as_deref())?)
        }
        (None, None) if declared.client_key_password.is_some() => {
            return Err(TlsFileError::Password);
        }
        (None, None) => None,
        _ => return Err(TlsFileError::Half),
    };
    Ok(TlsConfig { trusted: trusted.transpose()?, identity })
}

fn identity(
    certificate: &Path,
    key: &Path,
    password: Option<&Path>,
) -> Result<Identity, TlsFileError> {
    let certificates = file("client_cert", certificate)?;
    let pem = file("client_key", key)?;
    let text = String::from_utf8_lossy(&pem);
    let path = || plain(key).to_owned();
    if text.contains(ENCRYPTED_OTHERWISE) {
        return Err(TlsFileError::NotPkcs8(path()));
    }
    let key = match (text.contains(ENCRYPTED), password) {
        (false, None) => pem,
        (false, Some(_)) => return Err(TlsFileError::Password),
        (true, None) => return Err(TlsFileError::Encrypted(path())),
        (true, Some(password)) => {
            let password = file("client_key_password", password)?;
            decrypt(&text, password.trim_ascii_end())
                .map_err(|cause| TlsFileError::Undecryptable { path: path(), cause })?
        }
    };
    Ok(Identity { certificates, key })
}

/// The key as text in PEM form, not encrypted.
fn decrypt(pem: &str, password: &[u8]) -> Result<Arc<[u8]>, pkcs8::Error> {
    let (_, encrypted) = SecretDocument::from_pem(&pem[pem.find(ENCRYPTED).unwrap_or(0)..])?;
    let key = EncryptedPrivateKeyInfoRef::try_from(encrypted.as_bytes())?.decrypt(password)?;
    let text = key.to_pem(PrivateKeyInfoRef::PEM_LABEL, LineEnding::LF)?;
    Ok(Arc::from(text.as_bytes()))
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
        assert!(text(&pair).contains("is encrypted, and there is no client_key_password"));
        assert!(!text(&pair).contains("secret"));
        let password = Tls { client_key_password: files.path("cert"), ..pair };
        assert!(text(&password).contains("cannot be decrypted"));
        assert!(!text(&password).contains("secret"));
        let needless = Tls { client_key: files.path("cert"), ..password };
        assert!(text(&needless).contains("no client_key that is encrypted"));
        let alone = Tls { client_key_password: files.path("cert"), ..Tls::default() };
        assert!(text(&alone).contains("no client_key that is encrypted"));
    }

    /// A key as PKCS#8 writes it, and the same encrypted with `password`.
    fn key_and_encrypted(password: &str) -> (String, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let der = key.serialize_der();
        let info = PrivateKeyInfoRef::try_from(&*der).unwrap();
        let parameters = pkcs8::pkcs5::pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(
            1000, &[7; 16], [9; 16],
        );
        let encrypted = info.encrypt_with_params(parameters.unwrap(), password).unwrap();
        let encrypted = encrypted.to_pem("ENCRYPTED PRIVATE KEY", LineEnding::LF).unwrap();
        (key.serialize_pem(), encrypted.to_string())
    }

    #[test]
    fn an_encrypted_key_is_read_with_the_password_in_its_file() {
        let (key, encrypted) = key_and_encrypted("open sesame");
        let files = Files::with(&[
            ("cert", "certificate"),
            ("key", &encrypted),
            ("password", "open sesame\n"),
            ("other", "shut sesame"),
        ]);
        let declared = |password| Tls {
            client_cert: files.path("cert"),
            client_key: files.path("key"),
            client_key_password: files.path(password),
            trust_cacerts: None,
        };
        let identity = read(&declared("password")).unwrap().identity.unwrap();
        let der = |pem: &str| SecretDocument::from_pem(pem).unwrap().1.to_bytes();
        assert_eq!(der(std::str::from_utf8(&identity.key).unwrap()), der(&key));
        let refused = read(&declared("other")).unwrap_err().to_string();
        assert!(refused.starts_with("TG-0233") && !refused.contains("sesame"), "{refused}");
    }
}
