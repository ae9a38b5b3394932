//! What users meet of the configuration and the commands: faults, precedence, what is shown, exit codes.
#![allow(clippy::unwrap_used)] // a test fails by panicking

mod commands;
mod documented;
mod effective;
mod legacy;
mod module;
mod node;
mod statefun;

use tidegate::config::fault::Faults;

/// `code severity line:column` of each fault, in the order of the places.
fn summary(mut faults: Faults) -> Vec<String> {
    faults.sort();
    let line = |fault: &tidegate::config::fault::Fault| {
        let place = fault.place.map(|place| format!(" {}:{}", place.line, place.column));
        format!("{} {:?}{}", fault.code.as_str(), fault.severity, place.unwrap_or_default())
    };
    faults.iter().map(line).collect()
}
