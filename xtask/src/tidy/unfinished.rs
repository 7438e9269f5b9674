//! Work that was left for later: marks in comments, macros that stop a program, tests that are switched off.

use super::finding::Finding;
use super::token::code;
use super::tree::{File, Tree};

/// Marks that announce work. Put together here so that this file does not hold them.
const MARKS: [&str; 3] = [concat!("FIX", "ME"), concat!("TO", "DO"), concat!("XX", "X")];

/// All findings.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        marks(file, &mut findings);
        if file.is_rust() {
            macros(file, &mut findings);
            ignored(file, &mut findings);
        }
    }
    findings
}

fn marks(file: &File, findings: &mut Vec<Finding>) {
    for (i, line) in file.text.lines().enumerate() {
        let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
        if let Some(mark) = words.find(|word| MARKS.contains(word)) {
            let mend = "do it, or file an issue and say in prose what is missing";
            findings.push(Finding::error(&file.path, i + 1, format!("`{mark}` in a file"), mend));
        }
    }
}

fn macros(file: &File, findings: &mut Vec<Finding>) {
    for pair in code(&file.text).windows(2) {
        let stops = pair[0].is_word("todo") || pair[0].is_word("unimplemented");
        if stops && pair[1].is_mark("!") {
            let what = format!("`{}!` stops the program where it is reached", pair[0].text);
            findings.push(Finding::error(
                &file.path,
                pair[0].line,
                what,
                "write what is missing, or return an error",
            ));
        }
    }
}

fn ignored(file: &File, findings: &mut Vec<Finding>) {
    for window in code(&file.text).windows(4) {
        let [hash, open, ignore, close] = window else { continue };
        if hash.is_mark("#") && open.is_mark("[") && ignore.is_word("ignore") && close.is_mark("]") {
            let mend = "write `#[ignore = \"why, and how to run it\"]`";
            findings.push(Finding::error(
                &file.path,
                ignore.line,
                "a test is ignored without a reason",
                mend,
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [usize; 0] = [];

    fn found(path: &str, text: &str) -> Vec<usize> {
        check(&Tree::of(&[(path, text)])).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn marks_are_found_in_any_text() {
        for mark in MARKS {
            assert_eq!(found("a.py", &format!("x = 1\n# {mark}: later\n")), [2]);
            assert_eq!(found("a.rs", &format!("// {mark}(me) later\n")), [1]);
            assert_eq!(found("a.md", &format!("{mark}ISH words\n")), NONE);
        }
    }

    #[test]
    fn macros_that_stop_are_found_and_names_that_look_like_them_are_not() {
        assert_eq!(found("a.rs", "fn f() {\n    todo!()\n}\nfn g() { unimplemented!(\"later\") }\n"), [2, 4]);
        assert_eq!(found("a.rs", "let todo = 1; // todo!()\nlet a = \"todo!()\";\n"), NONE);
    }

    #[test]
    fn an_ignored_test_needs_a_reason() {
        assert_eq!(found("a.rs", "#[test]\n#[ignore]\nfn slow() {}\n"), [2]);
        assert_eq!(found("a.rs", "#[test]\n#[ignore = \"takes an hour\"]\nfn slow() {}\n"), NONE);
    }
}
