//! Who is let in at the listeners, and how they prove who they are: read before a port is opened, and again when files change.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::{MissedTickBehavior, interval};

use crate::config::node::GuardSettings;
use crate::config::{Effective, TokenError, TokenSource};
use crate::ingress::http::serve::encryption::{Encryption, EncryptionError, EncryptionFiles};
use crate::ingress::http::tokens::Tokens;

/// How often files are looked at. Certificates and tokens are replaced long before they end.
const INTERVAL: Duration = Duration::from_secs(2);

/// The guard of a listener cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The tokens cannot be read.
    #[error("TG-0331: the tokens of a listener cannot be read: {0}")]
    Tokens(#[from] TokenError),
    /// The certificate, its key, or the authorities for clients cannot be used.
    #[error(transparent)]
    Encryption(#[from] EncryptionError),
}

/// The guards of all listeners.
#[derive(Clone)]
pub(super) struct Guards {
    pub(super) ingress: Guard,
    pub(super) admin: Guard,
}

/// The guard of one listener.
#[derive(Clone)]
pub(super) struct Guard {
    pub(super) tokens: Option<Arc<Tokens>>,
    pub(super) encryption: Option<Arc<Encryption>>,
    files: Vec<PathBuf>,
}

impl Guards {
    pub(super) fn read(config: &Effective) -> Result<Self, GuardError> {
        let node = &config.node;
        Ok(Self {
            ingress: Guard::read(&node.ingress.guard, &config.ingress_tokens)?,
            admin: Guard::read(&node.admin_guard, &config.admin_tokens)?,
        })
    }

    /// Reads what has changed again. Never returns.
    pub(super) async fn watch(self) {
        tokio::join!(self.ingress.watch("ingress"), self.admin.watch("admin"));
    }
}

impl Guard {
    fn read(settings: &GuardSettings, tokens: &TokenSource) -> Result<Self, GuardError> {
        let files = settings.clone();
        let encryption = match (files.tls_certificate, files.tls_key) {
            (Some(certificate), Some(key)) => {
                let client_authorities = files.tls_client_authorities;
                let files = EncryptionFiles { certificate, key, client_authorities };
                Some(Arc::new(Encryption::read(files)?))
            }
            _ => None,
        };
        let GuardSettings { token_file, tls_certificate, tls_key, tls_client_authorities } =
            settings.clone();
        let files = [token_file, tls_certificate, tls_key, tls_client_authorities];
        Ok(Self {
            tokens: Tokens::read(tokens.clone())?,
            encryption,
            files: files.into_iter().flatten().collect(),
        })
    }

    async fn watch(self, listener: &'static str) {
        let mut seen = self.stamps();
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.files.is_empty() {
            ticks.tick().await;
            let now = self.stamps();
            if now != seen {
                seen = now;
                match self.reload() {
                    Ok(()) => tracing::info!(listener, "tokens and certificates were read again"),
                    Err(error) => {
                        tracing::error!(listener, %error, "tokens or certificates cannot be used; what was there before counts");
                    }
                }
            }
        }
    }

    fn reload(&self) -> Result<(), GuardError> {
        self.tokens.as_ref().map_or(Ok(()), |tokens| tokens.reload())?;
        Ok(self.encryption.as_ref().map_or(Ok(()), |encryption| encryption.reload())?)
    }

    /// What changes when a file does; nothing for one that is not there.
    fn stamps(&self) -> Vec<Option<(SystemTime, u64)>> {
        let stamp = |path: &PathBuf| {
            let metadata = std::fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        };
        self.files.iter().map(stamp).collect()
    }
}
