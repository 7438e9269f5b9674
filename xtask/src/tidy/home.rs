//! Paths that exist on one person's machine only.

use super::finding::Finding;
use super::tree::Tree;

/// Directories that hold people's own.
const HOMES: [&str; 3] = ["home", "Users", "root"];

/// All findings.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        for (i, line) in file.text.lines().enumerate() {
            if let Some(home) = HOMES.into_iter().find(|home| names_a_home(line, home)) {
                let what = format!("an absolute path below /{home}");
                findings.push(Finding::error(
                    &file.path,
                    i + 1,
                    what,
                    "use a path relative to the repository",
                ));
            }
        }
    }
    findings
}

/// Whether the line holds a path like `/home/…` with somebody's name, not as the tail of a longer path or address.
fn names_a_home(line: &str, home: &str) -> bool {
    let unix = format!("/{home}/");
    let windows = format!(":\\{home}\\");
    let starts = |(at, _): (usize, &str)| {
        let before = line[..at].chars().next_back();
        let after = line[at + unix.len()..].chars().next();
        !before.is_some_and(|c| c.is_alphanumeric() || "._-/~}".contains(c))
            && after.is_some_and(|c| c.is_alphanumeric() || "._-".contains(c))
    };
    line.match_indices(&unix).any(starts) || line.contains(&windows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebodys_directory_is_found_and_an_address_is_not() {
        let found = |line: &str| !check(&Tree::of(&[("a.md", line)])).is_empty();
        for home in HOMES {
            assert!(found(&format!("see /{home}/ada/anira/target")));
            assert!(found(&format!("path = \"/{home}/ada\"")));
            assert!(found(&format!("C:\\{home}\\ada")));
            assert!(!found(&format!("https://example.org/{home}/ada")));
            assert!(!found(&format!("below /{home} or $X/{home}/")));
        }
    }
}
