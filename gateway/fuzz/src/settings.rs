//! What people write: the module, the settings of a node, and addresses on the command line.

use tidegate::cli::parse_address;
use tidegate::config::fault::Faults;
use tidegate::config::node::{Given, settle};
use tidegate::config::{Effective, module};

/// Any text is a module or has faults; a module without faults can be shown.
pub(crate) fn module(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let mut faults = Faults::default();
    let module = module::read(text, "module.yaml", &mut faults);
    // Texts of faults are for people, whatever is in them.
    let _ = faults.to_string();
    if faults.has_errors() {
        return;
    }
    let _ = module.application();
    let (node, settings) = settle(&Given::default(), &mut Faults::default());
    let (ingress_tokens, admin_tokens) = Default::default();
    let effective =
        Effective { node, module, ingress_tokens, admin_tokens, settings, warnings: faults };
    let _ = effective.to_json();
}

/// Any text is a file of settings or has faults; settings that are shown and read again are the same.
pub(crate) fn node(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let settled = |text: &str| {
        let file = Some(("tidegate.toml".to_owned(), text.to_owned()));
        let mut faults = Faults::default();
        let (node, settings) = settle(&Given { file, ..Given::default() }, &mut faults);
        (node, settings, faults)
    };
    let (node, settings, warnings) = settled(text);
    let _ = warnings.to_string();
    if warnings.has_errors() {
        return;
    }
    let (module, (ingress_tokens, admin_tokens)) = Default::default();
    let shown = Effective { node, module, ingress_tokens, admin_tokens, settings, warnings };
    let (again, _, faults) = settled(&shown.to_toml());
    assert!(faults.is_empty(), "{faults}");
    assert_eq!(again, shown.node);
}

/// An address that is read and written is read again as the same.
pub(crate) fn address(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Ok(address) = parse_address(text) else { return };
    assert_eq!(address.to_string(), text);
    assert_eq!(parse_address(&address.to_string()).unwrap(), address);
}
