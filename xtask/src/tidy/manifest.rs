//! What every crate's manifest has to hold.

use super::finding::Finding;
use super::tree::Tree;
use crate::workspace::{Package, Workspace};

/// All findings.
pub(crate) fn check(workspace: &Workspace, tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &workspace.packages {
        let path = workspace.relative(&package.manifest_path);
        let mut missing = |key: &str, mend: &str| {
            findings.push(Finding::error(&path, 1, format!("`{}` has no {key}", package.name), mend));
        };
        for (key, mend) in missing_keys(package) {
            missing(key, mend);
        }
        if let Some(readme) = &package.readme {
            let file = path.replace("Cargo.toml", readme);
            if !tree.has(&file) {
                missing("file for its readme", "write it, or correct `readme`");
            }
        }
        let text = tree.file(&path).map_or("", |file| &file.text);
        let mut lines = text.lines().map(str::trim).skip_while(|line| *line != "[lints]");
        if lines.nth(1) != Some("workspace = true") {
            missing("workspace lints", "add `[lints]` with `workspace = true`");
        }
    }
    findings
}

fn missing_keys(package: &Package) -> Vec<(&'static str, &'static str)> {
    let keys = [
        (&package.description, "description", "say in one line what the crate is"),
        (&package.license, "license", "add `license.workspace = true`"),
        (&package.readme, "readme", "write a README.md, which is the crate's first page"),
        (&package.rust_version, "rust-version", "add the oldest compiler that builds it"),
    ];
    keys.into_iter().filter(|(value, ..)| value.is_none()).map(|(_, key, mend)| (key, mend)).collect()
}

/// The line of a manifest that begins with this dependency, 1 if it cannot be told.
pub(crate) fn line_of(tree: &Tree, path: &str, dependency: &str) -> usize {
    let text = tree.file(path).map_or("", |file| &file.text);
    let begins = |line: &str| {
        let rest = line.trim_start().trim_start_matches('"').strip_prefix(dependency);
        rest.is_some_and(|rest| rest.starts_with([' ', '.', '=', '"']))
    };
    text.lines().position(begins).map_or(1, |line| line + 1)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    const GOOD: &str = "[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n";

    fn package() -> Package {
        let some = |text: &str| Some(text.to_owned());
        Package {
            name: "a".into(),
            manifest_path: PathBuf::from("/repo/a/Cargo.toml"),
            description: some("a crate"),
            license: some("MIT"),
            readme: some("README.md"),
            rust_version: some("1.88"),
            ..Package::default()
        }
    }

    fn found(package: Package, manifest: &str) -> Vec<String> {
        let workspace =
            Workspace { root: "/repo".into(), target: "/repo/target".into(), packages: vec![package] };
        let tree = Tree::of(&[("a/Cargo.toml", manifest), ("a/README.md", "# a\n")]);
        check(&workspace, &tree).into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn a_manifest_that_lacks_something_is_found() {
        assert_eq!(found(package(), GOOD), [""; 0]);
        assert_eq!(found(Package { description: None, ..package() }, GOOD), ["`a` has no description"]);
        assert_eq!(found(Package { rust_version: None, ..package() }, GOOD), ["`a` has no rust-version"]);
        assert_eq!(found(Package { readme: None, ..package() }, GOOD), ["`a` has no readme"]);
        let elsewhere = Package { readme: Some("PAGE.md".into()), ..package() };
        assert_eq!(found(elsewhere, GOOD), ["`a` has no file for its readme"]);
        assert_eq!(found(package(), "[package]\nname = \"a\"\n"), ["`a` has no workspace lints"]);
    }

    #[test]
    fn a_dependency_is_found_at_its_line() {
        let tree =
            Tree::of(&[("Cargo.toml", "[dependencies]\nanira-tests = \"1\"\nanira.workspace = true\n")]);
        assert_eq!(line_of(&tree, "Cargo.toml", "anira"), 3);
        assert_eq!(line_of(&tree, "Cargo.toml", "anira-tests"), 2);
        assert_eq!(line_of(&tree, "Cargo.toml", "serde"), 1);
    }
}
