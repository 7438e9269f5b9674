//! Where ONNX Runtime's library is, and whether it is one that this crate can use.
#![allow(unsafe_code, reason = "loads a library and asks it for its version")]

use std::env;
use std::ffi::{CStr, OsString};
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};

use anira_traits::{Error, ErrorKind, Result};
use libloading::Library;
use ort::sys::{ORT_API_VERSION, OrtApiBase};

use crate::LoadedLibrary;

/// The variable that names the file.
const VARIABLE: &str = "ORT_DYLIB_PATH";

/// What the library is called, best first.
const NAMES: &[&str] = if cfg!(windows) {
    &["onnxruntime.dll"]
} else if cfg!(target_vendor = "apple") {
    &["libonnxruntime.dylib"]
} else {
    &["libonnxruntime.so", "libonnxruntime.so.1"]
};

/// How to come by it.
const HELP: &str = "in the repository of anira `cargo xtask native --engine onnxruntime` gets it; elsewhere put it \
                    beside the executable, or let the variable ORT_DYLIB_PATH name it";

/// Finds the library, loads it and looks whether it can be used. It is never unloaded.
///
/// # Errors
/// [`ErrorKind::NotFound`] with all places that were looked at; [`ErrorKind::Unsupported`] for a file that is not ONNX Runtime or too
/// old.
pub(crate) fn find() -> Result<LoadedLibrary> {
    match env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
        Some(value) => named(&value),
        None => usual(),
    }
}

/// The file that the variable names.
fn named(value: &OsString) -> Result<LoadedLibrary> {
    let path = PathBuf::from(value);
    // A relative path is looked for beside the executable first; a bare name may also be one that the system knows.
    let beside = folder().map(|folder| folder.join(&path)).filter(|path| path.is_file());
    let path = beside.unwrap_or(path);
    if path.is_file() || path.components().count() == 1 {
        return open(&path).map_err(|refusal| refusal.error(&path));
    }
    let text = format!("there is no file {}, which the variable {VARIABLE} names; {HELP}", path.display());
    Err(Error::new(ErrorKind::NotFound, text).at("library of ONNX Runtime"))
}

/// The usual names in the usual places.
fn usual() -> Result<LoadedLibrary> {
    let mut looked = Vec::new();
    for folder in folder().into_iter().flat_map(|folder| [folder.join("lib"), folder].into_iter().rev()) {
        for path in NAMES.iter().map(|name| folder.join(name)) {
            if path.is_file() {
                return open(&path).map_err(|refusal| refusal.error(&path));
            }
        }
        looked.push(folder.display().to_string());
    }
    for name in NAMES {
        match open(Path::new(name)) {
            Ok(library) => return Ok(library),
            Err(Refusal::NotLoaded(_)) => {}
            Err(refusal) => return Err(refusal.error(Path::new(name))),
        }
    }
    let text = format!(
        "there is no file {} in {}, nor where the system looks for libraries, and the variable {VARIABLE} is not \
         set; {HELP}",
        NAMES.join(" or "),
        looked.join(", ")
    );
    Err(Error::new(ErrorKind::NotFound, text).at("library of ONNX Runtime"))
}

/// The executable's.
fn folder() -> Option<PathBuf> {
    env::current_exe().ok()?.parent().map(Path::to_owned)
}

/// Why a file is not taken.
enum Refusal {
    /// The system cannot load it.
    NotLoaded(String),
    /// It is something else.
    Other(&'static str),
    /// It is too old.
    Old(String),
}

impl Refusal {
    fn error(self, path: &Path) -> Error {
        let path = path.display();
        let text = match self {
            Self::NotLoaded(why) => format!("{path} cannot be loaded: {why}; {HELP}"),
            Self::Other(why) => format!("{path} is not ONNX Runtime: {why}; {HELP}"),
            Self::Old(version) => {
                format!("{path} is ONNX Runtime {version}; 1.{ORT_API_VERSION} or newer is right; {HELP}")
            }
        };
        Error::new(ErrorKind::Unsupported, text).at("library of ONNX Runtime")
    }
}

fn open(path: &Path) -> Result<LoadedLibrary, Refusal> {
    // SAFETY: loading a library runs its initialisers. It is the one that the user named, put beside the executable or installed
    // under this name, and what is asked of it is that it behaves like any library.
    let library = unsafe { Library::new(path) }.map_err(|error| Refusal::NotLoaded(error.to_string()))?;
    // Stays mapped, whatever it is: something in it may already run.
    let library = ManuallyDrop::new(library);
    // SAFETY: ONNX Runtime alone exports this name, and has exported it with this type since its first version.
    let base = unsafe { library.get::<unsafe extern "C" fn() -> *const OrtApiBase>(b"OrtGetApiBase\0") };
    let Ok(base) = base else { return Err(Refusal::Other("it exports no OrtGetApiBase")) };
    // SAFETY: a function without arguments, of the type above; it gives null or a table that lives as long as the library, which
    // stays mapped.
    let Some(base) = (unsafe { base().as_ref() }) else {
        return Err(Refusal::Other("its OrtGetApiBase gives nothing"));
    };
    // SAFETY: the table's functions are the library's; this one takes nothing and gives null or a constant text.
    let text = unsafe { (base.GetVersionString)() };
    if text.is_null() {
        return Err(Refusal::Other("it gives no version"));
    }
    // SAFETY: not null, so a text that ends in a zero, by the interface's documentation.
    let version = unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned();
    if !is_enough(&version) {
        return Err(Refusal::Old(version));
    }
    // SAFETY: the table's function; it takes any number and gives null for a version that it lacks.
    if unsafe { (base.GetApi)(ORT_API_VERSION) }.is_null() {
        return Err(Refusal::Old(version));
    }
    Ok(LoadedLibrary { path: path.to_owned(), version })
}

/// Whether this version has the interface that this crate speaks.
fn is_enough(version: &str) -> bool {
    let mut numbers = version.split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(1)), Some(Ok(minor))) => minor >= ORT_API_VERSION,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        for (version, right) in [
            ("1.24.0", true),
            ("1.31.1", true),
            ("1.100.0-dev", true),
            ("1.23.9", false),
            ("1.3.1", false),
            ("0.99.0", false),
            ("2.31.0", false),
            ("1", false),
            ("", false),
            ("abc", false),
        ] {
            assert_eq!(is_enough(version), right, "{version}");
        }
    }
}
