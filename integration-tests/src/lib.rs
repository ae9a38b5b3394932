//! Tests that need processes.
