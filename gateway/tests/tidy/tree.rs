//! The files of the repository, as the rules see them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::scan;

/// Endings of the files that rules look at.
const ENDINGS: [&str; 8] = ["rs", "md", "toml", "yaml", "yml", "sh", "proto", "Makefile"];
/// Folders that hold nothing of ours.
const SKIPPED: [&str; 2] = ["target", "node_modules"];

/// A file, with its path from the top of the repository.
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Files.
pub(crate) struct Tree {
    pub(crate) files: Vec<File>,
}

impl Tree {
    /// All files of this repository.
    pub(crate) fn of_repository() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut tree = Self { files: Vec::new() };
        tree.add(root, root);
        tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        assert!(tree.rust().count() > 10, "the tree was not found");
        tree
    }

    /// Made-up files.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let file =
            |&(path, text): &(&str, &str)| File { path: path.to_owned(), text: text.to_owned() };
        Self { files: files.iter().map(file).collect() }
    }

    fn add(&mut self, root: &Path, folder: &Path) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !name.starts_with('.') && !SKIPPED.contains(&name.as_str()) {
                    self.add(root, &path);
                }
            } else if ENDINGS.contains(&name.rsplit('.').next().unwrap_or_default()) {
                let text = fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
                self.files.push(File { path, text });
            }
        }
    }

    /// The Rust files.
    pub(crate) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }

    /// The Rust files that are shipped: not those of tests.
    pub(crate) fn shipped(&self) -> impl Iterator<Item = &File> {
        let of_tests: BTreeSet<_> = self.rust().flat_map(File::test_modules).collect();
        self.rust().filter(move |file| !file.is_test() && !of_tests.contains(&file.path))
    }
}

impl File {
    /// Whether the whole file is a test.
    pub(crate) fn is_test(&self) -> bool {
        let mut folders = self.path.split('/');
        let name = folders.next_back().unwrap_or_default();
        name == "tests.rs"
            || name.ends_with("_tests.rs")
            || folders.any(|folder| ["tests", "benches", "integration-tests"].contains(&folder))
            || scan::blank(&self.text).contains("#![cfg(test)]")
    }

    /// The files of the modules that this one declares for tests only.
    fn test_modules(&self) -> Vec<String> {
        let code = scan::blank(&self.text);
        let (folder, name) = self.path.rsplit_once('/').unwrap_or(("", &self.path));
        let folder = match name {
            "mod.rs" | "lib.rs" | "main.rs" => folder.to_owned(),
            name => format!("{folder}/{}", name.trim_end_matches(".rs")),
        };
        let items = scan::test_items(&code).into_iter().map(|range| code[range].trim().to_owned());
        let names = items.filter_map(|item| {
            let (_, name) = item.strip_suffix(';')?.rsplit_once("mod ")?;
            Some(name.trim().to_owned())
        });
        names
            .flat_map(|name| [format!("{folder}/{name}.rs"), format!("{folder}/{name}/mod.rs")])
            .collect()
    }

    /// The code alone: comments, texts and test items are blanked, lines stay where they are.
    pub(crate) fn code(&self) -> String {
        let code = scan::blank(&self.text);
        scan::erase(&code, &scan::test_items(&code))
    }

    /// Everything but test items.
    pub(crate) fn without_tests(&self) -> String {
        scan::erase(&self.text, &scan::test_items(&scan::blank(&self.text)))
    }

    /// The modules from the root of its crate to this file.
    pub(crate) fn modules(&self) -> Vec<String> {
        let inner = self.path.rsplit_once("src/").map_or(self.path.as_str(), |(_, inner)| inner);
        let inner = inner.trim_end_matches(".rs");
        let modules = inner.split('/').map(str::to_owned);
        modules.filter(|name| !["mod", "lib", "main"].contains(&name.as_str())).collect()
    }

    /// A violation in a line.
    pub(crate) fn violation(&self, line: usize, what: impl std::fmt::Display) -> String {
        format!("{}:{line}: {what}", self.path)
    }
}
