//! Downloads by the registries' ordinary clients: pip for wheels, cargo for crates.

use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::hash;
use super::table::Artefact;
use crate::workspace::cargo;

/// The systems whose wheels are taken, newest first: all are x86-64 Linux with an older C library or the same.
const PLATFORMS: [&str; 6] = [
    "manylinux_2_28_x86_64",
    "manylinux_2_27_x86_64",
    "manylinux_2_25_x86_64",
    "manylinux2014_x86_64",
    "manylinux2010_x86_64",
    "linux_x86_64",
];

/// Downloads a wheel into an empty directory and checks its hash; gives its path.
pub(crate) fn wheel(artefact: &Artefact, directory: &Path) -> Result<PathBuf> {
    let what = format!("{}=={}", artefact.package, artefact.version);
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--no-deps", "--no-cache-dir", "--only-binary=:all:"]);
    pip.args(["--disable-pip-version-check", "--python-version", "3.11", "--implementation", "cp"]);
    pip.args(["--abi", "cp311", "--abi", "none"]);
    pip.args(PLATFORMS.iter().flat_map(|platform| ["--platform", platform]));
    pip.arg("--dest").arg(directory).arg(&what);
    // pip's bar shows how far it is; without a terminal it would be pages of it.
    if std::io::stdout().is_terminal() {
        let status = pip.status().context("`python3` could not be started; install Python 3 with pip")?;
        if !status.success() {
            bail!("`python3 -m pip download {what}` failed ({status})");
        }
    } else {
        let output = pip
            .arg("--quiet")
            .output()
            .context("`python3` could not be started; install Python 3 with pip")?;
        succeeded(&format!("python3 -m pip download {what}"), &output)?;
    }
    let entries = fs::read_dir(directory)?.filter_map(|entry| Some(entry.ok()?.path()));
    let Some(path) = entries.into_iter().find(|path| path.extension().is_some_and(|e| e == "whl")) else {
        bail!("`python3 -m pip download {what}` left no wheel");
    };
    hash::expect(&format!("the wheel {what}"), artefact.sha256, &hash::of_file(&path)?)?;
    Ok(path)
}

/// Downloads a crate and checks its hash; gives the directory of its source.
///
/// `directory` gets a package that depends on the crate: what cargo fetches, it checks against the registry's hash, and writes
/// that into the package's Cargo.lock, where it is compared with ours.
pub(crate) fn crate_source(artefact: &Artefact, directory: &Path) -> Result<PathBuf> {
    let Artefact { package, version, .. } = artefact;
    let manifest = directory.join("Cargo.toml");
    fs::create_dir_all(directory.join("src"))?;
    fs::write(directory.join("src/lib.rs"), "")?;
    let text =
        "[package]\nname = \"fetch\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n";
    fs::write(&manifest, format!("{text}{package} = \"={version}\"\n"))?;
    let run = |arguments: &[&str]| -> Result<Vec<u8>> {
        let mut command = Command::new(cargo());
        command.args(arguments).arg("--quiet").arg("--manifest-path").arg(&manifest);
        let shown = format!("cargo {}", arguments.join(" "));
        let output = command.output().with_context(|| format!("`{shown}` could not be started"))?;
        succeeded(&format!("{shown} for {package} {version}"), &output)?;
        Ok(output.stdout)
    };
    run(&["fetch"])?;
    let lock = fs::read_to_string(directory.join("Cargo.lock"))?;
    let found = checksum(&lock, package).with_context(|| format!("Cargo.lock has no hash of {package}"))?;
    hash::expect(&format!("the crate {package} {version}"), artefact.sha256, found)?;
    let metadata: Metadata =
        serde_json::from_slice(&run(&["metadata", "--offline", "--format-version", "1"])?)
            .context("`cargo metadata` printed something unexpected")?;
    let source = metadata.packages.into_iter().find(|p| p.name == *package);
    let source = source.and_then(|p| Some(p.manifest_path.parent()?.to_owned()));
    source.with_context(|| format!("cargo does not say where the source of {package} is"))
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Source>,
}

#[derive(Deserialize)]
struct Source {
    name: String,
    manifest_path: PathBuf,
}

/// The hash of a crate in the text of a Cargo.lock.
fn checksum<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let mut lines = lock.lines().skip_while(|line| *line != format!("name = \"{package}\""));
    let line = lines.by_ref().take_while(|line| !line.is_empty()).find(|l| l.starts_with("checksum"))?;
    line.split('"').nth(1)
}

fn succeeded(what: &str, output: &Output) -> Result<()> {
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines[lines.len().saturating_sub(3)..].join(" / ");
    bail!("`{what}` failed ({}): {last}", output.status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_files_hash_is_found_by_the_crates_name() {
        let lock = "[[package]]\nname = \"a\"\nversion = \"1\"\n\n[[package]]\nname = \"ab\"\nversion = \"2\"\n\
                    checksum = \"77\"\n";
        assert_eq!(checksum(lock, "ab"), Some("77"));
        assert_eq!(checksum(lock, "a"), None);
        assert_eq!(checksum(lock, "c"), None);
    }
}
