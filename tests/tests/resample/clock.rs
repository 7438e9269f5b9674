//! In virtual time: an engine that takes exactly what was declared is never late, and samples are those of rendering.

use anira::prelude::*;
use anira_tests::{assert_same, valid};

use super::{HOP, RATES, config, copy, noise, send, sizes};

/// A host of this rate with blocks of these sizes; when its callbacks come is a matter of their samples alone.
fn play(rate: f64, model: f64, host: HostConfig, blocks: &[usize], micros: u64) {
    let driven = valid(Driven::new(1));
    let mut driver = driven.driver();
    let builder = InferenceHandler::builder(config(model, micros)).backend(copy()).scheduler(driven);
    let mut handler = valid(builder.build());
    let (mut audio, report) = valid(handler.prepare_resampled(&host));
    let control = handler.control();
    let what = format!("{rate} Hz into {model} Hz, {:?}, {micros} us", host.block_size());
    let input = noise(7, blocks.iter().sum());
    let (mut output, mut at) = (input.clone(), 0);
    // When the engine is free, and when each inference under way ends.
    let (mut free, mut under_way, mut seen) = (0.0f64, std::collections::VecDeque::new(), 0);
    for &block in blocks {
        // Samples 0 to n come in the callback at n: when they have been recorded.
        let now = at as f64 / rate;
        while under_way.front().is_some_and(|end| *end <= now + 1e-12) {
            under_way.pop_front();
            assert!(driver.run_one());
        }
        let status = audio.process(&mut [&mut output[at..at + block]]);
        assert!(status.is_ok(), "{what}: {status:?} at {at}, latency {}", report.latency);
        let submitted = control.telemetry().submitted;
        for _ in seen..submitted {
            free = free.max(now) + micros as f64 / 1e6;
            under_way.push_back(free);
        }
        (seen, at) = (submitted, at + block);
    }
    assert!(seen > 20, "{what}: {seen} inferences");
    // With the same scheduler: one that runs in the callback adds no latency for the inference.
    let builder = InferenceHandler::builder(config(model, micros)).backend(copy());
    let mut handler = valid(builder.scheduler(valid(Driven::new(1))).build());
    let (mut rendering, same) = valid(handler.prepare_resampled(&host.mode(Mode::Offline)));
    assert_eq!(same.latency, report.latency, "{what}: rendering changes no latency");
    assert_same(&output, &send(&mut rendering, &[input], blocks.iter().copied())[0], &what);
}

#[test]
fn nothing_is_late_that_takes_no_longer_than_declared() {
    for (rate, model) in RATES {
        let hop = (HOP as f64 / model * 1e6) as u64;
        // Where blocks are no whole numbers of the model's samples, engines need a sample's time to spare.
        for micros in [hop / 2, hop - (1e6 / model) as u64 - 2] {
            for block in [16, 147, 441] {
                let count = 22 * (HOP as f64 * rate / model) as usize / block + 30;
                play(rate, model, HostConfig::fixed(rate, block), &vec![block; count], micros);
            }
            for seed in 0..2 {
                let blocks: Vec<usize> = sizes(300, Some(seed))
                    .map(|n| n.max(1))
                    .take(30 * (rate / model).ceil() as usize)
                    .collect();
                play(rate, model, HostConfig::varying(rate, 300), &blocks, micros);
            }
        }
    }
}
