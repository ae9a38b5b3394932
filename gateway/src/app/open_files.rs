//! How many files the process may have open: connections are files too, and defaults are often 1024.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that a node needs beside its connections: logs, the store, endpoints.
const OTHERS: u64 = 512;

/// Allows as many files as the system lets the process have, and says if that is too few for so many connections.
pub(super) fn allow(connections: u64) {
    let needed = connections.saturating_add(OTHERS);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let Some(current) = current.filter(|current| *current < needed) else { return };
    let wanted = maximum.map_or(needed, |maximum| maximum.min(needed));
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum });
    let allowed = if raised.is_ok() { wanted } else { current };
    if allowed < needed {
        tracing::warn!(
            allowed,
            needed,
            "the system allows fewer open files than `ingress.connections` needs; raise its limit (ulimit -n, LimitNOFILE)"
        );
    }
}
