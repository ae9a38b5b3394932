//! The `tidegate` binary.

use std::process::ExitCode;

/// Most of what a node allocates is small and dies on another thread than it was born on. The system's allocator took a quarter of
/// the processor time of a node under load.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tidegate::cli::main(std::env::args_os(), std::env::vars_os())
}
