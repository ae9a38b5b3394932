//! Bytes of records and rows.
