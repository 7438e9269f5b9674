//! The scheduler takes atomics, cells and threads from one file, so that loom can stand in for all of them.

use super::finding::Finding;
use super::token::{Kind, Token, shipped};
use super::tree::{File, Tree};

/// Where the rule holds, and the one file that is meant to break it.
const SCHEDULER: &str = "anira-scheduler/src/";
const SHIM: &str = "anira-scheduler/src/sync.rs";

/// What only the shim may name: these paths and all below them.
const PRIMITIVES: &[&str] =
    &["std::sync", "core::sync", "alloc::sync", "std::thread", "std::cell::UnsafeCell", "loom", "shuttle"];

/// Files that may name one of them all the same, and why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[(
    "anira-scheduler/src/ring/history.rs",
    "std::cell::UnsafeCell",
    "loom cannot see raw slices; a cell of loom's per position stands beside them",
)];

/// All findings.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let scheduler = |file: &&File| file.is_rust() && file.path.starts_with(SCHEDULER) && file.path != SHIM;
    tree.files.iter().filter(scheduler).flat_map(check_file).collect()
}

fn check_file(file: &File) -> Vec<Finding> {
    // Tests with real threads are compiled without loom, models with it alone.
    let name = file.path.rsplit('/').next().unwrap_or_default();
    if name == "tests.rs" || file.path.contains("/tests/") {
        return Vec::new();
    }
    let model = ["loom", "shuttle"].into_iter().find(|tool| name.starts_with(&format!("{tool}_")));
    let excepted =
        |path: &str| EXCEPTIONS.iter().any(|(place, what, _)| file.path == *place && path == *what);
    let code = shipped(&file.text);
    paths(&code)
        .into_iter()
        .filter(|(path, _)| !(excepted(path) || model.is_some_and(|tool| path.starts_with(tool))))
        .filter(|(path, _)| PRIMITIVES.iter().any(|p| path == p || path.starts_with(&format!("{p}::"))))
        .map(|(path, line)| {
            let mend = "take it from crate::sync, or loom does not see it";
            Finding::error(&file.path, line, format!("`{path}` outside of {SHIM}"), mend)
        })
        .collect()
}

/// All paths that begin with `std`, `core`, `alloc`, `loom` or `shuttle`, those in nested `use` groups written out.
fn paths(code: &[Token<'_>]) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < code.len() {
        let root = ["std", "core", "alloc", "loom", "shuttle"].iter().any(|root| code[at].is_word(root));
        if root && !continues(code, at) && separator(code, at + 1) {
            at = path(code, at, String::new(), &mut found);
        } else {
            at += 1;
        }
    }
    found
}

/// Reads the path that begins at `at`, below `prefix`; gives where it ends.
fn path(code: &[Token<'_>], mut at: usize, prefix: String, found: &mut Vec<(String, usize)>) -> usize {
    let mut text = prefix;
    let line = code.get(at).map_or(0, |token| token.line);
    while let Some(token) = code.get(at) {
        if token.is_mark("{") {
            at += 1;
            while code.get(at).is_some_and(|token| !token.is_mark("}")) {
                at = if code[at].is_mark(",") {
                    at + 1
                } else {
                    path(code, at, text.clone(), found).max(at + 1)
                };
            }
            return at + 1;
        }
        if token.kind != Kind::Word && !token.is_mark("*") {
            break;
        }
        if !text.is_empty() {
            text.push_str("::");
        }
        text.push_str(token.text);
        at += 1;
        if !separator(code, at) {
            break;
        }
        at += 2;
    }
    found.push((text, line));
    at
}

/// Whether a longer path leads here, as in `crate::loom::model`.
fn continues(code: &[Token<'_>], at: usize) -> bool {
    let Some(before) = at.checked_sub(3).filter(|before| separator(code, before + 1)) else { return false };
    code[before].kind == Kind::Word && !code[before].is_word("use")
}

fn separator(code: &[Token<'_>], at: usize) -> bool {
    code.get(at).is_some_and(|token| token.is_mark(":"))
        && code.get(at + 1).is_some_and(|token| token.is_mark(":"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [usize; 0] = [];

    fn found(path: &str, text: &str) -> Vec<usize> {
        check(&Tree::of(&[(path, text)])).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn every_way_to_name_a_primitive_is_found() {
        for bad in [
            "use std::sync::atomic::AtomicUsize;",
            "use std::sync::Arc;",
            "use std::{fmt, sync::{Arc, Mutex}};",
            "use std::{thread, time::Duration};",
            "use ::std::thread;",
            "fn f() { std::thread::yield_now() }",
            "fn f() { core::sync::atomic::fence(x) }",
            "use std::cell::{Cell, UnsafeCell};",
            "use loom::sync::Arc;",
            "fn f() { loom::model(|| {}) }",
            "use std::sync::*;",
        ] {
            assert!(!found("anira-scheduler/src/ring/cell.rs", bad).is_empty(), "{bad}");
        }
        assert_eq!(found("anira-scheduler/src/a.rs", "\nuse std::{\n    fmt,\n    sync::Arc,\n};"), [4]);
    }

    #[test]
    fn models_name_loom_and_tests_with_real_threads_the_real_ones() {
        assert_eq!(found("anira-scheduler/src/ring/loom_ring.rs", "use loom::thread;"), NONE);
        assert_eq!(found("anira-scheduler/src/ring/loom_ring.rs", "use std::thread;"), [1]);
        assert_eq!(found("anira-scheduler/src/ring/shuttle_ring.rs", "use shuttle::thread;"), NONE);
        assert_eq!(found("anira-scheduler/src/ring/shuttle_ring.rs", "use loom::thread;"), [1]);
        assert_eq!(found("anira-scheduler/src/ring/tests.rs", "use std::thread;"), NONE);
        assert_eq!(found("anira-scheduler/src/pool/tests/crew.rs", "use std::thread;"), NONE);
    }

    #[test]
    fn the_shim_other_crates_and_harmless_names_are_let_be() {
        let bad = "use std::sync::Arc;";
        assert_eq!(found("anira-scheduler/src/sync.rs", bad), NONE);
        assert_eq!(found("anira/src/handler.rs", bad), NONE);
        for good in [
            "use crate::sync::Arc;",
            "use std::{fmt, time::Duration};",
            "use std::syncopation::Arc;",
            "#[cfg(loom)] mod tests;",
            "// std::sync::Arc",
            "use std::cell::Cell;",
            "fn f() { let std = 1; let x: Vec::<u8> = a; }",
            "fn f() { crate::loom::model() }",
            "#[cfg(all(test, not(loom)))]\nmod tests { use std::thread; }",
        ] {
            assert_eq!(found("anira-scheduler/src/a.rs", good), NONE, "{good}");
        }
    }
}
