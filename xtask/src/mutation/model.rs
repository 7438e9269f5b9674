//! Programs of models: built once, run with a fault in them, judged by what they say.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::call::Call;
use crate::loom;

/// After this long a model that does not end counts as one that failed.
const PATIENCE: Duration = Duration::from_secs(600);

/// What the models say of a fault.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The first model that failed.
    Caught(String),
    Endless,
    Survived,
    /// No model bears the name that was asked for.
    NoModel,
}

/// The programs that hold the models.
pub(crate) struct Models {
    programs: Vec<PathBuf>,
    /// Where they run, as cargo would have it.
    directory: PathBuf,
    /// What the last one printed.
    output: PathBuf,
}

impl Models {
    /// Builds the models of the repository at `root` by `call`.
    pub(crate) fn build(call: Call, root: &Path, output: PathBuf) -> Result<Self> {
        let call =
            call.directory(root).args(["--quiet", "--no-run", "--message-format", "json-render-diagnostics"]);
        let built =
            call.into_command().stderr(Stdio::inherit()).output().context("cargo could not be started")?;
        if !built.status.success() {
            bail!("the models do not compile");
        }
        let messages = String::from_utf8_lossy(&built.stdout);
        let programs = messages.lines().filter_map(|line| {
            let message: Value = serde_json::from_str(line).ok()?;
            message.get("executable")?.as_str().map(PathBuf::from)
        });
        Ok(Self { programs: programs.collect(), directory: root.join("anira-scheduler"), output })
    }

    /// Runs the models whose names contain `filter` (all if it is empty), with `fault` in the variable that the code
    /// reads, until one fails.
    pub(crate) fn judge(&self, filter: &str, fault: Option<&str>) -> Result<Verdict> {
        let mut ran = false;
        for program in &self.programs {
            let output = File::create(&self.output).context("the models' output cannot be kept")?;
            let mut command = Command::new(program);
            command.current_dir(&self.directory).stdout(output).stderr(Stdio::null());
            command.env(loom::BOUND, loom::bound()).envs(fault.map(|name| ("ANIRA_MUTATION", name)));
            command.args((!filter.is_empty()).then_some(filter));
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
                sleep(Duration::from_millis(20));
            };
            let text = fs::read_to_string(&self.output).unwrap_or_default();
            if !status.success() {
                let crash =
                    || if filter.is_empty() { "a crash".into() } else { format!("a crash of {filter}") };
                return Ok(Verdict::Caught(failed(&text).map_or_else(crash, str::to_owned)));
            }
            ran |= !text.contains("\nrunning 0 tests\n");
        }
        Ok(if ran { Verdict::Survived } else { Verdict::NoModel })
    }
}

/// The first model that a program reports as failed.
fn failed(output: &str) -> Option<&str> {
    output.lines().find_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_that_failed_is_named() {
        let output = "running 2 tests\ntest a ... ok\ntest ring::b ... FAILED\n\nfailures:\n";
        assert_eq!(failed(output), Some("ring::b"));
        assert_eq!(failed("test a ... ok\n"), None);
    }

    #[cfg(unix)]
    #[test]
    fn programs_are_judged_by_what_they_do_with_the_fault() {
        use std::os::unix::fs::PermissionsExt;

        let directory = std::env::temp_dir().join(format!("anira-xtask-{}", std::process::id()));
        fs::create_dir_all(directory.join("anira-scheduler")).unwrap();
        let program = directory.join("models");
        let script = "#!/bin/sh\n\
            [ \"$1\" = absent ] && { printf '\\nrunning 0 tests\\n'; exit 0; }\n\
            printf '\\nrunning 1 test\\n'\n\
            [ \"$ANIRA_MUTATION\" = bad ] && { printf 'test m ... FAILED\\n'; exit 101; }\n\
            exit 0\n";
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let models = Models {
            programs: vec![program],
            directory: directory.join("anira-scheduler"),
            output: directory.join("output.txt"),
        };
        assert_eq!(models.judge("m", Some("bad")).unwrap(), Verdict::Caught("m".into()));
        assert_eq!(models.judge("m", Some("harmless")).unwrap(), Verdict::Survived);
        assert_eq!(models.judge("", None).unwrap(), Verdict::Survived);
        assert_eq!(models.judge("absent", Some("bad")).unwrap(), Verdict::NoModel);
        fs::remove_dir_all(directory).unwrap();
    }
}
