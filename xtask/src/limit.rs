//! How long a call may take in CI: a test that hangs is said to hang, instead of taking the whole run with it.

use std::process::{Child, Command};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Result, bail};

use crate::workspace::in_ci;

/// Twice what the longest call takes on two slow cores. By hand nothing is limited: somebody is there, and may be debugging.
const MOST: Duration = Duration::from_secs(1_800);

/// What ends a call after a time, with everything that it has started.
#[derive(Debug)]
pub(crate) struct Limit(Option<Duration>);

impl Limit {
    /// To be called before the command is started: in CI it becomes a group of processes of its own.
    pub(crate) fn before(command: &mut Command) -> Self {
        Self::of(command, (cfg!(unix) && in_ci()).then_some(MOST))
    }

    fn of(command: &mut Command, most: Option<Duration>) -> Self {
        #[cfg(unix)]
        if most.is_some() {
            std::os::unix::process::CommandExt::process_group(command, 0);
        }
        #[cfg(not(unix))]
        let _ = command;
        Self(most)
    }

    /// The time begins.
    pub(crate) fn start(self, child: &Child) -> Running {
        let group = format!("-{}", child.id());
        let watch = self.0.map(|most| {
            let (over, is_over) = channel::<()>();
            let watch = thread::spawn(move || {
                let late = is_over.recv_timeout(most) == Err(RecvTimeoutError::Timeout);
                // A `kill` that fails finds nobody left: the call ended in this very moment.
                late && Command::new("kill").args(["-KILL", "--", &group]).status().is_ok_and(|s| s.success())
            });
            (over, watch)
        });
        Running { watch, most: self.0.unwrap_or_default() }
    }
}

/// A limit whose time runs.
#[derive(Debug)]
pub(crate) struct Running {
    watch: Option<(Sender<()>, JoinHandle<bool>)>,
    most: Duration,
}

impl Running {
    /// The call has ended: an error if it was ended.
    pub(crate) fn end(self, shown: &str) -> Result<()> {
        let Some((over, watch)) = self.watch else { return Ok(()) };
        drop(over);
        if watch.join().unwrap_or(false) {
            let minutes = self.most.as_secs_f64() / 60.0;
            bail!(
                "`{shown}` had not ended after {minutes:.0} minutes and was killed; the test named last above, or one \
                 beside it, hangs"
            );
        }
        Ok(())
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::io::{PipeWriter, Read};
    use std::process::Stdio;

    use super::*;

    fn run(script: &str, most: Option<Duration>, out: Option<PipeWriter>) -> (bool, Result<()>) {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdout(out.map_or_else(Stdio::null, Stdio::from));
        let limit = Limit::of(&mut command, most);
        let mut child = command.spawn().unwrap();
        // It holds an end of the pipe.
        drop(command);
        let limit = limit.start(&child);
        let status = child.wait().unwrap();
        (status.success(), limit.end("a call"))
    }

    #[test]
    fn a_call_that_hangs_is_ended_with_what_it_started() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let (tell, told) = channel();
        thread::spawn(move || tell.send(reader.read_to_end(&mut Vec::new())));
        let (ended_well, said) = run("sleep 1000 & wait", Some(Duration::from_millis(300)), Some(writer));
        assert!(!ended_well);
        // The pipe ends once nobody is left who could write.
        assert!(told.recv_timeout(Duration::from_secs(60)).is_ok(), "what it started lives on");
        assert!(said.unwrap_err().to_string().starts_with("`a call` had not ended after 0 minutes"));
    }

    #[test]
    fn a_call_that_ends_is_left_alone() {
        for most in [None, Some(Duration::from_secs(600))] {
            let (ended_well, said) = run("exit 0", most, None);
            assert!(ended_well && said.is_ok(), "{said:?}");
        }
    }
}
