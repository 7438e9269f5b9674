//! Tells the test programs where the linked engines' libraries lie, for those whose feature is on: without it the system would
//! look only where it keeps its own. Reads variables and nothing else.

use std::env::var_os;
use std::path::PathBuf;

/// The Cargo feature, the variable that its library is found by, and where from there the library's folder is.
const LINKED: [(&str, &str, &str); 3] = [
    ("CARGO_FEATURE_TORCH", "LIBTORCH", "lib"),
    ("CARGO_FEATURE_TFLITE", "TFLITEC_PREBUILT_PATH", ".."),
    ("CARGO_FEATURE_LITERT", "LITERT_LIB_DIR", ""),
];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    for (feature, variable, folder) in LINKED {
        if var_os(feature).is_none() {
            continue;
        }
        println!("cargo:rerun-if-env-changed={variable}");
        let Some(path) = var_os(variable).map(PathBuf::from) else { continue };
        let path = match folder {
            "" => Some(path),
            ".." => path.parent().map(PathBuf::from),
            folder => Some(path.join(folder)),
        };
        if let Some(path) = path {
            println!("cargo:rustc-link-arg=-Wl,-rpath,{}", path.display());
        }
    }
}
