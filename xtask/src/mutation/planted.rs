//! Faults that the scheduler's authors planted: each has a name in the code and a model that has to notice it.

use std::fs;

use anyhow::{Context, Result, bail};

use super::model::{Models, Verdict};
use crate::call::Call;
use crate::tally::Tally;
use crate::tidy::token::{Kind, code};
use crate::tidy::tree::Tree;
use crate::workspace::Workspace;
use crate::{loom, shuttle};

/// One fault a line: its name, the model that has to fail, and `shuttle` if random schedules have to show it too. Lines that
/// begin with # are for people.
const LIST: &str = "anira-scheduler/mutations.txt";

/// A line of the list.
#[derive(Debug, PartialEq, Eq)]
struct Fault<'a> {
    line: usize,
    name: &'a str,
    model: &'a str,
    shuttle: bool,
}

/// Runs the models as they are, then each listed one with its fault.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    loom::run(workspace, &mut Tally::default())?;
    let tree = Tree::read(&workspace.root)?;
    let faults = parse(list(&tree)?)?;
    let listed: Vec<_> = faults.iter().map(|fault| fault.name).collect();
    if let Some((path, line, name)) =
        planted(&tree).into_iter().find(|(.., name)| !listed.contains(&name.as_str()))
    {
        bail!(
            "{path}:{line}: the fault `{name}` is not listed; add it to {LIST} with the model that notices it"
        );
    }
    let call = loom::call(workspace, &loom::target(workspace));
    judge(workspace, call, &faults, |fault| fault.model)
}

/// Runs shuttle's tests as they are, then with each fault of which the list says that they show it.
pub(crate) fn run_under_shuttle(workspace: &Workspace, iterations: u64) -> Result<()> {
    shuttle::run(workspace, iterations, &mut Tally::default())?;
    let tree = Tree::read(&workspace.root)?;
    let mut faults = parse(list(&tree)?)?;
    faults.retain(|fault| fault.shuttle);
    judge(workspace, shuttle::call(workspace), &faults, |_| shuttle::TESTS)
}

fn list(tree: &Tree) -> Result<&str> {
    let file = tree.file(LIST).with_context(|| format!("{LIST} does not exist; it lists the faults"))?;
    Ok(file.text.as_str())
}

/// Builds by `call` and sees that the tests which `filter` names fail, for each fault.
fn judge(
    workspace: &Workspace,
    call: Call,
    faults: &[Fault<'_>],
    filter: impl for<'f> Fn(&Fault<'f>) -> &'f str,
) -> Result<()> {
    let place = workspace.target.join("mutations");
    fs::create_dir_all(&place).with_context(|| format!("{} cannot be made", place.display()))?;
    let models = Models::build(call, &workspace.root, place.join("output.txt"))?;
    let mut missed = 0;
    for fault in faults {
        let (Fault { line, name, .. }, model) = (fault, filter(fault));
        let said = match models.judge(model, Some(name))? {
            Verdict::Caught(by) => format!("caught by {by}"),
            Verdict::Endless => format!("caught: {model} no longer ends"),
            Verdict::Survived => {
                missed += 1;
                format!("MISSED: {model} passes all the same")
            }
            Verdict::NoModel => {
                missed += 1;
                format!("MISSED: there is no model {model}")
            }
        };
        println!("{LIST}:{line}: {name}: {said}");
    }
    if missed > 0 {
        bail!("{missed} of {} planted faults are not noticed; sharpen the models named above", faults.len());
    }
    println!("all {} planted faults are noticed", faults.len());
    Ok(())
}

fn parse(text: &str) -> Result<Vec<Fault<'_>>> {
    let mut faults: Vec<Fault<'_>> = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let words: Vec<_> = line.split_whitespace().collect();
        match words[..] {
            [] => {}
            [first, ..] if first.starts_with('#') => {}
            [name, model] | [name, model, "shuttle"] if faults.iter().all(|fault| fault.name != name) => {
                faults.push(Fault { line: i + 1, name, model, shuttle: words.len() == 3 });
            }
            [name, _] | [name, _, "shuttle"] => {
                bail!("{LIST}:{}: `{name}` is listed twice; give each fault one line", i + 1)
            }
            _ => bail!(
                "{LIST}:{}: `{line}` is not a fault's name, a model's name and perhaps `shuttle`",
                i + 1
            ),
        }
    }
    if faults.is_empty() {
        bail!("{LIST} lists no fault");
    }
    Ok(faults)
}

/// The faults that the code names: where, and by which name.
fn planted(tree: &Tree) -> Vec<(&str, usize, String)> {
    let mut found = Vec::new();
    let ours =
        tree.files.iter().filter(|file| file.is_rust() && file.path.starts_with("anira-scheduler/src/"));
    for file in ours {
        for window in code(&file.text).windows(3) {
            let asks = window[0].is_word("mutated") || window[0].is_word("ordering");
            if asks && window[1].is_mark("(") && window[2].kind == Kind::Literal {
                let name = window[2].text.trim_matches('"').to_owned();
                found.push((file.path.as_str(), window[2].line, name));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_read_and_nonsense_in_it_is_named() {
        let faults = parse("# about\n\na-fault   a_model\nanother a_model shuttle\n").unwrap();
        assert_eq!(faults[0], Fault { line: 3, name: "a-fault", model: "a_model", shuttle: false });
        assert!(faults[1].shuttle);
        assert_eq!(faults.len(), 2);
        for (bad, word) in
            [("a\n", ":1:"), ("a b c\n", "`a b c`"), ("a b\na c\n", "twice"), ("# a\n", "no fault")]
        {
            let error = parse(bad).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn faults_in_the_code_are_found_and_their_declaration_is_not() {
        let text = "fn mutated(_name: &str) {}\nfn f() {\n    if mutated(\"one\") {}\n    x.load(ordering(\"two\", Acquire));\n}\n";
        let tree = Tree::of(&[("anira-scheduler/src/a.rs", text), ("anira/src/a.rs", text)]);
        let path = "anira-scheduler/src/a.rs";
        assert_eq!(planted(&tree), [(path, 3, "one".to_owned()), (path, 4, "two".to_owned())]);
    }
}
