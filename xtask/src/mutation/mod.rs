//! Whether the models would notice: every memory ordering of the scheduler is weakened in turn, and a model has to fail.

mod site;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use self::site::Site;
use crate::loom;
use crate::tally::Tally;
use crate::tidy::tree::Tree;
use crate::workspace::Workspace;

/// Orderings that no model needs, by file and a piece of their line, with the reason to keep them all the same.
const UNPROVEN: &[(&str, &str, &str)] = &[];

/// After this long a model that does not end counts as one that failed.
const PATIENCE: Duration = Duration::from_secs(600);

enum Verdict {
    /// The first model that failed.
    Caught(String),
    Endless,
    Survived,
}

/// Runs the models as they are, then once per weakened ordering, in a copy of the repository.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    loom::run(workspace, &mut Tally::default())?;
    let tree = Tree::read(&workspace.root)?;
    let sites = site::find(&tree);
    if sites.is_empty() {
        bail!("no memory ordering was found in anira-scheduler/src; there is nothing to weaken");
    }
    let place = workspace.target.join("mutations");
    let copy = Copy::make(workspace, &tree, &place)?;
    let mut survivors = 0;
    for (i, site) in sites.iter().enumerate() {
        let start = Instant::now();
        let text = tree.file(&site.path).map_or("", |file| &file.text);
        let verdict = copy.with(site, text)?;
        let reason = accepted(site, text);
        let said = match (&verdict, reason) {
            (Verdict::Caught(model), None) => format!("caught by {model}"),
            (Verdict::Endless, None) => "caught: a model no longer ends".into(),
            (Verdict::Survived, Some(reason)) => format!("survived, accepted: {reason}"),
            (Verdict::Survived, None) => {
                survivors += 1;
                "SURVIVED: no model fails".into()
            }
            (_, Some(_)) => {
                survivors += 1;
                "caught, although UNPROVEN in xtask/src/mutation/mod.rs lists it: take it off the list".into()
            }
        };
        let Site { path, line, from, to, .. } = site;
        let seconds = start.elapsed().as_secs();
        println!("{}/{} {path}:{line}: {from} -> {to}: {said} ({seconds} s)", i + 1, sites.len());
    }
    if survivors > 0 {
        bail!(
            "{survivors} of {} weakened orderings are not as expected; write a model that needs the ordering, weaken \
             it for good, or list it in UNPROVEN in xtask/src/mutation/mod.rs with the reason",
            sites.len()
        );
    }
    println!("all {} weakened orderings are as expected", sites.len());
    Ok(())
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
    target: PathBuf,
    /// What a model printed last.
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
            let copied = to.parent().map_or(Ok(()), fs::create_dir_all);
            copied
                .and_then(|()| fs::copy(workspace.root.join(&file.path), &to))
                .with_context(|| format!("{} cannot be copied to {}", file.path, to.display()))?;
        }
        Ok(Self { workspace, root, target: loom::target(workspace), output: place.join("output.txt") })
    }

    /// Weakens one ordering, runs the models, and restores the file.
    fn with(&self, site: &Site, text: &str) -> Result<Verdict> {
        let path = self.root.join(&site.path);
        let weak = site.apply(text).with_context(|| format!("{} changed while we looked", site.path))?;
        fs::write(&path, weak).with_context(|| format!("{} cannot be written", path.display()))?;
        let verdict = self.build().and_then(|programs| self.judge(&programs));
        fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
        verdict.with_context(|| format!("{}:{}: {} -> {}", site.path, site.line, site.from, site.to))
    }

    /// Builds the models; gives the programs.
    fn build(&self) -> Result<Vec<PathBuf>> {
        let call = loom::call(self.workspace, &self.target).directory(&self.root);
        let call = call.args(["--quiet", "--no-run", "--message-format", "json-render-diagnostics"]);
        let output =
            call.into_command().stderr(Stdio::inherit()).output().context("cargo could not be started")?;
        if !output.status.success() {
            bail!(
                "the weakened scheduler does not compile; the scheduler's shim has to offer `crate::sync::Ordering`"
            );
        }
        let messages = String::from_utf8_lossy(&output.stdout);
        let programs = messages.lines().filter_map(|line| {
            let message: Value = serde_json::from_str(line).ok()?;
            message.get("executable")?.as_str().map(PathBuf::from)
        });
        Ok(programs.collect())
    }

    /// Runs the programs one after the other until one fails.
    fn judge(&self, programs: &[PathBuf]) -> Result<Verdict> {
        for program in programs {
            let output = File::create(&self.output).context("the models' output cannot be kept")?;
            let mut command = Command::new(program);
            command.current_dir(self.root.join("anira-scheduler")).stdout(output).stderr(Stdio::null());
            command.env(loom::BOUND, loom::bound());
            let mut child =
                command.spawn().with_context(|| format!("{} cannot be run", program.display()))?;
            let start = Instant::now();
            let status = loop {
                if let Some(status) = child.try_wait()? {
                    break status;
                }
                if start.elapsed() > PATIENCE {
                    child.kill()?;
                    child.wait()?;
                    return Ok(Verdict::Endless);
                }
                sleep(Duration::from_millis(50));
            };
            if !status.success() {
                let text = fs::read_to_string(&self.output).unwrap_or_default();
                return Ok(Verdict::Caught(failed_model(&text).unwrap_or("a crash").to_owned()));
            }
        }
        Ok(Verdict::Survived)
    }
}

/// The first model that a test program reports as failed.
fn failed_model(output: &str) -> Option<&str> {
    output.lines().find_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_that_failed_is_named() {
        let output = "running 2 tests\ntest a ... ok\ntest ring::b ... FAILED\n\nfailures:\n";
        assert_eq!(failed_model(output), Some("ring::b"));
        assert_eq!(failed_model("test a ... ok\n"), None);
    }
}
