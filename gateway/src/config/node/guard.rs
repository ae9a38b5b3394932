//! The settings that say who is let in at a listener, and how the listener proves who it is.

use std::path::PathBuf;

use super::sheet::Sheet;

/// The guard of one listener.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct GuardSettings {
    /// The file with the tokens that clients must bring, one in each line.
    pub token_file: Option<PathBuf>,
    /// The file with the certificate of the listener, and those between it and its authority.
    pub tls_certificate: Option<PathBuf>,
    /// The file with the key of the certificate, not encrypted.
    pub tls_key: Option<PathBuf>,
    /// The file with the authorities that certificates of clients must come from; without it clients need none.
    pub tls_client_authorities: Option<PathBuf>,
}

/// The names of the settings of one guard, in the order in which they are shown.
pub(super) struct GuardKeys {
    pub(super) token_file: &'static str,
    pub(super) tls_certificate: &'static str,
    pub(super) tls_key: &'static str,
    pub(super) tls_client_authorities: &'static str,
}

pub(super) const INGRESS: GuardKeys = GuardKeys {
    token_file: "ingress.token_file",
    tls_certificate: "ingress.tls_certificate",
    tls_key: "ingress.tls_key",
    tls_client_authorities: "ingress.tls_client_authorities",
};

pub(super) const ADMIN: GuardKeys = GuardKeys {
    token_file: "admin.token_file",
    tls_certificate: "admin.tls_certificate",
    tls_key: "admin.tls_key",
    tls_client_authorities: "admin.tls_client_authorities",
};

impl GuardSettings {
    pub(super) fn read(sheet: &mut Sheet, keys: &GuardKeys) -> Self {
        Self {
            token_file: sheet.read(keys.token_file, None),
            tls_certificate: sheet.read(keys.tls_certificate, None),
            tls_key: sheet.read(keys.tls_key, None),
            tls_client_authorities: sheet.read(keys.tls_client_authorities, None),
        }
    }

    /// Reports files that mean nothing without another.
    pub(super) fn check(&self, sheet: &mut Sheet, keys: &GuardKeys) {
        if self.tls_certificate.is_some() != self.tls_key.is_some() {
            let (certificate, key) = (keys.tls_certificate, keys.tls_key);
            let given = if self.tls_key.is_some() { key } else { certificate };
            let text =
                format!("`{certificate}` and `{key}` belong together, but only one is given");
            sheet.contradiction(given, &text);
        }
        if self.tls_client_authorities.is_some() && self.tls_certificate.is_none() {
            let (authorities, certificate) = (keys.tls_client_authorities, keys.tls_certificate);
            let text = format!("`{authorities}` means nothing without `{certificate}`");
            sheet.contradiction(authorities, &text);
        }
    }
}
