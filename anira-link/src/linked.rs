//! The engines that are linked, and where their libraries lie: for the library and for the build script of this package.

use std::env::var_os;
use std::path::PathBuf;

/// An engine whose library is there when a program is built.
pub(crate) struct Linked {
    /// Its Cargo feature.
    pub(crate) feature: &'static str,
    /// What the feature's own state is in this build.
    on: bool,
    /// The variable that says where the library is.
    pub(crate) variable: &'static str,
    /// The folder of the library as seen from there.
    folder: Folder,
}

enum Folder {
    /// What the variable names.
    Named,
    /// A folder in it.
    In(&'static str),
    /// The one that holds the file that the variable names.
    Of,
}

const LINKED: [Linked; 3] = [
    Linked { feature: "torch", on: cfg!(feature = "torch"), variable: "LIBTORCH", folder: Folder::In("lib") },
    Linked {
        feature: "tflite",
        on: cfg!(feature = "tflite"),
        variable: "TFLITEC_PREBUILT_PATH",
        folder: Folder::Of,
    },
    Linked {
        feature: "litert",
        on: cfg!(feature = "litert"),
        variable: "LITERT_LIB_DIR",
        folder: Folder::Named,
    },
];

/// Those whose feature is on.
pub(crate) fn on() -> impl Iterator<Item = Linked> {
    LINKED.into_iter().filter(|engine| engine.on)
}

/// What a variable names, unless it is unset or empty.
pub(crate) fn named(variable: &str) -> Option<PathBuf> {
    var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

impl Linked {
    /// The folder that the variable says the library lies in.
    pub(crate) fn folder(&self) -> Option<PathBuf> {
        let path = named(self.variable)?;
        match self.folder {
            Folder::Named => Some(path),
            Folder::In(folder) => Some(path.join(folder)),
            Folder::Of => path.parent().map(PathBuf::from),
        }
    }
}
