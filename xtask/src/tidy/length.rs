//! How long a Rust file may be.

use super::finding::Finding;
use super::tree::Tree;

/// Lines above which a file is told, and above which it has to be split.
const LONG: usize = 600;
const TOO_LONG: usize = 800;

/// All findings.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let lengths =
        tree.files.iter().filter(|file| file.is_rust()).map(|file| (file, file.text.lines().count()));
    lengths
        .filter(|(_, lines)| *lines > LONG)
        .map(|(file, lines)| {
            let mend = format!("give each responsibility a file of its own; {TOO_LONG} lines are the limit");
            let finding = Finding::error(&file.path, lines, format!("{lines} lines"), mend);
            if lines > TOO_LONG { finding } else { finding.warning() }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::finding::Weight;
    use super::*;

    #[test]
    fn long_files_are_told_and_longer_ones_refused() {
        let weight = |lines: usize| {
            check(&Tree::of(&[("a.rs", &"//\n".repeat(lines))])).first().map(|finding| finding.weight)
        };
        assert_eq!(weight(600), None);
        assert_eq!(weight(601), Some(Weight::Warning));
        assert_eq!(weight(800), Some(Weight::Warning));
        assert_eq!(weight(801), Some(Weight::Error));
    }
}
