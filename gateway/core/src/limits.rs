//! Every hard bound of the core, and how the bounds relate. What an operator may tune is in
//! [`Limits`]; the constants are promises to users and sizes that formats depend on.

/// Longest `namespace/name`, in bytes.
pub const NAME_BYTES_MAX: usize = 255;
/// Longest id of an address, in bytes.
pub const ID_BYTES_MAX: usize = 1024;
/// Longest cancellation token, in bytes.
pub const TOKEN_BYTES_MAX: usize = 1024;
/// Longest name of a value, in bytes.
pub const VALUE_NAME_BYTES_MAX: usize = 255;
/// Most values that one function type may register.
pub const VALUES_PER_FUNCTION_MAX: usize = 256;
/// Longest idempotency key, in bytes.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;
/// Longest `tracestate` that is kept with a message, in bytes; a longer one is left out.
pub const TRACE_STATE_BYTES_MAX: usize = 256;
/// Largest message that a door accepts, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 8 << 20;
/// Largest answer of a function for one group, in bytes; a larger one fails its group.
pub const ANSWER_BYTES_MAX: usize = 32 << 20;
/// Room in a record beside the answer that it carries: sequences, row keys, hashes.
pub const RECORD_OVERHEAD_BYTES_MAX: usize = 8 << 20;
/// Largest sum of the records of one call of `handle`, in bytes.
pub const HANDLED_BYTES_MAX: usize = ANSWER_BYTES_MAX + RECORD_OVERHEAD_BYTES_MAX;
/// A step that has grown to this many bytes takes the records of no further call of `handle`.
pub const STEP_GATHERED_BYTES: usize = 128 << 10;
/// Largest step of records, in bytes: a step is never split over frames.
pub const STEP_BYTES_MAX: usize = STEP_GATHERED_BYTES + HANDLED_BYTES_MAX;
/// Largest frame of a node log, in bytes. A frame holds whole steps.
pub const FRAME_BYTES_MAX: usize = 48 << 20;
/// Size of a preallocated log segment, in bytes.
pub const SEGMENT_BYTES: usize = 128 << 20;
/// Most timers that fire in one step, so that overdue ones come in portions.
pub const TIMERS_PER_STEP: usize = 256;

const _: () = assert!(MESSAGE_BYTES_MAX < ANSWER_BYTES_MAX);
const _: () = assert!(ANSWER_BYTES_MAX < HANDLED_BYTES_MAX);
const _: () = assert!(STEP_BYTES_MAX < FRAME_BYTES_MAX);
const _: () = assert!(FRAME_BYTES_MAX < SEGMENT_BYTES / 2);

/// The bounds of one partition that depend on the machine. All sizes in bytes.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Messages, values, timers and queues that are held in memory. Beyond it, what is idle is evicted and
    /// what waits is left in the store.
    pub resident_bytes: usize,
    /// The part of one mailbox that is held in memory when that is short; the rest waits in the store. While there is room, a
    /// mailbox may have a quarter of `resident_bytes`. Messages that the store does not have yet do not count.
    pub mailbox_bytes: usize,
    /// The part of one outbox or egress that is held in memory, and that may be unacknowledged at once.
    pub queue_bytes: usize,
    /// Timers that are held in memory; later ones wait in the store.
    pub timer_bytes: usize,
    /// Rows read from the store at once.
    pub load_bytes: usize,
    /// Groups that may be in flight at once: each holds room for its answer.
    pub groups_in_flight: usize,
    /// Idempotency keys that are remembered; beyond it new ones are refused, never forgotten.
    pub idempotency_keys: u64,
    /// How long the answer to an idempotent request is kept after its message was consumed.
    pub idempotency_retention_ms: u64,
    /// How long an unacknowledged delivery to another partition waits before it is sent again.
    pub resend_after_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            resident_bytes: 32 << 20,
            mailbox_bytes: 256 << 10,
            queue_bytes: 1 << 20,
            timer_bytes: 4 << 20,
            load_bytes: 256 << 10,
            groups_in_flight: 4096,
            idempotency_keys: 1 << 20,
            idempotency_retention_ms: 24 * 60 * 60 * 1000,
            resend_after_ms: 2_000,
        }
    }
}
