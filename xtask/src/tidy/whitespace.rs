//! Line endings, ends of lines, ends of files.

use super::finding::Finding;
use super::tree::Tree;

/// All findings, one per file and kind.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| !file.text.is_empty()) {
        let mut first = |bad: fn(&str) -> bool, what: &str, mend: &str| {
            if let Some(line) = file.text.split('\n').position(bad) {
                findings.push(Finding::error(&file.path, line + 1, what, mend));
            }
        };
        first(|line| line.contains('\r'), "a carriage return", "end lines with a line feed alone");
        let ends_blank = |line: &str| line.trim_end_matches('\r').ends_with([' ', '\t']);
        first(ends_blank, "blanks at the end of a line", "remove them");
        if !file.text.ends_with('\n') {
            let lines = file.text.lines().count();
            findings.push(Finding::error(&file.path, lines, "no line feed at the end", "end the last line"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [(usize, String); 0] = [];

    #[test]
    fn bad_endings_are_found_where_they_begin() {
        let found = |text| {
            let findings = check(&Tree::of(&[("a.md", text)]));
            findings.into_iter().map(|finding| (finding.line, finding.what)).collect::<Vec<_>>()
        };
        assert_eq!(found("a\nb\n"), NONE);
        assert_eq!(found(""), NONE);
        assert_eq!(found("a\nb\r\nc\r\n"), [(2, "a carriage return".to_owned())]);
        assert_eq!(found("a\nb \n"), [(2, "blanks at the end of a line".to_owned())]);
        assert_eq!(found("a\nb"), [(2, "no line feed at the end".to_owned())]);
    }
}
