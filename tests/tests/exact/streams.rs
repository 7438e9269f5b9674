//! Several streams, rates that differ, channels and lanes, declared latency, a model that delays by itself.

use anira::prelude::*;
use anira_tests::{backend, cut, delayed, refused, signature, valid};

use super::host::{Virtual, ramp};
use super::{RATE, built, mono, rounds, samples};

#[test]
fn hops_in_and_out_that_differ() {
    for block in 1..=12 {
        for (hop_in, hop_out) in
            [(1, 2), (2, 1), (3, 2), (2, 3), (5, 12), (12, 5), (8, 4), (7, 7), (6, 9), (12, 1)]
        {
            for time in [0, 1, block, block + 1, hop_in] {
                let config = built(mono(hop_in, hop_out, samples(time.min(hop_in))));
                let mut session = Virtual::new(config, Bypass, &HostConfig::fixed(RATE, block));
                session.early = time > 0 && block % 2 == 0;
                session.on_time(vec![block; rounds(block, hop_in)]);
                // What a callback hands out is a whole number of samples, the lag need not be: the ring comes as near to empty as
                // these hops allow.
                let tight = session.slack[0];
                assert!(tight >= 0, "{block}: {hop_in} to {hop_out}");
                if (block * hop_out).is_multiple_of(hop_in) {
                    assert_eq!(tight, 0, "{block}: {hop_in} to {hop_out}, {time}");
                }
                session.reset();
                session.on_time(vec![block; 20]);
            }
        }
    }
}

#[test]
fn hops_that_differ_in_blocks_that_vary() {
    let mut random = anira_tests::Random(8);
    for (hop_in, hop_out) in [(3, 2), (2, 3), (5, 12), (64, 32), (32, 96)] {
        let config = built(mono(hop_in, hop_out, samples(hop_in / 2)));
        let mut session = Virtual::new(config, Bypass, &HostConfig::varying(RATE, 40));
        for _ in 0..5 {
            session.on_time((0..100).map(|_| 1 + random.below(40)));
            session.reset();
        }
    }
}

#[test]
fn several_streams_each_by_its_own_latency_and_aligned() {
    for (block, hops, time) in
        [(48, [64, 32, 128], 20), (64, [64, 32, 128], 64), (100, [64, 32, 128], 50), (7, [12, 4, 6], 5)]
    {
        for align in [false, true] {
            let mut builder = cut().max_inference(samples(time)).align_outputs(align);
            for (name, hop) in ["a", "b", "c"].into_iter().zip(hops) {
                builder = builder
                    .input(InputTensor::stream(name, hop))
                    .output(OutputTensor::stream(format!("{name} out"), hop));
            }
            let mut session = Virtual::new(built(builder), Bypass, &HostConfig::fixed(RATE, block));
            let latency: Vec<u64> = session.report.latency.iter().map(|l| l.samples).collect();
            if align {
                let common = latency[0] * hops[1] as u64 == latency[1] * hops[0] as u64
                    && latency[0] * hops[2] as u64 == latency[2] * hops[0] as u64;
                assert!(common, "{latency:?} of {hops:?}");
            }
            session.on_time(vec![block; rounds(block, hops[0])]);
            session.reset();
            session.on_time(vec![block; 40]);
        }
    }
}

#[test]
fn two_channels_in_one_model_and_as_lanes() {
    for block in [1, 5, 8, 12, 96] {
        let stereo = cut()
            .input(InputTensor::stream("x", 8).channels(2))
            .output(OutputTensor::stream("y", 8).channels(2))
            .max_inference(samples(6));
        let mut session = Virtual::new(built(stereo), Bypass, &HostConfig::fixed(RATE, block));
        session.on_time(vec![block; rounds(block, 8)]);
        assert_eq!(session.slack, [0]);
        // Two lanes of 3 us each: a slot takes 6.
        let config = built(mono(8, 8, samples(3)));
        let lanes = HostConfig::fixed(RATE, block).channels(2);
        let mut twice = Virtual::new(config, Bypass, &lanes);
        assert_eq!((twice.report.lanes, twice.report.max_inference), (2, samples(6)));
        assert_eq!(twice.report.latency[0].samples, session.report.latency[0].samples);
        twice.on_time(vec![block; rounds(block, 8)]);
        assert_eq!(twice.slack, [0], "lanes count, and no more than they take");
    }
}

#[test]
fn a_declared_latency_is_kept_and_one_below_the_smallest_refused() {
    for (block, hop, time) in [(96, 64, 40), (480, 512, 240), (5, 12, 12), (64, 64, 64)] {
        let host = HostConfig::fixed(RATE, block);
        let smallest =
            Virtual::new(built(mono(hop, hop, samples(time))), Bypass, &host).report.latency[0].samples;
        let declared = |latency| {
            let output = OutputTensor::stream("y", hop).declared_latency(latency);
            let config =
                cut().input(InputTensor::stream("x", hop)).output(output).max_inference(samples(time));
            built(config)
        };
        let scheduler = valid(Driven::new(1));
        let builder = InferenceHandler::builder(declared(smallest - 1)).backend(Bypass).scheduler(scheduler);
        let figure = smallest.to_string();
        let words = ["declared_latency", &figure];
        refused(valid(builder.build()).prepare(&host), ErrorKind::Config, &words);
        for above in [0, 1, hop as u64 + 1, 1000] {
            let mut session = Virtual::new(declared(smallest + above), Bypass, &host);
            assert_eq!(session.report.latency[0].samples, smallest + above);
            session.on_time(vec![block; rounds(block, hop)]);
            assert_eq!(session.slack, [above as i64], "so much more than is needed");
            session.reset();
            session.on_time(vec![block; 12]);
        }
    }
}

#[test]
fn a_model_that_delays_by_itself_is_delayed_by_the_sum() {
    const OWN: usize = 3;
    for (block, hop) in [(8, 8), (5, 8), (12, 8), (8, 3), (96, 64)] {
        let tensors = signature(&[("x", &[1, 1, hop + OWN])], &[("y", &[1, 1, hop])]);
        let model = backend(tensors, move |x, y| {
            y.f32(0)?.copy_from_slice(&x.f32(0)?[..hop]);
            Ok(())
        });
        let config = cut()
            .input(InputTensor::stream("x", hop).context(OWN))
            .output(OutputTensor::stream("y", hop).latency(OWN as u64))
            .max_inference(samples(hop / 2));
        let scheduler = valid(Driven::new(1));
        let mut driver = scheduler.driver();
        let builder = InferenceHandler::builder(built(config)).backend(model).scheduler(scheduler);
        let mut handler = valid(builder.build());
        let Prepared { mut audio, report, .. } = valid(handler.prepare(&HostConfig::fixed(RATE, block)));
        assert_eq!(report.latency[0].samples, report.latency[0].zero_fill() + OWN as u64);
        for _ in 0..2 {
            let input: Vec<f32> = (0..60 * block as u64).map(|n| ramp(0, 0, n)).collect();
            let mut output = Vec::new();
            for part in input.chunks(block) {
                let mut out = vec![0.0f32; block];
                assert!(audio.push(0, &[part]).is_ok());
                assert!(audio.pop(0, &mut [&mut out[..]]).is_ok());
                while driver.run_one() {}
                output.extend(out);
            }
            anira_tests::assert_same(&output, &delayed(&input, report.latency[0].samples), (block, hop).0);
            audio.reset();
        }
    }
}
