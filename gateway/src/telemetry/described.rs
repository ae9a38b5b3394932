//! What each metric says, for the `# HELP` lines. `docs/metrics.md` tells more, and is held to these names by a test.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// How often or how much, since the start.
const COUNTERS: &[(&str, &str)] = &[
    ("tidegate_messages_received_total", "Messages that entered a mailbox"),
    ("tidegate_messages_processed_total", "Messages whose processing was committed"),
    ("tidegate_messages_dropped_total", "Messages that an operator gave up"),
    ("tidegate_messages_sent_total", "Messages and records that were committed, by where they go"),
    ("tidegate_batches_committed_total", "Groups that were committed"),
    (
        "tidegate_invocations_total",
        "Groups that came back from the invoker, by what became of them",
    ),
    ("tidegate_addresses_parked_total", "Addresses that failed too often"),
    ("tidegate_addresses_released_total", "Parked addresses that were let go on"),
    ("tidegate_timers_set_total", "Messages that are to be sent later"),
    (
        "tidegate_timers_fired_total",
        "Delayed messages that were sent, and requests that were forgotten",
    ),
    ("tidegate_timers_cancelled_total", "Delayed messages that were withdrawn"),
    ("tidegate_reports_total", "What is also in the log lines, by kind"),
    ("tidegate_address_loads_total", "How often an address had to be read before it could go on"),
    ("tidegate_address_evictions_total", "How often an address left memory"),
    ("tidegate_log_syncs_total", "Syncs that made records durable"),
    ("tidegate_log_frames_total", "Frames that were written"),
    ("tidegate_log_steps_total", "Steps that were written"),
    ("tidegate_log_bytes_total", "Bytes that were written into the log"),
    ("tidegate_store_loaded_rows_total", "Rows that were read for partitions"),
    (
        "tidegate_values_swept_total",
        "Values that had expired and were removed without their address being invoked",
    ),
    ("tidegate_store_walked_rows_total", "Rows that were looked at to find expired values"),
    ("tidegate_store_flushed_rows_total", "Rows that were written behind"),
    (
        "tidegate_store_flushed_bytes_total",
        "Bytes of rows that were written behind, with their keys",
    ),
    ("tidegate_store_retries_total", "Attempts after which the store was not available"),
    ("tidegate_store_cache_accesses_total", "Looks into the cache of blocks, by kind and result"),
    ("tidegate_store_stalls_total", "Times that a database made its writer wait"),
    ("tidegate_store_compacted_bytes_total", "Bytes that were merged into larger files"),
    ("tidegate_invoker_requests_total", "Requests to functions, repetitions included"),
    ("tidegate_invoker_requests_failed_total", "Failed requests, by what was blamed"),
    ("tidegate_invoker_groups_failed_total", "Groups that failed, alone in their request"),
    ("tidegate_egress_write_failures_total", "Failed attempts to write records"),
    ("tidegate_egress_given_up_total", "Records that were removed for their age"),
    ("tidegate_http_problems_total", "Requests that were refused, by code"),
    ("tidegate_trace_spans_exported_total", "Spans that the collector took"),
    ("tidegate_trace_spans_dropped_total", "Spans that were lost, by why"),
    ("process_cpu_seconds_total", "Processor time that the process has used"),
];

/// How much there is.
const GAUGES: &[(&str, &str)] = &[
    ("tidegate_build_info", "1, with the version of the program"),
    (
        "tidegate_messages_waiting",
        "Messages in mailboxes, in flight or not, that arrived since the start",
    ),
    ("tidegate_messages_in_flight", "Messages in groups that the invoker has"),
    ("tidegate_invocations_in_flight", "Groups that the invoker has"),
    (
        "tidegate_groups_in_flight",
        "Groups whose functions are running or whose answers are being committed",
    ),
    ("tidegate_addresses_in_memory", "Addresses that are in memory"),
    ("tidegate_addresses_waiting", "Addresses in memory that cannot go on, by what for"),
    ("tidegate_calls_waiting", "Requests whose reply is awaited"),
    ("tidegate_timers_in_memory", "The next delayed messages; further ones wait in the store"),
    ("tidegate_outbox_messages", "Messages that other partitions have not acknowledged"),
    ("tidegate_egress_records_waiting", "Records that were not acknowledged"),
    ("tidegate_egress_bytes_waiting", "Bytes of records that were not acknowledged, about"),
    (
        "tidegate_oldest_message_timestamp_seconds",
        "When the oldest message that waits arrived, since the Unix epoch; 0 if none waits",
    ),
    ("tidegate_memory_bytes", "What holds memory, by kind"),
    ("tidegate_memory_budget_bytes", "The bound for partitions, without the cache of the store"),
    ("tidegate_doors_closed", "1 while the memory budget is used up and nobody is let in"),
    ("tidegate_doors_narrow", "1 while those who brought much of late wait for rows to be written"),
    ("tidegate_doors_waiting", "Messages that wait to be let in"),
    ("tidegate_log_backlog_bytes", "Bytes of the log that some store does not hold yet"),
    ("tidegate_store_cache_capacity_bytes", "The bound of the cache of blocks"),
    ("tidegate_store_memtable_bytes", "Rows in memory of a database"),
    ("tidegate_store_level_0_files", "Files of a database that were not merged yet"),
    ("tidegate_store_sorted_runs", "Sorted runs of a database"),
    ("tidegate_invoker_groups_waiting", "Groups that wait for a request to an endpoint"),
    ("tidegate_invoker_groups_under_way", "Groups in requests that are not answered yet"),
    ("tidegate_invoker_requests_under_way", "Requests that are not answered yet"),
    (
        "tidegate_invoker_bytes_under_way",
        "Bytes of messages and values in requests that are not answered yet",
    ),
    ("tidegate_invoker_requests_allowed", "Requests that may be under way at once at the moment"),
    (
        "tidegate_invoker_urls_held",
        "URLs of an endpoint that are left alone for a while because they failed",
    ),
    ("process_start_time_seconds", "When the process began, since the Unix epoch"),
    ("process_resident_memory_bytes", "Resident memory of the process"),
    ("process_open_fds", "Open file descriptors of the process"),
];

/// How much each time.
const HISTOGRAMS: &[(&str, Unit, &str)] = &[
    (
        "tidegate_message_latency_seconds",
        Unit::Seconds,
        "From entering the mailbox to the commit, of the oldest message of each group",
    ),
    ("tidegate_invocation_seconds", Unit::Seconds, "From submitting a group to its answer"),
    ("tidegate_log_sync_seconds", Unit::Seconds, "Writing and syncing a frame"),
    (
        "tidegate_log_durable_seconds",
        Unit::Seconds,
        "From the first append after a sync until it is durable",
    ),
    ("tidegate_log_frame_bytes", Unit::Bytes, "Bytes of a frame"),
    (
        "tidegate_store_load_seconds",
        Unit::Seconds,
        "Reading rows for a partition, waiting for a turn included",
    ),
    ("tidegate_store_flush_seconds", Unit::Seconds, "Writing rows behind"),
    ("tidegate_invoker_request_groups", Unit::Count, "Groups in a request"),
    ("tidegate_invoker_request_messages", Unit::Count, "Messages in a request"),
    ("tidegate_invoker_request_bytes", Unit::Bytes, "Bytes of messages and values in a request"),
    (
        "tidegate_invoker_request_seconds",
        Unit::Seconds,
        "From sending a request to the end of its answer",
    ),
];

/// Describes all metrics to the recorder of the process.
pub fn describe() {
    for (name, help) in COUNTERS {
        describe_counter!(*name, *help);
    }
    for (name, help) in GAUGES {
        describe_gauge!(*name, *help);
    }
    for (name, unit, help) in HISTOGRAMS {
        describe_histogram!(*name, *unit, *help);
    }
}
