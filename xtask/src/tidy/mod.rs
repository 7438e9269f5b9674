//! Text checks that no compiler makes. One file per check; each finds violations that its tests plant.

mod arrows;
mod calm;
mod finding;
mod home;
mod length;
mod manifest;
mod prose;
mod shim;
pub(crate) mod token;
pub(crate) mod tree;
mod unfinished;
mod unsafety;
mod whitespace;

use anyhow::{Result, bail};

use self::finding::{Finding, Weight};
use self::tree::Tree;
use crate::workspace::Workspace;

/// Checks that look at the text of the files alone.
const CHECKS: &[fn(&Tree) -> Vec<Finding>] = &[
    unsafety::check,
    calm::check,
    shim::check,
    length::check,
    unfinished::check,
    whitespace::check,
    home::check,
    prose::check,
];

/// Runs all checks and prints what they find.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let tree = Tree::read(&workspace.root)?;
    let mut findings: Vec<_> = CHECKS.iter().flat_map(|check| check(&tree)).collect();
    findings.extend(arrows::check(workspace, &tree));
    findings.extend(manifest::check(workspace, &tree));
    findings.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    for finding in &findings {
        println!("{finding}");
    }
    match findings.iter().filter(|finding| finding.weight == Weight::Error).count() {
        0 => {
            println!("tidy: {} files are in order", tree.files.len());
            Ok(())
        }
        n => bail!("tidy found {n} places to mend, listed above"),
    }
}
