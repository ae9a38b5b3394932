//! The reference page says all that the code knows, and nothing else.

use std::collections::BTreeMap;

use tidegate::config::fault::Faults;
use tidegate::config::module::{self, KINDS, NOT_YET};
use tidegate::config::node::{Given, SETTINGS, settle};

const PAGE: &str = include_str!("../../../docs/configuration.md");

/// The first and second columns of the tables below each heading.
fn tables() -> BTreeMap<&'static str, Vec<(&'static str, &'static str)>> {
    let mut tables: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let mut heading = "";
    for line in PAGE.lines() {
        if let Some(title) = line.strip_prefix("## ").or_else(|| line.strip_prefix("### ")) {
            heading = title;
        }
        if let Some(row) = line.strip_prefix("| `") {
            let (key, rest) = row.split_once("` | ").unwrap();
            let (default, _) = rest.split_once(" |").unwrap();
            let default = if default == "none" { "" } else { default.trim_matches('`') };
            tables.entry(heading).or_default().push((key, default));
        }
    }
    tables
}

#[test]
fn the_keys_of_every_kind_are_documented() {
    let mut tables = tables();
    for kind in &KINDS {
        let documented = tables.remove(kind.name).unwrap_or_default();
        let documented: Vec<_> = documented.into_iter().map(|(key, _)| key).collect();
        assert_eq!(documented, kind.keys, "{}", kind.name);
    }
    for name in NOT_YET {
        assert!(PAGE.contains(&format!("`{name}`")), "{name}");
    }
    assert_eq!(tables.into_keys().collect::<Vec<_>>(), ["The node: tidegate.toml"]);
}

#[test]
fn every_setting_is_documented_with_its_default() {
    let (_, effective) = settle(&Given::default(), &mut Faults::default());
    let known: Vec<_> =
        effective.iter().map(|setting| (setting.key, setting.value.as_str())).collect();
    assert_eq!(tables()["The node: tidegate.toml"], known);
    assert_eq!(known.len(), SETTINGS.len());
}

#[test]
fn the_examples_of_the_page_are_right() {
    let mut blocks = PAGE.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let module = blocks.by_ref().collect::<Vec<_>>().join("---\n");
    let mut faults = Faults::default();
    let module = module::read(&module, "docs/configuration.md", &mut faults);
    assert!(faults.is_empty(), "{faults}");
    assert_eq!((module.endpoints.len(), module.ingresses.len(), module.egresses.len()), (2, 2, 3));

    let example = PAGE.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let given =
        Given { file: Some(("example".to_owned(), example.to_owned())), ..Given::default() };
    settle(&given, &mut faults);
    assert!(faults.is_empty(), "{faults}");
}
