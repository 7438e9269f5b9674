//! Places in the scheduler whose memory ordering can be weakened.

use crate::tidy::token::{Token, shipped};
use crate::tidy::tree::{File, Tree};

/// One ordering, and the weaker one to try in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Site {
    pub(crate) path: String,
    pub(crate) line: usize,
    /// The byte at which the ordering's name begins.
    start: usize,
    /// Whether the name stands alone, so that the weaker one has to be written with its path.
    bare: bool,
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
}

impl Site {
    /// The file's text with the weaker ordering.
    pub(crate) fn apply(&self, text: &str) -> Option<String> {
        let rest = text.get(self.start..)?.strip_prefix(self.from)?;
        let path = if self.bare { "crate::sync::Ordering::" } else { "" };
        Some(format!("{}{path}{}{rest}", text.get(..self.start)?, self.to))
    }
}

/// All sites: in the scheduler's own code, not in its tests and not in the shim.
pub(crate) fn find(tree: &Tree) -> Vec<Site> {
    let ours = |file: &&File| {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        file.is_rust()
            && file.path.starts_with("anira-scheduler/src/")
            && !(name == "tests.rs"
                || file.path.contains("/tests/")
                || name.starts_with("loom_")
                || name.starts_with("shuttle_")
                || name == "sync.rs")
    };
    tree.files.iter().filter(ours).flat_map(in_file).collect()
}

fn in_file(file: &File) -> Vec<Site> {
    let code = shipped(&file.text);
    let mut sites = Vec::new();
    let mut in_use = false;
    for (i, token) in code.iter().enumerate() {
        in_use = (in_use || token.is_word("use")) && !token.is_mark(";");
        if in_use {
            continue;
        }
        for (from, to) in weaker(token, is_fence(&code, i)) {
            let bare = i == 0 || !code[i - 1].is_mark(":");
            sites.push(Site {
                path: file.path.clone(),
                line: token.line,
                start: token.start,
                bare,
                from,
                to,
            });
        }
    }
    sites
}

/// The next weaker orderings: of one with two sides, each side is taken away in turn. A fence may not be relaxed: it becomes one
/// of another direction, or one that takes no part in the single order.
fn weaker(token: &Token<'_>, fence: bool) -> Vec<(&'static str, &'static str)> {
    let orders: [(_, &[_], &[_]); 4] = [
        ("Acquire", &["Relaxed"], &["Release"]),
        ("Release", &["Relaxed"], &["Acquire"]),
        ("AcqRel", &["Acquire", "Release"], &["Acquire", "Release"]),
        ("SeqCst", &["Relaxed"], &["AcqRel"]),
    ];
    let found = orders.into_iter().find(|(from, ..)| token.is_word(from));
    found.map_or(Vec::new(), |(from, access, of_fence)| {
        (if fence { of_fence } else { access }).iter().map(|to| (from, *to)).collect()
    })
}

fn is_fence(code: &[Token<'_>], at: usize) -> bool {
    let mut before = code[..at].iter().rev().skip_while(|t| t.is_mark(":") || t.is_word("Ordering"));
    before.next().is_some_and(|t| t.is_mark("(")) && before.next().is_some_and(|t| t.is_word("fence"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
use crate::sync::Ordering::{Acquire, SeqCst};
fn publish(&self) {
    self.word.store(1, Ordering::Release); // pairs with the Acquire below
    fence(Ordering::SeqCst);
    self.other.load(Acquire);
    self.count.load(Ordering::Relaxed);
}
#[cfg(test)]
mod tests { fn t() { x.load(Acquire) } }
";

    #[test]
    fn orderings_in_code_are_found_and_others_are_not() {
        let tree = Tree::of(&[
            ("anira-scheduler/src/ring/word.rs", TEXT),
            ("anira-scheduler/src/sync.rs", "fn f() { x.load(Acquire) }"),
            ("anira-scheduler/src/ring/tests.rs", "fn f() { x.load(Acquire) }"),
            ("anira-scheduler/src/ring/tests/a.rs", "fn f() { x.load(Acquire) }"),
            ("anira/src/lib.rs", "fn f() { x.load(Acquire) }"),
        ]);
        let sites = find(&tree);
        let seen: Vec<_> = sites.iter().map(|s| (s.line, s.from, s.to)).collect();
        assert_eq!(seen, [(3, "Release", "Relaxed"), (4, "SeqCst", "AcqRel"), (5, "Acquire", "Relaxed")]);
        let weak = sites[2].apply(TEXT).unwrap();
        assert_eq!(weak.lines().nth(4), Some("    self.other.load(crate::sync::Ordering::Relaxed);"));
        assert_eq!(weak.lines().count(), TEXT.lines().count());
        assert_eq!(sites[0].apply("another text"), None);
    }

    #[test]
    fn of_an_ordering_with_two_sides_each_is_taken_away() {
        let text = "fn f() { x.swap(1, Ordering::AcqRel) }";
        let sites = find(&Tree::of(&[("anira-scheduler/src/a.rs", text)]));
        let seen: Vec<_> = sites.iter().map(|s| (s.from, s.to)).collect();
        assert_eq!(seen, [("AcqRel", "Acquire"), ("AcqRel", "Release")]);
    }
}
