//! The program that libFuzzer drives; `FUZZ_TARGET` names the target.
#![no_main]

use std::sync::LazyLock;

static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let target = tidegate_fuzz::named(&name);
    target.unwrap_or_else(|| panic!("FUZZ_TARGET names no target: `{name}`")).run
});

libfuzzer_sys::fuzz_target!(|input: &[u8]| (*TARGET)(input));
