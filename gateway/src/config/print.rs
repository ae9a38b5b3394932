//! Shows the configuration in effect: as a `tidegate.toml` that would give the same, or as JSON.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::Effective;
use super::module::{
    Egress, EgressKind, Endpoint, FunctionPattern, Ingress, IngressKind, KeySource,
};
use super::node::EffectiveSetting;
use super::{duration, size};

impl Effective {
    /// A `tidegate.toml` with every setting and where its value comes from. The module follows as comments.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let width =
            self.settings.iter().map(|setting| assignment(setting).len()).max().unwrap_or(0);
        let mut text = String::new();
        let mut table = "";
        for setting in &self.settings {
            let (of, _) = split(setting);
            if of != table {
                let _ = write!(text, "\n[{of}]\n");
                table = of;
            }
            let _ = writeln!(text, "{:width$}  # {}", assignment(setting), setting.origin);
        }
        let _ = write!(text, "\n# The application, from {}:\n", self.node.module.display());
        for line in self.components() {
            let _ = writeln!(text, "#   {line}");
        }
        text
    }

    fn components(&self) -> Vec<String> {
        let module = &self.module;
        let endpoints = module.endpoints.iter().map(|endpoint| {
            format!("endpoint {} at {}", pattern(&endpoint.functions), endpoint.url.as_str())
        });
        let ingresses = module.ingresses.iter().map(|ingress| match &ingress.kind {
            IngressKind::Http(http) => format!("ingress {} at {}", ingress.id, http.path),
            IngressKind::Playground { port } => format!("ingress {} at port {port}", ingress.id),
        });
        let egresses = module.egresses.iter().map(|egress| match &egress.kind {
            EgressKind::Http(_) => format!("egress {} over HTTP", egress.id),
            EgressKind::File { path } => format!("egress {} to {}", egress.id, path.display()),
            EgressKind::Playground(playground) => {
                format!("egress {} at port {}", egress.id, playground.port)
            }
        });
        endpoints.chain(ingresses).chain(egresses).collect()
    }

    /// Every setting with its value and origin, and the module with all defaults filled in.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let setting = |setting: &EffectiveSetting| {
            let bare = setting.bare.then(|| serde_json::from_str(&setting.value).ok()).flatten();
            let value = bare.unwrap_or_else(|| Value::String(setting.value.clone()));
            (setting.key.to_owned(), json!({"value": value, "from": setting.origin.to_string()}))
        };
        let settings: Map<_, _> = self.settings.iter().map(setting).collect();
        json!({
            "settings": settings,
            "module": {
                "endpoints": self.module.endpoints.iter().map(endpoint).collect::<Vec<_>>(),
                "ingresses": self.module.ingresses.iter().map(ingress).collect::<Vec<_>>(),
                "egresses": self.module.egresses.iter().map(egress).collect::<Vec<_>>(),
            },
        })
    }
}

/// The table and the key of a setting.
fn split(setting: &EffectiveSetting) -> (&'static str, &'static str) {
    setting.key.split_once('.').unwrap_or(("", setting.key))
}

fn assignment(setting: &EffectiveSetting) -> String {
    let (_, key) = split(setting);
    if setting.bare {
        return format!("{key} = {}", setting.value);
    }
    format!("{key} = {}", toml::Value::String(setting.value.clone()))
}

fn pattern(functions: &FunctionPattern) -> String {
    match functions {
        FunctionPattern::One(function) => function.to_string(),
        FunctionPattern::Namespace(namespace) => format!("{namespace}/*"),
    }
}

fn endpoint(endpoint: &Endpoint) -> Value {
    let (transport, treatment) = (&endpoint.transport, &endpoint.treatment);
    json!({
        "functions": pattern(&endpoint.functions),
        "urlPathTemplate": endpoint.url.as_str(),
        "maxNumBatchRequests": endpoint.batch_messages,
        "transport": {
            "type": transport.kind.name(),
            "call": duration::show(transport.call_timeout),
            "connect": duration::show(transport.connect_timeout),
            "read": transport.read_timeout.map(duration::show),
            "write": transport.write_timeout.map(duration::show),
            "pool_size": transport.pool_connections,
            "pool_ttl": duration::show(transport.pool_idle),
            "payload_max_bytes": transport.answer_bytes,
            "trust_cacerts": transport.tls.trust_cacerts,
            "client_cert": transport.tls.client_cert,
            "client_key": transport.tls.client_key,
            "client_key_password": transport.tls.client_key_password,
        },
        "tidegate": {
            "speculative": treatment.speculative,
            "concurrency": treatment.concurrency,
            "attempts": treatment.attempts,
            "backoff": {
                "first": duration::show(treatment.backoff_first),
                "longest": duration::show(treatment.backoff_longest),
            },
            "batchBytes": size::show(treatment.batch_bytes),
        },
    })
}

fn ingress(ingress: &Ingress) -> Value {
    let http = match &ingress.kind {
        IngressKind::Http(http) => http,
        IngressKind::Playground { port } => {
            return json!({"kind": "io.statefun.playground.v1/ingress", "port": port});
        }
    };
    let targets: Vec<_> = http.targets.iter().map(|target| target.as_str()).collect();
    let key = match &http.key {
        KeySource::JsonPointer(pointer) => json!({"jsonPointer": pointer}),
        KeySource::Path => json!({"path": true}),
        KeySource::Header(name) => json!({"header": name.as_str()}),
    };
    json!({
        "kind": "io.tidegate.http.v1/ingress",
        "id": ingress.id.as_str(),
        "path": http.path,
        "valueType": http.value_type.as_str(),
        "targets": targets,
        "key": key,
    })
}

fn egress(egress: &Egress) -> Value {
    let id = egress.id.as_str();
    match &egress.kind {
        EgressKind::Http(retention) => json!({
            "kind": "io.tidegate.http.v1/egress",
            "id": id,
            "retention": {"age": retention.age.map(duration::show), "bytes": size::show(retention.bytes)},
        }),
        EgressKind::File { path } => {
            json!({"kind": "io.tidegate.file.v1/egress", "id": id, "path": path})
        }
        EgressKind::Playground(playground) => json!({
            "kind": "io.statefun.playground.v1/egress",
            "port": playground.port,
            "topics": playground.topics,
        }),
    }
}
