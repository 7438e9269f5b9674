//! The native engines: linted and tested, each whose library is there.

use std::env;
use std::path::PathBuf;

use anyhow::Result;

use crate::call::Call;
use crate::native;
use crate::tally::Tally;
use crate::workspace::Workspace;

/// The packages with native engines behind features, and the features of each that are turned on here. A package that has no feature
/// of an engine's name has none of that engine.
const PACKAGES: &[(&str, &[&str])] = &[
    ("anira-backend-onnx", &["rten", "onnxruntime"]),
    ("anira-backend-torch", &["torch"]),
    ("anira-backend-tflite", &["tflite", "litert"]),
    ("anira-cli", &["onnxruntime", "torch", "tflite", "litert", "violations"]),
    ("anira-tests", &["onnxruntime", "torch", "tflite", "litert"]),
    ("anira-test-plugin", &["rten", "onnxruntime", "torch", "tflite", "litert"]),
];

/// Features that need no library.
const EVERYWHERE: &[&str] = &["rten", "violations"];

/// Tests of whole sessions that say nothing about engines, and ran without them.
const ELSEWHERE: &[&str] = &[
    "exact",
    "fork",
    "identity",
    "inline",
    "late",
    "overload",
    "processor",
    "properties",
    "resample",
    "reset",
    "sanitized",
    "silence",
    "switch",
    "syscalls",
    "telemetry",
    "trouble",
    "unload",
    "waiting",
];

/// Modules of the program's tests that say nothing about engines, and start a program for each of hundreds of files: with all libraries
/// linked a start takes half a second.
const NOT_OF_ENGINES: &[&str] = &["configuration::", "files::", "help::", "schema::", "sound::"];

/// Tests of the engines that need no library, which have run in the step `debug`.
const BEFORE: [&str; 4] = ["--skip", "rten::", "--skip", "native::"];

/// Lints and tests everything that the libraries make possible which are there.
pub(crate) fn run(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    let engines = native::available(workspace);
    let features = features(&engines);
    let packages: Vec<&str> = PACKAGES.iter().flat_map(|(package, _)| ["-p", package]).collect();
    let deny = ["--", "-D", "warnings"];
    let clippy = Call::new(workspace, "clippy").args(&packages).args(["--all-targets"]);
    clippy.args(["--features", &features]).args(deny).run()?;
    let is_backend = |package: &str| package.starts_with("anira-backend-");
    let backends = PACKAGES.iter().filter(|(package, _)| is_backend(package));
    let backends = backends.flat_map(|(package, _)| ["-p", package]);
    let of_backends = features_of(&engines, is_backend);
    let call =
        Call::new(workspace, "test").args(backends).args(["--features", &of_backends, "--no-fail-fast"]);
    found(workspace, call.args(["--"]).args(BEFORE)).tallied(tally)?;
    let of_program = features_of(&engines, |package| package == "anira-cli");
    let call = Call::new(workspace, "test").args(["-p", "anira-cli", "--features", &of_program]);
    let skip = NOT_OF_ENGINES.iter().flat_map(|module| ["--skip", module]);
    found(workspace, call.args(["--no-fail-fast", "--"]).args(skip)).tallied(tally)?;
    let of_plugin = features_of(&engines, |package| package == "anira-test-plugin");
    let call = Call::new(workspace, "test").args(["-p", "anira-test-plugin", "--features", &of_plugin]);
    found(workspace, call).tallied(tally)?;
    let of_tests = features_of(&engines, |package| package == "anira-tests");
    let call = Call::new(workspace, "test").args(["-p", "anira-tests", "--features", &of_tests]);
    let named = tests(workspace)?.into_iter().flat_map(|test| ["--test".to_owned(), test]);
    found(workspace, call.args(named).args(["--no-fail-fast", "--"]).args(BEFORE)).tallied(tally)
}

/// What examples in the documentation need besides: they are programs of nobody's, and have no rpath.
fn found(workspace: &Workspace, call: Call) -> Call {
    let of = |variable: &str, usual: &str| match env::var_os(variable) {
        Some(path) => PathBuf::from(path),
        None => workspace.root.join(".native").join(usual),
    };
    let tflite = of("TFLITEC_PREBUILT_PATH", "tflite/lib/libtensorflowlite_c.so");
    let mut folders = vec![of("LIBTORCH", "libtorch").join("lib"), of("LITERT_LIB_DIR", "litert/lib")];
    folders.extend(tflite.parent().map(PathBuf::from));
    folders.extend(env::var_os("LD_LIBRARY_PATH").iter().flat_map(env::split_paths));
    let path = env::join_paths(folders).unwrap_or_default();
    call.env("LD_LIBRARY_PATH", &path.to_string_lossy())
}

fn features(engines: &[&str]) -> String {
    features_of(engines, |_| true)
}

fn features_of(engines: &[&str], which: impl Fn(&str) -> bool) -> String {
    let is_there = |feature: &&&str| EVERYWHERE.contains(*feature) || engines.contains(*feature);
    let of = |(package, features): &(&str, &[&str])| -> Vec<String> {
        features.iter().filter(is_there).map(|feature| format!("{package}/{feature}")).collect()
    };
    let all: Vec<String> = PACKAGES.iter().filter(|(package, _)| which(package)).flat_map(of).collect();
    all.join(",")
}

/// The tests of whole sessions in which engines take part.
fn tests(workspace: &Workspace) -> Result<Vec<String>> {
    let mut tests = Vec::new();
    for entry in std::fs::read_dir(workspace.root.join("tests/tests"))? {
        let path = entry?.path();
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if !ELSEWHERE.contains(&name.as_str()) {
            tests.push(name);
        }
    }
    tests.sort_unstable();
    Ok(tests)
}

#[cfg(test)]
mod tests_of_this {
    use super::*;

    #[test]
    fn an_engine_that_is_not_there_has_no_feature() {
        assert_eq!(features(&[]), "anira-backend-onnx/rten,anira-cli/violations,anira-test-plugin/rten");
        assert_eq!(
            features(&["torch"]),
            "anira-backend-onnx/rten,anira-backend-torch/torch,anira-cli/torch,anira-cli/violations,anira-tests/torch,\
             anira-test-plugin/rten,anira-test-plugin/torch"
        );
        assert_eq!(features_of(&["litert"], |p| p == "anira-tests"), "anira-tests/litert");
    }

    #[test]
    fn what_is_left_out_exists() {
        let workspace = Workspace::find().unwrap();
        for module in NOT_OF_ENGINES {
            let file = format!("anira-cli/tests/cli/{}.rs", module.trim_end_matches("::"));
            assert!(workspace.root.join(&file).is_file(), "{file}");
        }
        for name in ELSEWHERE {
            let folder = workspace.root.join("tests/tests").join(name);
            assert!(folder.is_dir() || folder.with_extension("rs").is_file(), "{name}");
        }
        assert!(tests(&workspace).unwrap().contains(&"golden".to_owned()));
    }
}
