//! A ramp through a bypass comes out delayed by exactly the reported latency, without a gap or a repeat.

use std::time::Duration;

use anira::prelude::*;
use anira::scheduler::IdlePolicy;
use anira_tests::{Random, blocks, plain, ramp, send, valid};

/// What must come out: `latency` zeros, then the input.
fn delayed(input: &[f32], latency: u64) -> Vec<f32> {
    let zeros = std::iter::repeat_n(0.0, latency as usize);
    zeros.chain(input.iter().copied()).take(input.len()).collect()
}

fn offline(host: HostConfig) -> HostConfig {
    host.mode(Mode::Offline)
}

#[track_caller]
fn identity_over<S: Scheduler<anira::EngineOf<Bypass>>>(
    scheduler: S,
    hop: usize,
    host: HostConfig,
    pattern: &[usize],
) {
    // A worst time that one engine keeps up with, and that adds latency.
    let config = plain(hop, Duration::from_micros(15 * hop as u64));
    let mut handler = valid(InferenceHandler::builder(config).backend(Bypass).scheduler(scheduler).build());
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&offline(host)));
    let input = ramp(20_000);
    let (output, late) = send(&mut audio, &input, &blocks(pattern, input.len()));
    let latency = report.latency[0].samples;
    assert_eq!(late, 0);
    let right = delayed(&input, latency);
    if let Some(at) = (0..input.len()).find(|&i| output[i] != right[i]) {
        panic!("hop {hop}, {pattern:?}, latency {latency}: sample {at} is {}, not {}", output[at], right[at]);
    }
}

#[test]
fn every_pair_of_block_and_hop_among_the_awkward_ones() {
    // The second half are those at which audio is known to be lost for ever elsewhere.
    for (block, hop) in
        [(1, 1), (1, 64), (64, 64), (480, 512), (512, 480), (441, 150), (7, 512), (2048, 64), (4096, 2048)]
            .into_iter()
            .chain([(96, 64), (192, 128), (768, 512), (480, 150), (960, 128)])
    {
        identity_over(Pool::shared(), hop, HostConfig::fixed(48_000.0, block), &[block]);
    }
}

#[test]
fn varying_blocks_up_to_a_maximum() {
    let mut random = Random(7);
    for (max, hop) in [(1, 5), (64, 64), (480, 512), (1000, 256), (37, 100)] {
        let sizes: Vec<usize> = (0..500).map(|_| 1 + random.below(max)).chain([max, 1, max]).collect();
        identity_over(Pool::shared(), hop, HostConfig::varying(48_000.0, max), &sizes);
    }
}

#[test]
fn empty_blocks_and_blocks_longer_than_prepared_are_served() {
    identity_over(Pool::shared(), 64, HostConfig::varying(48_000.0, 128), &[0, 128, 0, 0, 1000, 3]);
}

#[test]
fn every_scheduler_gives_the_same_samples() {
    let host = || HostConfig::varying(44_100.0, 333);
    let pattern = [333, 1, 64, 200];
    identity_over(Inline, 128, host(), &pattern);
    identity_over(Offline, 128, host(), &pattern);
    identity_over(valid(Driven::new(1)), 128, host(), &pattern);
    identity_over(valid(Pool::builder().threads(4).build()), 128, host(), &pattern);
    identity_over(valid(Pool::builder().idle(IdlePolicy::park()).build()), 128, host(), &pattern);
}

#[test]
fn inline_adds_no_latency_for_inference() {
    let config = plain(64, Duration::from_millis(1));
    let mut handler = valid(InferenceHandler::builder(config).backend(Bypass).scheduler(Inline).build());
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&HostConfig::fixed(48_000.0, 64)));
    assert_eq!(report.latency[0].samples, 0);
    let input = ramp(640);
    assert_eq!(send(&mut audio, &input, &[64; 10]), (input, 0));
}

#[test]
fn channels_lanes_and_layouts_keep_their_places() {
    let config = plain(50, Duration::ZERO);
    let mut handler = valid(InferenceHandler::builder(config).backend(Bypass).build());
    for channels in [1, 2, 5, 8] {
        let host = offline(HostConfig::fixed(48_000.0, 64).channels(channels));
        let Prepared { mut audio, report, .. } = valid(handler.prepare(&host));
        assert_eq!(report.lanes, channels);
        let latency = report.latency[0].samples as usize;
        let frames = 640;
        let value = |c: usize, i: usize| (1000 * c + i + 1) as f32;
        let mut interleaved: Vec<f64> =
            (0..frames).flat_map(|i| (0..channels).map(move |c| f64::from(value(c, i)))).collect();
        for block in interleaved.chunks_mut(64 * channels) {
            assert!(audio.process(&mut StridedMut::interleaved(block, channels)).is_ok());
        }
        for (i, frame) in interleaved.chunks(channels).enumerate() {
            for (c, sample) in frame.iter().enumerate() {
                let right = if i < latency { 0.0 } else { value(c, i - latency) };
                assert_eq!(*sample, f64::from(right), "channel {c} of {channels}, frame {i}");
            }
        }
    }
}

#[test]
fn in_place_out_of_place_and_push_then_pop_are_the_same() {
    let input = ramp(4000);
    let run = |how: usize| {
        let config = plain(100, Duration::from_micros(500));
        let mut handler = valid(InferenceHandler::builder(config).backend(Bypass).build());
        let Prepared { mut audio, .. } = valid(handler.prepare(&offline(HostConfig::fixed(48e3, 160))));
        let mut output = vec![0.0f32; input.len()];
        for (block_in, block_out) in input.chunks(160).zip(output.chunks_mut(160)) {
            match how {
                0 => {
                    block_out.copy_from_slice(block_in);
                    assert!(audio.process(&mut [&mut *block_out]).is_ok());
                }
                1 => assert!(audio.process_into(&[block_in], &mut [&mut *block_out]).is_ok()),
                _ => {
                    assert!(audio.push(0, &[block_in]).is_ok());
                    assert!(audio.pop(0, &mut [&mut *block_out]).is_ok());
                }
            }
        }
        output
    };
    let first = run(0);
    assert_eq!(first, run(1));
    assert_eq!(first, run(2));
    assert!(first.iter().any(|s| *s != 0.0));
}

#[test]
fn after_a_reset_the_stream_is_a_fresh_one() {
    let config = plain(96, Duration::from_micros(900));
    let mut handler = valid(InferenceHandler::builder(config).backend(Bypass).build());
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&offline(HostConfig::fixed(48e3, 64))));
    let latency = report.latency[0].samples;
    for run in 0..20 {
        let input = ramp(64 * (run + 5));
        let (output, late) = send(&mut audio, &input, &blocks(&[64], input.len()));
        assert_eq!((output, late), (delayed(&input, latency), 0), "run {run}");
        audio.reset();
    }
}

#[test]
fn bypassed_input_is_delayed_by_the_latency_and_faded() {
    let gain = anira::backends::FnBackend::new(
        "negate",
        anira_tests::signature(&[("input", &[1, 1, 64])], &[("output", &[1, 1, 64])]),
        || {
            |x: &anira::backends::Inputs<'_>, y: &mut anira::backends::Outputs<'_>| {
                let x = x.f32(0)?;
                let y = y.f32(0)?;
                y.iter_mut().zip(x).for_each(|(y, x)| *y = -x);
                Ok(())
            }
        },
    );
    let config = plain(64, Duration::from_micros(500));
    let mut handler = valid(InferenceHandler::builder(config).backend(gain).build());
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&offline(HostConfig::fixed(48e3, 48))));
    let latency = report.latency[0].samples as usize;
    let input = vec![1.0f32; 48 * 40];
    let sizes = vec![48; 10];
    let wet = send(&mut audio, &input[..480], &sizes).0;
    assert_eq!(wet[latency..], vec![-1.0; 480 - latency], "the model negates");
    audio.set_bypass(true);
    let fading = send(&mut audio, &input[..480], &sizes).0;
    assert!(fading.windows(2).all(|w| w[1] >= w[0] && w[1] - w[0] < 0.02), "a ramp without a jump");
    assert_eq!(fading[128..], vec![1.0; 352], "then the input itself");
    audio.set_bypass(false);
    let back = send(&mut audio, &input[..480], &sizes).0;
    assert_eq!(back[128..], vec![-1.0; 352]);

    // Aligned to the sample.
    audio.set_bypass(true);
    audio.reset();
    let input = ramp(960);
    let (output, _) = send(&mut audio, &input, &[48; 20]);
    assert_eq!(output, delayed(&input, latency as u64));
}
