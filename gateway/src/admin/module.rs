//! `POST /v1/module/reload`: reads `module.yaml` anew. All of it takes effect, or nothing, and the answer says which and why.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::{Kind, ProblemDocument, respond};
use crate::config::fault::{Fault, Faults, Severity};

/// Reads the module anew.
#[async_trait]
pub trait ReloadModule: Send + Sync + 'static {
    /// Returns when every partition goes by the module as it stands in its file now.
    async fn reload(&self) -> Result<Reloaded, ReloadError>;
}

/// What a reload changed.
#[derive(Clone, Debug, Default)]
pub struct Reloaded {
    /// By components.
    pub changes: Changes,
    /// What is doubtful about the module.
    pub warnings: Faults,
}

/// Components by name, such as `endpoint shop/*`, `ingress shop/orders` or `egress shop/receipts`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, ToSchema)]
pub struct Changes {
    /// Those that were not there before.
    pub added: Vec<String>,
    /// Those that are not there any more.
    pub removed: Vec<String>,
    /// Those that are declared otherwise, or whose certificates are others.
    pub changed: Vec<String>,
    /// How many are as they were.
    pub unchanged: usize,
}

/// Why nothing was changed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReloadError {
    /// The module is not right.
    #[error("TG-0780: the module has faults; nothing was changed\n{0}")]
    Faults(Faults),
    /// Some of what changed is fixed when the node starts.
    #[error("TG-0781: these cannot change while the node runs: {}; nothing was changed", .0.join(", "))]
    NeedsRestart(Vec<String>),
    /// The module is right, but what it names cannot be used: a file, a certificate, a path.
    #[error("TG-0782: the module cannot be put into effect; nothing was changed: {0}")]
    Refused(String),
    /// The node is starting or stopping.
    #[error("TG-0783: the node is starting or stopping, and takes no other module now")]
    NotNow,
}

impl ReloadError {
    fn kind(&self) -> Kind {
        match self {
            Self::Faults(_) => {
                ("TG-0780", StatusCode::UNPROCESSABLE_ENTITY, "the module has faults")
            }
            Self::NeedsRestart(_) => ("TG-0781", StatusCode::CONFLICT, "a restart is needed"),
            Self::Refused(_) => {
                ("TG-0782", StatusCode::UNPROCESSABLE_ENTITY, "the module cannot be used")
            }
            Self::NotNow => ("TG-0783", StatusCode::SERVICE_UNAVAILABLE, "no reload at the moment"),
        }
    }

    /// What is to be said about it beside the title.
    fn detail(&self) -> String {
        match self {
            Self::Faults(faults) => faults.to_string(),
            Self::NeedsRestart(_) | Self::Refused(_) | Self::NotNow => {
                let text = self.to_string();
                text.split_once(": ").map_or(text.clone(), |(_, detail)| detail.to_owned())
            }
        }
    }
}

/// What a reload changed, and what is doubtful about the module.
#[derive(Serialize, ToSchema)]
#[schema(as = Reloaded)]
struct Shown {
    #[serde(flatten)]
    changes: Changes,
    warnings: Vec<ShownFault>,
}

/// A problem document (RFC 9457) with the faults of the module.
#[derive(Serialize, ToSchema)]
#[schema(as = ReloadRefusal)]
struct Refusal {
    #[serde(flatten)]
    problem: ProblemDocument,
    faults: Vec<ShownFault>,
    /// Components that cannot change without a restart.
    components: Vec<String>,
}

/// A fault of the module, with its place in the file.
#[derive(Serialize, ToSchema)]
#[schema(as = ModuleFault)]
struct ShownFault {
    code: &'static str,
    severity: &'static str,
    source: String,
    document: Option<usize>,
    line: Option<usize>,
    column: Option<usize>,
    text: String,
    help: Option<String>,
}

impl From<&Fault> for ShownFault {
    fn from(fault: &Fault) -> Self {
        Self {
            code: fault.code.as_str(),
            severity: match fault.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            source: fault.source.clone(),
            document: fault.place.and_then(|place| place.document),
            line: fault.place.map(|place| place.line),
            column: fault.place.map(|place| place.column),
            text: fault.text.clone(),
            help: fault.help.clone(),
        }
    }
}

/// Answers with what was changed, or with everything that stands against it.
#[utoipa::path(post, path = "/v1/module/reload", tag = "module", responses(
    (status = 200, body = Shown),
    (status = 409, body = Refusal, content_type = "application/problem+json"),
    (status = 422, body = Refusal, content_type = "application/problem+json"),
    (status = 503, body = Refusal, content_type = "application/problem+json"),
))]
pub(super) async fn reload(State(module): State<Arc<dyn ReloadModule>>) -> Response {
    match module.reload().await {
        Ok(Reloaded { changes, warnings }) => {
            let warnings = warnings.iter().map(ShownFault::from).collect();
            Json(Shown { changes, warnings }).into_response()
        }
        Err(error) => refuse(&error),
    }
}

fn refuse(error: &ReloadError) -> Response {
    let kind = error.kind();
    let refusal = Refusal {
        problem: ProblemDocument::new(kind, error.detail()),
        faults: match error {
            ReloadError::Faults(faults) => faults.iter().map(ShownFault::from).collect(),
            _ => Vec::new(),
        },
        components: match error {
            ReloadError::NeedsRestart(components) => components.clone(),
            _ => Vec::new(),
        },
    };
    respond(kind, &refusal)
}
