//! Says early and plainly what is missing, and lets this crate's own tests find LibTorch. Touches no network.

use std::env;
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    println!("cargo:rerun-if-env-changed=LIBTORCH_USE_PYTORCH");
    // With LIBTORCH_USE_PYTORCH the build of `torch-sys` asks Python where its LibTorch is.
    if env::var_os("CARGO_FEATURE_TORCH").is_none() || env::var_os("LIBTORCH_USE_PYTORCH").is_some() {
        return;
    }
    let folder = match env::var_os("LIBTORCH") {
        Some(folder) if !folder.is_empty() => PathBuf::from(folder),
        _ => stop("the variable LIBTORCH is not set"),
    };
    if !folder.is_dir() {
        stop(&format!("LIBTORCH is {}, which is no folder", folder.display()));
    }
    let lib = folder.join("lib");
    let file = lib.join(library());
    if !file.is_file() {
        stop(&format!("LIBTORCH is {}, and {} is not there", folder.display(), file.display()));
    }
    let system = env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if system == "linux" || system == "macos" {
        // Reaches this crate's tests and examples only; a program that uses the crate sets its own.
        println!("cargo:rustc-link-arg=-Wl,-rpath,{}", absolute(&lib).display());
    }
}

fn library() -> &'static str {
    match env::var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("windows") => "torch_cpu.lib",
        Ok("macos") => "libtorch_cpu.dylib",
        _ => "libtorch_cpu.so",
    }
}

fn absolute(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

fn stop(what: &str) -> ! {
    panic!(
        "\n\nThe feature `torch` needs LibTorch 2.13.0: {what}.\nRun `cargo xtask native` in anira's repository, which \
         gets it, or set LIBTORCH to the folder of your own LibTorch (the one with `include` and `lib` in it).\n"
    );
}
