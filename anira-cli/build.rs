//! Tells the program where the linked engines' libraries lie, and which version of the embedded engine this is, which its crate does
//! not say. Reads variables and Cargo.lock, nothing else.

use std::env::var_os;
use std::path::PathBuf;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    anira_link::rpath();
    if let Some(version) = rten_version() {
        println!("cargo:rustc-env=ANIRA_RTEN_VERSION={version}");
    }
}

/// The version of rten in the lock file: the workspace's, or that of the package where it was published.
fn rten_version() -> Option<String> {
    let package = PathBuf::from(var_os("CARGO_MANIFEST_DIR")?);
    let lock = [package.join("Cargo.lock"), package.parent()?.join("Cargo.lock")]
        .into_iter()
        .find(|f| f.is_file())?;
    println!("cargo:rerun-if-changed={}", lock.display());
    let text = std::fs::read_to_string(lock).ok()?;
    let mut lines = text.lines().skip_while(|line| *line != "name = \"rten\"").skip(1);
    Some(lines.next()?.strip_prefix("version = ")?.trim_matches('"').to_owned())
}
