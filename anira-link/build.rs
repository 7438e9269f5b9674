//! Ends the build where a library is missing, and says how to get it. Reads variables and the names of files, nothing else.

#[path = "src/linked.rs"]
#[allow(dead_code, reason = "shared: each of the two uses a part")]
mod linked;

use std::env::{var, var_os};
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=DOCS_RS");
    // docs.rs has no libraries, and links nothing.
    if var_os("DOCS_RS").is_some() {
        return;
    }
    for engine in linked::on() {
        println!("cargo:rerun-if-env-changed={}", engine.variable);
        match engine.feature {
            "torch" => torch(),
            "tflite" => tflite(),
            _ => litert(),
        }
    }
}

fn torch() {
    println!("cargo:rerun-if-env-changed=LIBTORCH_USE_PYTORCH");
    // The crate `torch-sys` then asks Python where its LibTorch is.
    if var_os("LIBTORCH_USE_PYTORCH").is_some() {
        return;
    }
    let engine = "torch";
    let folder = named(engine, "LIBTORCH", "the folder with `include` and `lib` of LibTorch 2.13.0 in it");
    let file = match system().as_str() {
        "windows" => "torch_cpu.lib",
        "macos" => "libtorch_cpu.dylib",
        _ => "libtorch_cpu.so",
    };
    there(engine, "LIBTORCH", &folder, &folder.join("lib").join(file));
}

fn tflite() {
    println!("cargo:rerun-if-env-changed=TFLITEC_HEADER_DIR");
    let engine = "tflite";
    let library = named(engine, "TFLITEC_PREBUILT_PATH", "the file of TensorFlow Lite's C library");
    there(engine, "TFLITEC_PREBUILT_PATH", &library, &library);
    let header = "tensorflow/lite/c/c_api.h";
    let headers = named(engine, "TFLITEC_HEADER_DIR", &format!("the folder with {header} in it"));
    there(engine, "TFLITEC_HEADER_DIR", &headers, &headers.join(header));
}

fn litert() {
    let engine = "litert";
    let folder = named(engine, "LITERT_LIB_DIR", "the folder with LiteRT's C library in it");
    let file = match system().as_str() {
        "windows" => "LiteRt.dll",
        "macos" | "ios" => "libLiteRt.dylib",
        _ => "libLiteRt.so",
    };
    there(engine, "LITERT_LIB_DIR", &folder, &folder.join(file));
}

fn system() -> String {
    var("CARGO_CFG_TARGET_OS").unwrap_or_default()
}

/// The path that a variable names.
fn named(engine: &str, variable: &str, what: &str) -> PathBuf {
    let Some(path) = linked::named(variable) else {
        lacking(engine, &format!("the variable {variable} is not set; it names {what}"))
    };
    path
}

/// Goes on if this file is there.
fn there(engine: &str, variable: &str, named: &Path, file: &Path) {
    println!("cargo:rerun-if-changed={}", file.display());
    if !file.exists() {
        let (named, file) = (named.display(), file.display());
        lacking(engine, &format!("{variable} is {named}, and there is no {file}"));
    }
}

/// Ends the build.
fn lacking(engine: &str, what: &str) -> ! {
    panic!(
        "\n\nThe feature `{engine}` links a native library: {what}.\n`cargo xtask native --engine {engine}` in anira's repository gets \
         it and lays it where its builds look; or set the variable to an installation of your own.\n"
    );
}
