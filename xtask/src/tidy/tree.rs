//! The files of the repository: all names, and the text of those that people write.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use ignore::WalkBuilder;

/// Endings of files that people write; others (models, sound, arrays, plots) are known by name alone.
const TEXT: &[&str] =
    &["rs", "md", "toml", "py", "sh", "yml", "yaml", "json", "txt", "html", "css", "js", "h", "c", "cpp"];

/// A file of the repository.
#[derive(Debug)]
pub(crate) struct File {
    /// Below the root, with forward slashes.
    pub(crate) path: String,
    /// Empty for files that nobody writes by hand.
    pub(crate) text: String,
}

impl File {
    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    pub(crate) fn is_markdown(&self) -> bool {
        self.path.ends_with(".md")
    }
}

/// All files, without those that a .gitignore leaves out.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) files: Vec<File>,
}

impl Tree {
    /// Reads the repository at `root`.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let mut files = Vec::new();
        let mut walk = WalkBuilder::new(root);
        walk.hidden(false)
            .require_git(false)
            .ignore(false)
            .git_global(false)
            .git_exclude(false)
            .parents(false);
        walk.filter_entry(|entry| entry.file_name() != ".git");
        for entry in walk.build() {
            let entry = entry.context("the repository cannot be listed")?;
            if !entry.file_type().is_some_and(|kind| kind.is_file()) {
                continue;
            }
            let path = entry.path();
            let name = path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/");
            let text = if is_text(&name) {
                fs::read_to_string(path).with_context(|| format!("{name} cannot be read as UTF-8 text"))?
            } else {
                String::new()
            };
            files.push(File { path: name, text });
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { files })
    }

    /// A repository made up for a test.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let file = |&(path, text): &(&str, &str)| File { path: path.into(), text: text.into() };
        Self { files: files.iter().map(file).collect() }
    }

    /// The file of this name.
    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Whether there is a file or a directory of this name.
    pub(crate) fn has(&self, path: &str) -> bool {
        let directory = format!("{}/", path.trim_end_matches('/'));
        self.files.iter().any(|file| file.path == path || file.path.starts_with(&directory))
    }
}

fn is_text(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name.rsplit_once('.') {
        Some((stem, ending)) if !stem.is_empty() => TEXT.contains(&ending),
        // Licences, scripts and dot files have no ending.
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_told_from_what_nobody_writes() {
        for text in ["README.md", ".ci/run", "LICENSE-MIT", ".gitignore", "a/b.rs", ".cargo/config.toml"] {
            assert!(is_text(text), "{text}");
        }
        for other in
            ["models/gain.onnx", "samples/guitar.wav", "tests/golden/x.npy", "plot.svg", "Cargo.lock"]
        {
            assert!(!is_text(other), "{other}");
        }
    }

    #[test]
    fn directories_are_known_by_what_is_in_them() {
        let tree = Tree::of(&[("docs/testing.md", "")]);
        assert!(tree.has("docs") && tree.has("docs/") && tree.has("docs/testing.md"));
        assert!(!tree.has("doc") && !tree.has("docs/testing"));
    }
}
