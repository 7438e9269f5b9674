//! A process that forks while sessions play: what was made before is silent in the child and says so, nothing there waits for threads
//! that are not, and what is made there plays. The parent notices nothing.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
#![cfg(target_os = "linux")]

mod child;
mod exchange;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anira::backends::{BypassModel, Slow, Wait};
use anira::prelude::*;
use anira::traits::LoadRequest;
use anira_tests::{
    Gate, apart, assert_same, delayed, eventually, mono, plain, ramp, refused, send_settled, valid, zoo,
};
use child::in_child;

const LIMIT: Duration = Duration::from_secs(240);
const HOP: usize = 256;
const RATE: f64 = 48_000.0;

/// Time for an inference that no test uses up.
const LONGEST: Duration = Duration::from_millis(3);

fn host() -> HostConfig {
    HostConfig::fixed(RATE, HOP)
}

/// In a child: a call on a session of the parent's is silent, and says why.
#[track_caller]
fn assert_silent<B: Backend, S: Scheduler<anira::EngineOf<B>>>(audio: &mut Audio<B, HopProcessor, S>) {
    let mut block = [1.0f32; HOP];
    let status = audio.process(&mut [&mut block[..]]);
    assert_eq!((status.fault, block), (Some(Fault::Forked), [0.0; HOP]));
    let (input, mut output) = ([1.0f32; HOP], [1.0f32; HOP]);
    let status = audio.process_into(&[&input[..]], &mut [&mut output[..]]);
    assert_eq!((status.fault, output), (Some(Fault::Forked), [0.0; HOP]));
    let mut output = [1.0f32; HOP];
    assert_eq!(audio.push(0, &[&input[..]]).fault, Some(Fault::Forked));
    assert_eq!(audio.pop(0, &mut [&mut output[..]]).fault, Some(Fault::Forked));
    assert_eq!(output, [0.0; HOP]);
    let mut output = [1.0f32; HOP];
    assert_eq!(audio.flush(&mut [&mut output[..]]).fault, Some(Fault::Forked));
    assert_eq!(output, [0.0; HOP]);
    audio.reset();
    audio.set_bypass(true);
}

/// Plays a ramp and hears it after the reported latency.
#[track_caller]
fn assert_plays<B: Backend>(handler: &mut InferenceHandler<B, HopProcessor, Pool>) {
    let control = handler.control();
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&host()));
    let input = ramp(40 * HOP);
    let (output, late) = send_settled(&mut audio, &control, &input, &[HOP; 40]);
    assert_eq!(late, 0);
    assert_same(&output, &delayed(&input, report.latency[0].samples), "in the child");
}

fn workers() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let name = |task: std::io::Result<std::fs::DirEntry>| {
        std::fs::read_to_string(task.ok()?.path().join("comm")).ok()
    };
    tasks.filter_map(name).filter(|name| name.starts_with("anira-")).count()
}

/// What a child does with what it got from its parent, and with what it makes.
#[track_caller]
fn live_on<B: Backend>(
    mut handler: InferenceHandler<B, HopProcessor, Pool>,
    audio: &mut Audio<B, HopProcessor, Pool>,
    pool: &Pool,
) {
    // The audio thread comes first: nobody has told the library yet that this is another process.
    assert_silent(audio);
    assert_eq!(workers(), 0);
    let control = handler.control();
    let _ = (control.telemetry(), control.last_error(), control.parameters());
    assert_eq!((pool.running(), pool.snapshot().sessions, pool.granted().len()), (0, 0, 0));
    assert!(pool.admission().sessions.is_empty());
    valid(handler.quiesce(Duration::from_secs(100)));
    assert_plays(&mut handler);
    assert_silent(audio);
    assert!(workers() > 0 && pool.running() > 0, "its own workers");
    // A new one on the same pool, and one on the shared one.
    assert_plays(&mut valid(
        InferenceHandler::builder(plain(HOP, LONGEST)).backend(Bypass).scheduler(pool.clone()).build(),
    ));
    assert_plays(&mut valid(InferenceHandler::builder(plain(HOP, LONGEST)).backend(Bypass).build()));
    valid(handler.close(Duration::from_secs(100)));
    assert_eq!(pool.running(), 0);
    eventually("the child's workers end", || workers() == 0);
}

#[test]
fn a_child_is_silent_with_what_it_inherits_and_plays_what_it_makes() {
    let done = apart("a_child_is_silent_with_what_it_inherits_and_plays_what_it_makes", LIMIT, || {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            // Control threads that come and go, so that forks find their locks shut; on a pool of one's own and on the shared one.
            let own = valid(Pool::builder().threads(2).build());
            for n in 0..2 {
                let (own, over) = (own.clone(), &over);
                scope.spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        let pool = if n == 0 { own.clone() } else { Pool::shared() };
                        let builder = InferenceHandler::builder(plain(HOP, LONGEST)).backend(Bypass);
                        let mut handler = valid(builder.scheduler(pool).build());
                        let Prepared { mut audio, .. } = valid(handler.prepare(&host()));
                        let _ = audio.process(&mut [&mut [0.0f32; HOP][..]]);
                    }
                });
            }
            let builder = InferenceHandler::builder(plain(HOP, LONGEST)).backend(Bypass);
            let mut handler = Some(valid(builder.scheduler(own.clone()).build()));
            let control = handler.as_ref().unwrap().control();
            let Prepared { mut audio, report, .. } = valid(handler.as_mut().unwrap().prepare(&host()));
            let input = ramp(30 * 4 * HOP);
            let mut output = Vec::new();
            for part in input.chunks(4 * HOP) {
                in_child(|| live_on(handler.take().unwrap(), &mut audio, &own));
                // The parent noticed nothing.
                let (played, late) = send_settled(&mut audio, &control, part, &[HOP; 4]);
                assert_eq!(late, 0);
                output.extend(played);
            }
            assert_same(&output, &delayed(&input, report.latency[0].samples), "in the parent");
            over.store(true, Ordering::Relaxed);
        });
    });
    done.inspect(|ended| ended.well());
}

#[test]
fn a_grandchild_is_to_its_parent_what_that_is_to_its_own() {
    let done = apart("a_grandchild_is_to_its_parent_what_that_is_to_its_own", LIMIT, || {
        let make = || valid(InferenceHandler::builder(plain(HOP, LONGEST)).backend(Bypass).build());
        let mut first = make();
        let Prepared { audio: mut old, .. } = valid(first.prepare(&host()));
        fn descend(
            make: &dyn Fn() -> InferenceHandler<Bypass, HopProcessor, Pool>,
            old: &mut Audio<Bypass, HopProcessor, Pool>,
            left: usize,
        ) {
            in_child(|| {
                assert_silent(old);
                let mut handler = make();
                let Prepared { mut audio, .. } = valid(handler.prepare(&host()));
                assert!(audio.process(&mut [&mut [0.0f32; HOP][..]]).is_ok());
                if left > 0 {
                    descend(make, &mut audio, left - 1);
                }
                assert!(audio.process(&mut [&mut [0.0f32; HOP][..]]).fault.is_none());
                assert_plays(&mut handler);
                assert_silent(old);
            });
        }
        // More generations than there are cells to tell locks apart by.
        descend(&make, &mut old, 2 * anira::scheduler::GENERATIONS);
        assert!(old.process(&mut [&mut [0.0f32; HOP][..]]).is_ok());
    });
    done.inspect(|ended| ended.well());
}

#[test]
fn an_engine_that_was_running_is_not_waited_for() {
    let done = apart("an_engine_that_was_running_is_not_waited_for", LIMIT, || {
        let gate = Gate::new();
        let inside = gate.clone();
        let backend = mono(HOP, move |x, y| {
            inside.pass();
            y.copy_from_slice(x);
            Ok(())
        });
        let config = plain(HOP, LONGEST);
        let mut handler = Some(valid(InferenceHandler::builder(config).backend(backend).build()));
        let Prepared { audio, .. } = valid(handler.as_mut().unwrap().prepare(&host()));
        let mut audio = Some(audio);
        gate.shut();
        let playing = audio.as_mut().unwrap();
        (0..4).for_each(|_| assert_eq!(playing.process(&mut [&mut [0.5f32; HOP][..]]).fault, None));
        gate.await_waiting(1);
        for close in [true, false] {
            in_child(|| {
                let start = Instant::now();
                let mut handler = handler.take().unwrap();
                valid(handler.quiesce(Duration::from_secs(600)));
                match close {
                    true => valid(handler.close(Duration::from_secs(600))),
                    // Waits for as long as an engine may take to come back.
                    false => drop(handler),
                }
                let mut audio = audio.take().unwrap();
                assert_silent(&mut audio);
                drop(audio);
                assert!(start.elapsed() < Duration::from_secs(50));
            });
        }
        gate.open();
        valid(handler.take().unwrap().close(Duration::from_secs(60)));
    });
    done.inspect(|ended| ended.well());
}

#[test]
fn who_waits_for_results_does_not_wait_in_a_child() {
    let done = apart("who_waits_for_results_does_not_wait_in_a_child", LIMIT, || {
        // Rendering, and a callback that may wait for half of its block.
        let slow = || Slow::new(Bypass, Duration::from_millis(1), Wait::Sleep);
        let mut offline = valid(InferenceHandler::builder(plain(HOP, LONGEST)).backend(slow()).build());
        let Prepared { audio: mut renders, .. } = valid(offline.prepare(&host().mode(Mode::Offline)));
        let _ = renders.process(&mut [&mut [0.5f32; HOP][..]]);
        in_child(|| assert_silent(&mut renders));
        let scheduler = valid(Driven::new(1));
        let driver = scheduler.driver();
        let builder = InferenceHandler::builder(plain(HOP, LONGEST)).backend(Bypass).scheduler(scheduler);
        let mut handler = Some(valid(builder.build()));
        let Prepared { mut audio, .. } = valid(handler.as_mut().unwrap().prepare(&host()));
        let _ = audio.process(&mut [&mut [0.5f32; HOP][..]]);
        let mut driver = Some(driver);
        in_child(|| {
            let mut driver = driver.take().unwrap();
            assert_silent(&mut audio);
            assert!(!driver.run_one(), "the parent's slot is the parent's");
            let mut handler = handler.take().unwrap();
            let Prepared { audio: mut again, .. } = valid(handler.prepare(&host()));
            assert!(!driver.run_one());
            assert!(again.process(&mut [&mut [0.5f32; HOP][..]]).is_ok());
            assert!(driver.run_one() && !driver.run_one());
            valid(handler.close(Duration::from_secs(600)));
            assert!(!driver.run_one());
        });
        assert!(driver.take().unwrap().run_one(), "nobody has run it");
    });
    done.inspect(|ended| ended.well());
}

/// A backend that is loading for as long as this says.
#[derive(Clone)]
struct Loading {
    hold: Arc<AtomicBool>,
    begun: Arc<AtomicBool>,
}

impl Backend for Loading {
    type Model = BypassModel;

    fn name(&self) -> &str {
        "loading"
    }

    fn sharing(&self, _request: &LoadRequest) -> Option<String> {
        Some(String::new())
    }

    fn load(&self, _source: &ModelSource, request: &LoadRequest) -> Result<BypassModel, Error> {
        self.begun.store(true, Ordering::SeqCst);
        while self.hold.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        Bypass.load(&ModelSource::None, request)
    }
}

#[test]
fn a_model_that_a_thread_of_the_parent_was_loading_is_loaded_by_the_child() {
    let done = apart("a_model_that_a_thread_of_the_parent_was_loading_is_loaded_by_the_child", LIMIT, || {
        let (hold, begun) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
        let build = || {
            let backend = Loading { hold: hold.clone(), begun: begun.clone() };
            let builder = InferenceHandler::builder(plain(HOP, LONGEST)).backend(backend);
            valid(builder.source(ModelSource::memory(b"a model".as_slice())).build())
        };
        std::thread::scope(|scope| {
            let loads = scope.spawn(build);
            eventually("the other thread loads", || begun.load(Ordering::SeqCst));
            in_child(|| {
                hold.store(false, Ordering::SeqCst);
                assert_plays(&mut build());
            });
            hold.store(false, Ordering::SeqCst);
            assert_plays(&mut loads.join().unwrap());
        });
    });
    done.inspect(|ended| ended.well());
}

/// rten computes on threads of its own: those of the parent are not there.
#[test]
fn a_model_of_rten_plays_on_in_a_child_and_another_is_loaded_or_refused() {
    let done = apart("a_model_of_rten_plays_on_in_a_child_and_another_is_loaded_or_refused", LIMIT, || {
        let build = |model: &zoo::Golden, options: &[(&str, &str)]| {
            let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            model.builder(Rten, 1, Duration::from_millis(1)).options(options).build()
        };
        let play = |handler: &mut InferenceHandler<Rten, HopProcessor, Pool>| {
            let control = handler.control();
            let Prepared { mut audio, .. } = valid(handler.prepare(&host()));
            let input: Vec<f32> = (0..20 * HOP).map(|n| (n as f32 * 0.01).sin()).collect();
            let (output, late) = send_settled(&mut audio, &control, &input, &[HOP; 20]);
            assert_eq!(late, 0);
            output
        };
        let mut handler = Some(valid(build(&zoo::LSTM, &[])));
        let right = play(handler.as_mut().unwrap());
        in_child(|| {
            let mut handler = handler.take().unwrap();
            assert_same(&play(&mut handler), &right, "in the child");
            refused(build(&zoo::GAIN, &[]), ErrorKind::System, &["optimize", "false", "forked"]);
            let mut plain = valid(build(&zoo::LSTM, &[("optimize", "false")]));
            let unoptimised = play(&mut plain);
            assert!(unoptimised.iter().zip(&right).all(|(a, b)| (a - b).abs() < 1e-5));
        });
        assert_same(&play(handler.as_mut().unwrap()), &right, "in the parent");
    });
    done.inspect(|ended| ended.well());
}
