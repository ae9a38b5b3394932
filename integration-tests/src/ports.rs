//! Free ports for processes that must be told where to listen, and that listen there again after a restart.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the range from which connections get their own ports: while a killed process is away, no connection of
/// anybody takes its port.
const FIRST: u16 = 12_000;
const PORTS: u16 = 18_000;

/// A local address where nobody listens, which this process gives out once.
///
/// # Panics
/// If every port is taken.
#[must_use]
pub fn free() -> SocketAddr {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    // Test processes that run side by side begin at different places.
    let start = (std::process::id().wrapping_mul(271) % u32::from(PORTS)) as u16;
    for _ in 0..PORTS {
        let offset = TAKEN.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + (start.wrapping_add(offset)) % PORTS;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("no port is free");
}
