//! Random hosts, with the option and without: bit for bit the same.

use std::collections::VecDeque;

use anira::prelude::*;
use anira::realtime::guard;
use anira::scheduler::Driver;
use anira_tests::{Random, assert_same, valid};

use super::{CONTEXT, HOP, Memory, config, model};

/// What a host does.
#[derive(Clone, Copy, Debug)]
enum Op {
    /// So many samples, of which one sounds or none; in so many equal parts.
    Block(usize, Option<usize>),
    Gain(f64),
    Engine(usize),
    Reset,
}

const LONGEST: usize = 50;

fn ops(seed: u64, longest: usize, trouble: bool) -> Vec<Op> {
    let mut random = Random(seed);
    let mut ops = Vec::new();
    for _ in 0..40 {
        let frames = random.below(longest + 1);
        ops.push(Op::Block(frames, (frames > 0).then(|| random.below(frames))));
        for _ in 0..random.below(30) {
            ops.push(Op::Block(random.below(longest + 1), None));
        }
        match random.below(8) {
            0 => ops.push(Op::Gain(random.below(3) as f64)),
            1 if trouble => ops.push(Op::Engine(random.below(2))),
            2 if trouble => ops.push(Op::Reset),
            _ => {}
        }
    }
    ops
}

struct Told {
    heard: Vec<Vec<f32>>,
    skipped: u64,
    submitted: u64,
    switched: u64,
    reading: Option<Vec<f64>>,
}

/// A host of `channels`. With a driver, slots run only when their output is needed now: some are always under way.
fn play(memory: Memory, skip: bool, ops: &[Op], channels: usize, driven: bool) -> Told {
    // As long as the engines keep up, two of them in every channel: so that as many as can be are under way.
    let takes = 15.9 / (2 * channels) as f64;
    let builder = InferenceHandler::builder(config(memory, skip, takes)).backend(model(memory, 0.0));
    let builder = builder.engine(EngineSpec::new(model(memory, 300.0)).config(config(memory, skip, takes)));
    let host = HostConfig::varying(1e6, LONGEST).channels(channels);
    match driven {
        false => {
            let mut handler = valid(builder.scheduler(Offline).build());
            perform(&mut handler, &host.mode(Mode::Offline), None, ops, channels)
        }
        true => {
            let driven = valid(Driven::new(1));
            let driver = driven.driver();
            perform(&mut valid(builder.scheduler(driven).build()), &host, Some(driver), ops, channels)
        }
    }
}

fn perform<B: Backend, S: Scheduler<anira::EngineOf<B>>>(
    handler: &mut InferenceHandler<B, HopProcessor, S>,
    host: &HostConfig,
    mut driver: Option<Driver>,
    ops: &[Op],
    channels: usize,
) -> Told {
    let Prepared { mut audio, report, .. } = valid(handler.prepare(host));
    let control = handler.control();
    let zero_fill = report.latency[0].samples as usize;
    let (mut heard, mut pushed, mut value) = (vec![Vec::new(); channels], 0, 0.0);
    // The earliest hop that each submitted slot can be.
    let mut under_way = VecDeque::new();
    let mut seen = 0;
    for op in ops {
        match *op {
            Op::Block(frames, sound) => {
                let mut block = vec![vec![0.0f32; frames]; channels];
                if let Some(at) = sound {
                    // Not in all channels.
                    value += 1.0;
                    block[value as usize % channels][at] = value;
                }
                let mut slices: Vec<&mut [f32]> = block.iter_mut().map(Vec::as_mut_slice).collect();
                let watched = guard(|| audio.push(0, &slices[..]));
                let submitted = control.telemetry().submitted;
                under_way.extend((seen..submitted).map(|_| pushed / HOP));
                (seen, pushed) = (submitted, pushed + frames);
                let needed = pushed.saturating_sub(zero_fill).div_ceil(HOP);
                if let Some(driver) = &mut driver {
                    assert!(
                        valid(watched.map_err(|b| Error::new(ErrorKind::Internal, b.to_string()))).is_ok()
                    );
                    // Or when the next block could find no slot.
                    let most = report.slots.saturating_sub(LONGEST.div_ceil(HOP));
                    while under_way.len() > most || under_way.front().is_some_and(|hop| *hop < needed) {
                        under_way.pop_front();
                        assert!(driver.run_one());
                    }
                }
                let status = guard(|| audio.pop(0, &mut slices[..]));
                assert_eq!(status.map(|s| s.is_ok()), Ok(true), "at {pushed}: {op:?}");
                heard.iter_mut().zip(block).for_each(|(all, part)| all.extend(part));
            }
            Op::Gain(gain) => valid(control.set_parameter("gain", &[gain])),
            Op::Engine(engine) => valid(control.set_engine(engine)),
            Op::Reset => {
                audio.reset();
                // What nobody has begun is taken back.
                under_way.clear();
                pushed = 0;
            }
        }
    }
    if let Some(driver) = &mut driver {
        while driver.run_one() {}
        let _ = audio.push(0, &vec![&[][..]; channels][..] as &[&[f32]]);
    }
    let told = control.telemetry();
    assert_eq!((told.failed, told.late_samples), (0, 0));
    let switched = control.switching().switched;
    let reading = control.reading("sum");
    Told { heard, skipped: told.skipped, submitted: told.submitted, switched, reading }
}

fn compare(memory: Memory, seed: u64, channels: usize, driven: bool) -> (Told, Vec<Op>) {
    let ops = ops(seed, LONGEST, true);
    let what = format!("{memory:?}, seed {seed}, {channels} channels, driven {driven}");
    let with = play(memory, true, &ops, channels, driven);
    let without = play(memory, false, &ops, channels, driven);
    for (with, without) in with.heard.iter().zip(&without.heard) {
        assert_same(with, without, &what);
    }
    assert_eq!(without.skipped, 0);
    assert_eq!(with.skipped + with.submitted, without.submitted, "{what}: every hop is one or the other");
    assert_eq!((with.switched, &with.reading), (without.switched, &without.reading), "{what}");
    (with, ops)
}

#[test]
fn what_is_heard_is_the_same_bit_for_bit() {
    let mut switched = 0;
    for seed in 0..6 {
        for (channels, driven) in [(1, false), (2, false), (1, true), (3, true)] {
            for memory in [Memory::Context, Memory::Tensor] {
                let (with, _) = compare(memory, seed, channels, driven);
                switched += with.switched;
                assert!(
                    with.skipped * 2 > with.submitted,
                    "{} skipped, {} run",
                    with.skipped,
                    with.submitted
                );
            }
            let (counting, _) = compare(Memory::Counter, seed, channels, driven);
            assert_eq!(counting.skipped, 0, "a state that moves is not at rest");
        }
    }
    assert!(switched > 25, "{switched} switches");
}

/// How many hops need no inference, by the rule: the window and the one before are silent, parameters are as before, and an
/// inference with them has changed no state.
fn skipped(memory: Memory, ops: &[Op]) -> u64 {
    let (mut stream, mut gains) = (Vec::new(), Vec::new());
    let (mut gain, mut value) = (1.0, 0.0);
    for op in ops {
        match *op {
            Op::Block(frames, sound) => {
                let begin = stream.len();
                stream.resize(begin + frames, 0.0);
                if let Some(at) = sound {
                    value += 1.0;
                    stream[begin + at] = value;
                }
                gains.resize(stream.len() / HOP, gain as f32);
            }
            Op::Gain(set) => gain = set,
            _ => unreachable!("not asked here"),
        }
    }
    let (mut z, mut known, mut skipped, mut before) = (0.0, false, 0, f32::NAN);
    for (hop, gain) in gains.iter().enumerate() {
        let end = (hop + 1) * HOP;
        let silent = stream[end.saturating_sub(HOP + CONTEXT)..end].iter().all(|x| *x == 0.0);
        known &= silent && *gain == before;
        before = *gain;
        if known {
            skipped += 1;
            continue;
        }
        let next = memory.next(z, stream[end - HOP..end].iter().sum(), *gain);
        (known, z) = (silent && next == z, next);
    }
    skipped
}

#[test]
fn as_many_are_left_out_as_can_be() {
    for seed in 100..120 {
        // Blocks that complete one hop at most: the answer to it is there before the next.
        let ops = ops(seed, HOP, false);
        for memory in [Memory::Context, Memory::Tensor, Memory::Counter] {
            let told = play(memory, true, &ops, 1, false);
            assert_eq!(told.skipped, skipped(memory, &ops), "{memory:?}, seed {seed}");
        }
    }
}
