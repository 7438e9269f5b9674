//! What the documents promise: first commands that work, verbs that exist, links that lead somewhere.

use clap::CommandFactory;

use super::finding::Finding;
use super::tree::{File, Tree};
use crate::Cli;

/// What the README tells a newcomer to type.
const FIRST: [&str; 2] = ["cargo run --release -- process ", "cargo xtask test"];

/// All findings.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let command = Cli::command();
    let verbs: Vec<_> = command.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    let mut findings = first_commands(tree);
    for file in tree.files.iter().filter(|file| file.is_markdown()) {
        for (i, line) in file.text.lines().enumerate() {
            unknown_verbs(file, i + 1, line, &verbs, &mut findings);
            dead_links(tree, file, i + 1, line, &mut findings);
        }
    }
    findings
}

fn first_commands(tree: &Tree) -> Vec<Finding> {
    let text = tree.file("README.md").map_or("", |file| &file.text);
    let mut findings = Vec::new();
    for command in FIRST {
        let Some((i, line)) = text.lines().enumerate().find(|(_, line)| line.trim().starts_with(command))
        else {
            let mend = format!("show `{}` on a line of its own", command.trim_end());
            findings.push(Finding::error("README.md", 1, "a first command is missing", mend));
            continue;
        };
        // The last file is the one that the command writes.
        let mut files: Vec<_> = line.split_whitespace().skip(5).collect();
        files.pop();
        for file in files.into_iter().filter(|file| !tree.has(file)) {
            let what = format!("a first command reads {file}, which does not exist");
            findings.push(Finding::error(
                "README.md",
                i + 1,
                what,
                "commit the file, or name one that exists",
            ));
        }
    }
    findings
}

fn unknown_verbs(file: &File, number: usize, line: &str, verbs: &[String], findings: &mut Vec<Finding>) {
    for (at, call) in line.match_indices("cargo xtask ") {
        let rest = &line[at + call.len()..];
        let verb: String = rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
        if !verb.is_empty() && !verb.starts_with('-') && !verbs.contains(&verb) {
            let what = format!("`cargo xtask {verb}` does not exist");
            let mend = format!("the verbs are {}", verbs.join(", "));
            findings.push(Finding::error(&file.path, number, what, mend));
        }
    }
}

fn dead_links(tree: &Tree, file: &File, number: usize, line: &str, findings: &mut Vec<Finding>) {
    for (at, open) in line.match_indices("](") {
        let rest = &line[at + open.len()..];
        let Some((link, _)) = rest.split_once(')') else { continue };
        let target = link.split(['#', ' ']).next().unwrap_or("");
        if target.is_empty() || target.contains(':') {
            continue;
        }
        // Rust's own names are rustdoc's to check.
        if !target.contains(['/', '.']) || target.contains("::") {
            continue;
        }
        let directory = file.path.rsplit_once('/').map_or("", |(directory, _)| directory);
        if !resolve(directory, target).is_some_and(|path| tree.has(&path)) {
            let what = format!("the link to {target} leads nowhere");
            findings.push(Finding::error(&file.path, number, what, "name a file of the repository"));
        }
    }
}

/// A path relative to a directory; `None` if it leaves the repository.
fn resolve(directory: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = directory.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/').filter(|part| !part.is_empty()) {
        match part {
            "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [(String, usize); 0] = [];

    const README: &str = "\
# anira

    cargo run --release -- process models/a.onnx samples/b.wav out.wav
    cargo xtask test
";

    fn found(files: &[(&str, &str)]) -> Vec<(String, usize)> {
        check(&Tree::of(files)).into_iter().map(|finding| (finding.what, finding.line)).collect()
    }

    #[test]
    fn first_commands_have_to_be_there_and_to_find_their_files() {
        let (model, sound) = (("models/a.onnx", ""), ("samples/b.wav", ""));
        assert_eq!(found(&[("README.md", README), model, sound]), NONE);
        let missing = "a first command reads samples/b.wav, which does not exist".to_owned();
        assert_eq!(found(&[("README.md", README), model]), [(missing, 3)]);
        assert_eq!(found(&[("README.md", "# anira\n")]).len(), 2);
    }

    #[test]
    fn verbs_and_links_of_any_document_have_to_exist() {
        let page = "\
Run `cargo xtask tidy`, then `cargo xtask polish`, or `cargo xtask <verb>`.
See [tests](testing.md#loom), [home](../README.md), [site](https://example.org), [`Vec`](Vec), [type](crate::A).
See [nothing](nowhere.md) and [outside](../../x.md).
";
        let files = [
            ("README.md", README),
            ("models/a.onnx", ""),
            ("samples/b.wav", ""),
            ("docs/testing.md", "# tests\n"),
            ("docs/page.md", page),
        ];
        let right = [
            ("`cargo xtask polish` does not exist".to_owned(), 1),
            ("the link to nowhere.md leads nowhere".to_owned(), 3),
            ("the link to ../../x.md leads nowhere".to_owned(), 3),
        ];
        assert_eq!(found(&files), right);
    }
}
