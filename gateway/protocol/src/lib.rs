//! The wire contract between the gateway and functions: messages, media types, names. No behaviour.
//!
//! The messages are generated from the files in `proto/`, whose README tells how they are exchanged. [`reqreply`], [`types`] and
//! [`egress`] are StateFun's, field for field; [`batch`] is Tidegate's extension.

pub mod media;
pub mod typename;

mod convenience;

pub use bytes::Bytes;
pub use prost::{DecodeError, Message};

/// The remote function protocol of StateFun, version 3.
#[allow(
    missing_docs,
    clippy::all,
    reason = "generated; the fields are described in the .proto file"
)]
pub mod reqreply {
    include!(concat!(env!("OUT_DIR"), "/io.statefun.sdk.reqreply.rs"));
}

/// The wrappers of the built-in types.
#[allow(
    missing_docs,
    clippy::all,
    reason = "generated; the fields are described in the .proto file"
)]
pub mod types {
    include!(concat!(env!("OUT_DIR"), "/io.statefun.sdk.types.rs"));
}

/// The records that Kafka and Kinesis egresses expect.
#[allow(
    missing_docs,
    clippy::all,
    reason = "generated; the fields are described in the .proto file"
)]
pub mod egress {
    include!(concat!(env!("OUT_DIR"), "/io.statefun.sdk.egress.rs"));
}

/// The batch extension.
#[allow(
    missing_docs,
    clippy::all,
    reason = "generated; the fields are described in the .proto file"
)]
pub mod batch {
    include!(concat!(env!("OUT_DIR"), "/tidegate.batch.v1.rs"));
}
