//! No call on the audio thread allocates or frees, whatever engines and hosts do.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anira::LateBlock;
use anira::prelude::*;
use anira::traits::InferenceConfigBuilder;
use anira_tests::{Gate, Quick, Random, backend, mono, settle, signature, valid};
use assert_no_alloc::{AllocDisabler, assert_no_alloc, violation_count};

#[global_allocator]
static ALLOCATOR: AllocDisabler = AllocDisabler;

/// Fails if `body` allocates or frees on this thread.
#[track_caller]
fn free_of_allocation<T: Copy>(what: &str, body: impl FnOnce() -> T) {
    let before = violation_count();
    let _ = assert_no_alloc(body);
    assert_eq!(violation_count(), before, "{what} allocated or freed");
}

const HOP: usize = 64;

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
fn model(before: impl Fn() -> Result<(), Error> + Clone + Send + Sync + 'static) -> impl Backend {
    let tensors = signature(
        &[("input", &[1, 1, HOP]), ("gain", &[1]), ("z_in", &[1])],
        &[("output", &[1, 1, HOP]), ("z_out", &[1]), ("peak", &[1])],
    );
    backend(tensors, move |x, y| {
        before()?;
        let gain = x.f32(1)?[0];
        y.f32(0)?.iter_mut().zip(x.f32(0)?).for_each(|(y, x)| *y = gain * x);
        y.f32(1)?[0] = x.f32(2)?[0] + 1.0;
        y.f32(2)?[0] = 1.0;
        Ok(())
    })
}

/// Every call of the audio thread's, many times, with blocks of all kinds.
fn everything<B, S>(audio: &mut Audio<B, HopProcessor, S>, channels: usize, mut between: impl FnMut())
where
    B: Backend,
    S: Scheduler<anira::EngineOf<B>>,
{
    let mut random = Random(5);
    let longest = 1000;
    let mut planar = vec![vec![0.25f32; longest]; channels];
    let mut double = vec![vec![0.25f64; longest]; channels];
    let mut frames = vec![0.5f32; longest * channels];
    for round in 0..200 {
        // Often what was prepared, sometimes nothing, sometimes far too much.
        let n = match round % 5 {
            0 => HOP,
            1 => 0,
            2 => longest,
            _ => random.below(2 * HOP),
        };
        let mut f32s: Vec<&mut [f32]> = planar.iter_mut().map(|c| &mut c[..n]).collect();
        let mut f64s: Vec<&mut [f64]> = double.iter_mut().map(|c| &mut c[..n]).collect();
        let interleaved = &mut frames[..n * channels];
        free_of_allocation("process", || audio.process(&mut f32s[..]));
        free_of_allocation("process of f64", || audio.process(&mut f64s[..]));
        free_of_allocation("process of frames", || {
            audio.process(&mut StridedMut::interleaved(interleaved, channels))
        });
        free_of_allocation("process_into", || audio.process_into(&f64s[..], &mut f32s[..]));
        free_of_allocation("push", || audio.push(0, &f32s[..]));
        free_of_allocation("pop", || audio.pop(0, &mut f64s[..]));
        free_of_allocation("push_silence", || audio.push_silence(0, n));
        free_of_allocation("pop of frames", || {
            audio.pop(0, &mut StridedMut::interleaved(interleaved, channels))
        });
        free_of_allocation("misuse", || {
            let _ = audio.process(&mut [&mut [0.0f32; 8][..]; 0]);
            let _ = audio.push(7, &[&[0.0f32; 8][..]]);
            let _ = audio.pop(7, &mut [&mut [0.0f32; 8][..]]);
            let _ = audio.set_parameter(9, &[1.0]);
            audio.set_parameter(0, &[f64::NAN])
        });
        free_of_allocation("set_parameter", || audio.set_parameter(0, &[f64::from(round)]));
        free_of_allocation("questions", || (audio.latency(0), audio.parameter_index("gain")));
        if round % 7 == 0 {
            free_of_allocation("set_bypass", || audio.set_bypass(round % 2 == 0));
        }
        if round % 31 == 30 {
            free_of_allocation("reset", || audio.reset());
        }
        between();
    }
}

/// All of it with this engine and host, real time on the shared pool; then the drop of the audio half.
fn check(model: impl Backend, host: HostConfig, channels: usize) -> Control {
    let mut handler = valid(InferenceHandler::builder(config()).backend(model).build());
    let control = handler.control();
    let Prepared { mut audio, .. } = valid(handler.prepare(&host.channels(channels)));
    let control2 = control.clone();
    let mut value = 0.0;
    everything(&mut audio, channels, || {
        value += 1.0;
        valid(control2.set_parameter("gain", &[value]));
        settle(&control2);
    });
    free_of_allocation("drop", || drop(audio));
    control
}

#[test]
fn with_an_engine_that_works() {
    for channels in [1, 2, 5] {
        let control = check(model(|| Ok(())), HostConfig::fixed(48_000.0, HOP), channels);
        assert!(control.telemetry().done > 0 && control.reading("peak").is_some());
        check(model(|| Ok(())), HostConfig::varying(48_000.0, 100), channels);
    }
}

#[test]
fn with_an_engine_that_fails_now_and_then() {
    let runs = Arc::new(AtomicU64::new(0));
    let fails = move || match runs.fetch_add(1, Ordering::Relaxed) % 3 {
        2 => Err(Error::new(ErrorKind::Engine, "a message of its own: ".to_owned() + "allocated")),
        _ => Ok(()),
    };
    let control = check(model(fails), HostConfig::varying(48_000.0, 100), 2);
    assert!(control.telemetry().failed > 0 && control.telemetry().done > 0);
}

#[test]
fn with_an_engine_that_panics() {
    let panics = || if black_box(true) { panic!("on purpose") } else { Ok(()) };
    let control = check(model(panics), HostConfig::varying(48_000.0, 100), 1);
    assert_eq!(control.telemetry().done, 0);
}

#[test]
fn with_an_engine_that_does_not_come_back() {
    let gate = Gate::new();
    let held = gate.clone();
    let model = model(move || {
        held.pass();
        Ok(())
    });
    let mut handler = valid(InferenceHandler::builder(config()).backend(model).build());
    let control = handler.control();
    let Prepared { mut audio, .. } = valid(handler.prepare(&HostConfig::varying(48_000.0, 100).channels(2)));
    gate.shut();
    everything(&mut audio, 2, || ());
    let telemetry = control.telemetry();
    assert!(telemetry.late_samples > 0 && telemetry.dropped > 0, "{telemetry:?}");
    free_of_allocation("drop beside a running engine", || drop(audio));
    gate.open();
}

#[test]
fn after_the_handler_is_gone() {
    let mut handler = valid(InferenceHandler::builder(config()).backend(model(|| Ok(()))).build());
    let Prepared { mut audio, .. } = valid(handler.prepare(&HostConfig::varying(48_000.0, 100)));
    drop(handler);
    everything(&mut audio, 1, || ());
    free_of_allocation("drop without an owner", || drop(audio));
}

#[test]
fn with_readings_that_wait_a_part_of_the_block() {
    let config = InferenceConfig::builder()
        .input(InputTensor::stream("input", HOP))
        .output(OutputTensor::stream("output", HOP))
        .max_inference(Duration::from_micros(600))
        .blocking_ratio(0.5);
    let model = mono(HOP, |x, y| {
        y.copy_from_slice(x);
        Ok(())
    });
    let mut handler = valid(InferenceHandler::builder(valid(config.build())).backend(model).build());
    let Prepared { mut audio, .. } = valid(handler.prepare(&HostConfig::fixed(48_000.0, HOP)));
    let mut block = [0.5f32; HOP];
    for _ in 0..200 {
        free_of_allocation("process", || audio.process(&mut [&mut block[..]]));
    }
}

/// Everything with this in place of late samples: while the model answers, and while it does not.
fn check_late<B: Backend>(
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
    everything(&mut audio, 2, || {
        round += 1;
        while round % 10 < 6 && driver.run_one() {}
    });
    free_of_allocation("drop", || drop(audio));
    let told = handler.control().telemetry();
    assert!(told.late_samples > 0 && told.done > 0, "{told:?}");
    handler.control()
}

fn copying() -> impl Backend {
    mono(HOP, |x, y| {
        y.copy_from_slice(x);
        Ok(())
    })
}

#[test]
fn with_every_policy_for_what_is_late() {
    for (_, policy) in LatePolicy::ALL {
        for fade in [0, 64, 300] {
            check_late(|config| {
                let config = config.late_policy(policy).late_fade(fade);
                InferenceHandler::builder(valid(config.build())).backend(copying())
            });
        }
    }
}

#[test]
fn with_a_function_for_what_is_late() {
    check_late(|config| {
        let builder = InferenceHandler::builder(valid(config.build())).backend(copying());
        builder.late_function(|| |late: &LateBlock<'_>, out: &mut [f32]| out.copy_from_slice(late.input))
    });
}

#[test]
fn with_a_second_model_for_what_is_late() {
    // One that works, one that remembers, one that fails.
    let told = check_late(|config| {
        let builder = InferenceHandler::builder(valid(config.build())).backend(copying());
        builder.fallback(Fallback::new(Bypass))
    });
    assert!(told.telemetry().stood_in > 0);
    let told = check_late(|config| {
        let own = config.clone().input(InputTensor::state("z_in", "z_out"));
        let builder = InferenceHandler::builder(valid(config.build())).backend(copying());
        builder.fallback(Fallback::new(Bypass).config(valid(own.build())))
    });
    assert!(told.telemetry().stood_in > 0);
    let told = check_late(|config| {
        let mut runs = 0;
        let fails = mono(HOP, move |_, _| {
            runs += 1;
            if runs % 2 == 0 { Err(Error::new(ErrorKind::Engine, "on purpose")) } else { Ok(()) }
        });
        let fails = Fallback::new(Quick(fails));
        InferenceHandler::builder(valid(config.build())).backend(copying()).fallback(fails)
    });
    assert!(told.telemetry().stand_in_failed > 0);
}

#[test]
fn with_engines_that_are_switched_and_exchanged() {
    // One that works, one that fails now and then, one that never works.
    let runs = Arc::new(AtomicU64::new(0));
    let engine = |kind: u64| {
        let runs = runs.clone();
        model(move || match kind {
            1 if runs.fetch_add(1, Ordering::Relaxed) % 7 == 6 => {
                Err(Error::new(ErrorKind::Engine, "now and then"))
            }
            2 => Err(Error::new(ErrorKind::Engine, "always")),
            _ => Ok(()),
        })
    };
    let builder = InferenceHandler::builder(config()).backend(engine(0)).swappable(true);
    let builder = builder.engine(EngineSpec::new(engine(1))).engine(EngineSpec::new(engine(2)));
    let mut handler = valid(builder.build());
    let control = handler.control();
    let Prepared { mut audio, .. } = valid(handler.prepare(&HostConfig::varying(48_000.0, 100)));
    for round in 0..40 {
        free_of_allocation("set_engine", || audio.set_engine(round % 4));
        if round % 4 == 0 {
            // At the earliest two blocks after the last: where it is not seen yet it is taken back.
            let _ = handler.swap(round / 4 % 3, &EngineSpec::new(engine(0)), Duration::ZERO);
        }
        for n in [HOP, 100, 7, HOP, 300, HOP] {
            let mut block = vec![0.25f32; n];
            let slices = &mut [&mut block[..]];
            free_of_allocation("process", || audio.process(slices));
            settle(&control);
        }
        if round % 13 == 12 {
            free_of_allocation("reset", || audio.reset());
        }
    }
    let told = control.switching();
    assert!(told.switched > 10 && told.given_up > 0, "{told:?}");
    free_of_allocation("drop", || drop(audio));
}

#[test]
fn inline_engines_are_switched_and_exchanged_in_the_call() {
    let runs = Arc::new(AtomicU64::new(0));
    let fails = move || {
        let runs = runs.clone();
        mono(HOP, move |x, y| {
            y.copy_from_slice(x);
            match runs.fetch_add(1, Ordering::Relaxed) % 9 {
                8 => Err(Error::new(ErrorKind::Engine, "now and then")),
                _ => Ok(()),
            }
        })
    };
    let config = anira_tests::plain(HOP, Duration::from_millis(1));
    let builder = InferenceHandler::builder(config).backend(Quick(fails())).scheduler(Inline).swappable(true);
    let mut handler = valid(builder.engine(EngineSpec::new(Quick(fails()))).build());
    let Prepared { mut audio, .. } = valid(handler.prepare(&HostConfig::varying(48_000.0, 100)));
    for round in 0..30 {
        free_of_allocation("set_engine", || audio.set_engine(round % 2));
        let _ = handler.swap(round % 2, &EngineSpec::new(Quick(fails())), Duration::ZERO);
        everything_once(&mut audio);
    }
    assert!(handler.control().switching().switched > 10);
}

/// Some blocks.
fn everything_once<B: Backend, S: Scheduler<anira::EngineOf<B>>>(audio: &mut Audio<B, HopProcessor, S>) {
    for n in [HOP, 100, 7, HOP, 300, HOP] {
        let mut block = vec![0.25f32; n];
        let slices = &mut [&mut block[..]];
        free_of_allocation("process", || audio.process(slices));
    }
}

#[test]
fn inline_the_engine_itself_runs_in_the_call() {
    let config = anira_tests::plain(HOP, Duration::from_millis(1));
    let mut handler = valid(InferenceHandler::builder(config).backend(Bypass).scheduler(Inline).build());
    let Prepared { mut audio, .. } = valid(handler.prepare(&HostConfig::varying(48_000.0, 100)));
    everything(&mut audio, 1, || ());
    free_of_allocation("drop", || drop(audio));
}

#[test]
fn an_allocation_that_was_planted_is_found() {
    let before = violation_count();
    let planted = assert_no_alloc(|| black_box(vec![1u8; 100]));
    assert_eq!(violation_count(), before + 1, "an allocation");
    assert_no_alloc(|| drop(planted));
    assert_eq!(violation_count(), before + 2, "and the memory's return");
    // One inside an engine that runs in the caller's thread is found through all layers.
    let model = mono(HOP, |_, _| {
        black_box(vec![1u8; 100]);
        Ok(())
    });
    let config = anira_tests::plain(HOP, Duration::ZERO);
    let mut handler = valid(InferenceHandler::builder(config).backend(model).scheduler(Offline).build());
    let host = HostConfig::fixed(48_000.0, HOP).mode(Mode::Offline);
    let Prepared { mut audio, .. } = valid(handler.prepare(&host));
    let before = violation_count();
    let _ = assert_no_alloc(|| audio.process(&mut [&mut [0.0f32; HOP][..]]));
    assert_eq!(violation_count(), before + 2);
}
