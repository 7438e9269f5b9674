//! Finds the engines' libraries, for the features that are on: says what is missing, and lets this crate's own tests find
//! them. Fetches nothing, writes nothing.

use std::env;
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // docs.rs has no libraries, and links nothing.
    println!("cargo:rerun-if-env-changed=DOCS_RS");
    if env::var_os("DOCS_RS").is_some() {
        return;
    }
    if env::var_os("CARGO_FEATURE_TFLITE").is_some() {
        let library = named("tflite", "TFLITEC_PREBUILT_PATH", "the file libtensorflowlite_c.so");
        let headers =
            named("tflite", "TFLITEC_HEADER_DIR", "the directory that holds tensorflow/lite/c/c_api.h");
        there("tflite", "TFLITEC_PREBUILT_PATH", &library);
        there("tflite", "TFLITEC_HEADER_DIR", &headers.join("tensorflow/lite/c/c_api.h"));
        search(library.parent());
    }
    if env::var_os("CARGO_FEATURE_LITERT").is_some() {
        let directory = named("litert", "LITERT_LIB_DIR", "the directory that holds LiteRT's library");
        let name = match env::var("CARGO_CFG_TARGET_OS").as_deref() {
            Ok("windows") => "LiteRt.dll",
            Ok("macos" | "ios") => "libLiteRt.dylib",
            _ => "libLiteRt.so",
        };
        there("litert", "LITERT_LIB_DIR", &directory.join(name));
        search(Some(&directory));
    }
}

/// The path that a variable names.
fn named(feature: &str, variable: &str, what: &str) -> PathBuf {
    println!("cargo:rerun-if-env-changed={variable}");
    match env::var_os(variable) {
        Some(path) if !path.is_empty() => PathBuf::from(path),
        _ => panic!("{}", missing(feature, &format!("{variable} is not set; it names {what}"))),
    }
}

fn there(feature: &str, variable: &str, path: &Path) {
    println!("cargo:rerun-if-changed={}", path.display());
    if !path.exists() {
        let text = format!("{variable}: there is no {}", path.display());
        panic!("{}", missing(feature, &text));
    }
}

fn missing(feature: &str, what: &str) -> String {
    format!(
        "the feature `{feature}` of anira-backend-tflite links a native library. {what}. \
         `cargo xtask native` in anira's repository fetches it and lays it where its builds look."
    )
}

/// Where this package's tests look for a library while they run. (Programs that use it have to say so themselves.)
fn search(directory: Option<&Path>) {
    let windows = env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("windows");
    if let Some(directory) = directory.filter(|_| !windows) {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{}", directory.display());
    }
}
