//! Cargo features: each compiles alone, and without any the facade stays small and pure Rust.

use std::path::Path;

use anyhow::{Result, bail};

use crate::call::Call;
use crate::workspace::{Package, Workspace, in_ci};

/// The most crates that the facade may bring to a program that turns every feature off, itself included.
const MOST_CRATES: usize = 24;

/// Crates whose presence means that something other than Rust is compiled or linked.
const NATIVE: &[&str] = &["cc", "cmake", "bindgen", "pkg-config", "vcpkg", "cxx", "cxx-build"];

/// Crates that bear the name of native code and are declarations of the operating system's own interface.
const SYSTEM: &[&str] = &["windows-sys", "linux-raw-sys"];

/// Engines whose libraries a build looks for, and the variables that say where they are. (ONNX Runtime is looked for when a program
/// runs: its feature builds anywhere.)
const LINKED: &[(&str, &[&str])] = &[
    ("torch", &["LIBTORCH"]),
    ("tflite", &["TFLITEC_PREBUILT_PATH", "TFLITEC_HEADER_DIR"]),
    ("litert", &["LITERT_LIB_DIR"]),
];

/// The facade's engines: every set of these is built.
const ENGINES: &[&str] = &["rten", "onnxruntime", "torch", "tflite", "litert"];

/// What of the facade's features can meet in a program: every set of these is built by `--powerset`.
const POWERSET: &[&str] =
    &["native", "rten", "onnxruntime", "torch", "tflite", "litert", "file", "serde", "schema"];

/// Clippy's arguments that make a warning an error.
const DENY: [&str; 3] = ["--", "-D", "warnings"];

/// ONNX Runtime's execution providers: features that are handed through to its crate and turn on a few lines each. They are built together.
const PROVIDERS: &[&str] = &["cuda", "tensorrt", "coreml", "directml", "openvino", "qnn", "xnnpack"];

/// The step of `test`: as [`run`], of the sets of engines the largest alone.
pub(crate) fn step(workspace: &Workspace) -> Result<()> {
    let lacking = lacking()?;
    each_alone(workspace, &lacking)?;
    let all: Vec<&str> =
        ENGINES.iter().copied().filter(|engine| lacking.iter().all(|(other, _)| other != engine)).collect();
    let call = Call::new(workspace, "clippy").args(["-p", "anira", "--lib", "--no-default-features"]);
    call.args(["--features", &all.join(",")]).args(DENY).run()?;
    pulled_in(workspace)
}

/// Builds every library without features and with each of its features alone, and the facade with every set of engines; then looks
/// at what they pull in.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let lacking = lacking()?;
    each_alone(workspace, &lacking)?;
    every_set(workspace, ENGINES, &lacking)?;
    pulled_in(workspace)
}

/// Builds every library without features and with each of its features alone.
fn each_alone(workspace: &Workspace, lacking: &[(&str, String)]) -> Result<()> {
    for package in workspace.libraries() {
        let alone =
            || Call::new(workspace, "clippy").args(["-p", &package.name, "--lib", "--no-default-features"]);
        alone().args(DENY).run()?;
        let has = |provider: &&&str| package.features.contains_key(**provider);
        let providers: Vec<&str> = PROVIDERS.iter().filter(has).copied().collect();
        if !providers.is_empty() {
            alone().args(["--features", &providers.join(",")]).args(DENY).run()?;
        }
        let others = package.features.keys().filter(|feature| !providers.contains(&feature.as_str()));
        for feature in others.filter(|feature| *feature != "default") {
            match lacking.iter().find(|(engine, _)| needs(package, feature, engine)) {
                Some((_, why)) => println!("skipped: feature `{feature}` of {}: {why}", package.name),
                None => alone().args(["--features", feature]).args(DENY).run()?,
            }
        }
    }
    Ok(())
}

/// The program and the facade without an engine: what they are made of, and that they work.
fn pulled_in(workspace: &Workspace) -> Result<()> {
    // The program without an engine, and what it does then.
    let without = ["-p", "anira-cli", "--no-default-features", "--all-targets"];
    Call::new(workspace, "clippy").args(without).args(DENY).run()?;
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
    // And it still serves who brings an engine.
    Call::new(workspace, "test").args(["-p", "anira", "--no-default-features", "--test", "bare"]).run()?;
    let program = tree(workspace, &["-p", "anira-cli"])?;
    refuse_native("the program `anira`", &program)?;
    println!(
        "pure Rust: anira without features ({} crates), the program ({} crates)",
        bare.len(),
        program.len()
    );
    Ok(())
}

/// Builds the facade with every set of the features that matter, but for those that say the same.
pub(crate) fn powerset(workspace: &Workspace) -> Result<()> {
    every_set(workspace, POWERSET, &lacking()?)
}

/// Builds the facade with every set of these features, but for those that say the same or cannot be built here.
fn every_set(workspace: &Workspace, features: &[&'static str], lacking: &[(&str, String)]) -> Result<()> {
    let Some(facade) = workspace.packages.iter().find(|package| package.name == "anira") else {
        bail!("the workspace has no package `anira`");
    };
    let mut features = features.to_vec();
    for (engine, why) in lacking {
        println!("skipped: every set with `{engine}`: {why}");
        features.retain(|feature| feature != engine);
    }
    let sets = sets(facade, &features);
    for (i, set) in sets.iter().enumerate() {
        println!("set {} of {}", i + 1, sets.len());
        let call = Call::new(workspace, "clippy").args(["-p", "anira", "--lib", "--no-default-features"]);
        call.args(["--features", &set.join(",")]).args(DENY).run()?;
    }
    println!("{} sets of {}", sets.len(), features.join(", "));
    Ok(())
}

/// All sets of these features of which no member brings another along.
fn sets<'a>(package: &Package, features: &[&'a str]) -> Vec<Vec<&'a str>> {
    let all = (0..1u32 << features.len()).map(|bits| {
        let member = |(i, feature): (usize, &&'a str)| (bits >> i & 1 == 1).then_some(*feature);
        features.iter().enumerate().filter_map(member).collect::<Vec<_>>()
    });
    let twice = |set: &[&str]| {
        let brings = |a: &str, b: &str| a != b && needs(package, a, b);
        set.iter().any(|a| set.iter().any(|b| brings(a, b)))
    };
    all.filter(|set| !twice(set)).collect()
}

/// The engines that cannot be built here, each with what it lacks. With CI=true that is an error.
fn lacking() -> Result<Vec<(&'static str, String)>> {
    let mut lacking = Vec::new();
    for (engine, variables) in LINKED {
        let Some(why) = variables.iter().find_map(|variable| lack(variable)) else { continue };
        let why = format!("{why}; `cargo xtask native --engine {engine}` gets it");
        if in_ci() {
            bail!("feature `{engine}`: {why}");
        }
        lacking.push((*engine, why));
    }
    Ok(lacking)
}

/// Why there is nothing at the place that a variable names. Cargo has set it for us unless the user has.
fn lack(variable: &str) -> Option<String> {
    match std::env::var_os(variable) {
        None => Some(format!("{variable} is not set")),
        Some(path) if !Path::new(&path).exists() => {
            Some(format!("{variable} is {}, where there is nothing", Path::new(&path).display()))
        }
        Some(_) => None,
    }
}

/// Whether a feature of this package is `other`, of whatever crate, or brings it along.
fn needs(package: &Package, feature: &str, other: &str) -> bool {
    if feature.rsplit('/').next() == Some(other) {
        return true;
    }
    let brings = package.features.get(feature).into_iter().flatten();
    brings.filter(|next| *next != feature).any(|next| needs(package, next, other))
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

    fn facade() -> Package {
        let features = [
            ("file", &["dep:toml"][..]),
            ("rten", &["dep:anira-backend-onnx", "anira-backend-onnx/rten"]),
            ("schema", &["file", "dep:schemars"]),
            ("torch", &["dep:anira-backend-torch", "anira-backend-torch/torch"]),
        ];
        let owned = |(name, brings): (&str, &[&str])| {
            (name.to_owned(), brings.iter().map(|b| (*b).to_owned()).collect())
        };
        Package { features: features.into_iter().map(owned).collect(), ..Package::default() }
    }

    #[test]
    fn a_feature_needs_what_it_brings_along_and_is_itself() {
        let facade = facade();
        for (feature, other, right) in [
            ("torch", "torch", true),
            ("schema", "file", true),
            ("file", "schema", false),
            ("rten", "torch", false),
        ] {
            assert_eq!(needs(&facade, feature, other), right, "{feature} needs {other}");
        }
    }

    #[test]
    fn sets_are_all_but_those_that_say_the_same() {
        let sets = sets(&facade(), &["rten", "file", "schema"]);
        let right: &[&[&str]] =
            &[&[], &["rten"], &["file"], &["rten", "file"], &["schema"], &["rten", "schema"]];
        assert_eq!(sets, right);
    }

    #[test]
    fn the_powerset_and_the_linked_engines_are_features_of_the_facade() {
        let manifest = include_str!("../../anira/Cargo.toml");
        let linked = LINKED.iter().map(|(engine, _)| engine);
        assert!(ENGINES.iter().all(|engine| POWERSET.contains(engine)));
        for feature in POWERSET.iter().chain(linked) {
            assert!(manifest.contains(&format!("\n{feature} = [")), "anira has no feature `{feature}`");
        }
    }

    #[test]
    fn a_place_that_is_not_there_is_named() {
        assert!(lack("ANIRA_NO_SUCH_VARIABLE").unwrap().contains("ANIRA_NO_SUCH_VARIABLE"));
        assert_eq!(lack("CARGO_MANIFEST_DIR"), None);
    }

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
