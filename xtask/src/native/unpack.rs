//! Takes out of a download what is needed: of a wheel, or of a crate's source.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use zip::ZipArchive;

/// Takes files and directories out of a zip archive, from → to below `folder`.
pub(crate) fn zip(archive: &Path, take: &[(&str, &str)], folder: &Path) -> Result<()> {
    let context = || format!("{} cannot be unpacked", archive.display());
    let mut zip = ZipArchive::new(File::open(archive).with_context(context)?).with_context(context)?;
    let mut taken = vec![false; take.len()];
    for i in 0..zip.len() {
        let mut member = zip.by_index(i).with_context(context)?;
        if member.is_dir() {
            continue;
        }
        // A name that leads out of the folder is nothing that a wheel has.
        let Some(name) = member.enclosed_name().map(|name| name.to_string_lossy().replace('\\', "/")) else {
            continue;
        };
        for ((from, to), taken) in take.iter().zip(&mut taken) {
            let Some(to) = target(&name, from, to) else { continue };
            *taken = true;
            let to = make_room(folder, &to)?;
            io::copy(&mut member, &mut File::create(&to)?).with_context(context)?;
            break;
        }
    }
    match take.iter().zip(taken).find(|(_, taken)| !taken) {
        None => Ok(()),
        Some(((from, _), _)) => bail!("{} holds no {from}", archive.display()),
    }
}

/// Takes files out of a directory, from → to below `folder`.
pub(crate) fn source(directory: &Path, take: &[(&str, &str)], folder: &Path) -> Result<()> {
    for (from, to) in take {
        if let Some((archive, member)) = from.split_once('!') {
            zip(&directory.join(archive), &[(member, to)], folder)?;
            continue;
        }
        let from = directory.join(from);
        fs::copy(&from, make_room(folder, to)?)
            .with_context(|| format!("{} cannot be copied", from.display()))?;
    }
    Ok(())
}

/// Where a member goes, if it is the wanted one or in the wanted directory.
fn target(name: &str, from: &str, to: &str) -> Option<String> {
    let rest = name.strip_prefix(from)?;
    let fits = if from.ends_with('/') { !rest.is_empty() } else { rest.is_empty() };
    fits.then(|| format!("{to}{rest}"))
}

/// The path below the folder, its directory made.
fn make_room(folder: &Path, name: &str) -> Result<PathBuf> {
    let path = folder.join(name);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(|| format!("{} cannot be made", parent.display()))?;
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::write::SimpleFileOptions;

    use super::*;

    fn archive(at: &Path, members: &[(&str, &str)]) {
        let mut zip = zip::ZipWriter::new(File::create(at).unwrap());
        for (name, text) in members {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        }
        zip.finish().unwrap();
    }

    #[test]
    fn what_is_named_is_taken_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (wheel, out) = (folder.path().join("a.whl"), folder.path().join("out"));
        archive(
            &wheel,
            &[("a/lib/x.so", "X"), ("a/lib/x.so.1", "1"), ("a/inc/b/c.h", "C"), ("a/py.py", "P")],
        );
        zip(&wheel, &[("a/lib/x.so", "lib/x.so"), ("a/inc/", "include/")], &out).unwrap();
        assert_eq!(fs::read_to_string(out.join("lib/x.so")).unwrap(), "X");
        assert_eq!(fs::read_to_string(out.join("include/b/c.h")).unwrap(), "C");
        assert_eq!(fs::read_dir(&out).unwrap().count() + fs::read_dir(out.join("lib")).unwrap().count(), 3);
        let error = zip(&wheel, &[("a/lib/y.so", "lib/y.so")], &out).unwrap_err().to_string();
        assert!(error.contains("holds no a/lib/y.so"), "{error}");
    }

    #[test]
    fn a_source_may_hold_an_archive_and_names_never_lead_out() {
        let folder = tempfile::tempdir().unwrap();
        let (source_folder, out) = (folder.path().join("source"), folder.path().join("out"));
        fs::create_dir_all(&source_folder).unwrap();
        archive(&source_folder.join("res.zip"), &[("../../evil", "E"), ("lib.so", "L")]);
        fs::write(source_folder.join("h.h"), "H").unwrap();
        source(&source_folder, &[("res.zip!lib.so", "lib/lib.so"), ("h.h", "include/h.h")], &out).unwrap();
        assert_eq!(fs::read_to_string(out.join("lib/lib.so")).unwrap(), "L");
        assert_eq!(fs::read_to_string(out.join("include/h.h")).unwrap(), "H");
        assert!(zip(&source_folder.join("res.zip"), &[("../../evil", "evil")], &out).is_err());
        assert!(!out.join("evil").exists());
    }
}
