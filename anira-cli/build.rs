//! Tells the program where the linked engines' libraries lie, for those whose feature is on: without it the system would
//! look only where it keeps its own. Where there is nothing, it says so, in better words than those of the crates that link them, and before
//! they have been compiled. And which version of the embedded engine this is, which its crate does not say.
//! Reads variables and Cargo.lock, nothing else.

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
    if let Some(version) = rten_version() {
        println!("cargo:rustc-env=ANIRA_RTEN_VERSION={version}");
    }
    for (feature, variable, folder) in LINKED {
        if var_os(feature).is_none() {
            continue;
        }
        println!("cargo:rerun-if-env-changed={variable}");
        let Some(path) = var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from) else {
            // LibTorch may also come from Python, of which its own crate asks.
            if feature == "CARGO_FEATURE_TORCH" && var_os("LIBTORCH_USE_PYTORCH").is_some() {
                continue;
            }
            lacking(feature, &format!("the variable {variable}, which names its library, is not set"));
        };
        if !path.exists() {
            lacking(feature, &format!("{variable} is {}, where there is nothing", path.display()));
        }
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

/// Ends the build.
fn lacking(feature: &str, what: &str) -> ! {
    let engine = feature.trim_start_matches("CARGO_FEATURE_").to_lowercase();
    panic!(
        "\n\nThe feature `{engine}` links a native library: {what}.\n`cargo xtask native --engine {engine}` gets it in anira's \
         repository, where builds find it; or set the variable to an installation of your own.\n"
    );
}

/// The version of rten in the lock file: the workspace's, or that of the package where it was published.
fn rten_version() -> Option<String> {
    let package = PathBuf::from(var_os("CARGO_MANIFEST_DIR")?);
    let lock = [package.join("Cargo.lock"), package.parent()?.join("Cargo.lock")]
        .into_iter()
        .find(|f| f.is_file())?;
    println!("cargo:rerun-if-changed={}", lock.display());
    let text = std::fs::read_to_string(lock).ok()?;
    let mut lines = text.lines().skip_while(|line| *line != "name = \"rten\"").skip(1);
    Some(lines.next()?.strip_prefix("version = ")?.trim_matches('"').to_owned())
}
