//! A plugin that is loaded, played and unloaded: what is left, and what is not.
//!
//! Each test has a process of its own, for some of them end it, and all look at what a process has.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
#![cfg(target_os = "linux")]

mod engines;
mod module;

use std::os::unix::process::ExitStatusExt;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use anira_tests::{apart, eventually};
use module::{Calls, Module, Session, is_loaded, is_mapped};

const LIMIT: Duration = Duration::from_secs(120);
const BLOCK: usize = 256;

/// A host's audio thread: it outlives the plugin, as one does, and with it all that the plugin left among its thread-locals.
struct Host {
    sessions: Sender<Order>,
}

/// A session, the blocks that it is to play, and who gets it back with what came out.
type Order = (Session, usize, Sender<(Session, Vec<f32>)>);

impl Host {
    fn new() -> Self {
        let (sessions, work) = channel::<Order>();
        std::thread::spawn(move || {
            for (mut session, blocks, back) in work {
                let mut samples: Vec<f32> = (1..=blocks * BLOCK).map(|n| n as f32).collect();
                samples.chunks_mut(BLOCK).for_each(|block| assert!(session.process(block) >= 0));
                back.send((session, samples)).unwrap();
            }
        });
        Self { sessions }
    }

    /// Plays some blocks of a ramp; the session again, and what came out.
    fn play(&self, session: Session, blocks: usize) -> (Session, Vec<f32>) {
        let (back, played) = channel();
        self.sessions.send((session, blocks, back)).unwrap();
        played.recv().unwrap()
    }

    /// As [`play`](Self::play), in such a way that it is heard that the model runs: a sample of the ramp comes out.
    fn play_until_heard(&self, mut session: Session) -> Session {
        for _ in 0..10_000 {
            let (played, samples) = self.play(session, 4);
            session = played;
            if samples.iter().any(|sample| *sample != 0.0) {
                return session;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("nothing was heard");
    }
}

/// Threads of the library's, by their names.
fn workers() -> Vec<String> {
    threads().into_iter().filter(|name| name.starts_with("anira-")).collect()
}

/// The names of all threads.
fn threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let name = |task: std::io::Result<std::fs::DirEntry>| {
        // One that ends meanwhile has no name any more.
        std::fs::read_to_string(task.ok()?.path().join("comm")).ok()
    };
    tasks.filter_map(name).map(|name| name.trim().to_owned()).collect()
}

/// Loads and unloads once more: where the module could not go at its close, and could now, that takes it away.
fn open_and_close() {
    Module::open().close();
}

#[track_caller]
fn assert_gone(what: &str) {
    assert!(!is_loaded(), "{what}: the loader still has it");
    assert!(!is_mapped(), "{what}: its file is still mapped");
}

/// The kernel may list a thread for a moment after it was joined.
fn await_no_workers() {
    eventually("the workers end", || workers().is_empty());
}

#[test]
fn fifty_times_nothing_is_left() {
    let done = apart("fifty_times_nothing_is_left", LIMIT, || {
        let host = Host::new();
        for round in 0..50 {
            let module = Module::open();
            let calls = module.calls();
            let sessions: Vec<_> = (0..3).filter_map(|_| calls.make("bypass", "")).collect();
            assert_eq!(sessions.len(), 3);
            assert!(!workers().is_empty(), "a pool with sessions has threads");
            for session in sessions {
                assert!(session.latency() > 0);
                assert!(host.play_until_heard(session).end(10_000));
            }
            await_no_workers();
            module.close();
            assert_gone(&format!("round {round}"));
        }
    });
    done.inspect(|ended| ended.well());
}

#[test]
fn what_could_not_be_made_leaves_nothing() {
    let done = apart("what_could_not_be_made_leaves_nothing", LIMIT, || {
        for (engine, config) in [
            ("abacus", ""),
            ("rten", "not-there.toml"),
            ("rten", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")),
        ] {
            let module = Module::open();
            assert!(module.calls().make(engine, config).is_none(), "{engine} {config}");
            assert_eq!(workers(), [""; 0]);
            module.close();
            assert_gone(engine);
        }
    });
    done.inspect(|ended| ended.well());
}

#[test]
fn engines_that_panic_leave_nothing() {
    let done = apart("engines_that_panic_leave_nothing", LIMIT, || {
        let host = Host::new();
        let module = Module::open();
        let mut session = module.calls().make("panics", "").unwrap();
        while session.returned() < 8 {
            session = host.play(session, 4).0;
        }
        assert!(session.end(10_000));
        await_no_workers();
        module.close();
        assert_gone("panics");
    });
    done.inspect(|ended| ended.well());
}

#[test]
fn an_exchange_under_way_leaves_nothing() {
    let done = apart("an_exchange_under_way_leaves_nothing", LIMIT, || {
        let host = Host::new();
        for round in 0..50 {
            let module = Module::open();
            let session = module.calls().make("exchanged", "").unwrap();
            let mut session = host.play_until_heard(session);
            assert!(session.exchange());
            // Not seen yet, or in a fade that goes on for minutes.
            if round % 2 == 1 {
                session = host.play_until_heard(session);
            }
            assert!(session.end(10_000));
            await_no_workers();
            module.close();
            assert_gone(&format!("round {round}"));
        }
    });
    done.inspect(|ended| ended.well());
}

/// A host that unloads a plugin whose session lives is wrong; the loader keeps the module for its workers, and no longer.
#[test]
fn a_session_that_lives_keeps_its_module_and_no_longer() {
    let done = apart("a_session_that_lives_keeps_its_module_and_no_longer", LIMIT, || {
        let host = Host::new();
        let module = Module::open();
        let session = module.calls().make("bypass", "").unwrap();
        let session = host.play_until_heard(session);
        module.close();
        assert!(is_loaded() && is_mapped());
        // Workers that sleep wake up, those that spin fall asleep: all of it is their code.
        std::thread::sleep(Duration::from_millis(300));
        let session = host.play_until_heard(session);
        assert!(session.end(10_000), "through a function that the host still has");
        await_no_workers();
        open_and_close();
        assert_gone("after the session's end");
    });
    done.inspect(|ended| ended.well());
}

#[test]
fn a_worker_that_does_not_come_back_keeps_its_module_for_good() {
    let done = apart("a_worker_that_does_not_come_back_keeps_its_module_for_good", LIMIT, || {
        let host = Host::new();
        let module = Module::open();
        let calls: Calls = module.calls();
        let session = calls.make("held", "").unwrap();
        let session = host.play_until_heard(session);
        calls.hold(true);
        let before = session.returned();
        // Enough hops for every worker; none comes back.
        let (session, _) = host.play(session, 4);
        assert!(session.returned() <= before + 1);
        assert!(!session.end(50), "it has to be told that something is left");
        assert!(!workers().is_empty());
        module.close();
        assert!(is_loaded() && is_mapped());
        std::thread::sleep(Duration::from_millis(100));
        calls.hold(false);
        // It returns to the module's code, and ends.
        await_no_workers();
        open_and_close();
        assert!(
            is_loaded() && is_mapped(),
            "kept until the process ends: nobody knows when such a worker is done"
        );
    });
    done.inspect(|ended| ended.well());
}

#[test]
fn control_a_thread_left_behind_ends_the_process() {
    let ended = apart("control_a_thread_left_behind_ends_the_process", LIMIT, || {
        let module = Module::open();
        assert!(module.calls().leak_thread());
        module.close();
        std::thread::sleep(Duration::from_secs(60));
    });
    let Some(ended) = ended else { return };
    assert_eq!(ended.status.signal(), Some(libc::SIGSEGV), "{}\n{}", ended.status, ended.text);
}

/// Why workers are not threads of the standard library: one that was started on a host's thread, and joined, keeps the module.
#[test]
fn control_a_joined_thread_of_the_standard_library_keeps_its_module() {
    let done = apart("control_a_joined_thread_of_the_standard_library_keeps_its_module", LIMIT, || {
        let module = Module::open();
        assert!(module.calls().std_thread());
        module.close();
        assert!(is_loaded() && is_mapped(), "no longer so: `std::thread` would do");
    });
    done.inspect(|ended| ended.well());
}
