//! The kinds of components, the keys of each, and the kinds that are known but do not work yet.

use crate::config::nearest::nearest;

/// A kind of component.
#[derive(Debug)]
pub struct Kind {
    /// Its name, as in `kind:`.
    pub name: &'static str,
    /// All keys of its `spec`, those of inner mappings with dots.
    pub keys: &'static [&'static str],
    pub(super) form: Form,
}

/// What a component is, and so how its `spec` is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    EndpointV2,
    EndpointV1,
    HttpIngress,
    HttpEgress,
    FileEgress,
    PlaygroundIngress,
    PlaygroundEgress,
}

/// Every kind that works.
pub static KINDS: [Kind; 7] = [
    Kind {
        name: "io.statefun.endpoints.v2/http",
        form: Form::EndpointV2,
        keys: &[
            "functions",
            "urlPathTemplate",
            "maxNumBatchRequests",
            "transport",
            "transport.type",
            "transport.timeouts",
            "transport.timeouts.call",
            "transport.timeouts.connect",
            "transport.timeouts.read",
            "transport.timeouts.write",
            "transport.call",
            "transport.connect",
            "transport.pool_ttl",
            "transport.pool_size",
            "transport.payload_max_bytes",
            "transport.trust_cacerts",
            "transport.client_cert",
            "transport.client_key",
            "transport.client_key_password",
            "tidegate",
            "tidegate.speculative",
            "tidegate.concurrency",
            "tidegate.attempts",
            "tidegate.backoff",
            "tidegate.backoff.first",
            "tidegate.backoff.factor",
            "tidegate.backoff.longest",
            "tidegate.exhausted",
            "tidegate.deadLetter",
            "tidegate.groupsPerPartition",
            "tidegate.groups",
            "tidegate.messagesPerSecond",
            "tidegate.batchBytes",
        ],
    },
    Kind {
        name: "io.statefun.endpoints.v1/http",
        form: Form::EndpointV1,
        keys: &[
            "functions",
            "urlPathTemplate",
            "maxNumBatchRequests",
            "timeouts",
            "timeouts.call",
            "timeouts.connect",
            "timeouts.read",
            "timeouts.write",
            "tidegate",
            "tidegate.speculative",
            "tidegate.concurrency",
            "tidegate.attempts",
            "tidegate.backoff",
            "tidegate.backoff.first",
            "tidegate.backoff.factor",
            "tidegate.backoff.longest",
            "tidegate.exhausted",
            "tidegate.deadLetter",
            "tidegate.groupsPerPartition",
            "tidegate.groups",
            "tidegate.messagesPerSecond",
            "tidegate.batchBytes",
        ],
    },
    Kind {
        name: "io.tidegate.http.v1/ingress",
        form: Form::HttpIngress,
        keys: &[
            "id",
            "path",
            "valueType",
            "targets",
            "key",
            "key.jsonPointer",
            "key.path",
            "key.header",
        ],
    },
    Kind {
        name: "io.tidegate.http.v1/egress",
        form: Form::HttpEgress,
        keys: &["id", "retention", "retention.age", "retention.bytes"],
    },
    Kind { name: "io.tidegate.file.v1/egress", form: Form::FileEgress, keys: &["id", "path"] },
    Kind {
        name: "io.statefun.playground.v1/ingress",
        form: Form::PlaygroundIngress,
        keys: &["port"],
    },
    Kind {
        name: "io.statefun.playground.v1/egress",
        form: Form::PlaygroundEgress,
        keys: &["port", "topics"],
    },
];

/// Kinds that are known but that this node does not serve yet: they need AWS, Kafka or gRPC.
pub static NOT_YET: [&str; 6] = [
    "io.statefun.kafka.v1/ingress",
    "io.statefun.kafka.v1/egress",
    "io.statefun.kinesis.v1/ingress",
    "io.statefun.kinesis.v1/egress",
    "io.tidegate.lambda.v1/endpoint",
    "io.tidegate.grpc.v1/endpoint",
];

impl Kind {
    /// Whether it is Tidegate's own, so that unknown keys are errors.
    pub(super) fn is_ours(&self) -> bool {
        self.name.starts_with("io.tidegate.")
    }

    /// The keys of one mapping of the `spec`.
    pub(super) fn keys_in(&self, path: &str) -> Vec<&'static str> {
        let below = |key: &&'static str| match path {
            "" => Some(*key),
            path => key.strip_prefix(path)?.strip_prefix('.'),
        };
        self.keys.iter().filter_map(below).filter(|key| !key.contains('.')).collect()
    }
}

/// What is known of a name of a kind.
pub(super) enum Known {
    Works(&'static Kind),
    NotYet,
    /// With the nearest name that works.
    Never(Option<&'static str>),
}

/// Looks a kind up.
pub(super) fn look_up(name: &str) -> Known {
    if let Some(kind) = KINDS.iter().find(|kind| kind.name == name) {
        return Known::Works(kind);
    }
    if NOT_YET.contains(&name) {
        return Known::NotYet;
    }
    Known::Never(nearest(name, KINDS.iter().map(|kind| kind.name).chain(NOT_YET)))
}
