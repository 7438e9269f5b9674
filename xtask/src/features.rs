//! Cargo features: each compiles alone, and without any the facade stays small and pure Rust.

use anyhow::{Result, bail};

use crate::call::Call;
use crate::workspace::Workspace;

/// The most crates that the facade may bring to a program that turns every feature off, itself included.
const MOST_CRATES: usize = 24;

/// Crates whose presence means that something other than Rust is compiled or linked.
const NATIVE: &[&str] = &["cc", "cmake", "bindgen", "pkg-config", "vcpkg", "cxx", "cxx-build"];

/// Crates that bear the name of native code and are declarations of the operating system's own interface.
const SYSTEM: &[&str] = &["windows-sys", "linux-raw-sys"];

/// Builds every library without features and with each of its features alone, then looks at what they pull in.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let deny = ["--", "-D", "warnings"];
    for package in workspace.libraries() {
        let alone =
            || Call::new(workspace, "clippy").args(["-p", &package.name, "--lib", "--no-default-features"]);
        alone().args(deny).run()?;
        for feature in package.features.keys().filter(|feature| *feature != "default") {
            alone().args(["--features", feature]).args(deny).run()?;
        }
    }
    let bare = tree(workspace, &["-p", "anira", "--no-default-features"])?;
    refuse_native("anira without features", &bare)?;
    if bare.len() > MOST_CRATES {
        bail!(
            "anira without features consists of {} crates, at most {MOST_CRATES} are allowed: {}; \
             put the new ones behind a feature, or say in xtask/src/features.rs why there have to be more",
            bare.len(),
            bare.join(" ")
        );
    }
    let program = tree(workspace, &["-p", "anira-cli"])?;
    refuse_native("the program `anira`", &program)?;
    println!(
        "pure Rust: anira without features ({} crates), the program ({} crates)",
        bare.len(),
        program.len()
    );
    Ok(())
}

/// The names of all crates that take part in this build, on any system.
fn tree(workspace: &Workspace, which: &[&str]) -> Result<Vec<String>> {
    let how = ["-e", "normal,build", "--prefix", "none", "--format", "{p}"];
    Ok(names(&Call::new(workspace, "tree").args(which).args(how).read()?))
}

fn names(tree: &str) -> Vec<String> {
    let mut names: Vec<_> =
        tree.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
    names.retain(|name| !name.is_empty());
    names.sort_unstable();
    names.dedup();
    names
}

fn refuse_native(what: &str, crates: &[String]) -> Result<()> {
    let native = |name: &&String| {
        let name = name.as_str();
        NATIVE.contains(&name) || (name.ends_with("-sys") && !SYSTEM.contains(&name))
    };
    match crates.iter().find(native) {
        None => Ok(()),
        Some(name) => bail!(
            "{what} pulls in the native code of `{name}`; `cargo tree --invert {name}` says through which crate; \
             it has to be behind a feature that is off by default"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_crate_of_a_tree_counts_once() {
        let tree = "anira v0.1.0 (/x/anira)\nlibc v0.2.1\nlibc v0.2.1 (*)\n\nserde v1.0.0 (proc-macro)\n";
        assert_eq!(names(tree), ["anira", "libc", "serde"]);
    }

    #[test]
    fn native_code_is_refused_by_name_and_the_systems_own_is_not() {
        let crates = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        refuse_native("it", &crates(&["anira", "libc", "windows-sys", "linux-raw-sys"])).unwrap();
        for native in ["ort-sys", "cc", "cmake"] {
            let error = refuse_native("it", &crates(&["anira", native])).unwrap_err().to_string();
            assert!(error.contains(native), "{error}");
        }
    }
}
