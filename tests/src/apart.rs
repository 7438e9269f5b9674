//! Tests that need a process of their own: because it ends, forks, or counts what a process has.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// What says to a process of this kind which test it is.
const NAME: &str = "ANIRA_TEST_APART";

/// How a process ended, and all that it printed.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Its code, or the signal.
    pub status: ExitStatus,
    /// Standard output and standard error, one after the other.
    pub text: String,
}

impl Ended {
    /// Fails unless the test passed in there, and prints what it printed.
    ///
    /// # Panics
    /// If it did not.
    #[track_caller]
    pub fn well(&self) {
        assert!(self.status.success(), "{}\n{}", self.status, self.text);
    }
}

/// Runs `body` in a process of its own that runs this one test, named as the test harness names it: `None` there, and how it ended here.
/// A process that takes longer than `limit` is killed.
///
/// # Panics
/// If the process cannot be started, or is killed because its time is up: then with what it printed.
#[track_caller]
pub fn apart(test: &str, limit: Duration, body: impl FnOnce()) -> Option<Ended> {
    if std::env::var(NAME).is_ok_and(|name| name == test) {
        body();
        return None;
    }
    let program = std::env::current_exe();
    let mut command = Command::new(program.unwrap_or_default());
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]);
    // A backtrace opens the modules that it goes through, and keeps them open.
    command.env(NAME, test).env("RUST_BACKTRACE", "0");
    Some(limited(&mut command, limit))
}

/// Runs a command to its end, or kills it after this time.
///
/// # Panics
/// If it cannot be started, or is killed.
#[track_caller]
#[allow(clippy::panic, reason = "a test's failure")]
pub fn limited(command: &mut Command, limit: Duration) -> Ended {
    let started = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(error) => panic!("{command:?}: {error}"),
    };
    let (out, err) = (listen(child.stdout.take()), listen(child.stderr.take()));
    let status = wait(&mut child, limit);
    let text = [out, err].map(|thread| thread.join().unwrap_or_default()).concat();
    match status {
        Some(status) => Ended { status, text },
        None => panic!("{command:?} was killed after {limit:?}; it printed:\n{text}"),
    }
}

fn listen(from: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.map(|mut from| from.read_to_end(&mut bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// The status, or `None` if it had to be killed.
fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let start = Instant::now();
    while start.elapsed() < limit {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}
