//! Who may depend on whom among our own crates.

use super::finding::Finding;
use super::manifest::line_of;
use super::tree::{File, Tree};
use crate::workspace::Workspace;

/// A crate, what it may depend on, and what its tests may use beyond that.
struct Arrows {
    name: &'static str,
    normal: &'static [&'static str],
    tests: &'static [&'static str],
}

const BACKENDS: [&str; 4] =
    ["anira-backend-onnx", "anira-backend-torch", "anira-backend-tflite", "anira-backend-custom"];

const TESTS_OF_BACKENDS: &[&str] = &["anira-conformance", "anira-realtime", "anira-tests"];

/// A backend, wherever it stands: it knows the traits, and its tests run the conformance kit.
const fn backend(name: &'static str) -> Arrows {
    Arrows { name, normal: &["anira-traits"], tests: TESTS_OF_BACKENDS }
}

/// A backend whose library is linked: its build script looks for it.
const fn linked(name: &'static str) -> Arrows {
    Arrows { name, normal: &["anira-traits", "anira-link"], tests: TESTS_OF_BACKENDS }
}

/// The whole map. docs/architecture.md draws it and says why.
const MAP: &[Arrows] = &[
    Arrows { name: "anira-traits", normal: &[], tests: &[] },
    // What watches a callback: any callback, so it knows none of ours.
    Arrows { name: "anira-realtime", normal: &[], tests: &[] },
    // For build scripts.
    Arrows { name: "anira-link", normal: &[], tests: &[] },
    Arrows { name: "anira-scheduler", normal: &["anira-traits", "anira-realtime"], tests: &["anira-tests"] },
    backend(BACKENDS[0]),
    linked(BACKENDS[1]),
    linked(BACKENDS[2]),
    backend(BACKENDS[3]),
    // For authors of backends, who have the traits and nothing else.
    Arrows { name: "anira-conformance", normal: &["anira-traits", "anira-realtime"], tests: &[] },
    // A tool for measuring: it knows nobody, and no library knows it.
    Arrows { name: "anira-intercept", normal: &[], tests: &[] },
    Arrows {
        name: "anira",
        normal: &[
            "anira-traits",
            "anira-realtime",
            "anira-scheduler",
            BACKENDS[0],
            BACKENDS[1],
            BACKENDS[2],
            BACKENDS[3],
        ],
        tests: &["anira-tests"],
    },
    Arrows {
        name: "anira-cli",
        normal: &["anira", "anira-intercept", "anira-link"],
        tests: &["anira-tests"],
    },
    // What no crate can test alone: it may know everybody, and no library knows it but for its tests.
    Arrows {
        name: "anira-tests",
        normal: &[
            "anira-traits",
            "anira-scheduler",
            BACKENDS[0],
            BACKENDS[1],
            BACKENDS[2],
            BACKENDS[3],
            "anira",
            "anira-link",
            "anira-test-plugin",
        ],
        tests: &["anira-conformance", "anira-intercept"],
    },
    Arrows { name: "anira-test-plugin", normal: &["anira", "anira-link"], tests: &[] },
    // A user of the facade like any other.
    Arrows { name: "anira-bench", normal: &["anira"], tests: &[] },
    Arrows { name: "anira-audio-path", normal: &["anira"], tests: &[] },
    Arrows { name: "xtask", normal: &[], tests: &[] },
];

/// All findings.
pub(crate) fn check(workspace: &Workspace, tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &workspace.packages {
        let path = workspace.relative(&package.manifest_path);
        let Some(arrows) = MAP.iter().find(|arrows| arrows.name == package.name) else {
            let mend = "give it a line in MAP in xtask/src/tidy/arrows.rs and in docs/architecture.md";
            findings.push(Finding::error(
                &path,
                1,
                format!("the crate `{}` is not on the map", package.name),
                mend,
            ));
            continue;
        };
        for dependency in &package.dependencies {
            let ours = MAP.iter().any(|arrows| arrows.name == dependency.name);
            let for_tests = dependency.kind.as_deref() == Some("dev");
            let allowed = arrows.normal.contains(&dependency.name.as_str())
                || for_tests && arrows.tests.contains(&dependency.name.as_str());
            // The vocabulary stays free of everybody else's as well.
            let foreign = !ours && !for_tests && package.name == "anira-traits";
            if (ours && !allowed) || foreign {
                findings.push(Finding::error(
                    &path,
                    line_of(tree, &path, &dependency.name),
                    format!("`{}` may not depend on `{}`", package.name, dependency.name),
                    allowed_text(arrows, for_tests),
                ));
            }
        }
    }
    findings.extend(tree.files.iter().filter(|file| is_strangers(&file.path)).flat_map(check_stranger));
    findings
}

/// Crates that stand for somebody else's: outside of the workspace, below `examples/` at the root.
const STRANGER: Arrows = backend("a crate below examples/");

fn is_strangers(path: &str) -> bool {
    path.strip_prefix("examples/")
        .is_some_and(|rest| rest.split('/').count() == 2 && rest.ends_with("/Cargo.toml"))
}

/// A stranger's crate is not in cargo's list of ours; its manifest has a dependency per line.
fn check_stranger(file: &File) -> Vec<Finding> {
    let (mut findings, mut section) = (Vec::new(), "");
    for (i, line) in file.text.lines().enumerate() {
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']);
        }
        let name = line.split([' ', '.', '=']).next().unwrap_or("");
        let ours = name != "anira-traits" && MAP.iter().any(|arrows| arrows.name == name);
        let for_tests = section == "dev-dependencies";
        // What a stranger could not have from a registry is no example.
        let allowed = for_tests && name == "anira-conformance";
        if section.contains("dependencies") && ours && !allowed {
            let what = format!("a crate outside of the workspace may not depend on `{name}`");
            let mend = allowed_text(&STRANGER, false);
            findings.push(Finding::error(&file.path, i + 1, what, mend));
        }
    }
    findings
}

fn allowed_text(arrows: &Arrows, for_tests: bool) -> String {
    let tests = if for_tests { arrows.tests } else { &[] };
    let allowed: Vec<_> = arrows.normal.iter().chain(tests).copied().collect();
    if allowed.is_empty() {
        return "it depends on none of our crates; docs/architecture.md says why".into();
    }
    format!("of our crates it may depend on {}; docs/architecture.md says why", allowed.join(", "))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::workspace::{Dependency, Package};

    const NONE: [Finding; 0] = [];

    fn found(name: &str, on: &str, kind: Option<&str>) -> Vec<Finding> {
        let package = Package {
            name: name.into(),
            manifest_path: PathBuf::from(format!("/repo/{name}/Cargo.toml")),
            dependencies: vec![Dependency { name: on.into(), kind: kind.map(str::to_owned) }],
            ..Package::default()
        };
        let workspace =
            Workspace { root: "/repo".into(), target: "/repo/target".into(), packages: vec![package] };
        let manifest = format!("[package]\nname = \"{name}\"\n\n[dependencies]\n{on}.workspace = true\n");
        check(&workspace, &Tree::of(&[(&format!("{name}/Cargo.toml"), &manifest)]))
    }

    #[test]
    fn an_arrow_that_is_not_on_the_map_is_found_at_its_line() {
        for (from, to) in [
            ("anira-backend-onnx", "anira-scheduler"),
            ("anira-scheduler", "anira-backend-custom"),
            ("anira-traits", "anira-scheduler"),
            ("anira-traits", "serde"),
            ("anira-cli", "anira-traits"),
            ("xtask", "anira"),
            ("anira-conformance", "anira"),
            ("anira-backend-onnx", "anira-conformance"),
        ] {
            let findings = found(from, to, None);
            assert_eq!(findings.len(), 1, "{from} -> {to}");
            assert_eq!(
                (findings[0].path.as_str(), findings[0].line),
                (format!("{from}/Cargo.toml").as_str(), 5)
            );
        }
        assert_eq!(found("anira-scheduler", "anira-backend-onnx", Some("dev")).len(), 1);
        assert_eq!(found("anira-new", "serde", None).len(), 1, "a crate that nobody drew");
    }

    #[test]
    fn arrows_on_the_map_and_other_peoples_crates_are_let_be() {
        assert_eq!(found("anira-scheduler", "anira-traits", None), NONE);
        assert_eq!(found("anira-scheduler", "libc", None), NONE);
        assert_eq!(found("anira", "anira-backend-torch", None), NONE);
        assert_eq!(found("anira-backend-onnx", "anira-tests", Some("dev")), NONE);
        assert_eq!(found("anira-backend-onnx", "anira-conformance", Some("dev")), NONE);
        assert_eq!(found("anira-traits", "proptest", Some("dev")), NONE);
    }

    #[test]
    fn a_strangers_crate_knows_the_traits_and_tests_with_the_kit() {
        let lines = |path: &str, text: &str| {
            let workspace =
                Workspace { root: "/repo".into(), target: "/repo/target".into(), packages: vec![] };
            let findings = check(&workspace, &Tree::of(&[(path, text)]));
            findings.iter().map(|finding| finding.line).collect::<Vec<_>>()
        };
        let manifest = "[package]\nname = \"x\"\n[dependencies]\nanira-traits = \"1\"\nanira = \"1\"\nserde = \"1\"\n\
                        anira-conformance = \"1\"\n[dev-dependencies]\nanira-conformance = { path = \"p\" }\n\
                        anira-scheduler.workspace = true\n";
        assert_eq!(lines("examples/x/Cargo.toml", manifest), [5, 7, 10]);
        assert_eq!(lines("anira/examples/x/Cargo.toml", manifest), [0; 0]);
    }
}
