//! Sessions of several engines: blocks, resets and flips in any order, against the tests' plain switch, sample for sample.

use std::time::Duration;

use anira::EngineSpec;
use anira::prelude::*;
use anira_tests::{assert_same, backend, cut, signature, valid};
use arbitrary::{Result, Unstructured};

use crate::switch::Plain;

/// The most that happens in a case.
const LONGEST: usize = 200;

/// What the engines make of a sample.
const GAINS: [f32; 3] = [1.0, 0.5, -2.0];

enum Op {
    Process(usize),
    /// The host's input falls silent, or sounds again.
    Mute,
    Flip(usize),
    Reset,
}

struct Case {
    hop: usize,
    fade: usize,
    engines: usize,
    max_block: usize,
    /// Whether hops at rest are skipped; nobody may hear it.
    skip: bool,
}

/// Plays what `data` says on the library and on the plain switch.
///
/// # Panics
/// At the first sample that differs.
pub fn check(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let Ok(case) = case(&mut input) else { return };
    let mut ops = Vec::new();
    while ops.len() < LONGEST && !input.is_empty() {
        let Ok(op) = op(&mut input, &case) else { break };
        ops.push(op);
    }
    play(&case, &ops);
}

fn case(input: &mut Unstructured<'_>) -> Result<Case> {
    Ok(Case {
        hop: input.int_in_range(1..=24)?,
        fade: *input.choose(&[0, 1, 7, 24, 64, 200])?,
        engines: input.int_in_range(2..=3)?,
        max_block: input.int_in_range(1..=48)?,
        skip: input.arbitrary()?,
    })
}

fn op(input: &mut Unstructured<'_>, case: &Case) -> Result<Op> {
    Ok(match input.int_in_range(0..=15u8)? {
        0..=9 => Op::Process(input.int_in_range(0..=case.max_block)?),
        // One that is not there is refused, and nothing changes.
        10..=13 => Op::Flip(input.int_in_range(0..=case.engines)?),
        14 => Op::Mute,
        _ => Op::Reset,
    })
}

fn config(case: &Case) -> InferenceConfig {
    let config = cut().input(InputTensor::stream("input", case.hop));
    let config = config.output(OutputTensor::stream("output", case.hop));
    valid(config.max_inference(Duration::from_millis(1)).skip_silence(case.skip).build())
}

fn play(case: &Case, ops: &[Op]) {
    let shape = [1, 1, case.hop];
    // The answer to silence tells who gave it.
    let model = |gain: f32| {
        backend(signature(&[("input", &shape)], &[("output", &shape)]), move |x, y| {
            y.f32(0)?.iter_mut().zip(x.f32(0)?).for_each(|(y, x)| *y = gain * (x + 1.0));
            Ok(())
        })
    };
    let first = InferenceHandler::builder(config(case)).backend(model(GAINS[0]));
    let gains = &GAINS[..case.engines];
    let builder = gains[1..]
        .iter()
        .fold(first.switch_fade(case.fade), |builder, gain| builder.engine(EngineSpec::new(model(*gain))));
    let mut handler = builder.scheduler(Offline).build().expect("two gains are a session");
    let host = HostConfig::varying(48_000.0, case.max_block).mode(Mode::Offline);
    let Prepared { mut audio, report, .. } = handler.prepare(&host).expect("any block is one to prepare for");
    let latency = report.latency[0].samples as usize;
    let fresh = || vec![0.0; latency];
    let mut switch = Plain::new(gains.to_vec(), vec![0; gains.len()], case.hop, case.fade);
    let (mut value, mut taken, mut right, mut played) = (0usize, Vec::new(), fresh(), 0);
    let (mut sounds, mut count) = (true, 0);
    for (at, op) in ops.iter().enumerate() {
        match *op {
            Op::Flip(engine) => {
                let known = engine < gains.len();
                assert_eq!(audio.set_engine(engine).is_ok(), known, "engine {engine} of {}", gains.len());
                if known {
                    switch.ask(engine);
                }
            }
            Op::Reset => {
                audio.reset();
                switch.reset();
                (taken, right, played) = (Vec::new(), fresh(), 0);
            }
            Op::Mute => sounds = !sounds,
            Op::Process(frames) => {
                let mut block: Vec<f32> =
                    (value..value + frames).map(|n| if sounds { (n + 1) as f32 } else { 0.0 }).collect();
                value += frames;
                taken.extend_from_slice(&block);
                let whole = taken.len() / case.hop * case.hop;
                let hops: Vec<f32> = taken.drain(..whole).collect();
                count += (whole / case.hop) as u64;
                let seen: Vec<f32> = hops.iter().map(|x| x + 1.0).collect();
                right.extend(seen.chunks_exact(case.hop).flat_map(|hop| switch.hop(hop)));
                assert!(audio.process(&mut [&mut block[..]]).is_ok());
                let expected = right.get(played..played + frames).expect("the latency covers every block");
                assert_same(&block, expected, format_args!("operation {at}"));
                played += frames;
            }
        }
    }
    let seen = handler.control().telemetry();
    assert_eq!(seen.late_samples, 0, "nothing is late offline");
    assert_eq!(seen.submitted + seen.skipped, count, "each hop is one of the two");
    assert!(case.skip || seen.skipped == 0);
}
