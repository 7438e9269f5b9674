//! Aligned outputs are delayed by the same time: the smallest that is enough for each and whole in each.

use std::time::Duration;

use anira::latency::{LatencyQuery, Rational, StreamHops, latencies};
use anira::prelude::*;
use anira::traits::{Signature, TensorInfo};
use proptest::prelude::*;

use super::{delayed, ramp};

fn two_outputs(hop: usize, first: OutputTensor, second: OutputTensor) -> InferenceConfig {
    InferenceConfig::builder()
        .input(InputTensor::stream("x", hop))
        .input(InputTensor::stream("z", hop))
        .output(first)
        .output(second)
        .max_inference(Duration::from_micros(15 * hop as u64))
        .align_outputs(true)
        .build()
        .unwrap()
}

#[test]
fn two_ramps_come_out_at_the_same_time_whatever_one_of_them_declares() {
    for (model, declared, right) in
        [(0, None, 960), (100, None, 1060), (0, Some(1000), 1000), (100, Some(1060), 1060)]
    {
        let first = OutputTensor::stream("a", 512).latency(model);
        let mut second = OutputTensor::stream("b", 512);
        second = declared.map_or(second.clone(), |samples| second.declared_latency(samples));
        let config = two_outputs(512, first, second);
        let host = HostConfig::fixed(48_000.0, 480).mode(Mode::Offline);
        let mut handler = InferenceHandler::builder(config).backend(Bypass).build().unwrap();
        let Prepared { mut audio, report, .. } = handler.prepare(&host).unwrap();
        assert_eq!([report.latency[0].samples, report.latency[1].samples], [right, right]);
        let input = ramp(4800);
        for _ in 0..2 {
            let mut out = [input.clone(), input.clone()];
            for start in (0..input.len()).step_by(480) {
                let block = start..start + 480;
                for (stream, out) in out.iter_mut().enumerate() {
                    assert!(audio.push(stream, &[&input[block.clone()]][..]).is_ok());
                    out[block.clone()].fill(-1.0);
                }
                for (stream, out) in out.iter_mut().enumerate() {
                    assert!(audio.pop(stream, &mut [&mut out[block.clone()]][..]).is_ok());
                }
            }
            // The model's own delay is its own: a bypass has none, whatever it claims.
            assert!(out[0] == delayed(&input, (right - model) as usize), "first of {right}");
            assert!(out[1] == delayed(&input, right as usize), "second of {right}");
            audio.reset();
        }
    }
}

/// One output as fast as the input, one three times as fast: delays of equal time are n and 3n samples.
#[test]
fn outputs_at_different_rates_are_delayed_by_the_same_time() {
    let signature = Signature {
        inputs: vec![TensorInfo::f32("x", &[1, 1, 64])],
        outputs: vec![TensorInfo::f32("same", &[1, 1, 64]), TensorInfo::f32("fast", &[1, 1, 192])],
    };
    let tripled = FnBackend::new("tripled", signature, || {
        |inputs: &Inputs<'_>, outputs: &mut Outputs<'_>| {
            let x = inputs.f32(0)?;
            outputs.f32(0)?.copy_from_slice(x);
            outputs.f32(1)?.iter_mut().enumerate().for_each(|(i, y)| *y = x[i / 3] * 3.0 + (i % 3) as f32);
            Ok(())
        }
    });
    let config = InferenceConfig::builder()
        .input(InputTensor::stream("x", 64))
        .output(OutputTensor::stream("same", 64))
        .output(OutputTensor::stream("fast", 192).latency(100))
        .max_inference(Duration::from_millis(1))
        .align_outputs(true)
        .build()
        .unwrap();
    let mut handler = InferenceHandler::builder(config).backend(tripled).build().unwrap();
    let host = HostConfig::fixed(48_000.0, 96).mode(Mode::Offline);
    let Prepared { mut audio, report, .. } = handler.prepare(&host).unwrap();
    let [same, fast] = [&report.latency[0], &report.latency[1]];
    assert_eq!((same.samples - same.padding, fast.samples - fast.padding), (128, 484));
    // 484/3 is 161.3: 162 samples, and three times that.
    assert_eq!((same.samples, fast.samples, fast.padding), (162, 486, 2));
    let input = ramp(96 * 40);
    let (mut out_same, mut out_fast) = (vec![-1.0f32; input.len()], vec![-1.0f32; 3 * input.len()]);
    for start in (0..input.len()).step_by(96) {
        assert!(audio.push(0, &[&input[start..start + 96]][..]).is_ok());
        assert!(audio.pop(0, &mut [&mut out_same[start..start + 96]][..]).is_ok());
        assert!(audio.pop(1, &mut [&mut out_fast[3 * start..3 * (start + 96)]][..]).is_ok());
    }
    assert!(out_same == delayed(&input, 162));
    let tripled: Vec<f32> = (0..3 * input.len()).map(|i| 3.0 * input[i / 3] + (i % 3) as f32).collect();
    assert!(out_fast == delayed(&tripled, 486 - 100));
}

#[test]
fn a_declared_latency_that_not_all_outputs_can_share_is_refused() {
    let first = OutputTensor::stream("a", 512).latency(100);
    let second = OutputTensor::stream("b", 512).declared_latency(1059);
    let handler = InferenceHandler::builder(two_outputs(512, first, second)).backend(Bypass);
    let error = handler.build().unwrap().prepare(&HostConfig::fixed(48_000.0, 480)).unwrap_err();
    assert_eq!(error.field(), Some("output `b`: declared_latency"));
    assert!(error.to_string().contains("is 1059; 1060, the smallest that all outputs"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Against a search that tries one delay after the other.
    #[test]
    fn the_common_delay_is_the_smallest_there_is(
        block in 1..=64u32,
        hop_in in 1..=40u64,
        hops in prop::collection::vec((1..=40u64, 0..=30u64), 1..5),
        share in 0..=100i128,
    ) {
        let query = LatencyQuery::new(block, 1000u32, hop_in, 1, Rational::new(share * i128::from(hop_in), 100_000).unwrap());
        let outputs: Vec<StreamHops> = hops
            .iter()
            .map(|&(hop, model)| StreamHops { model_latency: model, ..StreamHops::new(hop) })
            .collect();
        let own = latencies(&query, &outputs).unwrap();
        let aligned = latencies(&query.align(true), &outputs).unwrap();
        // Delays of the first output, one sample after the other, until all others have a whole number that is enough.
        let first = outputs[0].hop_out;
        let shared = |delay: u64| {
            outputs.iter().zip(&own).all(|(output, own)| {
                (delay * output.hop_out).is_multiple_of(first) && delay * output.hop_out / first >= own.samples
            })
        };
        let delay = (own[0].samples..).find(|&delay| shared(delay)).unwrap();
        for ((output, own), aligned) in outputs.iter().zip(&own).zip(&aligned) {
            prop_assert_eq!(aligned.samples, delay * output.hop_out / first);
            prop_assert_eq!(aligned.padding, aligned.samples - own.samples);
            prop_assert_eq!(aligned.zero_fill() + aligned.model, aligned.samples);
        }
    }
}
