//! Finds the binaries under test, built from the sources as they are now.
//!
//! Cargo builds the binaries of other packages for a test only by accident of what else is built. So each test process
//! asks cargo once, for the same folder and profile that it was built with itself; if nothing has changed, that takes a
//! moment. Whoever has other binaries to test, such as those of a release, names their folder in `TEST_BINARIES`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The variable that names the folder of other binaries.
const GIVEN: &str = "TEST_BINARIES";

/// The gateway.
#[must_use]
pub fn tidegate() -> PathBuf {
    built().join("tidegate")
}

/// The sample.
#[must_use]
pub fn fraud_detection() -> PathBuf {
    built().join("fraud-detection")
}

/// The folder that holds the binaries.
fn built() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        if let Some(given) = std::env::var_os(GIVEN) {
            return given.into();
        }
        let myself = std::env::current_exe().unwrap();
        // <target>/<profile>/deps/<test>
        let folder = myself.parent().and_then(Path::parent).unwrap().to_owned();
        build(&folder);
        folder
    })
}

fn build(folder: &Path) {
    let profile = match folder.file_name().and_then(|name| name.to_str()).unwrap() {
        "debug" => "dev",
        other => other,
    };
    let target = folder.parent().unwrap();
    let done = Command::new(env!("CARGO"))
        .args([
            "build",
            "--quiet",
            "-p",
            "tidegate",
            "-p",
            "fraud-detection",
            "--bins",
            "--profile",
            profile,
        ])
        .arg("--target-dir")
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .status()
        .unwrap();
    assert!(done.success(), "the binaries under test could not be built: {done}");
}
