//! The state machine of one partition.

pub mod effect;
pub mod event;
pub mod group;
pub mod record;
pub mod row;
