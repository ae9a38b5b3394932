//! The settings of a node, typed.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use tidegate_core::limits::{FRAME_BYTES_MAX, Limits, MESSAGE_BYTES_MAX};
use tidegate_core::route::PartitionCount;

use super::guard::{self, GuardSettings};
use super::sheet::Sheet;
use super::trace::TraceSettings;
use super::value::{Bytes, Color, LogFilter, LogFormat};

/// Least memory with which a node can work: a few requests with large answers at once.
const BUDGET_BYTES_MIN: u64 = 64 << 20;

/// The room that is kept for the answer of a group that is in flight. Answers may be much larger, but most are smaller.
const ROOM_FOR_AN_ANSWER: usize = 4 << 10;

/// How a node runs. Sizes in bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeSettings {
    /// Where the node keeps its log and its state.
    pub data: PathBuf,
    /// The file that describes the application.
    pub module: PathBuf,
    /// Whether warnings about the configuration are errors.
    pub strict: bool,
    /// How many partitions there are.
    pub partitions: PartitionCount,
    /// The way in for messages over HTTP.
    pub ingress: IngressSettings,
    /// Where health, metrics and inspection are served.
    pub admin_listen: SocketAddr,
    /// Who is let in there.
    pub admin_guard: GuardSettings,
    /// The memory for messages, values and caches.
    pub memory_bytes: u64,
    /// The state store.
    pub store: StoreSettings,
    /// How long the node log may grow before state is written behind early.
    pub node_log_backlog_bytes: u64,
    /// Idempotent requests.
    pub idempotency: IdempotencySettings,
    /// How long a stopping node waits for requests that are under way.
    pub shutdown_grace: Duration,
    /// What is logged, and how.
    pub log: LogSettings,
    /// Where traces go.
    pub trace: TraceSettings,
}

/// The way in for messages over HTTP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IngressSettings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The largest body of a message.
    pub body_bytes: u64,
    /// How long a call waits for its reply if the client names no time.
    pub call_timeout: Duration,
    /// The longest time that a client may name.
    pub call_timeout_longest: Duration,
    /// How many connections are open at once.
    pub connections: u64,
    /// How long a client may take to send the head of a request.
    pub header_timeout: Duration,
    /// How long a connection may rest between requests.
    pub idle_timeout: Duration,
    /// Who is let in.
    pub guard: GuardSettings,
}

/// The state store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoreSettings {
    /// The part of the memory that caches blocks.
    pub cache_bytes: u64,
    /// How often state is written behind.
    pub flush_interval: Duration,
    /// The pause between two walks that remove values which have expired.
    pub sweep_interval: Duration,
}

/// Idempotent requests.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IdempotencySettings {
    /// How long an answer is kept.
    pub retention: Duration,
    /// How many keys each partition remembers.
    pub keys: u64,
}

/// What is logged, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogSettings {
    /// What.
    pub filter: LogFilter,
    /// In which form.
    pub format: LogFormat,
    /// Whether coloured.
    pub color: Color,
}

impl Default for NodeSettings {
    fn default() -> Self {
        let local = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        Self {
            data: "./tidegate-data".into(),
            module: "./module.yaml".into(),
            strict: false,
            partitions: const { PartitionCount::new(8).expect("8 is a power of two") },
            ingress: IngressSettings {
                listen: local(8080),
                body_bytes: MESSAGE_BYTES_MAX as u64,
                call_timeout: Duration::from_secs(30),
                call_timeout_longest: Duration::from_mins(5),
                connections: 1024,
                header_timeout: Duration::from_secs(30),
                idle_timeout: Duration::from_secs(75),
                guard: GuardSettings::default(),
            },
            admin_listen: local(9090),
            admin_guard: GuardSettings::default(),
            memory_bytes: 512 << 20,
            store: StoreSettings {
                cache_bytes: 64 << 20,
                flush_interval: Duration::from_secs(30),
                sweep_interval: Duration::from_mins(10),
            },
            node_log_backlog_bytes: 256 << 20,
            idempotency: IdempotencySettings { retention: Duration::from_hours(24), keys: 1 << 20 },
            shutdown_grace: Duration::from_secs(30),
            log: LogSettings {
                filter: LogFilter::default(),
                format: LogFormat::Text,
                color: Color::Auto,
            },
            trace: TraceSettings::default(),
        }
    }
}

impl NodeSettings {
    /// Reads every setting, in the order in which they are shown, and checks them together.
    pub(super) fn read(sheet: &mut Sheet) -> Self {
        let defaults = Self::default();
        let settings = Self {
            data: sheet.read("data", defaults.data),
            module: sheet.read("module", defaults.module),
            strict: sheet.read("strict", defaults.strict),
            partitions: sheet.read("partitions", defaults.partitions),
            ingress: IngressSettings {
                listen: sheet.read("ingress.listen", defaults.ingress.listen),
                body_bytes: sheet.read("ingress.body_limit", Bytes(defaults.ingress.body_bytes)).0,
                call_timeout: sheet.read("ingress.call_timeout", defaults.ingress.call_timeout),
                call_timeout_longest: sheet
                    .read("ingress.call_timeout_longest", defaults.ingress.call_timeout_longest),
                connections: sheet.read("ingress.connections", defaults.ingress.connections),
                header_timeout: sheet
                    .read("ingress.header_timeout", defaults.ingress.header_timeout),
                idle_timeout: sheet.read("ingress.idle_timeout", defaults.ingress.idle_timeout),
                guard: GuardSettings::read(sheet, &guard::INGRESS),
            },
            admin_listen: sheet.read("admin.listen", defaults.admin_listen),
            admin_guard: GuardSettings::read(sheet, &guard::ADMIN),
            memory_bytes: sheet.read("memory.budget", Bytes(defaults.memory_bytes)).0,
            store: StoreSettings {
                cache_bytes: sheet.read("store.cache", Bytes(defaults.store.cache_bytes)).0,
                flush_interval: sheet.read("store.flush_interval", defaults.store.flush_interval),
                sweep_interval: sheet.read("store.sweep_interval", defaults.store.sweep_interval),
            },
            node_log_backlog_bytes: sheet
                .read("node_log.backlog", Bytes(defaults.node_log_backlog_bytes))
                .0,
            idempotency: IdempotencySettings {
                retention: sheet.read("idempotency.retention", defaults.idempotency.retention),
                keys: sheet.read("idempotency.keys", defaults.idempotency.keys),
            },
            shutdown_grace: sheet.read("shutdown.grace", defaults.shutdown_grace),
            log: LogSettings {
                filter: sheet.read("log.level", defaults.log.filter),
                format: sheet.read("log.format", defaults.log.format),
                color: sheet.read("log.color", defaults.log.color),
            },
            trace: TraceSettings::read(sheet),
        };
        settings.check(sheet);
        settings
    }

    fn check(&self, sheet: &mut Sheet) {
        let ingress = &self.ingress;
        if ingress.listen == self.admin_listen && ingress.listen.port() != 0 {
            sheet.contradiction(
                "admin.listen",
                "`admin.listen` and `ingress.listen` are the same address",
            );
        }
        ingress.guard.check(sheet, &guard::INGRESS);
        self.admin_guard.check(sheet, &guard::ADMIN);
        if ingress.body_bytes > MESSAGE_BYTES_MAX as u64 {
            sheet.contradiction(
                "ingress.body_limit",
                "`ingress.body_limit` is more than the largest message, 8MiB",
            );
        }
        if ingress.call_timeout > ingress.call_timeout_longest {
            let text = "`ingress.call_timeout` is longer than `ingress.call_timeout_longest`";
            sheet.contradiction("ingress.call_timeout", text);
        }
        if self.memory_bytes < BUDGET_BYTES_MIN {
            sheet.contradiction(
                "memory.budget",
                "`memory.budget` is less than the 64MiB that a node needs",
            );
        }
        if self.store.cache_bytes > self.memory_bytes / 2 {
            sheet
                .contradiction("store.cache", "`store.cache` is more than half of `memory.budget`");
        }
        if self.node_log_backlog_bytes < FRAME_BYTES_MAX as u64 {
            sheet.contradiction(
                "node_log.backlog",
                "`node_log.backlog` is less than one frame of the log, 48MiB",
            );
        }
    }

    /// The bounds of each partition, as far as they follow from settings. What the memory budget leaves beside the store's
    /// cache is shared evenly; half of a partition's share is for copies of rows, the other half for rows that wait to be
    /// written behind.
    #[must_use]
    pub fn limits(&self) -> Limits {
        let memory = self.memory_bytes.saturating_sub(self.store.cache_bytes);
        let share =
            usize::try_from(memory / u64::from(self.partitions.get())).unwrap_or(usize::MAX);
        let retention = self.idempotency.retention.as_millis();
        let usual = Limits::default();
        Limits {
            resident_bytes: share / 2,
            groups_in_flight: (share / ROOM_FOR_AN_ANSWER).clamp(16, usual.groups_in_flight),
            idempotency_keys: self.idempotency.keys,
            idempotency_retention_ms: u64::try_from(retention).unwrap_or(u64::MAX),
            ..usual
        }
    }
}
