//! The HTTP ingress and the admin server, over real sockets, with a door in memory.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod admin;
mod connections;
mod door;
mod egress;
mod encrypted;
mod functions;
mod messages;
mod node;
mod records;
mod server;
