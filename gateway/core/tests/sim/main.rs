//! The simulation: partitions on nodes that crash, over a network that loses, repeats and reorders, with functions that fail,
//! stores that lag and clocks that jump. A seed decides everything. `make sim SEED=n` shows one run step by step.
#![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]
#![allow(unreachable_pub, reason = "nothing of a test is reachable")]
#![allow(clippy::print_stdout, reason = "a replay prints its trace")]

mod arrivals;
mod bank;
mod drain;
mod effects;
mod fact;
mod facts;
mod functions;
mod ingress;
mod model;
mod network;
mod node;
mod operators;
mod plan;
mod planted;
mod random;
mod runs;
mod shown;
mod site;
mod store;
mod sweeps;
mod trace;
mod turns;
mod world;
