//! Models that are exchanged while sound runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::thread::ThreadId;
use std::time::Duration;

use anira::prelude::*;
use anira::scheduler::Driver;
use anira::traits::{DType, Signature, TensorInfo};
use anira_tests::{Gate, assert_same, backend, cut, plain, refused, signature, valid};

use crate::plain::Plain;
use crate::{Gain, RATE, Trouble, Voice, gain};

const HOP: usize = 64;
const LONG: Duration = Duration::from_secs(60);

fn spec(voice: &Voice) -> EngineSpec<Gain> {
    EngineSpec::new(gain(voice.clone())).config(voice.config())
}

/// A session that plays one voice, in blocks of a hop, on a driver of the test's; and its plain twin, which takes every exchange for
/// a switch to a new engine.
struct Playing {
    handler: InferenceHandler<Gain, HopProcessor, Driven>,
    audio: Audio<Gain, HopProcessor, Driven>,
    control: Control,
    driver: Driver,
    plain: Plain,
    latency: usize,
    taken: usize,
    right: Vec<f32>,
    got: Vec<f32>,
    late: u64,
}

fn playing(first: &Voice, fade: usize) -> Playing {
    let driven = valid(Driven::new(1));
    let driver = driven.driver();
    let builder = InferenceHandler::builder(first.config()).backend(gain(first.clone())).switch_fade(fade);
    let mut handler = valid(builder.swappable(true).scheduler(driven).build());
    let Prepared { audio, report, .. } = valid(handler.prepare(&HostConfig::fixed(RATE, HOP)));
    Playing {
        control: handler.control(),
        handler,
        audio,
        driver,
        plain: Plain::new(vec![first.gain], vec![0], HOP, fade),
        latency: report.latency[0].samples as usize,
        taken: 0,
        right: Vec::new(),
        got: Vec::new(),
        late: 0,
    }
}

impl Playing {
    /// Callbacks, after each of which workers have done all that there was.
    fn play(&mut self, count: usize) {
        for _ in 0..count {
            let ramp: Vec<f32> = (self.taken..self.taken + HOP).map(|n| (n % 1021 + 1) as f32).collect();
            self.taken += HOP;
            let mut block = ramp.clone();
            let status = self.audio.process(&mut [&mut block[..]]);
            self.right.extend(self.plain.hop(&ramp));
            self.got.extend(block);
            self.late += status.late_samples;
            while self.driver.run_one() {}
        }
    }

    /// Everything that was heard is right, and nothing was late.
    #[track_caller]
    fn check(&self) {
        let mut right = vec![0.0; self.latency];
        right.extend(&self.right);
        assert_same(&self.got, &right[..self.got.len()], "what was heard");
        assert_eq!((self.late, self.control.telemetry().late_samples), (0, 0));
    }
}

#[test]
fn the_new_model_fades_in_at_the_next_hop() {
    for fade in [0, 1, 100, 1000] {
        let mut session = playing(&Voice::new(HOP, 1.0, 20), fade);
        for k in 1..8 {
            session.play(k);
            let voice = Voice::new(HOP, [1.0, 0.5, -2.0][k % 3], 20);
            valid(session.handler.swap(0, &spec(&voice), LONG));
            session.plain.exchange(voice.gain);
            session.play(20 + fade / HOP);
            valid(session.handler.await_swaps(LONG));
        }
        session.check();
        assert_eq!(session.control.switching().switched, 7);
        assert_eq!(session.audio.latency(0), Some(session.latency as u64));
    }
}

/// A backend that counts its engines and remembers which threads freed them.
#[derive(Clone, Default)]
struct Counts {
    alive: Arc<AtomicI64>,
    freed_elsewhere: Arc<AtomicU64>,
}

struct Token(Counts, ThreadId);

impl Drop for Token {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, Ordering::Relaxed);
        if std::thread::current().id() != self.1 {
            self.0.freed_elsewhere.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn counted(counts: &Counts, gain: f32) -> impl Backend + use<> {
    let shape = [1, 1, HOP];
    let tensors = signature(&[("input", &shape)], &[("output", &shape)]);
    counts.alive.fetch_add(1, Ordering::Relaxed);
    // With the model: a reset makes fresh closures.
    let token = Token(counts.clone(), std::thread::current().id());
    anira::backends::FnBackend::new("counted", tensors, move || {
        let _ = &token;
        move |x: &anira::backends::Inputs<'_>, y: &mut anira::backends::Outputs<'_>| {
            y.f32(0)?.iter_mut().zip(x.f32(0)?).for_each(|(y, x)| *y = gain * x);
            Ok(())
        }
    })
}

#[test]
fn a_thousand_swaps_under_a_playing_session_leave_nothing_behind() {
    let counts = Counts::default();
    let config = plain(HOP, Duration::from_micros(300));
    let builder = InferenceHandler::builder(config).backend(counted(&counts, 1.0)).switch_fade(32);
    let mut handler = valid(builder.swappable(true).build());
    let control = handler.control();
    let Prepared { mut audio, .. } = valid(handler.prepare(&HostConfig::fixed(48_000.0, HOP)));
    let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (stop, told) = (done.clone(), control.clone());
    // Blocks that wait for their inferences, one after the other: nothing depends on speed.
    let host = std::thread::spawn(move || {
        let (mut late, mut strange, mut blocks) = (0, 0u64, 0u64);
        while !stop.load(Ordering::Relaxed) {
            let mut block = [1.0f32; HOP];
            late += audio.process(&mut [&mut block[..]]).late_samples;
            anira_tests::settle(&told);
            // Gains of 1 to 2, or between them; silence only at the beginning.
            strange += u64::from(block.iter().any(|y| !(1.0..=2.0).contains(y)) && blocks > 10);
            blocks += 1;
        }
        (late, strange, blocks)
    });
    let before = counts.alive.load(Ordering::Relaxed);
    let mut most = 0;
    for k in 0..1000 {
        valid(handler.swap(0, &EngineSpec::new(counted(&counts, 1.0 + (k % 2) as f32)), LONG));
        most = most.max(counts.alive.load(Ordering::Relaxed));
        if k % 3 == 0 {
            valid(handler.await_swaps(LONG));
            assert!(counts.alive.load(Ordering::Relaxed) <= before + 1, "after swap {k}");
        }
    }
    valid(handler.await_swaps(LONG));
    done.store(true, Ordering::Relaxed);
    let (late, strange, blocks) = host.join().unwrap();
    assert_eq!((late, strange), (0, 0), "in {blocks} blocks");
    assert!(most <= 4, "{most} engines at once");
    let told = control.switching();
    assert!(told.switched > 300 && told.given_up == 0, "{told:?}");
    drop(handler);
    assert_eq!(counts.alive.load(Ordering::Relaxed), 0, "engines are left");
    assert_eq!(counts.freed_elsewhere.load(Ordering::Relaxed), 0, "freed on another thread than the owner's");
}

#[test]
fn several_sessions_and_engines_at_once_are_all_exchanged() {
    let counts = Counts::default();
    // Two stateless engines at once: both have to have the new one.
    let config = cut()
        .input(InputTensor::stream("input", HOP))
        .output(OutputTensor::stream("output", HOP))
        .max_inference(Duration::from_micros(300))
        .engines(2);
    let builder = InferenceHandler::builder(valid(config.build())).backend(counted(&counts, 1.0));
    let mut handler = valid(builder.switch_fade(0).swappable(true).build());
    let host = HostConfig::fixed(48_000.0, HOP).mode(Mode::Offline);
    let mut sessions: Vec<_> = (0..3).map(|_| valid(handler.prepare(&host)).audio).collect();
    for k in 0..30 {
        for audio in &mut sessions {
            let mut block = [1.0f32; 8 * HOP];
            let _ = audio.process(&mut [&mut block[..]]);
            assert_eq!(block[7 * HOP], 1.0 + k as f32);
        }
        valid(handler.swap(0, &EngineSpec::new(counted(&counts, 2.0 + k as f32)), LONG));
    }
    // A session that is prepared later begins with the newest.
    let Prepared { mut audio, .. } = valid(handler.prepare(&host));
    let mut block = [1.0f32; 4 * HOP];
    let _ = audio.process(&mut [&mut block[..]]);
    assert_eq!(block[3 * HOP], 31.0);
}

#[test]
fn while_the_host_rests_only_the_last_of_many_is_heard() {
    let mut session = playing(&Voice::new(HOP, 1.0, 20), 100);
    session.play(5);
    for k in 0..50 {
        let voice = Voice::new(HOP, 2.0 + k as f32, 20);
        valid(session.handler.swap(0, &spec(&voice), Duration::ZERO));
    }
    session.plain.exchange(51.0);
    session.play(20);
    session.check();
    assert_eq!(session.control.switching().switched, 1);
}

#[test]
fn an_exchange_within_the_fade_of_the_last_waits_or_says_so() {
    let mut session = playing(&Voice::new(HOP, 1.0, 20), 1000);
    session.play(5);
    valid(session.handler.swap(0, &spec(&Voice::new(HOP, 0.5, 20)), LONG));
    session.plain.exchange(0.5);
    session.play(3);
    let again = session.handler.swap(0, &spec(&Voice::new(HOP, 3.0, 20)), Duration::from_millis(2));
    refused(again, ErrorKind::Timeout, &["engine 0", "not over"]);
    refused(
        session.handler.await_swaps(Duration::from_millis(2)),
        ErrorKind::Timeout,
        &["engine 0", "fades"],
    );
    session.play(30);
    session.check();
    valid(session.handler.swap(0, &spec(&Voice::new(HOP, 3.0, 20)), LONG));
    session.plain.exchange(3.0);
    session.play(30);
    session.check();
}

#[test]
fn an_engine_that_is_not_heard_is_exchanged_unheard() {
    let (a, b) = (Voice::new(HOP, 1.0, 20), Voice::new(HOP, 0.5, 20));
    let first = InferenceHandler::builder(a.config()).backend(gain(a.clone())).engine(spec(&b));
    let mut handler = valid(first.swappable(true).switch_fade(0).scheduler(Offline).build());
    let host = HostConfig::fixed(RATE, HOP).mode(Mode::Offline);
    let Prepared { mut audio, .. } = valid(handler.prepare(&host));
    let heard = |audio: &mut Audio<_, _, _>| {
        let mut block = [8.0f32; HOP];
        assert!(audio.process(&mut [&mut block[..]]).is_ok());
        block[HOP - 1]
    };
    assert_eq!(heard(&mut audio), 8.0);
    for (k, gain) in [3.0, 4.0, 5.0].into_iter().enumerate() {
        valid(handler.swap(1, &spec(&Voice::new(HOP, gain, 20)), Duration::ZERO));
        assert_eq!(heard(&mut audio), 8.0, "exchange {k}");
    }
    assert!(audio.set_engine(1).is_ok());
    assert_eq!(heard(&mut audio), 40.0);
    assert_eq!(handler.control().switching().switched, 1);
}

#[test]
fn a_new_model_that_fails_leaves_the_old_one_and_can_be_exchanged_again() {
    let mut session = playing(&Voice::new(HOP, 1.0, 20), 100);
    for trouble in [Trouble::Errors(0, u64::MAX), Trouble::Panics(0)] {
        session.play(5);
        let bad = Voice::new(HOP, 9.0, 20).with(trouble);
        valid(session.handler.swap(0, &spec(&bad), LONG));
        session.play(20);
    }
    session.check();
    assert_eq!(session.control.switching().given_up, 2);
    assert!(session.control.last_error().unwrap().to_string().contains("on purpose"));
    valid(session.handler.swap(0, &spec(&Voice::new(HOP, 2.0, 20)), LONG));
    session.plain.exchange(2.0);
    session.play(20);
    session.check();
}

#[test]
fn the_old_engine_is_kept_while_a_worker_is_in_it() {
    let gate = Gate::new();
    let counts = Counts::default();
    let shape = [1, 1, HOP];
    let tensors = signature(&[("input", &shape)], &[("output", &shape)]);
    let gated = |hold: bool| {
        let gate = gate.clone();
        counts.alive.fetch_add(1, Ordering::Relaxed);
        let token = Token(counts.clone(), std::thread::current().id());
        anira::backends::FnBackend::new("gated", tensors.clone(), move || {
            let gate = gate.clone();
            let _ = &token;
            move |x: &anira::backends::Inputs<'_>, y: &mut anira::backends::Outputs<'_>| {
                if hold {
                    gate.pass();
                }
                y.f32(0)?.copy_from_slice(x.f32(0)?);
                Ok(())
            }
        })
    };
    let builder = InferenceHandler::builder(plain(HOP, Duration::from_micros(300))).backend(gated(true));
    let mut handler = valid(builder.swappable(true).switch_fade(0).build());
    let Prepared { mut audio, .. } = valid(handler.prepare(&HostConfig::fixed(48_000.0, HOP)));
    let mut block = [1.0f32; HOP];
    gate.shut();
    let _ = audio.process(&mut [&mut block[..]]);
    gate.await_waiting(1);
    valid(handler.swap(0, &EngineSpec::new(gated(false)), LONG));
    for _ in 0..20 {
        let _ = audio.process(&mut [&mut block[..]]);
    }
    // A reset gives the slot up, but not the worker's hold on the engine.
    audio.reset();
    let _ = audio.process(&mut [&mut block[..]]);
    refused(handler.await_swaps(Duration::from_millis(20)), ErrorKind::Timeout, &["engine 0"]);
    assert_eq!(counts.alive.load(Ordering::Relaxed), 2);
    gate.open();
    valid(handler.await_swaps(LONG));
    assert_eq!(counts.alive.load(Ordering::Relaxed), 1);
}

#[test]
fn another_interface_is_refused_by_name_and_the_sound_goes_on() {
    let shape = [1, 1, HOP];
    let own = |config: anira::traits::InferenceConfigBuilder| valid(config.build());
    let config = || {
        cut()
            .input(InputTensor::stream("x", HOP))
            .input(InputTensor::parameter("a", [1.0, 2.0]))
            .output(OutputTensor::stream("y", HOP).latency(3))
            .output(OutputTensor::parameter("p"))
            .max_inference(Duration::from_micros(20))
    };
    let model = |tensors: Signature| {
        backend(tensors, |x, y| {
            let n = y.f32(0)?.len();
            let x = x.view(0).and_then(|x| x.f32()).map_or(vec![0.0; n], <[f32]>::to_vec);
            y.f32(0)?.iter_mut().zip(x).for_each(|(y, x)| *y = x);
            Ok(())
        })
    };
    let is = || signature(&[("x", &shape), ("a", &[2])], &[("y", &shape), ("p", &[1])]);
    let builder = InferenceHandler::builder(own(config())).backend(model(is())).swappable(true);
    let mut handler = valid(builder.scheduler(Offline).build());
    let host = HostConfig::fixed(RATE, HOP).mode(Mode::Offline);
    let Prepared { mut audio, .. } = valid(handler.prepare(&host));
    let typed = |list: &mut Vec<TensorInfo>, at: usize, dtype: DType| list[at].dtype = dtype;
    let mut integer = is();
    typed(&mut integer.inputs, 1, DType::I64);
    let mut half = is();
    typed(&mut half.outputs, 1, DType::I32);
    let mut not_audio = is();
    typed(&mut not_audio.inputs, 0, DType::F64);
    use ErrorKind::{Config, DType as Type, Shape};
    let cases: Vec<(&str, Signature, ErrorKind, &[&str])> = vec![
        (
            "a name",
            signature(&[("z", &shape), ("a", &[2])], &[("y", &shape), ("p", &[1])]),
            Config,
            &["input `x`", "the model has `z`, `a`"],
        ),
        (
            "an output's name",
            signature(&[("x", &shape), ("a", &[2])], &[("out", &shape), ("p", &[1])]),
            Config,
            &["output `y`", "`out`"],
        ),
        (
            "one more input",
            signature(&[("x", &shape), ("a", &[2]), ("b", &[1])], &[("y", &shape), ("p", &[1])]),
            Config,
            &["input", "`b`"],
        ),
        (
            "one reading less",
            signature(&[("x", &shape), ("a", &[2])], &[("y", &shape)]),
            Config,
            &["output `p`", "the model has `y`"],
        ),
        (
            "a longer hop",
            signature(&[("x", &[1, 1, 2 * HOP]), ("a", &[2])], &[("y", &shape), ("p", &[1])]),
            Config,
            &["input `x`", "context", "is 64", "at most 0"],
        ),
        (
            "a shorter hop",
            signature(&[("x", &[1, 1, HOP / 2]), ("a", &[2])], &[("y", &shape), ("p", &[1])]),
            Shape,
            &["input `x`", "hop", "64", "32"],
        ),
        (
            "channels",
            signature(&[("x", &[1, 2, HOP]), ("a", &[2])], &[("y", &shape), ("p", &[1])]),
            Config,
            &["input `x`", "channels", "is 2", "1"],
        ),
        (
            "a shorter answer",
            signature(&[("x", &shape), ("a", &[2])], &[("y", &[1, 1, HOP / 2]), ("p", &[1])]),
            Shape,
            &["output `y`", "hop"],
        ),
        (
            "a parameter's length",
            signature(&[("x", &shape), ("a", &[3])], &[("y", &shape), ("p", &[1])]),
            Shape,
            &["input `a`", "2 values", "3"],
        ),
        (
            "a reading's length",
            signature(&[("x", &shape), ("a", &[2])], &[("y", &shape), ("p", &[4])]),
            Shape,
            &["output `p`", "elements", "is 4", "1"],
        ),
        ("a parameter's type", integer, Type, &["input `a`", "int64", "float32"]),
        ("a reading's type", half, Type, &["output `p`", "int32", "float32"]),
        ("a stream's type", not_audio, Type, &["input `x`", "float64", "float32"]),
    ];
    let mut at = 0;
    let mut sound = |audio: &mut Audio<_, _, _>, what: &str| {
        let mut block: Vec<f32> = (at..at + HOP).map(|n| n as f32).collect();
        at += HOP;
        assert!(audio.process(&mut [&mut block[..]]).is_ok(), "{what}");
        assert_eq!(block[HOP - 1], (at - 1) as f32, "{what}");
    };
    for (what, tensors, kind, words) in cases {
        let refusal = handler.swap(0, &EngineSpec::new(model(tensors)), LONG);
        refused(refusal, kind, &[&["engine 0"], words].concat());
        sound(&mut audio, what);
    }
    // With a configuration of its own: what the session told the host, or counts on.
    let streams = |latency: u64, time: u64| {
        cut()
            .input(InputTensor::stream("x", HOP))
            .input(InputTensor::parameter("a", [1.0, 2.0]))
            .output(OutputTensor::stream("y", HOP).latency(latency))
            .output(OutputTensor::parameter("p"))
            .max_inference(Duration::from_micros(time))
    };
    let renamed = cut()
        .input(InputTensor::stream("x", HOP))
        .input(InputTensor::parameter("b", [1.0, 2.0]).model_name("a"))
        .output(OutputTensor::stream("y", HOP).latency(3))
        .output(OutputTensor::parameter("p"));
    for (what, config, words) in [
        ("latency", streams(4, 20), &["output `y`", "latency", "is 4", "at most 3"][..]),
        ("time", streams(3, 21), &["max_inference", "21", "20"]),
        ("a parameter's name", renamed, &["parameter", "`a`", "only in the model before"]),
    ] {
        let refusal = handler.swap(0, &EngineSpec::new(model(is())).config(own(config)), LONG);
        refused(refusal, Config, &[&["engine 0"], words].concat());
        sound(&mut audio, what);
    }
    refused(handler.swap(3, &EngineSpec::new(model(is())), LONG), Config, &["engine", "is 3", "from 0 to 0"]);
    assert_eq!(handler.control().switching().switched, 0);
    valid(handler.swap(0, &EngineSpec::new(model(is())), LONG));
    sound(&mut audio, "the same interface");
    // A model that is quicker than the session's is heard where the session said.
    (0..6).for_each(|_| sound(&mut audio, "the same interface"));
    valid(handler.await_swaps(LONG));
}

#[test]
fn a_handler_that_was_not_built_for_it_refuses() {
    let mut handler = valid(InferenceHandler::builder(plain(HOP, Duration::ZERO)).backend(Bypass).build());
    let refusal = handler.swap(0, &EngineSpec::new(Bypass), LONG);
    refused(refusal, ErrorKind::Config, &["swappable", "false", "true"]);
}

#[cfg(feature = "rten")]
#[test]
fn a_file_that_is_missing_or_no_model_is_refused_and_the_sound_goes_on() {
    let builder =
        InferenceHandler::builder(plain(HOP, Duration::ZERO)).backend(anira::backends::AnyBackend::Bypass);
    let mut handler = valid(builder.swappable(true).build());
    let host = HostConfig::fixed(48_000.0, HOP).mode(Mode::Offline);
    let Prepared { mut audio, .. } = valid(handler.prepare(&host));
    let rten = EngineSpec::new(anira::backends::AnyBackend::Rten);
    let missing = rten.clone().source(ModelSource::file("not/there.onnx"));
    refused(handler.swap(0, &missing, LONG), ErrorKind::NotFound, &["engine 0", "not/there.onnx"]);
    let nonsense = rten.source(ModelSource::memory(*b"no model"));
    assert!(handler.swap(0, &nonsense, LONG).unwrap_err().kind().is_users());
    let (out, late) = anira_tests::send(&mut audio, &anira_tests::ramp(640), &[HOP; 10]);
    assert_eq!(late, 0);
    assert_same(&out, &anira_tests::ramp(640), "a bypass");
}
