//! The `tidegate` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    tidegate::cli::main(std::env::args_os(), std::env::vars_os())
}
