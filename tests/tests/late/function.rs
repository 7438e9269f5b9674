//! A function of the user's: what it is told, and when it is called.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use anira::LateBlock;
use anira::prelude::*;
use anira_tests::{assert_same, delayed, valid};

use crate::{HOP, RATE, Stage, half, noise, right, script, settings, times, truth};

/// What a call was told: stream, channel, position, input, how many samples.
type Call = (usize, usize, usize, Vec<f32>, usize);

#[test]
fn a_function_is_asked_for_every_sample_that_needs_it_once_and_in_order() {
    for (hop, fade, sizes) in [(64, 0, &[64][..]), (64, 64, &[48]), (150, 200, &[200]), (300, 7, &[1, 280])] {
        let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
        let log = calls.clone();
        let make = move || {
            let log = log.clone();
            move |late: &LateBlock<'_>, out: &mut [f32]| {
                let position = late.position as usize;
                let call = (late.stream, late.channel, position, late.input.to_vec(), out.len());
                log.lock().unwrap().push(call);
                for (i, (out, x)) in out.iter_mut().zip(late.input).enumerate() {
                    *out = 0.25 * x + (position + i) as f32;
                }
            }
        };
        // A policy beside it is not looked at.
        let config = valid(settings(hop).late_fade(fade).late_policy(LatePolicy::Hold).build());
        let host = HostConfig::varying(RATE, sizes.iter().copied().max().unwrap()).channels(2);
        let config = config.with_max_inference(std::time::Duration::from_micros(10 * hop as u64));
        let builder = InferenceHandler::builder(config).backend(half(hop)).late_function(make);
        let mut stage = Stage::new(builder, &host);
        let input = [noise(4000, 1), noise(4000, 2)];
        let script = script(sizes, 4000, &[900..1600, 2400..2700]);
        let truth = truth(stage.zero_fill, hop, &script);
        let output = stage.play(&input, &script);
        let what = format!("{hop} {fade} {sizes:?}");
        let calls = calls.lock().unwrap();
        for channel in 0..2 {
            let dry = delayed(&input[channel], stage.latency as u64);
            let stand_in = |p: usize, _| (0.25 * dry[p] + p as f32, false);
            let answer = times(&input[channel], 0.5);
            let (right, replaced) = right(fade, stage.zero_fill, &truth.heard, &answer, stand_in);
            assert_same(&output[channel], &right, &what);

            let mut asked = Vec::new();
            for (stream, _, position, input, len) in calls.iter().filter(|call| call.1 == channel) {
                assert!(*stream == 0 && (1..=64).contains(len), "{what}: {len}");
                assert_same(input, &dry[*position..position + len], &what);
                asked.extend(*position..position + len);
            }
            let needed: Vec<usize> = (0..replaced.len()).filter(|&p| replaced[p]).collect();
            assert_eq!(asked, needed, "{what}");
        }
        truth.is_told_by(&stage.telemetry(), &what);
    }
}

#[test]
fn every_prepare_has_a_function_of_its_own() {
    let made = Arc::new(AtomicU64::new(0));
    let count = made.clone();
    let make = move || {
        let number = count.fetch_add(1, Ordering::Relaxed) as f32;
        let mut calls = 0.0;
        move |_: &LateBlock<'_>, out: &mut [f32]| {
            calls += 1.0;
            out.fill(100.0 * number + calls);
        }
    };
    let config = valid(settings(HOP).late_fade(0).build());
    let host = HostConfig::fixed(RATE, HOP);
    let builder = InferenceHandler::builder(config).backend(half(HOP)).late_function(make);
    let mut stage = Stage::new(builder, &host);
    let late = [(HOP, false); 3];
    let heard = |output: Vec<Vec<f32>>| output[0].chunks(HOP).map(|hop| hop[0]).collect::<Vec<_>>();
    assert_eq!(heard(stage.play(&[noise(3 * HOP, 1)], &late)), [0.0, 1.0, 2.0]);
    stage.audio = valid(stage.handler.prepare(&host)).audio;
    assert_eq!(heard(stage.play(&[noise(3 * HOP, 1)], &late)), [0.0, 101.0, 102.0]);
    assert_eq!(made.load(Ordering::Relaxed), 2);
    // A reset goes on with the same.
    stage.audio.reset();
    assert_eq!(heard(stage.play(&[noise(3 * HOP, 1)], &late)), [0.0, 103.0, 104.0]);
}

#[test]
fn where_no_input_belongs_to_an_output_there_is_none_to_hear() {
    let config = InferenceConfig::builder()
        .input(InputTensor::stream("input", 64))
        .output(OutputTensor::stream("output", 32))
        .late_fade(0)
        .max_inference(std::time::Duration::from_millis(1));
    let inputs = Arc::new(AtomicU64::new(0));
    let count = inputs.clone();
    let make = move || {
        let count = count.clone();
        move |late: &LateBlock<'_>, out: &mut [f32]| {
            count.fetch_add(late.input.len() as u64, Ordering::Relaxed);
            out.fill(7.0);
        }
    };
    let builder = InferenceHandler::builder(valid(config.build())).backend(Bypass).late_function(make);
    let mut stage = Stage::new(builder, &HostConfig::fixed(RATE, 64));
    let mut output = [0.0f32; 128];
    for half in output.chunks_mut(32) {
        assert!(stage.audio.push(0, &[&[1.0f32; 64][..]]).is_ok());
        assert_eq!(stage.audio.pop(0, &mut [half]).fault, None);
    }
    assert!(output[stage.zero_fill..].iter().all(|s| *s == 7.0) && stage.zero_fill < 128);
    assert_eq!(inputs.load(Ordering::Relaxed), 0);
}
