//! What `tidegate config` shows. `UPDATE_EXPECT=1` rewrites the golden files.

use std::path::Path;

use tidegate::config::fault::Faults;
use tidegate::config::node::{Given, settle};
use tidegate::config::{Effective, module};

const FILE: &str =
    "partitions = 16\n\n[ingress]\nlisten = \"0.0.0.0:8081\"\n\n[memory]\nbudget = \"1024MiB\"\n";

fn effective() -> Effective {
    let mut faults = Faults::default();
    let given = Given {
        file: Some(("tidegate.toml".to_owned(), FILE.to_owned())),
        environment: [("TIDEGATE_LOG_LEVEL".to_owned(), "debug".to_owned())].into(),
        flags: [("log.format", "json".to_owned())].into(),
    };
    let (node, settings) = settle(&given, &mut faults);
    let module = module::read(include_str!("whole.yaml"), "module.yaml", &mut faults);
    assert!(faults.is_empty(), "{faults}");
    let (ingress_tokens, admin_tokens) = Default::default();
    Effective { node, module, ingress_tokens, admin_tokens, settings, warnings: faults }
}

fn golden(name: &str, shown: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/golden").join(name);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, shown).unwrap();
    }
    assert_eq!(shown, std::fs::read_to_string(&path).unwrap(), "{name}");
}

#[test]
fn it_shows_every_value_and_where_it_comes_from() {
    golden("effective.toml", &effective().to_toml());
    golden("effective.json", &format!("{:#}\n", effective().to_json()));
}

#[test]
fn what_it_shows_gives_the_same_configuration() {
    let shown = effective().to_toml();
    let given = Given { file: Some(("shown".to_owned(), shown)), ..Given::default() };
    let mut faults = Faults::default();
    let (node, _) = settle(&given, &mut faults);
    assert!(faults.is_empty(), "{faults}");
    assert_eq!(node, effective().node);
}
