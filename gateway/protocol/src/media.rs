//! Media types and headers of the exchange over HTTP.

/// The body is one message of protocol v3.
pub const OCTET_STREAM: &str = "application/octet-stream";

/// The body is one message of the batch extension.
pub const BATCH: &str = "application/vnd.tidegate.batch.v1+protobuf";

/// What the gateway accepts as an answer: it tells endpoints that the gateway speaks the batch extension.
pub const ACCEPT: &str = "application/octet-stream, application/vnd.tidegate.batch.v1+protobuf";

/// The answer's header by which an endpoint asks for the batch extension from now on.
pub const BATCH_HEADER: &str = "tidegate-batch";

/// The value of [`BATCH_HEADER`] for the version that [`BATCH`] names.
pub const BATCH_HEADER_V1: &str = "v1";
