//! The sessions whose audio threads are watched for real time: engines that work, fail, panic, give no numbers, never come back;
//! blocks of all kinds; late blocks and what stands in for them; all ways to idle; small networks in the callback itself.

#[cfg(feature = "native")]
mod small;
mod switch;

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anira::LateBlock;
use anira::backends::AnyBackend;
use anira::prelude::*;
use anira::scheduler::{IdlePolicy, Wake};
use anira::traits::InferenceConfigBuilder;

use crate::callback::{Watch, everything};
use crate::zoo::{KNOB, LSTM, built_in};
use crate::{Gate, Quick, backend, mono, settle, signature, valid};

/// The hop of the made-up models.
const HOP: usize = 64;
/// Rounds of every call.
const ROUNDS: usize = 120;

/// One session, from `prepare` to the drop of its audio half.
pub struct Case {
    /// What is special about it.
    pub name: String,
    run: Play,
}

type Play = Box<dyn Fn(&mut Watch<'_>)>;

impl Case {
    fn new(name: impl Into<String>, run: impl Fn(&mut Watch<'_>) + 'static) -> Self {
        Self { name: name.into(), run: Box::new(run) }
    }

    /// Plays it, with every call of its audio thread watched. The calling thread is the audio thread.
    ///
    /// # Panics
    /// If what is special about it did not happen: an engine that fails has to have failed.
    pub fn run(&self, watch: &mut Watch<'_>) {
        (self.run)(watch);
    }
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Case").field("name", &self.name).finish_non_exhaustive()
    }
}

/// All of them.
#[must_use]
pub fn matrix() -> Vec<Case> {
    let mut cases = Vec::new();
    for (idle, policy) in idle_policies() {
        for (blocks, host, usual) in hosts() {
            for channels in [1, 2, 5] {
                let name = format!("{idle}, {blocks}, {channels} channels");
                let host = host.channels(channels);
                cases.push(Case::new(name, move |watch| {
                    let told = play(answers(|| Ok(())), &host, usual, policy, watch);
                    assert!(told.telemetry().done > 0 && told.reading("peak").is_some());
                }));
            }
        }
        for (engine, case) in troubled(policy) {
            cases.push(Case::new(format!("{idle}, {engine}"), case));
        }
        for engine in ["bypass"].into_iter().chain(built_in()) {
            cases.push(Case::new(format!("{idle}, engine {engine}"), move |watch| {
                real(engine, policy, watch)
            }));
        }
    }
    cases.extend(late());
    cases.push(Case::new("the handler is gone", orphaned));
    cases.push(Case::new("waits for a part of the block", waiting));
    cases.push(Case::new("falls asleep, sleeps, wakes up", asleep));
    cases.push(Case::new("inline", inline));
    #[cfg(feature = "native")]
    cases.extend(small::inline());
    cases.push(Case::new("recorded, until nobody drains any more", recorded));
    cases.push(Case::new("engines are switched and exchanged", switch::on_workers));
    cases.push(Case::new("inline, engines are switched and exchanged", switch::inline));
    cases
}

/// How workers pass the time.
#[must_use]
pub fn idle_policies() -> Vec<(&'static str, IdlePolicy)> {
    let mut unwoken = IdlePolicy::predictive();
    unwoken.wake = Wake::Never;
    vec![("predictive", IdlePolicy::predictive()), ("parked", IdlePolicy::park()), ("never woken", unwoken)]
}

/// How a host calls, and with how many samples at most times.
fn hosts() -> [(&'static str, HostConfig, usize); 3] {
    [
        ("blocks of a hop", HostConfig::fixed(48_000.0, HOP), HOP),
        ("blocks that do not divide a hop", HostConfig::fixed(48_000.0, 48), 48),
        ("blocks of any size", HostConfig::varying(48_000.0, 100), HOP),
    ]
}

fn config() -> InferenceConfig {
    valid(
        InferenceConfig::builder()
            .input(InputTensor::stream("input", HOP))
            .input(InputTensor::parameter("gain", [1.0]))
            .input(InputTensor::state("z_in", "z_out"))
            .output(OutputTensor::stream("output", HOP))
            .output(OutputTensor::parameter("peak"))
            .max_inference(Duration::from_micros(200))
            .build(),
    )
}

/// A model with a stream, a parameter, a state and a reading, that first asks `before` what to do.
fn answers(before: impl Fn() -> Result<(), Error> + Clone + Send + Sync + 'static) -> impl Backend {
    model(before, |sample| sample)
}

/// The same, with every sample of its answer changed.
fn model(
    before: impl Fn() -> Result<(), Error> + Clone + Send + Sync + 'static,
    change: impl Fn(f32) -> f32 + Clone + Send + Sync + 'static,
) -> impl Backend {
    let tensors = signature(
        &[("input", &[1, 1, HOP]), ("gain", &[1]), ("z_in", &[1])],
        &[("output", &[1, 1, HOP]), ("z_out", &[1]), ("peak", &[1])],
    );
    backend(tensors, move |x, y| {
        before()?;
        let gain = x.f32(1)?[0];
        y.f32(0)?.iter_mut().zip(x.f32(0)?).for_each(|(y, x)| *y = change(gain * x));
        y.f32(1)?[0] = x.f32(2)?[0] + 1.0;
        y.f32(2)?[0] = 1.0;
        Ok(())
    })
}

fn pool(policy: IdlePolicy) -> Pool {
    valid(Pool::builder().threads(1).idle(policy).build())
}

/// Everything with this model on a pool of its own, in real time, every submission answered before the next call.
fn play(
    model: impl Backend,
    host: &HostConfig,
    usual: usize,
    policy: IdlePolicy,
    watch: &mut Watch<'_>,
) -> Control {
    let builder = InferenceHandler::builder(config()).backend(model).scheduler(pool(policy));
    let mut handler = valid(builder.build());
    let control = handler.control();
    let Prepared { mut audio, .. } = valid(handler.prepare(host));
    let mut value = 0.0;
    everything(&mut audio, (host.channel_count().unwrap_or(1), usual, ROUNDS), watch, || {
        value += 1.0;
        valid(control.set_parameter("gain", &[value]));
        settle(&control);
    });
    drop_watched(audio, "drop", watch);
    control
}

/// An audio half goes on the audio thread, as a host may have it.
fn drop_watched<T>(audio: T, what: &str, watch: &mut Watch<'_>) {
    let mut audio = Some(audio);
    watch(what, &mut || drop(audio.take()));
}

/// Engines that do not do what they should.
fn troubled(policy: IdlePolicy) -> Vec<(&'static str, Play)> {
    let host = || HostConfig::varying(48_000.0, 100).channels(2);
    vec![
        (
            "an engine that fails now and then",
            Box::new(move |watch| {
                let runs = Arc::new(AtomicU64::new(0));
                let fails = move || match runs.fetch_add(1, Ordering::Relaxed) % 3 {
                    0 => Err(Error::new(ErrorKind::Engine, "on purpose")),
                    _ => Ok(()),
                };
                let told = play(answers(fails), &host(), HOP, policy, watch).telemetry();
                assert!(told.failed > 0 && told.done > 0, "{told:?}");
            }),
        ),
        (
            "an engine that panics",
            Box::new(move |watch| {
                #[allow(clippy::panic, reason = "what the case is about")]
                let panics = || if black_box(true) { panic!("on purpose") } else { Ok(()) };
                let told = play(answers(panics), &host(), HOP, policy, watch).telemetry();
                assert!(told.failed > 0 && told.done == 0, "{told:?}");
            }),
        ),
        (
            "outputs that are no numbers",
            Box::new(move |watch| {
                let wild = model(|| Ok(()), |sample| if sample > 20.0 { f32::NAN } else { sample });
                let told = play(wild, &host(), HOP, policy, watch).telemetry();
                assert!(told.failed > 0 && told.done > 0, "{told:?}");
            }),
        ),
        ("an engine that does not come back", Box::new(move |watch| stuck(policy, watch))),
    ]
}

/// Nothing comes back: all queues are full, and stay so.
fn stuck(policy: IdlePolicy, watch: &mut Watch<'_>) {
    let gate = Gate::new();
    let held = gate.clone();
    let model = answers(move || {
        held.pass();
        Ok(())
    });
    let builder = InferenceHandler::builder(config()).backend(model).scheduler(pool(policy));
    let mut handler = valid(builder.build());
    let control = handler.control();
    let Prepared { mut audio, .. } = valid(handler.prepare(&HostConfig::varying(48_000.0, 100).channels(2)));
    gate.shut();
    everything(&mut audio, (2, HOP, ROUNDS), watch, || ());
    let told = control.telemetry();
    assert!(told.late_samples > 0 && told.dropped > 0, "{told:?}");
    drop_watched(audio, "drop beside a running engine", watch);
    gate.open();
}

/// A real engine, chosen while the program runs.
fn real(engine: &str, policy: IdlePolicy, watch: &mut Watch<'_>) {
    for golden in [&KNOB, &LSTM] {
        if engine == "bypass" && golden.name != KNOB.name {
            continue;
        }
        let backend = valid(AnyBackend::named(engine));
        let longest = Duration::from_micros(500);
        let builder = golden.builder(backend, 1, longest).scheduler(pool(policy));
        let mut handler = valid(builder.build());
        let control = handler.control();
        let host = HostConfig::varying(48_000.0, 512).channels(2);
        let Prepared { mut audio, .. } = valid(handler.prepare(&host));
        everything(&mut audio, (2, 512, 20), watch, || settle(&control));
        let told = control.telemetry();
        assert!(told.done > 0 && told.failed == 0, "{engine}, {}: {told:?}", golden.name);
        drop_watched(audio, "drop", watch);
    }
}

/// Everything that may be heard in place of late samples.
fn late() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, policy) in LatePolicy::ALL {
        for fade in [0, 64, 300] {
            cases.push(Case::new(format!("late: {name}, fade {fade}"), move |watch| {
                check_late(watch, |config| {
                    let config = config.late_policy(policy).late_fade(fade);
                    InferenceHandler::builder(valid(config.build())).backend(copying())
                });
            }));
        }
    }
    cases.push(Case::new("late: a function", |watch| {
        check_late(watch, |config| {
            let builder = InferenceHandler::builder(valid(config.build())).backend(copying());
            builder.late_function(|| |late: &LateBlock<'_>, out: &mut [f32]| out.copy_from_slice(late.input))
        });
    }));
    cases.push(Case::new("late: a second model", |watch| {
        let told = check_late(watch, |config| {
            let builder = InferenceHandler::builder(valid(config.build())).backend(copying());
            builder.fallback(Fallback::new(Bypass))
        });
        assert!(told.telemetry().stood_in > 0);
    }));
    cases.push(Case::new("late: a second model that remembers", |watch| {
        let told = check_late(watch, |config| {
            let own = config.clone().input(InputTensor::state("z_in", "z_out"));
            let builder = InferenceHandler::builder(valid(config.build())).backend(copying());
            builder.fallback(Fallback::new(Bypass).config(valid(own.build())))
        });
        assert!(told.telemetry().stood_in > 0);
    }));
    cases.push(Case::new("late: a second model that fails", |watch| {
        let told = check_late(watch, |config| {
            let mut runs = 0;
            let fails = mono(HOP, move |_, _| {
                runs += 1;
                if runs % 2 == 0 { Err(Error::new(ErrorKind::Engine, "on purpose")) } else { Ok(()) }
            });
            let fails = Fallback::new(Quick(fails));
            InferenceHandler::builder(valid(config.build())).backend(copying()).fallback(fails)
        });
        assert!(told.telemetry().stand_in_failed > 0);
    }));
    cases
}

/// Everything with this in place of late samples: while the model answers, and while it does not.
fn check_late<B: Backend>(
    watch: &mut Watch<'_>,
    late: impl FnOnce(InferenceConfigBuilder) -> anira::Builder<B, HopProcessor, Pool>,
) -> Control {
    let config = InferenceConfig::builder()
        .input(InputTensor::stream("input", HOP))
        .output(OutputTensor::stream("output", HOP))
        .max_inference(Duration::from_micros(500));
    let driven = valid(Driven::new(1));
    let mut driver = driven.driver();
    let mut handler = valid(late(config).scheduler(driven).build());
    let Prepared { mut audio, .. } = valid(handler.prepare(&HostConfig::varying(48_000.0, 100).channels(2)));
    let mut round = 0;
    everything(&mut audio, (2, HOP, ROUNDS), watch, || {
        round += 1;
        while round % 10 < 6 && driver.run_one() {}
    });
    drop_watched(audio, "drop", watch);
    let told = handler.control().telemetry();
    assert!(told.late_samples > 0 && told.done > 0, "{told:?}");
    handler.control()
}

/// Silence for which no engine is run, and sounds in between.
fn asleep(watch: &mut Watch<'_>) {
    let config = InferenceConfig::builder()
        .input(InputTensor::stream("input", HOP))
        .output(OutputTensor::stream("output", HOP))
        .max_inference(Duration::from_micros(500))
        .skip_silence(true);
    let builder = InferenceHandler::builder(valid(config.build())).backend(copying());
    let mut handler = valid(builder.scheduler(pool(IdlePolicy::predictive())).build());
    let Prepared { mut audio, .. } = valid(handler.prepare(&HostConfig::fixed(48_000.0, HOP)));
    for round in 0..ROUNDS {
        let mut block = [f32::from(u8::from(round % 20 == 0)); HOP];
        watch("process of silence", &mut || _ = audio.process(&mut [&mut block[..]]));
        if round % 50 == 49 {
            watch("reset", &mut || audio.reset());
        }
        settle(&handler.control());
    }
    drop_watched(audio, "drop", watch);
    let told = handler.control().telemetry();
    assert!(told.skipped > 50 && told.done > 10, "{told:?}");
}

fn copying() -> impl Backend {
    mono(HOP, |x, y| {
        y.copy_from_slice(x);
        Ok(())
    })
}

fn orphaned(watch: &mut Watch<'_>) {
    let mut handler = valid(InferenceHandler::builder(config()).backend(answers(|| Ok(()))).build());
    let Prepared { mut audio, .. } = valid(handler.prepare(&HostConfig::varying(48_000.0, 100)));
    drop(handler);
    everything(&mut audio, (1, HOP, ROUNDS), watch, || ());
    drop_watched(audio, "drop without an owner", watch);
}

fn waiting(watch: &mut Watch<'_>) {
    let config = InferenceConfig::builder()
        .input(InputTensor::stream("input", HOP))
        .output(OutputTensor::stream("output", HOP))
        .max_inference(Duration::from_micros(600))
        .blocking_ratio(0.5);
    let mut handler = valid(InferenceHandler::builder(valid(config.build())).backend(copying()).build());
    let Prepared { mut audio, .. } = valid(handler.prepare(&HostConfig::fixed(48_000.0, HOP)));
    let mut block = [0.5f32; HOP];
    for _ in 0..200 {
        watch("process", &mut || _ = audio.process(&mut [&mut block[..]]));
    }
    drop_watched(audio, "drop", watch);
}

fn recorded(watch: &mut Watch<'_>) {
    let builder = InferenceHandler::builder(config()).backend(answers(|| Ok(())));
    let mut handler = valid(builder.scheduler(pool(IdlePolicy::predictive())).build());
    let control = handler.control();
    handler.record(1 << 9);
    let Prepared { mut audio, recording, .. } = valid(handler.prepare(&HostConfig::varying(48_000.0, 100)));
    let (mut recording, mut round, mut drained) = (recording, 0, 0);
    everything(&mut audio, (1, HOP, ROUNDS), watch, || {
        settle(&control);
        round += 1;
        if round < ROUNDS / 2 {
            drained += recording.as_mut().map_or(0, anira::trace::Recording::drain);
        }
    });
    drop_watched(audio, "drop", watch);
    let trace = recording.map(anira::trace::Recording::finish);
    assert!(drained > 1000 && trace.is_some_and(|trace| trace.events.len() > drained && trace.lost > 0));
}

fn inline(watch: &mut Watch<'_>) {
    let config = crate::plain(HOP, Duration::from_millis(1));
    let mut handler = valid(InferenceHandler::builder(config).backend(Bypass).scheduler(Inline).build());
    let Prepared { mut audio, .. } = valid(handler.prepare(&HostConfig::varying(48_000.0, 100)));
    everything(&mut audio, (1, HOP, ROUNDS), watch, || ());
    drop_watched(audio, "drop", watch);
}
