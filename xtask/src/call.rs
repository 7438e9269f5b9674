//! One call of cargo: shown, run, its output streamed and counted.

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result, bail};

use crate::limit::Limit;
use crate::tail::{self, Tail};
use crate::tally::Tally;
use crate::workspace::{Workspace, cargo, in_ci};

/// A call of cargo, being put together.
pub(crate) struct Call {
    command: Command,
    shown: String,
}

impl Call {
    /// A call of this subcommand at the root of the repository.
    pub(crate) fn new(workspace: &Workspace, subcommand: &str) -> Self {
        let mut command = Command::new(cargo());
        command.current_dir(&workspace.root);
        once(&mut command);
        let call = Self { command, shown: "cargo".into() }.args([subcommand]);
        if in_ci() && subcommand != "fmt" { call.args(["--locked"]) } else { call }
    }

    /// A call of this subcommand by another toolchain than the one that runs us.
    pub(crate) fn on(workspace: &Workspace, toolchain: &str, subcommand: &str) -> Self {
        let mut command = Command::new("rustup");
        command.current_dir(&workspace.root);
        // Ours would otherwise compile for the other cargo.
        for variable in ["CARGO", "RUSTC", "RUSTDOC"] {
            command.env_remove(variable);
        }
        once(&mut command);
        let call = Self { command, shown: "rustup".into() }.args(["run", toolchain, "cargo", subcommand]);
        if in_ci() { call.args(["--locked"]) } else { call }
    }

    /// The same call elsewhere.
    pub(crate) fn directory(mut self, directory: &Path) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// The same call with these arguments more.
    pub(crate) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        for arg in args {
            self.command.arg(&arg);
            self.shown.push(' ');
            self.shown.push_str(&arg.as_ref().to_string_lossy());
        }
        self
    }

    /// The same call with this variable set.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self.shown = format!("{name}=\"{value}\" {}", self.shown);
        self
    }

    /// The command that runs, for who needs more than this type offers.
    pub(crate) fn into_command(self) -> Command {
        self.command
    }

    /// Runs it; both outputs go where ours go.
    pub(crate) fn run(self) -> Result<()> {
        self.watched(None)
    }

    /// Runs it, streams its standard output and adds the test results in it to `tally`.
    pub(crate) fn tallied(self, tally: &mut Tally) -> Result<()> {
        self.watched(Some(tally))
    }

    fn watched(mut self, tally: Option<&mut Tally>) -> Result<()> {
        println!("$ {}", self.shown);
        let not_started = self.not_started();
        let limit = Limit::before(&mut self.command);
        let mut ours = Tally::default();
        let mut said = Tail::default();
        if tally.is_some() {
            self.command.stdout(Stdio::piped());
        }
        // Somebody who sits there has it on the screen, in colours.
        if in_ci() {
            self.command.stderr(Stdio::piped());
        }
        let mut child = self.command.spawn().with_context(|| not_started.clone())?;
        let limit = limit.start(&child);
        let errors = child.stderr.take().map(|from| {
            thread::spawn(move || {
                let mut tail = Tail::default();
                stream(from, &mut io::stderr(), |line| tail.line(line)).map(|()| tail)
            })
        });
        if let Some(output) = child.stdout.take() {
            let see = |line: &str| {
                ours.line(line);
                said.line(line);
            };
            stream(output, &mut io::stdout(), see).context("the output of the tests broke off")?;
        }
        let errors = match errors.map(thread::JoinHandle::join) {
            None => Tail::default(),
            Some(Ok(tail)) => tail.context("what cargo says broke off")?,
            Some(Err(_)) => bail!("the thread that reads what cargo says has panicked"),
        };
        let status = child.wait().context(not_started)?;
        let is_tallied = tally.is_some();
        if let Some(tally) = tally {
            tally.add(ours);
        }
        limit.end(&self.shown)?;
        if !status.success() {
            let counts = if is_tallied { format!(", {ours}") } else { String::new() };
            let last = if in_ci() { tail::report(&said, &errors) } else { String::new() };
            bail!("`{}` failed ({status}){counts}{last}", self.shown);
        }
        if is_tallied && ours.programs == 0 {
            bail!(
                "`{}` reported no test results; if cargo words them in a new way, src/tally.rs has to learn it",
                self.shown
            );
        }
        Ok(())
    }

    /// Runs it and gives what it printed.
    pub(crate) fn read(mut self) -> Result<String> {
        println!("$ {}", self.shown);
        let output = self.command.stderr(Stdio::inherit()).output().with_context(|| self.not_started())?;
        if !output.status.success() {
            bail!("`{}` failed ({})", self.shown, output.status);
        }
        String::from_utf8(output.stdout).with_context(|| format!("`{}` printed no UTF-8", self.shown))
    }

    fn not_started(&self) -> String {
        format!("`{}` could not be started", self.shown)
    }
}

/// What is built once, unattended, is built smaller and sooner without what makes building it again quick.
fn once(command: &mut Command) {
    if in_ci() {
        command.env("CARGO_INCREMENTAL", "0");
    }
}

/// Copies as it comes, and shows each line to `see`.
fn stream(mut from: impl Read, to: &mut impl Write, mut see: impl FnMut(&str)) -> io::Result<()> {
    let mut chunk = [0; 8192];
    let mut line = Vec::new();
    loop {
        let n = match from.read(&mut chunk) {
            Ok(0) => break,
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        to.write_all(&chunk[..n])?;
        to.flush()?;
        for &byte in &chunk[..n] {
            if byte == b'\n' {
                see(&String::from_utf8_lossy(&line));
                line.clear();
            } else {
                line.push(byte);
            }
        }
    }
    see(&String::from_utf8_lossy(&line));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte per read, as a slow child would.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let n = self.0.len().min(1);
            buffer[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    #[test]
    fn a_result_is_counted_however_the_output_is_cut() {
        let text = "noise\ntest result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out\nmore";
        let (mut shown, mut tally) = (Vec::new(), Tally::default());
        stream(Slow(text.as_bytes()), &mut shown, |line| tally.line(line)).unwrap();
        assert_eq!(shown, text.as_bytes());
        assert_eq!((tally.passed, tally.failed, tally.ignored, tally.programs), (3, 0, 1, 1));
    }
}
