//! Names of types that both sides must know.

/// Of [`BooleanWrapper`](crate::types::BooleanWrapper).
pub const BOOLEAN: &str = "io.statefun.types/bool";
/// Of [`IntWrapper`](crate::types::IntWrapper).
pub const INT: &str = "io.statefun.types/int";
/// Of [`FloatWrapper`](crate::types::FloatWrapper).
pub const FLOAT: &str = "io.statefun.types/float";
/// Of [`LongWrapper`](crate::types::LongWrapper).
pub const LONG: &str = "io.statefun.types/long";
/// Of [`DoubleWrapper`](crate::types::DoubleWrapper).
pub const DOUBLE: &str = "io.statefun.types/double";
/// Of [`StringWrapper`](crate::types::StringWrapper).
pub const STRING: &str = "io.statefun.types/string";

/// The type of a value that was declared without one.
pub const UNSET: &str = "io.statefun.types/unset";

/// Of [`KafkaProducerRecord`](crate::egress::KafkaProducerRecord).
pub const KAFKA_RECORD: &str = "type.googleapis.com/io.statefun.sdk.egress.KafkaProducerRecord";
/// Of [`KinesisEgressRecord`](crate::egress::KinesisEgressRecord).
pub const KINESIS_RECORD: &str = "type.googleapis.com/io.statefun.sdk.egress.KinesisEgressRecord";
