//! A file that is either whole or not there: written beside its place, then renamed.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use anira::{Error, ErrorKind, Result};
use tempfile::NamedTempFile;

/// A file in the making. Dropped before [`finish`](Self::finish) it leaves nothing behind, and an existing file as it was.
pub(crate) struct WholeFile {
    target: PathBuf,
    part: NamedTempFile,
}

impl WholeFile {
    /// Starts a file in the folder of `target`. Links are followed; only plain, writable files are replaced, so that a
    /// device stays one.
    ///
    /// # Errors
    /// `Io` or `NotFound` with the path.
    pub(crate) fn create(target: &Path) -> Result<Self> {
        create(target).map_err(|error| error.at(target.display().to_string()))
    }

    /// A handle to write through.
    pub(crate) fn handle(&self) -> Result<File> {
        self.part.as_file().try_clone().map_err(|error| Error::from(error).at(self.name()))
    }

    /// The path, for messages.
    pub(crate) fn name(&self) -> String {
        self.target.display().to_string()
    }

    /// Puts it in its place, replacing what was there.
    ///
    /// # Errors
    /// `Io` with the path; what was there is then still there.
    pub(crate) fn finish(self) -> Result<()> {
        let name = self.name();
        let at = |error: std::io::Error| Error::from(error).at(name);
        if let Err(error) = self.part.as_file().sync_all() {
            return Err(at(error));
        }
        self.part.persist(&self.target).map(drop).map_err(|failed| at(failed.error))
    }

    /// Writes all of it and puts it in its place.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    pub(crate) fn finish_with(mut self, contents: &[u8]) -> Result<()> {
        let written = self.part.write_all(contents);
        written.map_err(|error| Error::from(error).at(self.name()))?;
        self.finish()
    }
}

fn create(target: &Path) -> Result<WholeFile> {
    let target = replaceable(target)?;
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".anira-").suffix(".part");
    // What any new file gets, less the user's mask; a temporary file alone would be for its owner only.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let part = builder.tempfile_in(folder).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            Error::new(ErrorKind::NotFound, "its folder does not exist; make it first")
        }
        _ => Error::new(ErrorKind::Io, format!("cannot be written: {error}")),
    })?;
    Ok(WholeFile { target, part })
}

fn replaceable(target: &Path) -> Result<PathBuf> {
    let refuse = |message: &'static str| Err(Error::new(ErrorKind::Io, message));
    let Ok(existing) = target.metadata() else { return Ok(target.to_owned()) };
    if existing.is_dir() {
        return refuse("is a folder; name the file to write");
    }
    if !existing.is_file() {
        return refuse("is not a plain file; name the file to write");
    }
    if existing.permissions().readonly() {
        return refuse("is there and is read-only; name another file, or make it writable");
    }
    Ok(target.canonicalize()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        names.into_iter().map(|n| n.into_string().unwrap()).collect()
    }

    #[test]
    fn what_is_not_finished_leaves_no_trace() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a.txt");
        std::fs::write(&target, "old").unwrap();
        let file = WholeFile::create(&target).unwrap();
        file.handle().unwrap().write_all(b"half").unwrap();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "old");
        drop(file);
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "old");
        assert_eq!(names(folder.path()), ["a.txt"]);
        WholeFile::create(&target).unwrap().finish_with(b"new").unwrap();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "new");
        assert_eq!(names(folder.path()), ["a.txt"]);
    }

    #[test]
    fn only_plain_writable_files_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |path: &Path| WholeFile::create(path).err().unwrap().to_string();
        assert!(refused(folder.path()).contains("is a folder"));
        assert!(refused(&folder.path().join("no/a.txt")).contains("no/a.txt: its folder does not exist"));
        let fixed = folder.path().join("fixed");
        std::fs::write(&fixed, "old").unwrap();
        let mut permissions = fixed.metadata().unwrap().permissions();
        permissions.set_readonly(true);
        std::fs::set_permissions(&fixed, permissions).unwrap();
        assert!(refused(&fixed).contains("read-only"));
    }

    #[cfg(unix)]
    #[test]
    fn devices_stay_links_are_followed_and_the_mode_is_a_files() {
        use std::os::unix::fs::PermissionsExt;
        let refused = WholeFile::create(Path::new("/dev/null")).err().unwrap().to_string();
        assert!(refused.contains("/dev/null: is not a plain file"), "{refused}");
        let folder = tempfile::tempdir().unwrap();
        let (plain, link) = (folder.path().join("plain"), folder.path().join("link"));
        std::fs::write(&plain, "old").unwrap();
        let mode = plain.metadata().unwrap().permissions().mode();
        std::os::unix::fs::symlink(&plain, &link).unwrap();
        WholeFile::create(&link).unwrap().finish_with(b"new").unwrap();
        assert_eq!(std::fs::read_to_string(&plain).unwrap(), "new");
        assert!(link.is_symlink());
        assert_eq!(plain.metadata().unwrap().permissions().mode(), mode);
    }
}
