//! Where `unsafe` may stand, and that each use says why it is sound.

use super::finding::Finding;
use super::token::{Kind, Token, code, tokens};
use super::tree::{File, Tree};

/// Files, or directories ending in a slash, that may hold `unsafe`, and what they need it for.
const PLACES: &[(&str, &str)] = &[
    ("anira-traits/src/backend.rs", "declares the marker trait `RealtimeSafe`"),
    ("anira-backend-custom/src/bypass.rs", "gives the marker to the bypass, which only copies"),
    ("anira-backend-custom/src/combine/promise.rs", "gives the marker to combinators of what has it"),
    ("anira-backend-custom/src/native/engine.rs", "gives the marker to small networks"),
    ("anira-backend-custom/src/native/lanes/avx2.rs", "the processor's vectors, after asking for them"),
    ("anira-backend-custom/src/native/lanes/neon.rs", "the processor's vectors, part of every target there"),
    ("anira-backend-custom/src/either.rs", "hands the marker on to two engines as one"),
    ("anira-backend-torch/src/tensor.rs", "reads and writes LibTorch's own memory in place"),
    ("tests/src/quick.rs", "gives the marker to engines of tests, which stand in for cheap ones"),
    ("anira-backend-onnx/src/onnxruntime/library.rs", "asks a library whether it is ONNX Runtime"),
    ("anira-backend-onnx/src/onnxruntime/raw.rs", "runs without a list of outputs, reads booleans as bytes"),
    ("anira-cli/src/environment.rs", "sets variables before there is a second thread"),
    ("anira-backend-tflite/src/memory.rs", "sees an engine's bytes as numbers"),
    ("anira-backend-tflite/src/tflite/ffi.rs", "calls TensorFlow Lite's C library"),
    ("anira-backend-tflite/src/litert/ffi.rs", "calls LiteRT's C library"),
    ("anira-backend-tflite/src/litert/keep.rs", "keeps LiteRT's library mapped"),
    ("bench/src/nets/peak.rs", "a loop for processors with FMA, after asking for it"),
    ("anira-realtime/src/alloc.rs", "an allocator that counts and forwards"),
    ("anira-realtime/src/denormals.rs", "the processor's flush-to-zero bit"),
    ("anira-realtime/src/sanitizer.rs", "calls RealtimeSanitizer's runtime, in builds that have it"),
    ("anira-scheduler/src/clock.rs", "reads the C library's clock"),
    ("tests/alone/tflite.rs", "calls TensorFlow Lite's C library, to compare"),
    ("tests/alone/litert.rs", "calls LiteRT's C library, to compare"),
    ("tests/tests/syscalls/trace.rs", "asks the kernel what a thread asks of it"),
    ("anira-intercept/src/linux/filter.rs", "installs a filter of system calls, reads what it reports"),
    ("anira-intercept/src/linux/hook.rs", "stands in for functions of the C library"),
    ("anira-intercept/tests/planted.rs", "does what a library in C would, to be counted"),
    ("anira-intercept/tests/first.rs", "opens a library as a program in C would"),
    ("tests/plugin/src/lib.rs", "a plugin's C interface"),
    ("tests/plugin/src/wrong.rs", "a thread that nobody joins, as a control"),
    ("tests/tests/fork/child.rs", "forks"),
    ("tests/tests/unload/module.rs", "loads, calls and unloads a plugin"),
    ("anira-scheduler/src/system/thread.rs", "starts threads by the system's own call"),
    ("anira-scheduler/src/system/module.rs", "keeps a module loaded under a thread that did not come back"),
    ("anira-scheduler/src/system/origin.rs", "asks the kernel to hand forks an empty page"),
    ("anira-scheduler/src/ring/", "slots that change their owner by an atomic word"),
];

/// All findings.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    check_with(tree, PLACES)
}

fn check_with(tree: &Tree, places: &[(&str, &str)]) -> Vec<Finding> {
    let rust = || tree.files.iter().filter(|file| file.is_rust());
    let mut findings: Vec<_> = rust().flat_map(|file| check_file(file, places)).collect();
    for (place, reason) in places {
        let used = |file: &File| {
            lies_in(file, place) && code(&file.text).iter().any(|token| token.is_word("unsafe"))
        };
        if !rust().any(used) {
            let mend = "take it off PLACES in xtask/src/tidy/unsafety.rs";
            let what = format!("the list allows `unsafe` here ({reason}), and there is none");
            findings.push(Finding::error(place, 1, what, mend));
        }
    }
    findings
}

/// Whether the file is the listed one, or below the listed directory.
fn lies_in(file: &File, place: &str) -> bool {
    if place.ends_with('/') { file.path.starts_with(place) } else { file.path == place }
}

fn check_file(file: &File, places: &[(&str, &str)]) -> Vec<Finding> {
    let tokens = tokens(&file.text);
    let allowed = places.iter().any(|(place, _)| lies_in(file, place));
    let mut findings = Vec::new();
    for (i, token) in tokens.iter().enumerate().filter(|(_, token)| token.is_word("unsafe")) {
        if !allowed {
            findings.push(Finding::error(
                &file.path,
                token.line,
                "`unsafe` in a file that is not on the list",
                "write it safely, or add the file to PLACES in xtask/src/tidy/unsafety.rs with the reason",
            ));
        } else if needs_reason(&tokens, i) && !has_reason(&tokens, i) {
            findings.push(Finding::error(
                &file.path,
                token.line,
                "`unsafe` without a reason",
                "put a comment `// SAFETY: …` right above, with the fact that makes it sound",
            ));
        }
    }
    findings
}

/// Blocks and impls promise something; `unsafe fn` and `unsafe trait` ask for it, and rustdoc's `# Safety` says what.
fn needs_reason(tokens: &[Token<'_>], at: usize) -> bool {
    let next = tokens[at + 1..].iter().find(|token| token.kind != Kind::Comment);
    next.is_some_and(|token| token.is_mark("{") || token.is_word("impl"))
}

/// Whether a comment between the start of the statement and the keyword gives the reason.
fn has_reason(tokens: &[Token<'_>], at: usize) -> bool {
    tokens[..at]
        .iter()
        .rev()
        .take_while(|token| !["{", "}", ";"].iter().any(|mark| token.is_mark(mark)))
        .any(|token| token.kind == Kind::Comment && token.text.contains("SAFETY:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [usize; 0] = [];

    const HERE: &[(&str, &str)] = &[("a/src/ring/", "ring"), ("a/src/one.rs", "one")];

    fn lines(path: &str, text: &str) -> Vec<usize> {
        let file = File { path: path.into(), text: text.into() };
        check_file(&file, HERE).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn unsafe_outside_the_list_is_found() {
        let text = "fn a() {}\n// SAFETY: it is\nunsafe impl Send for A {}\n";
        assert_eq!(lines("a/src/two.rs", text), [3]);
        assert_eq!(lines("a/src/one.rs.rs", text), [3]);
        assert_eq!(lines("a/src/one.rs", text), NONE);
        assert_eq!(lines("a/src/ring/cell.rs", text), NONE);
    }

    #[test]
    fn an_entry_of_the_list_that_nothing_needs_is_found() {
        let tree = Tree::of(&[("a/src/one.rs", "unsafe trait A {}\n"), ("a/src/ring/b.rs", "// unsafe\n")]);
        let found: Vec<_> = check_with(&tree, HERE).into_iter().map(|finding| finding.path).collect();
        assert_eq!(found, ["a/src/ring/"]);
    }

    #[test]
    fn a_block_without_its_reason_is_found() {
        let bad = "fn f() {\n    // SAFETY: the first is\n    unsafe { a() };\n    unsafe { b() };\n}\n";
        assert_eq!(lines("a/src/one.rs", bad), [4]);
        assert_eq!(lines("a/src/one.rs", "struct A;\n\nunsafe impl Send for A {}\n"), [3]);
    }

    #[test]
    fn the_reason_may_stand_above_the_statement_and_above_attributes() {
        let good = "\
fn f() -> u8 {
    // SAFETY: one line
    #[allow(unused)]
    let a =
        unsafe { a() };
    // SAFETY: two lines,
    // of which this is the second
    unsafe { b() }
}
/// # Safety
/// The caller knows.
unsafe fn g() {}
";
        assert_eq!(lines("a/src/one.rs", good), NONE);
    }

    #[test]
    fn mentions_are_no_use() {
        assert_eq!(
            lines("x.rs", "// unsafe\nconst A: &str = \"unsafe { }\";\n#[allow(unsafe_code)]\nfn f() {}"),
            NONE
        );
    }
}
