//! The licences and the sources of all crates that we depend on, against `deny.toml`: what `cargo deny check licenses sources`
//! does, without a program to install. Advisories and yanked versions need a database from the network, and are left to it.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use spdx::{Expression, LicenseReq, ParseMode};

use crate::call::Call;
use crate::workspace::Workspace;

/// What deny.toml says of licences; the rest is cargo-deny's.
#[derive(Debug, Deserialize)]
struct Deny {
    licenses: Licences,
}

#[derive(Debug, Deserialize)]
struct Licences {
    allow: Vec<String>,
    #[serde(default)]
    exceptions: Vec<Exception>,
}

#[derive(Debug, Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    name: String,
    allow: Vec<String>,
}

/// What cargo says of a crate.
#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    /// `None` for crates of ours.
    source: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

/// The one registry.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Checks the workspace, with all features and for all systems, and the crates that have a workspace of their own.
pub(crate) fn run(workspace: &Workspace, manifests: &[&str]) -> Result<()> {
    let text = fs::read_to_string(workspace.root.join("deny.toml")).context("deny.toml cannot be read")?;
    let deny: Deny = toml::from_str(&text).context("deny.toml")?;
    let mut packages = Vec::new();
    for manifest in manifests {
        let call = Call::new(workspace, "metadata");
        let text =
            call.args(["--format-version", "1", "--all-features", "--manifest-path", manifest]).read()?;
        let metadata: Metadata =
            serde_json::from_str(&text).context("`cargo metadata` printed something unexpected")?;
        packages.extend(metadata.packages);
    }
    packages.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    packages.dedup_by(|a, b| (&a.name, &a.version) == (&b.name, &b.version));
    let findings = check(&deny.licenses, &packages)?;
    for finding in &findings {
        println!("{finding}");
    }
    if !findings.is_empty() {
        bail!("{} findings about licences and sources, listed above", findings.len());
    }
    println!("the licences and sources of {} crates are those that deny.toml allows", packages.len());
    Ok(())
}

fn check(licences: &Licences, packages: &[Package]) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    let mut used = BTreeSet::new();
    for Package { name, version, license, source } in packages {
        if source.as_ref().is_some_and(|source| source != REGISTRY) {
            let source = source.as_deref().unwrap_or_default();
            findings.push(format!("{name} {version} comes from {source}: crates.io is the one source"));
        }
        let Some(licence) = license else {
            findings.push(format!("{name} {version} names no licence: ask its author, or do without it"));
            continue;
        };
        let expression = Expression::parse_mode(licence, ParseMode::LAX)
            .with_context(|| format!("the licence of {name} {version}, `{licence}`"))?;
        if expression.evaluate(|asked| is_among(asked, &licences.allow)) {
            continue;
        }
        let exception = licences.exceptions.iter().position(|exception| exception.name == *name);
        let own = exception.and_then(|at| licences.exceptions.get(at)).map_or(&[][..], |e| &e.allow);
        if expression.evaluate(|asked| is_among(asked, &licences.allow) || is_among(asked, own)) {
            used.extend(exception);
        } else {
            findings.push(format!(
                "{name} {version} is under `{licence}`, which deny.toml does not allow: \
                 add it there with the reason why it may be, or do without the crate"
            ));
        }
    }
    for (at, exception) in licences.exceptions.iter().enumerate() {
        if !used.contains(&at) {
            findings.push(format!(
                "deny.toml has an exception for {}, which needs none: take it out",
                exception.name
            ));
        }
    }
    Ok(findings)
}

fn is_among(asked: &LicenseReq, allowed: &[String]) -> bool {
    allowed.iter().any(|allowed| *allowed == asked.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, licence: Option<&str>, source: Option<&str>) -> Vec<String> {
        let licences = Licences {
            allow: ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).to_vec(),
            exceptions: vec![Exception { name: "special".into(), allow: vec!["MPL-2.0".into()] }],
        };
        let package = |name: &str, licence: Option<&str>, source: Option<&str>| Package {
            name: name.into(),
            version: "1.0.0".into(),
            license: licence.map(str::to_owned),
            source: source.map(str::to_owned),
        };
        let used = package("special", Some("MPL-2.0"), Some(REGISTRY));
        check(&licences, &[package(name, licence, source), used]).unwrap()
    }

    #[test]
    fn what_is_allowed_is_let_be_however_it_is_spelt() {
        for licence in [
            "MIT",
            "MIT OR GPL-3.0-only",
            "GPL-3.0-only OR MIT",
            "MIT/Apache-2.0",
            "MIT / Apache-2.0",
            "MIT AND Apache-2.0",
            "(MIT OR GPL-2.0-only) AND Apache-2.0",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert!(found("a", Some(licence), Some(REGISTRY)).is_empty(), "{licence}");
        }
        assert!(found("ours", Some("MIT"), None).is_empty());
    }

    #[test]
    fn what_is_not_allowed_is_found() {
        for licence in ["GPL-3.0-only", "MIT AND GPL-3.0-only", "MPL-2.0", "MIT WITH LLVM-exception"] {
            let found = found("a", Some(licence), Some(REGISTRY));
            assert!(found.len() == 1 && found[0].contains(licence), "{licence}: {found:?}");
        }
        assert_eq!(found("a", None, Some(REGISTRY)).len(), 1, "no licence");
        assert_eq!(found("a", Some("MIT"), Some("git+https://example.org/a")).len(), 1, "another source");
    }

    #[test]
    fn an_exception_is_for_one_crate_and_has_to_be_needed() {
        let exception = Exception { name: "special".into(), allow: vec!["MPL-2.0".into()] };
        let licences = Licences { allow: vec!["MIT".into()], exceptions: vec![exception] };
        let package = |licence: &str| Package {
            name: "special".into(),
            version: "1.0.0".into(),
            license: Some(licence.into()),
            source: None,
        };
        assert!(check(&licences, &[package("MPL-2.0")]).unwrap().is_empty());
        assert_eq!(check(&licences, &[package("MIT")]).unwrap().len(), 1, "no longer needed");
        assert_eq!(check(&licences, &[package("MIT AND MPL-2.0")]).unwrap(), [""; 0]);
    }
}
