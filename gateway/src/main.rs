//! The `tidegate` binary.

use std::process::ExitCode;

/// Messages come and go on many threads, and live long or short. The allocator of glibc takes half as much time again for them.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    tidegate::cli::main(std::env::args_os(), std::env::vars_os())
}
