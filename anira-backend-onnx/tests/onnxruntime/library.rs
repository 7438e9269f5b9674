//! The library itself: missing, another one, too old. Each case in a process of its own, because a library that was found stays.

use std::path::{Path, PathBuf};
use std::process::Command;

use anira_backend_onnx::OnnxRuntime;
use anira_traits::{Backend, Engine, LoadRequest, Model, ModelSource, Result};

use crate::support::{picking_model, request, root};

/// Set for a child: print what is found instead of asserting it.
const CHILD: &str = "ANIRA_TEST_LOOKS";

/// This test program. As a child it runs the one test below.
fn program() -> PathBuf {
    std::env::current_exe().unwrap()
}

fn look_and_load() -> Result<String> {
    let library = OnnxRuntime.library()?;
    let gain = ModelSource::file(root().join("models/gain.onnx"));
    OnnxRuntime.load(&gain, &LoadRequest::new())?;
    // A run that fails, of which the library would like to speak.
    let model = OnnxRuntime.load(&ModelSource::memory(picking_model()), &LoadRequest::new())?;
    let mut engine = model.engine(&request(model.signature(), 1))?;
    engine.input(1).unwrap().set_number(0, 9.0);
    assert!(engine.run().is_err());
    Ok(format!("found {} at {}", library.version, library.path.display()))
}

#[test]
fn the_library_is_found_and_loads_a_model() {
    match look_and_load() {
        found if std::env::var_os(CHILD).is_none() => assert!(found.unwrap().starts_with("found 1.")),
        Ok(found) => println!("{found}"),
        Err(error) => {
            // Asked again, it answers the same: nothing is stuck half-way.
            assert_eq!(look_and_load().unwrap_err(), error);
            println!("{}: {error}", error.kind());
        }
    }
}

/// Looks for the library in a child with the variable set to this, or not set; gives what it prints.
fn look(program: &Path, variable: Option<&Path>) -> String {
    let mut command = Command::new(program);
    command.args(["--exact", "library::the_library_is_found_and_loads_a_model", "--nocapture"]);
    command.env(CHILD, "1").env_remove("ORT_LOG").env_remove("ORT_DYLIB_PATH").env_remove("LD_LIBRARY_PATH");
    if let Some(path) = variable {
        command.env("ORT_DYLIB_PATH", path);
    }
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    assert!(output.status.success() && !text.contains("panicked"), "{text}");
    assert!(!text.contains("onnxruntime:"), "the library prints: {text}");
    text
}

#[track_caller]
fn refused(program: &Path, variable: Option<&Path>, kind: &str, words: &[&str]) {
    let text = look(program, variable);
    assert!(text.contains(&format!("{kind}: library of ONNX Runtime: ")), "{text}");
    for word in words.iter().chain(&["cargo xtask native --engine onnxruntime", "ORT_DYLIB_PATH"]) {
        assert!(text.contains(word), "`{text}` lacks `{word}`");
    }
}

#[test]
fn a_missing_library_is_named_with_where_it_was_looked_for() {
    refused(
        &program(),
        Some(Path::new("/no/such/libonnxruntime.so")),
        "NotFound",
        &["/no/such/libonnxruntime.so"],
    );
    let program = program();
    let beside = program.parent().unwrap().to_str().unwrap();
    refused(&program, None, "NotFound", &["libonnxruntime.so", beside, "is not set"]);
}

#[test]
fn a_library_beside_the_executable_is_found_without_a_variable() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("program");
    std::fs::copy(program(), &copy).unwrap();
    let library = OnnxRuntime.library().unwrap().path;
    for place in ["lib", "."] {
        let place = folder.path().join(place);
        std::fs::create_dir_all(&place).unwrap();
        std::os::unix::fs::symlink(&library, place.join("libonnxruntime.so")).unwrap();
        let text = look(&copy, None);
        assert!(text.contains(&format!("at {}", folder.path().display())), "{text}");
        std::fs::remove_file(place.join("libonnxruntime.so")).unwrap();
    }
    // A relative path is one below the executable's folder.
    std::os::unix::fs::symlink(&library, folder.path().join("lib/mine.so")).unwrap();
    let text = look(&copy, Some(Path::new("lib/mine.so")));
    assert!(text.contains("lib/mine.so"), "{text}");
}

/// Compiles a library from C.
fn compile(folder: &Path, name: &str, source: &str) -> PathBuf {
    let (file, library) = (folder.join(format!("{name}.c")), folder.join(format!("{name}.so")));
    std::fs::write(&file, source).unwrap();
    let output = Command::new("gcc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&file).output();
    let output = output.unwrap_or_else(|e| panic!("these tests need a C compiler, gcc: {e}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    library
}

#[test]
fn other_libraries_and_old_ones_are_told_and_none_panics() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text.so");
    std::fs::write(&text, "not a library at all").unwrap();
    refused(&program(), Some(&text), "Unsupported", &["text.so cannot be loaded"]);

    let base = |version: &str, api: &str| {
        format!(
            "static const void *base[2];\n\
             static const char *version(void) {{ return {version}; }}\n\
             static const void *api(unsigned v) {{ return {api}; }}\n\
             static const void *base[2] = {{ (const void *)api, (const void *)version }};\n\
             const void *OrtGetApiBase(void) {{ return base; }}\n"
        )
    };
    let cases = [
        ("other", "int f(void) { return 1; }".to_owned(), "is not ONNX Runtime: it exports no OrtGetApiBase"),
        ("null", "void *OrtGetApiBase(void) { return 0; }".to_owned(), "is not ONNX Runtime"),
        ("mute", base("0", "base"), "is not ONNX Runtime: it gives no version"),
        ("old", base("\"1.17.3\"", "base"), "is ONNX Runtime 1.17.3; 1.24 or newer"),
        ("lacking", base("\"1.31.0\"", "0"), "is ONNX Runtime 1.31.0; 1.24 or newer"),
        ("words", base("\"newest\"", "base"), "is ONNX Runtime newest; 1.24 or newer"),
    ];
    for (name, source, words) in cases {
        let library = compile(folder.path(), name, &source);
        refused(&program(), Some(&library), "Unsupported", &[library.to_str().unwrap(), words]);
    }
}
