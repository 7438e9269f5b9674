//! Real workers, engines that sleep, callbacks that come by the clock. How quick the machine is must not matter: a sample is
//! right, or it is silent and counted.

use std::time::{Duration, Instant};

use anira::backends::{Slow, Wait};
use anira::prelude::*;
use anira_tests::{cut, settle, valid};

use super::built;

const RATE: f64 = 48_000.0;

/// A ramp in blocks of these sizes, each when the one before has been played.
fn paced(block: usize, hop: usize, time: Duration, engines: usize, ratio: f64) {
    let pool = valid(Pool::builder().threads(engines).build());
    let config = cut()
        .input(InputTensor::stream("x", hop))
        .output(OutputTensor::stream("y", hop))
        .max_inference(time + time / 4)
        .engines(engines)
        .blocking_ratio(ratio);
    let backend = Slow::new(Bypass, time, Wait::Sleep);
    let delay = backend.delay();
    let builder = InferenceHandler::builder(built(config)).backend(backend).scheduler(pool);
    let mut handler = valid(builder.build());
    let control = handler.control();
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&HostConfig::fixed(RATE, block)));
    let latency = report.latency[0].samples as usize;
    let (count, mut late) = (48_000 / 5 / block, 0);
    for run in 0..2 {
        let start = Instant::now();
        let (mut silent, mut said) = (0, 0);
        for k in 0..count {
            // In the middle the engines are far too slow for a while.
            if run == 0 {
                let slow = (count / 3..count / 2).contains(&k);
                delay.set(if slow { 4 * time + Duration::from_millis(2) } else { time });
            }
            let due = Duration::from_secs_f64((k * block) as f64 / RATE);
            std::thread::sleep(due.saturating_sub(start.elapsed()));
            let mut samples: Vec<f32> = (k * block..(k + 1) * block).map(|n| (n + 1) as f32).collect();
            said += audio.process(&mut [&mut samples[..]]).late_samples;
            for (i, sample) in samples.into_iter().enumerate() {
                match (k * block + i).checked_sub(latency) {
                    None => assert!(sample == 0.0, "sample {i} of block {k}, before the latency: {sample}"),
                    Some(n) if sample == 0.0 => silent += u64::from(n < count * block),
                    Some(n) => assert!(sample == (n + 1) as f32, "{sample} in the place of {}", n + 1),
                }
            }
        }
        assert_eq!(silent, said, "every late sample is counted, and no other");
        late += said;
        settle(&control);
        let telemetry = control.telemetry();
        assert_eq!(telemetry.late_samples + telemetry.late_after_reset, late, "{telemetry:?}");
        assert_eq!(audio.latency(0), Some(latency as u64), "what was reported still holds");
        audio.reset();
    }
    // Settled after every block a late block is past: the stream is in its place, to the sample.
    let mut wrong = 0;
    for k in 0..200 {
        let mut samples: Vec<f32> = (k * block..(k + 1) * block).map(|n| (n + 1) as f32).collect();
        let _ = audio.process(&mut [&mut samples[..]]);
        settle(&control);
        let right = |i: usize| (k * block + i).checked_sub(latency).map_or(0.0, |n| (n + 1) as f32);
        wrong += (0..block).filter(|&i| samples[i] != right(i)).count();
        if k > 100 {
            break;
        }
    }
    assert_eq!(wrong, 0, "hops that are waited for are never late");
}

#[test]
fn on_the_clock_samples_are_right_or_counted() {
    for (block, hop) in [(96, 64), (480, 150), (480, 512), (64, 256)] {
        let hop_time = Duration::from_secs_f64(hop as f64 / RATE);
        paced(block, hop, hop_time.mul_f64(0.4), 1, 0.0);
        paced(block, hop, hop_time.mul_f64(0.9), 2, 0.3);
    }
}
