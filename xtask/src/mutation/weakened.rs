//! Every memory ordering of the scheduler, weakened in turn: some model has to fail.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use super::model::{Models, Verdict};
use super::site::{self, Site};
use crate::loom;
use crate::tally::Tally;
use crate::tidy::tree::Tree;
use crate::workspace::Workspace;

/// Orderings that no model needs, by file and a piece of their line, with the reason to keep them all the same.
const UNPROVEN: &[(&str, &str, &str)] = &[];

/// Runs the models as they are, then once per weakened ordering, in a copy of the repository. Takes the orderings in files
/// whose path contains `only`.
pub(crate) fn run(workspace: &Workspace, only: &str) -> Result<()> {
    loom::run(workspace, &mut Tally::default())?;
    let tree = Tree::read(&workspace.root)?;
    let mut sites = site::find(&tree);
    sites.retain(|site| site.path.contains(only));
    if sites.is_empty() {
        bail!(
            "no memory ordering was found in files `*{only}*` of anira-scheduler/src; there is nothing to weaken"
        );
    }
    let copy = Copy::make(workspace, &tree, &workspace.target.join("mutations"))?;
    let mut surprises = 0;
    for (i, site) in sites.iter().enumerate() {
        let start = Instant::now();
        let text = tree.file(&site.path).map_or("", |file| &file.text);
        let (said, expected) = describe(&copy.with(site, text)?, accepted(site, text));
        surprises += usize::from(!expected);
        let Site { path, line, from, to, .. } = site;
        let seconds = start.elapsed().as_secs();
        println!("{}/{} {path}:{line}: {from} -> {to}: {said} ({seconds} s)", i + 1, sites.len());
    }
    if surprises > 0 {
        bail!(
            "{surprises} of {} weakened orderings are not as expected; write a model that needs the ordering, weaken it \
             for good, or list it in UNPROVEN in xtask/src/mutation/weakened.rs with the reason",
            sites.len()
        );
    }
    println!("all {} weakened orderings are as expected", sites.len());
    Ok(())
}

/// The verdict in words, and whether it is the expected one.
fn describe(verdict: &Verdict, accepted: Option<&str>) -> (String, bool) {
    let caught = match verdict {
        Verdict::Caught(model) => format!("caught by {model}"),
        Verdict::Endless => "caught: a model no longer ends".into(),
        Verdict::Survived | Verdict::NoModel => {
            return match accepted {
                Some(reason) => (format!("survived, accepted: {reason}"), true),
                None => ("SURVIVED: no model fails".into(), false),
            };
        }
    };
    match accepted {
        Some(_) => (format!("{caught}, although UNPROVEN lists it: take it off the list"), false),
        None => (caught, true),
    }
}

fn accepted(site: &Site, text: &str) -> Option<&'static str> {
    let line = text.lines().nth(site.line - 1)?;
    let known = UNPROVEN.iter().find(|(path, piece, _)| site.path == *path && line.contains(piece));
    known.map(|(.., reason)| *reason)
}

/// A copy of the repository in which orderings may be weakened without touching anybody's work.
struct Copy<'a> {
    workspace: &'a Workspace,
    root: PathBuf,
    output: PathBuf,
}

impl<'a> Copy<'a> {
    fn make(workspace: &'a Workspace, tree: &Tree, place: &Path) -> Result<Self> {
        let root = place.join("repository");
        if root.exists() {
            fs::remove_dir_all(&root).context("the copy of an earlier run cannot be removed")?;
        }
        for file in &tree.files {
            let to = root.join(&file.path);
            let made = to.parent().map_or(Ok(()), fs::create_dir_all);
            made.and_then(|()| fs::copy(workspace.root.join(&file.path), &to))
                .with_context(|| format!("{} cannot be copied to {}", file.path, to.display()))?;
        }
        Ok(Self { workspace, root, output: place.join("output.txt") })
    }

    /// Weakens one ordering, runs the models, and restores the file.
    fn with(&self, site: &Site, text: &str) -> Result<Verdict> {
        let path = self.root.join(&site.path);
        let weak = site.apply(text).with_context(|| format!("{} changed while we looked", site.path))?;
        fs::write(&path, weak).with_context(|| format!("{} cannot be written", path.display()))?;
        // Not where the models themselves are built: cargo tells two copies of a package apart by their files' times alone.
        let call = loom::call(self.workspace, &self.root.with_file_name("weakened"));
        let models = Models::build(call, &self.root, self.output.clone());
        let verdict = models.and_then(|models| models.judge("", None));
        fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
        verdict.with_context(|| format!("{}:{}: {} -> {}", site.path, site.line, site.from, site.to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_survives_needs_a_reason_and_what_is_caught_must_not_have_one() {
        let caught = Verdict::Caught("m".into());
        let expected = |verdict: &Verdict, reason| describe(verdict, reason).1;
        assert!(expected(&caught, None) && expected(&Verdict::Endless, None));
        assert!(expected(&Verdict::Survived, Some("why")));
        assert!(!expected(&Verdict::Survived, None) && !expected(&caught, Some("why")));
    }
}
