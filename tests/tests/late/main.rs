//! What is heard where samples are late: every policy, sample for sample. Who runs hops, and when, is the test.

#![allow(clippy::single_range_in_vec_init, reason = "lists of times at which nobody works, some of one")]

mod backlog;
mod continuity;
mod fallback;
mod fallback_trouble;
mod function;
mod policies;
mod streams;

use std::collections::BTreeSet;
use std::time::Duration;

use anira::prelude::*;
use anira::scheduler::{Driver, TelemetrySnapshot};
use anira::traits::InferenceConfigBuilder;
use anira_tests::{Fading, Holding, blocks, mono, valid};

const RATE: f64 = 48_000.0;
const HOP: usize = 64;

/// A configuration of one stream in, one out. With blocks of a hop, an inference has until the next callback.
fn settings(hop: usize) -> InferenceConfigBuilder {
    InferenceConfig::builder()
        .input(InputTensor::stream("input", hop))
        .output(OutputTensor::stream("output", hop))
        .max_inference(Duration::from_micros(19 * hop as u64))
}

/// The model: half of what came in.
fn half(hop: usize) -> impl Backend {
    scaled(hop, 0.5)
}

fn scaled(hop: usize, by: f32) -> impl Backend {
    mono(hop, move |x, y| {
        y.iter_mut().zip(x).for_each(|(y, x)| *y = by * x);
        Ok(())
    })
}

/// Input of this many samples, no two alike near one another.
fn noise(len: usize, seed: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 7919 + seed * 613) % 1009) as f32 / 500.0 - 1.0).collect()
}

fn times(samples: &[f32], by: f32) -> Vec<f32> {
    samples.iter().map(|x| by * x).collect()
}

/// A session whose hops are run by hand.
struct Stage<B: Backend> {
    handler: InferenceHandler<B, HopProcessor, Driven>,
    audio: Audio<B, HopProcessor, Driven>,
    control: Control,
    driver: Driver,
    /// Zeros at the start, and what the host is told, of output stream 0.
    zero_fill: usize,
    latency: usize,
}

impl<B: Backend> Stage<B> {
    fn new<P>(builder: anira::Builder<B, HopProcessor, P>, host: &HostConfig) -> Self {
        let driven = valid(Driven::new(1));
        let driver = driven.driver();
        let mut handler = valid(builder.scheduler(driven).build());
        let Prepared { audio, report, .. } = valid(handler.prepare(host));
        let (latency, zero_fill) =
            (report.latency[0].samples as usize, report.latency[0].zero_fill() as usize);
        Self { control: handler.control(), handler, audio, driver, zero_fill, latency }
    }

    /// Plays blocks through streams 0, each followed by the runs of all hops that wait, or by none.
    fn play(&mut self, input: &[Vec<f32>], script: &[(usize, bool)]) -> Vec<Vec<f32>> {
        let mut output = input.to_vec();
        let mut at = 0;
        for &(frames, runs) in script {
            let mut block: Vec<&mut [f32]> = output.iter_mut().map(|c| &mut c[at..at + frames]).collect();
            assert_eq!(self.audio.process(&mut block[..]).fault, None);
            at += frames;
            while runs && self.driver.run_one() {}
        }
        output.iter_mut().for_each(|c| c.truncate(at));
        output
    }

    fn telemetry(&self) -> TelemetrySnapshot {
        self.control.telemetry()
    }
}

/// Blocks of these sizes, after which nobody runs anything while the input stands in one of `idle`.
fn script(sizes: &[usize], total: usize, idle: &[std::ops::Range<usize>]) -> Vec<(usize, bool)> {
    let mut at = 0;
    let runs = |frames: usize| {
        at += frames;
        (frames, !idle.iter().any(|idle| idle.contains(&(at - 1))))
    };
    blocks(sizes, total).into_iter().map(runs).collect()
}

/// What comes of a script with a model that remembers nothing.
#[derive(Debug, Default, PartialEq)]
struct Truth {
    /// Per output sample, whether it was there in time.
    heard: Vec<bool>,
    done: u64,
    dropped: u64,
    late_samples: u64,
    late_blocks: u64,
}

fn truth(zero_fill: usize, hop: usize, script: &[(usize, bool)]) -> Truth {
    let mut truth = Truth::default();
    let (mut at, mut waiting, mut answered) = (0usize, BTreeSet::new(), BTreeSet::new());
    for &(frames, runs) in script {
        waiting.extend(at / hop..(at + frames) / hop);
        let heard = (at..at + frames).map(|p| p < zero_fill || answered.contains(&((p - zero_fill) / hop)));
        let heard: Vec<bool> = heard.collect();
        let late = heard.iter().filter(|heard| !**heard).count() as u64;
        truth.late_samples += late;
        truth.late_blocks += u64::from(late > 0);
        truth.heard.extend(heard);
        at += frames;
        // Hops whose every sample has gone out are not run any more.
        let kept = waiting.split_off(&(at.saturating_sub(zero_fill) / hop));
        truth.dropped += waiting.len() as u64;
        waiting = kept;
        if runs {
            truth.done += waiting.len() as u64;
            answered.append(&mut waiting);
        }
    }
    truth
}

impl Truth {
    #[track_caller]
    fn is_told_by(&self, told: &TelemetrySnapshot, what: impl std::fmt::Display) {
        let told = (told.done, told.dropped, told.late_samples, told.late_blocks);
        assert_eq!(told, (self.done, self.dropped, self.late_samples, self.late_blocks), "{what}");
    }
}

/// One channel as it has to be heard. `answer` is what the model says to the stream, sample by sample; `stand_in` says, from a
/// sample's number in the output and in the hops, what stands in for it.
fn right(
    fade: usize,
    zero_fill: usize,
    heard: &[bool],
    answer: &[f32],
    mut stand_in: impl FnMut(usize, Option<f32>) -> (f32, bool),
) -> (Vec<f32>, Vec<bool>) {
    let mut fading = Fading::new(fade);
    let sample = |(p, heard): (usize, &bool)| match p.checked_sub(zero_fill) {
        None => (0.0, false),
        Some(s) => {
            let model = heard.then(|| answer[s]);
            let (replacement, seam) = stand_in(p, model);
            (fading.next(model, replacement, seam), fading.is_replaced())
        }
    };
    heard.iter().enumerate().map(sample).unzip()
}

/// What a policy of the configuration says.
fn policy<'a>(
    policy: LatePolicy,
    hop: usize,
    (zero_fill, latency): (usize, usize),
    dry: &'a [f32],
) -> impl FnMut(usize, Option<f32>) -> (f32, bool) + 'a {
    let mut holding = Holding::new(hop);
    move |p, model| {
        let offset = (p - zero_fill) % hop;
        let held = holding.next(model, offset);
        match policy {
            LatePolicy::Dry => (p.checked_sub(latency).map_or(0.0, |i| dry[i]), false),
            LatePolicy::Hold => (held, offset == 0),
            _ => (0.0, false),
        }
    }
}
