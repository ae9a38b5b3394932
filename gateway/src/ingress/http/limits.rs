//! The bounds of the HTTP server that depend on the machine and on the clients.

use std::time::Duration;

use tidegate_core::limits::MESSAGE_BYTES_MAX;

/// Bounds and timeouts. Every one closes a way in which clients could hold memory or connections.
#[derive(Clone, Debug)]
pub struct HttpLimits {
    /// Connections at once; further ones wait in the backlog of the operating system.
    pub connections: usize,
    /// Requests at once on one HTTP/2 connection.
    pub streams_per_connection: u32,
    /// Largest body of a request that is one message, and largest line of a request that is many, in bytes.
    pub message_bytes: usize,
    /// Bytes of messages that were read but not yet taken in by the door, over all requests.
    pub bytes_in_flight: usize,
    /// Messages of one stream of lines that the door has not answered yet.
    pub lines_in_flight: usize,
    /// Bytes of messages of one stream of lines that the door has not answered yet; one message of any size is allowed.
    pub line_bytes_in_flight: usize,
    /// Largest head of a request, in bytes.
    pub header_bytes: usize,
    /// Longest wait for the head of a request, from its first byte on; and for the first request of a connection.
    pub header_timeout: Duration,
    /// How long a connection may rest between requests.
    pub idle_timeout: Duration,
    /// Longest wait for the next piece of a body.
    pub read_timeout: Duration,
    /// Longest wait for the whole body of a request that is one message, and for a whole line from its first byte on.
    pub body_timeout: Duration,
    /// Longest time in which a client takes nothing of a response that is ready.
    pub write_timeout: Duration,
    /// How long a caller waits for a reply, if it does not say.
    pub call_timeout: Duration,
    /// The longest wait for a reply, or for records, that a client may ask for.
    pub wait_max: Duration,
    /// Records in one answer of an egress, if the reader does not say and does not follow.
    pub egress_records: usize,
    /// How often a waiting reader of an egress looks by itself. Records beyond the window that the core hands out
    /// unacknowledged come without a notice.
    pub egress_poll: Duration,
    /// An empty line goes to a follower of an egress to whom nothing was sent for so long, which finds out whether it is there.
    pub egress_heartbeat: Duration,
    /// How long open requests may go on after the server was told to stop.
    pub drain: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            connections: 1024,
            streams_per_connection: 64,
            message_bytes: MESSAGE_BYTES_MAX,
            bytes_in_flight: 256 << 20,
            lines_in_flight: 1024,
            line_bytes_in_flight: 4 << 20,
            header_bytes: 32 << 10,
            header_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(75),
            read_timeout: Duration::from_secs(60),
            body_timeout: Duration::from_secs(120),
            write_timeout: Duration::from_secs(60),
            call_timeout: Duration::from_secs(30),
            wait_max: Duration::from_secs(300),
            egress_records: 1000,
            egress_poll: Duration::from_secs(1),
            egress_heartbeat: Duration::from_secs(15),
            drain: Duration::from_secs(10),
        }
    }
}

const _: () = assert!(MESSAGE_BYTES_MAX < 256 << 20);
