//! Parameters: set from anywhere, whole, from the next hop on, for as long as the handler lives.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anira::prelude::*;
use anira_tests::{assert_same, backend, refused, send, signature, valid};

use crate::rendering;

const HOP: usize = 8;

fn config(defaults: &[f64]) -> InferenceConfig {
    valid(
        anira_tests::cut()
            .input(InputTensor::stream("input", HOP))
            .input(InputTensor::parameter("add", defaults))
            .input(InputTensor::parameter("gain", [1.0]))
            .output(OutputTensor::stream("output", HOP))
            .build(),
    )
}

/// output = input * gain + add[0] + add[1].
fn knobs() -> impl Backend {
    let tensors =
        signature(&[("input", &[1, 1, HOP]), ("add", &[2]), ("gain", &[1])], &[("output", &[1, 1, HOP])]);
    backend(tensors, |x, y| {
        let (add, gain) = (x.f32(1)?, x.f32(2)?[0]);
        y.f32(0)?.iter_mut().zip(x.f32(0)?).for_each(|(y, x)| *y = x * gain + add[0] + add[1]);
        Ok(())
    })
}

fn handler(defaults: &[f64]) -> InferenceHandler<impl Backend, HopProcessor, Offline> {
    valid(InferenceHandler::builder(config(defaults)).backend(knobs()).scheduler(Offline).build())
}

/// One hop of ones; what the model makes of it, if the latency is 0.
fn one_hop<B: Backend, S: Scheduler<anira::EngineOf<B>>>(audio: &mut Audio<B, HopProcessor, S>) -> f32 {
    let output = send(audio, &[1.0; HOP], &[HOP]).0;
    assert_same(&output, &[output[0]; HOP], "one hop, one setting");
    output[0]
}

/// Whatever the tensors are called.
#[test]
fn tensors_may_be_named_by_their_places() {
    let config = |gain: &str, output: &str| {
        anira_tests::cut()
            .input(InputTensor::parameter("gain", [3.0]).model_name(gain))
            .input(InputTensor::stream("sound", HOP).model_name("#0"))
            .input(InputTensor::parameter("add", [1.0]))
            .output(OutputTensor::stream("out", HOP).model_name(output))
            .build()
    };
    let built = |gain: &str, output: &str| {
        let builder = InferenceHandler::builder(valid(config(gain, output))).backend(knobs());
        builder.scheduler(Offline).build()
    };
    let mut handler = valid(built("#2", "#0"));
    assert_eq!(handler.control().parameters(), [("gain", 1), ("add", 2)], "their own names");
    let Prepared { mut audio, .. } = valid(handler.prepare(&rendering(HOP)));
    assert_eq!(one_hop(&mut audio), 5.0);
    refused(built("#3", "#0"), ErrorKind::Config, &["gain", "`#3`", "the model has `input`, `add`, `gain`"]);
    refused(built("#1", "#0"), ErrorKind::Config, &["bound twice"]);
    refused(built("#2", "#1"), ErrorKind::Config, &["out", "`#1`"]);
}

#[test]
fn defaults_hold_until_set_and_one_value_serves_all_elements() {
    let mut handler = handler(&[10.0, 100.0]);
    let control = handler.control();
    let Prepared { mut audio, .. } = valid(handler.prepare(&rendering(HOP)));
    assert_eq!(control.parameters(), [("add", 2), ("gain", 1)]);
    assert_eq!(control.parameter("add"), Some(vec![10.0, 100.0]));
    assert_eq!(control.parameter("gone"), None);
    assert_eq!(one_hop(&mut audio), 111.0);
    valid(control.set_parameter("add", &[7.0]));
    assert_eq!(one_hop(&mut audio), 15.0, "7 twice");
    assert_eq!(control.parameter("add"), Some(vec![7.0, 7.0]));
    valid(control.set_parameter("gain", &[-2.0]));
    valid(control.set_parameter("add", &[0.0, 1.0]));
    assert_eq!(one_hop(&mut audio), -1.0);
}

#[test]
fn one_default_serves_all_elements() {
    let mut handler = handler(&[3.0]);
    let Prepared { mut audio, .. } = valid(handler.prepare(&rendering(HOP)));
    assert_eq!(one_hop(&mut audio), 7.0);
}

#[test]
fn what_is_set_before_prepare_is_in_the_first_hop() {
    let mut handler = handler(&[0.0]);
    valid(handler.control().set_parameter("gain", &[5.0]));
    let Prepared { mut audio, .. } = valid(handler.prepare(&rendering(HOP)));
    assert_eq!(one_hop(&mut audio), 5.0);
}

#[test]
fn a_setting_applies_from_the_next_hop_that_is_submitted() {
    let mut handler = handler(&[0.0]);
    let control = handler.control();
    // Two blocks to a hop: a setting between them is in time for the hop that the second completes.
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&rendering(HOP / 2)));
    let latency = report.latency[0].samples as usize;
    let mut output = Vec::new();
    let (hops, mut right) = (20, vec![0.0; latency]);
    for n in 0..2 * hops {
        valid(control.set_parameter("gain", &[f64::from(n)]));
        output.extend(send(&mut audio, &[1.0; HOP / 2], &[HOP / 2]).0);
        if n % 2 == 1 {
            right.extend([n as f32; HOP]);
        }
    }
    right.truncate(output.len());
    assert_same(&output, &right, "each hop has the gain at its completion");
}

#[test]
fn all_hops_of_one_block_have_one_setting_and_the_last_set_wins() {
    let mut handler = handler(&[0.0]);
    let control = handler.control();
    let Prepared { mut audio, .. } = valid(handler.prepare(&rendering(4 * HOP)));
    (0..100).for_each(|n| valid(control.set_parameter("gain", &[f64::from(n)])));
    assert_same(&send(&mut audio, &[1.0; 4 * HOP], &[4 * HOP]).0, &[99.0; 4 * HOP], "the last");
}

#[test]
fn vectors_are_never_torn_however_many_threads_set_them() {
    const LEN: usize = 64;
    let shape = [1, 1, HOP];
    let tensors = signature(&[("input", &shape), ("all", &[LEN])], &[("output", &shape)]);
    let (changes, last) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let seen = (changes.clone(), last.clone());
    let model = backend(tensors, move |x, _| {
        let all = x.f32(1)?;
        if all.iter().any(|v| *v != all[0]) {
            return Err(Error::new(ErrorKind::Engine, "torn"));
        }
        let bits = u64::from(all[0].to_bits());
        if seen.1.swap(bits, Ordering::Relaxed) != bits {
            seen.0.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    });
    let config = anira_tests::cut()
        .input(InputTensor::stream("input", HOP))
        .input(InputTensor::parameter("all", [0.0]))
        .output(OutputTensor::stream("output", HOP));
    let mut handler =
        valid(InferenceHandler::builder(valid(config.build())).backend(model).scheduler(Offline).build());
    let control = handler.control();
    let Prepared { mut audio, .. } = valid(handler.prepare(&rendering(HOP)));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for writer in 0..3 {
            let (control, stop) = (control.clone(), &stop);
            scope.spawn(move || {
                for n in (0..).map(|n| n % 1000) {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    valid(control.set_parameter("all", &[f64::from(1000 * writer + n); LEN]));
                }
            });
        }
        // The audio thread's own setting is whole too.
        let mut left = 10_000_000;
        while changes.load(Ordering::Relaxed) < 500 && left > 0 {
            let _ = audio.set_parameter(0, &[-f64::from(left % 100); LEN]);
            assert!(audio.process(&mut [&mut [0.0f32; HOP][..]]).fault.is_none());
            left -= 1;
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(changes.load(Ordering::Relaxed) >= 500, "the settings reached the engine");
    assert_eq!((control.telemetry().failed, control.last_error()), (0, None));
}

#[test]
fn misuse_is_named_and_changes_nothing() {
    let mut handler = handler(&[1.0, 2.0]);
    let control = handler.control();
    refused(control.set_parameter("gian", &[1.0]), ErrorKind::Config, &["`gian`", "add, gain"]);
    refused(control.set_parameter("add", &[1.0, 2.0, 3.0]), ErrorKind::Config, &["`add`", "3 values", "2"]);
    refused(control.set_parameter("add", &[]), ErrorKind::Config, &["`add`", "0 values"]);
    refused(control.set_parameter("gain", &[f64::NAN]), ErrorKind::Config, &["`gain`", "NaN", "finite"]);
    refused(control.set_parameter("add", &[0.0, f64::INFINITY]), ErrorKind::Config, &["`add`", "inf"]);
    let Prepared { mut audio, .. } = valid(handler.prepare(&rendering(HOP)));
    for (index, values) in [(2, &[1.0][..]), (0, &[1.0]), (0, &[1.0, f64::NAN]), (1, &[]), (usize::MAX, &[])]
    {
        assert_eq!(audio.set_parameter(index, values).fault, Some(Fault::Parameter), "{index} {values:?}");
    }
    assert_eq!(one_hop(&mut audio), 4.0);
}

#[test]
fn the_audio_half_sets_by_index() {
    let mut handler = handler(&[0.0]);
    let control = handler.control();
    let Prepared { mut audio, .. } = valid(handler.prepare(&rendering(HOP)));
    assert_eq!((audio.parameter_index("gain"), audio.parameter_index("gone")), (Some(1), None));
    assert!(audio.set_parameter(1, &[4.0]).is_ok());
    assert!(audio.set_parameter(0, &[1.0, 2.0]).is_ok());
    assert_eq!(one_hop(&mut audio), 7.0);
    assert_eq!(control.parameter("add"), Some(vec![1.0, 2.0]), "and the control side sees it");
}

#[test]
fn settings_survive_a_reset_and_the_next_prepare() {
    let mut handler = handler(&[0.0]);
    let control = handler.control();
    let Prepared { mut audio, .. } = valid(handler.prepare(&rendering(HOP)));
    valid(control.set_parameter("gain", &[3.0]));
    assert_eq!(one_hop(&mut audio), 3.0);
    audio.reset();
    assert_eq!(one_hop(&mut audio), 3.0, "after a reset");
    drop(audio);
    let Prepared { mut audio, .. } = valid(handler.prepare(&rendering(HOP)));
    assert_eq!(one_hop(&mut audio), 3.0, "applied before the prepare");
    drop(audio);
    valid(control.set_parameter("gain", &[4.0]));
    let Prepared { mut audio, .. } = valid(handler.prepare(&rendering(HOP)));
    assert_eq!(one_hop(&mut audio), 4.0, "set while no audio half was there");
    audio.reset();
    valid(control.set_parameter("gain", &[5.0]));
    assert_eq!(one_hop(&mut audio), 5.0, "set right after a reset");
}

#[test]
fn an_old_audio_half_that_still_plays_swallows_no_setting() {
    let mut handler = handler(&[0.0]);
    let control = handler.control();
    let Prepared { audio: mut old, .. } = valid(handler.prepare(&rendering(HOP)));
    assert_eq!(one_hop(&mut old), 1.0);
    let Prepared { audio: mut new, .. } = valid(handler.prepare(&rendering(HOP)));
    valid(control.set_parameter("gain", &[6.0]));
    // The host has not changed over yet.
    let _ = one_hop(&mut old);
    assert_eq!(one_hop(&mut new), 6.0);
}
