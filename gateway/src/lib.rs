//! The gateway: drives the core and talks to the world. `ARCHITECTURE.md` says how it hangs together.

pub mod admin;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod driver;
pub mod egress;
pub mod ingress;
pub mod invoker;
pub mod log;
pub mod node;
pub mod ownership;
pub mod payload;
pub mod router;
pub mod store;
pub mod telemetry;
