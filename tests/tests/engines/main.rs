//! All engines that are built in, in one process at once, on one pool: what each gives is what it gives alone, bit for bit.
//!
//! Which engine is used first, and whose library the system's loader sees first, could decide whose symbols win. So it is all done
//! in processes of their own as well: in other orders, by each engine alone, with each library before the others. What they heard
//! has to be the same.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test's failure, and what it saw")]

mod session;
mod threads;

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anira::prelude::*;
use anira_tests::zoo::{GAIN, Golden, HYBRID, KNOB, LSTM, STEREO, TCN_1K, built_in};
use anira_tests::{assert_same, eventually, valid, with_engine};

use session::{Play, Session};
use threads::Census;

/// Names the engines of a process that this program starts, in their order.
const ORDER: &str = "ANIRA_TESTS_ENGINES";

/// What every engine plays in a session of its own, all of them at once; the third renders offline.
const PLAYED: [&Golden; 4] = [&LSTM, &KNOB, &TCN_1K, &STEREO];
/// What comes and goes meanwhile: the first two are loaded and unloaded each time, the third is shared with who plays it.
const RELOADED: [&Golden; 3] = [&GAIN, &HYBRID, &KNOB];
/// How often all of these come and go, at least.
const RELOADS: usize = 2;

fn engines() -> Vec<&'static str> {
    let Ok(order) = std::env::var(ORDER) else { return built_in() };
    let known = built_in();
    order.split(',').map(|name| *known.iter().find(|known| **known == name).unwrap()).collect()
}

/// A session of each model on this engine.
fn sessions(engine: &str, pool: &Pool) -> Vec<Box<dyn Play>> {
    let of = |golden| {
        with_engine!(engine, |b| Box::new(Session::new(b, golden, pool.clone())) as Box<dyn Play>).unwrap()
    };
    PLAYED.into_iter().map(of).collect()
}

/// The beginning of a model's golden, on the process's shared pool and a handler that is made for it and dropped.
fn visit(engine: &str, golden: &Golden) -> Vec<f32> {
    with_engine!(engine, |backend| {
        let mut handler = golden.handler(backend, Pool::shared(), 1);
        golden.render(&mut handler, 3_000, &[480]).concat()
    })
    .unwrap()
}

/// All that comes and goes, on each of these engines.
fn visits(engines: &[&str]) -> Vec<Vec<f32>> {
    engines.iter().flat_map(|engine| RELOADED.map(|golden| visit(engine, golden))).collect()
}

/// One number for a sound.
fn fingerprint(sound: &[f32]) -> u64 {
    let step = |hash: u64, x: &f32| (hash ^ u64::from(x.to_bits())).wrapping_mul(0x0100_0000_01b3);
    sound.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// Counts down when a thread ends, however it ends.
struct Playing<'a>(&'a AtomicUsize);

impl Drop for Playing<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Lets the hosts stop when the visitor ends, however it ends.
struct Visiting<'a>(&'a AtomicUsize);

impl Drop for Visiting<'_> {
    fn drop(&mut self) {
        self.0.store(RELOADS, Ordering::SeqCst);
    }
}

#[test]
fn all_at_once_sound_as_each_alone() {
    let engines = engines();
    let play_alone = |mut session: Box<dyn Play>| {
        while session.step() {
            session.settle();
        }
        session.heard().to_vec()
    };
    let pool = valid(Pool::builder().threads(4).build());
    let alone: Vec<Vec<Vec<f32>>> =
        engines.iter().map(|engine| sessions(engine, &pool).into_iter().map(play_alone).collect()).collect();
    let fresh = visits(&engines);
    for (engine, sounds) in engines.iter().zip(&alone) {
        for (golden, sound) in PLAYED.iter().zip(sounds) {
            assert!(sound.iter().any(|x| x.abs() > 0.1), "silence shows nothing");
            println!("sound {engine} {} {:016x}", golden.name, fingerprint(sound));
        }
    }

    let all: Vec<Vec<Box<dyn Play>>> = engines.iter().map(|engine| sessions(engine, &pool)).collect();
    eventually("every worker of the pool runs", || pool.running() == pool.threads());
    let census = Census::new(pool.threads() + Pool::shared().threads());
    let playing = &AtomicUsize::new(engines.len());
    let visited = &AtomicUsize::new(0);
    let (engines, fresh) = (&engines, &fresh);
    thread::scope(|scope| {
        for (i, (mut sessions, alone)) in all.into_iter().zip(&alone).enumerate() {
            let engine = engines[i];
            let host = move || {
                let _playing = Playing(playing);
                // Hops of all sessions are in the pool together with those of the other hosts, and then waited for. What is played
                // goes on until the reloads are done.
                while visited.load(Ordering::SeqCst) < RELOADS {
                    while sessions.iter_mut().filter_map(|session| session.step().then_some(())).count() > 0 {
                        sessions.iter().for_each(|session| session.settle());
                    }
                    for ((session, alone), golden) in sessions.iter_mut().zip(alone).zip(PLAYED) {
                        let what = format_args!("{} on {engine} beside all others", golden.name).to_string();
                        assert_same(session.heard(), alone, what);
                        session.rewind();
                    }
                }
            };
            thread::Builder::new().name(format!("host-{engine}")).spawn_scoped(scope, host).unwrap();
        }
        let visitor = move || {
            let _visiting = Visiting(visited);
            for _ in 0..RELOADS {
                for (again, fresh) in visits(engines).iter().zip(fresh) {
                    assert_same(again, fresh, "what came and went beside the others");
                }
                visited.fetch_add(1, Ordering::SeqCst);
            }
        };
        thread::Builder::new().name("visitor".into()).spawn_scoped(scope, visitor).unwrap();
        while playing.load(Ordering::SeqCst) > 0 {
            census.take(|| pool.snapshot().replaced + Pool::shared().snapshot().replaced);
            thread::sleep(Duration::from_millis(2));
        }
    });
    eventually("no thread without a session", || census.is_over());
}

/// What such a process heard: fingerprints by engine and model.
fn heard(order: &[&str], first: Option<&str>) -> BTreeMap<String, String> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "all_at_once_sound_as_each_alone", "--nocapture"]).env(ORDER, order.join(","));
    if let Some(library) = first {
        command.env("LD_PRELOAD", library);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{order:?}, {first:?} first: {}\n{text}{errors}", output.status);
    let sounds: BTreeMap<_, _> = text
        .lines()
        .filter_map(|line| line.split_once("sound ")?.1.rsplit_once(' '))
        .map(|(what, sound)| (what.to_owned(), sound.to_owned()))
        .collect();
    assert_eq!(sounds.len(), order.len() * PLAYED.len(), "{text}");
    sounds
}

#[test]
fn no_order_of_first_use_changes_a_sample() {
    let mut order = built_in();
    let right = heard(&order, None);
    order.reverse();
    assert_eq!(heard(&order, None), right, "{order:?}");
    order.rotate_left(2 % built_in().len());
    assert_eq!(heard(&order, None), right, "{order:?}");
    for engine in order {
        for (what, sound) in heard(&[engine], None) {
            assert_eq!(sound, right[&what], "{what}, without the other engines");
        }
    }
}

/// The linked libraries in the order in which a program happens to name them: here each is put first.
#[cfg(target_os = "linux")]
#[test]
fn no_library_takes_the_place_of_another() {
    let order = built_in();
    let right = heard(&order, None);
    for library in threads::libraries() {
        assert_eq!(heard(&order, Some(&library)), right, "{library} before all others");
    }
}
