//! A declared latency is kept exactly, whatever the blocks, and after a reset.

use anira::prelude::*;
use proptest::prelude::*;

use super::{config, delayed, ramp, sent};

const FRAMES: usize = 6000;

/// A ramp through a session whose output declares `above` samples more than it needs: out it comes, so much later.
fn check<S: Scheduler<anira::EngineOf<Bypass>>>(
    scheduler: impl Fn() -> S,
    hop: usize,
    host: &HostConfig,
    pattern: &[usize],
    above: u64,
) {
    let host = host.mode(Mode::Offline);
    let prepared = |output: OutputTensor| {
        let handler = InferenceHandler::builder(config(hop, output)).backend(Bypass).scheduler(scheduler());
        let mut handler = handler.build().unwrap();
        let prepared = handler.prepare(&host).unwrap();
        (handler, prepared)
    };
    // The model claims to delay by 3: the rest are zeros at the start.
    let smallest = prepared(OutputTensor::stream("y", hop).latency(3)).1.report.latency[0].clone();
    assert_eq!(smallest.padding, 0);
    let declared = smallest.samples + above;
    let (_handler, Prepared { mut audio, report, .. }) =
        prepared(OutputTensor::stream("y", hop).latency(3).declared_latency(declared));
    let latency = &report.latency[0];
    assert_eq!((latency.samples, latency.padding), (declared, above));
    assert_eq!(
        (latency.adaptation, latency.inference, latency.model),
        (smallest.adaptation, smallest.inference, 3)
    );
    assert_eq!(latency.samples, latency.adaptation + latency.inference + latency.model + latency.padding);
    assert_eq!(latency.output_ring, smallest.output_ring + above);
    assert_eq!(audio.latency(0), Some(declared));
    // Whole blocks: a host that promises fixed ones keeps it to the end.
    let round: usize = pattern.iter().sum();
    let frames = FRAMES.div_ceil(round) * round;
    let input = ramp(frames);
    let right = delayed(&input, declared as usize - 3);
    for run in ["fresh", "after a reset", "after another"] {
        let output = sent(&mut audio, &input, pattern);
        if let Some(at) = (0..frames).find(|&i| output[i] != right[i]) {
            panic!("{run}, hop {hop}, {pattern:?}, {latency:?}: {at} is {}, not {}", output[at], right[at]);
        }
        audio.reset();
    }
}

#[test]
fn the_ramp_comes_out_delayed_by_the_declared_number() {
    for (hop, block) in [(64, 64), (512, 480), (480, 512), (64, 441), (1000, 32), (1, 1)] {
        for above in [0, 1, 63, 480, 5000] {
            let host = HostConfig::fixed(48_000.0, block);
            check(|| Offline, hop, &host, &[block], above);
            check(Pool::shared, hop, &host, &[block], above);
        }
    }
    for pattern in [&[333, 1, 64, 200][..], &[1], &[0, 333, 0, 7]] {
        for above in [0, 1, 1000] {
            let host = HostConfig::varying(48_000.0, 333);
            check(|| Offline, 128, &host, pattern, above);
            check(Pool::shared, 128, &host, pattern, above);
        }
    }
}

#[test]
fn the_bypassed_input_is_delayed_by_the_declared_number_too() {
    // More than the input history would hold for any other reason.
    let output = OutputTensor::stream("y", 64).declared_latency(20_000);
    let mut handler = InferenceHandler::builder(config(64, output)).backend(Bypass).build().unwrap();
    let host = HostConfig::fixed(48_000.0, 96).mode(Mode::Offline);
    let Prepared { mut audio, .. } = handler.prepare(&host).unwrap();
    audio.set_bypass(true);
    audio.reset();
    let input = ramp(96 * 400);
    assert!(sent(&mut audio, &input, &[96]) == delayed(&input, 20_000));
}

#[test]
fn padding_leaves_room_for_hops_that_wait_behind_a_slow_one() {
    let slots = |declared: Option<u64>| {
        let mut output = OutputTensor::stream("y", 64);
        if let Some(samples) = declared {
            output = output.declared_latency(samples);
        }
        let mut handler = InferenceHandler::builder(config(64, output)).backend(Bypass).build().unwrap();
        handler.prepare(&HostConfig::fixed(48_000.0, 64)).unwrap().report.slots
    };
    let least = slots(None);
    assert_eq!(slots(Some(64)), least);
    assert_eq!(slots(Some(64 + 1)), least + 1);
    assert_eq!(slots(Some(64 + 640)), least + 10);
    assert_eq!(slots(Some(1 << 20)), least + 64);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn any_declared_number_is_kept(
        hop in 1..=700usize,
        max in 1..=600usize,
        varying in any::<bool>(),
        above in 0..=4000u64,
        sizes in prop::collection::vec(0..=599usize, 1..20),
    ) {
        let (host, pattern) = if varying {
            let sizes = sizes.iter().map(|size| 1 + size % max).collect();
            (HostConfig::varying(48_000.0, max), sizes)
        } else {
            (HostConfig::fixed(48_000.0, max), vec![max])
        };
        check(|| Offline, hop, &host, &pattern, above);
    }
}
