//! The settings of a node: which value counts, and what is said about what is wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use tidegate::config::fault::Faults;
use tidegate::config::node::{EffectiveSetting, Given, NodeSettings, SETTINGS, settle};
use tidegate::config::{Inputs, load};

use crate::summary;

fn given(file: &str, environment: &[(&str, &str)], flags: &[(&'static str, &str)]) -> Given {
    Given {
        file: Some(("tidegate.toml".to_owned(), file.to_owned())),
        environment: environment
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect(),
        flags: flags.iter().map(|(key, value)| (*key, (*value).to_owned())).collect(),
    }
}

fn sound(given: &Given) -> (NodeSettings, Vec<EffectiveSetting>) {
    let mut faults = Faults::default();
    let settled = settle(given, &mut faults);
    assert!(faults.is_empty(), "{faults}");
    settled
}

fn faults(given: &Given) -> Faults {
    let mut faults = Faults::default();
    settle(given, &mut faults);
    faults
}

#[test]
fn without_anything_the_defaults_count() {
    let (settings, effective) = sound(&Given::default());
    assert_eq!(settings, NodeSettings::default());
    assert_eq!(settings.partitions.get(), 8);
    assert_eq!(settings.memory_bytes, 512 << 20);
    assert!(effective.iter().all(|setting| setting.origin.to_string() == "default"));
}

#[test]
fn every_listed_setting_is_read_once_and_no_other() {
    let (_, effective) = sound(&Given::default());
    let read: Vec<_> = effective.iter().map(|setting| setting.key).collect();
    let listed: Vec<_> = SETTINGS.iter().map(|setting| setting.key).collect();
    assert_eq!(read, listed);
}

#[test]
fn flags_go_before_the_environment_and_that_before_the_file() {
    let file = "[memory]\nbudget = \"1GiB\"\n[log]\nlevel = \"warn\"\nformat = \"json\"\n";
    let environment =
        [("TIDEGATE_MEMORY_BUDGET", "2GiB"), ("TIDEGATE_LOG_LEVEL", "error"), ("PATH", "x")];
    let (settings, effective) = sound(&given(file, &environment, &[("memory.budget", "3GiB")]));
    assert_eq!(settings.memory_bytes, 3 << 30);
    assert_eq!(settings.log.filter.as_str(), "error");
    let origin = |key: &str| {
        let setting = effective.iter().find(|setting| setting.key == key).unwrap();
        setting.origin.to_string()
    };
    assert_eq!(origin("memory.budget"), "flag --memory-budget");
    assert_eq!(origin("log.level"), "environment TIDEGATE_LOG_LEVEL");
    assert_eq!(origin("log.format"), "tidegate.toml:5");
    assert_eq!(origin("data"), "default");
}

#[test]
fn values_may_be_written_bare_or_quoted() {
    let (settings, _) =
        sound(&given("partitions = 16\nstrict = true\n[store]\ncache = 1048576\n", &[], &[]));
    assert_eq!(
        (settings.partitions.get(), settings.strict, settings.store.cache_bytes),
        (16, true, 1 << 20)
    );
    let (settings, _) =
        sound(&given("partitions = '16'\nstore.flush_interval = '1 min'\n", &[], &[]));
    assert_eq!(settings.store.flush_interval, Duration::from_mins(1));
}

#[test]
fn all_faults_are_reported_together() {
    let file = "partitons = 8\n[ingress]\nlisten = 'somewhere'\ncall_timeout = 30\n[memroy]\nbudget = '1GiB'\n\
        [store]\ncache = ['1MiB']\n[log.level]\nx = 1\n";
    let environment = [("TIDEGATE_STORE_CASHE", "1MiB"), ("TIDEGATE_PARTITIONS", "12")];
    let found = faults(&given(file, &environment, &[("shutdown.grace", "0s")]));
    let text = found.to_string();
    for part in [
        "did you mean `partitions`?",
        "did you mean `TIDEGATE_STORE_CACHE`?",
        "`12` must be a power of two",
        "`somewhere` must be an address and a port",
        "`30` needs a unit, for example `30s`",
        "--> --shutdown-grace",
        "--> TIDEGATE_PARTITIONS",
    ] {
        assert!(text.contains(part), "`{part}` is not in\n{text}");
    }
    let expected = [
        "TG-0104 Error",
        "TG-0104 Error",
        "TG-0102 Error",
        "TG-0102 Error 1:1",
        "TG-0104 Error 3:1",
        "TG-0104 Error 4:1",
        "TG-0102 Error 5:2",
        "TG-0104 Error 8:1",
        "TG-0104 Error 9:6",
    ];
    assert_eq!(summary(found), expected, "{text}");
}

#[test]
fn every_syntax_fault_of_a_file_has_its_place() {
    let found =
        summary(faults(&given("data = \n[ingress\nlisten = '127.0.0.1:1'\nx = \"\n", &[], &[])));
    assert!(found.iter().filter(|fault| fault.starts_with("TG-0101")).count() >= 2, "{found:?}");
    assert!(found.iter().any(|fault| fault.contains(" 1:")), "{found:?}");
}

#[test]
fn values_that_contradict_each_other_are_refused() {
    for (flags, part) in [
        (&[("admin.listen", "127.0.0.1:8080")][..], "are the same address"),
        (&[("ingress.body_limit", "9MiB")], "more than the largest message"),
        (&[("ingress.call_timeout", "6min")], "is longer than"),
        (&[("memory.budget", "1MiB"), ("store.cache", "1KiB")], "less than the 64MiB"),
        (&[("store.cache", "300MiB")], "more than half of `memory.budget`"),
        (&[("node_log.backlog", "1MiB")], "less than one frame"),
    ] {
        let found = faults(&given("", &[], flags)).to_string();
        assert!(found.contains("TG-0109") && found.contains(part), "{found}");
    }
}

#[test]
fn variables_of_a_kubernetes_service_are_left_alone() {
    let environment = [
        ("TIDEGATE_SERVICE_HOST", "10.0.0.1"),
        ("TIDEGATE_PORT", "tcp://10.0.0.1:8080"),
        ("TIDEGATE_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ("TIDEGATE_URL", "http://elsewhere"),
    ];
    sound(&given("", &environment, &[]));
}

#[test]
fn the_memory_is_shared_by_the_partitions() {
    let (settings, _) = sound(&given("", &[], &[("idempotency.retention", "1min")]));
    let limits = settings.limits();
    assert_eq!(limits.resident_bytes, (512 - 64) * (1 << 20) / 8 / 2);
    assert_eq!(limits.idempotency_retention_ms, 60_000);
}

#[test]
fn faults_of_both_files_are_reported_together_and_strict_makes_warnings_errors() {
    let folder = tempfile::tempdir().unwrap();
    let (module, file) = (folder.path().join("m.yaml"), folder.path().join("t.toml"));
    let endpoint = "kind: io.statefun.endpoints.v2/http\nspec: {functions: a/b, urlPathTemplate: http://h/, x: 1}\n";
    std::fs::write(&module, endpoint).unwrap();
    std::fs::write(&file, "strict = false\n").unwrap();
    let inputs = |flags: &[(&'static str, &str)]| {
        let mut flags: BTreeMap<_, _> =
            flags.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        flags.insert("module", module.display().to_string());
        Inputs { file: Some(file.clone()), environment: BTreeMap::new(), flags }
    };
    let effective = load(inputs(&[])).unwrap();
    assert_eq!(summary(effective.warnings), ["TG-0102 Warning 2:52"]);
    let strict = load(inputs(&[("strict", "true")])).unwrap_err();
    assert_eq!(summary(strict), ["TG-0102 Error 2:52"]);

    std::fs::write(&file, "nothing = 1\n").unwrap();
    std::fs::write(&module, "kind: x\n").unwrap();
    let both = load(inputs(&[])).unwrap_err();
    assert_eq!(both.len(), 3, "{both}");
}

#[test]
fn a_file_that_was_named_must_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("absent");
    let flags = BTreeMap::from([("module", absent.display().to_string())]);
    let environment =
        BTreeMap::from([("TIDEGATE_CONFIG".to_owned(), absent.display().to_string())]);
    let found = load(Inputs { file: None, environment, flags }).unwrap_err();
    let text = found.to_string();
    assert_eq!(text.matches("TG-0100").count(), 2, "{text}");
}

proptest! {
    /// Whatever stands in a file or a value: it is read or refused.
    #[test]
    fn no_text_stops_the_reader(
        file in "(\\[[a-z.]*\\]\n)?([a-z.]+ = \\PC*\n)*",
        value in "\\PC*",
        which in 0..SETTINGS.len(),
    ) {
        faults(&given(&file, &[], &[(SETTINGS[which].key, &value)]));
    }
}

#[test]
fn a_certificate_and_its_key_belong_together() {
    let half = faults(&given("[ingress]\ntls_certificate = \"cert.pem\"\n", &[], &[]));
    assert!(half.to_string().contains("belong together"), "{half}");
    let lonely = faults(&given("[admin]\ntls_client_authorities = \"ca.pem\"\n", &[], &[]));
    assert!(lonely.to_string().contains("means nothing without"), "{lonely}");
    let both = "[ingress]\ntls_certificate = \"cert.pem\"\ntls_key = \"key.pem\"\n";
    assert!(faults(&given(both, &[], &[])).is_empty());
}

#[test]
fn operators_come_from_this_machine_or_bring_a_token() {
    let loaded = |variables: &[(&str, &str)]| {
        let folder = tempfile::TempDir::new().unwrap();
        let module = folder.path().join("module.yaml");
        std::fs::write(&module, include_str!("whole.yaml")).unwrap();
        let module = module.display().to_string();
        let environment = variables.iter().copied().chain([("TIDEGATE_MODULE", module.as_str())]);
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        load(Inputs { environment: environment.collect(), ..Inputs::default() })
    };
    let everywhere = ("TIDEGATE_ADMIN_LISTEN", "0.0.0.0:9090");
    let open = loaded(&[everywhere]).unwrap_err().to_string();
    assert!(open.contains("TG-0109") && open.contains("TIDEGATE_ADMIN_TOKENS"), "{open}");
    let guarded = loaded(&[everywhere, ("TIDEGATE_ADMIN_TOKENS", "s3cret n3w")]).unwrap();
    assert_eq!(guarded.admin_tokens.read().unwrap().len(), 2);
    assert!(!format!("{guarded:?}").contains("s3cret"), "tokens are not shown");
    let empty = loaded(&[("TIDEGATE_INGRESS_TOKENS", " ")]).unwrap_err().to_string();
    assert!(empty.contains("TG-0104"), "an empty variable must not open the door: {empty}");
}
