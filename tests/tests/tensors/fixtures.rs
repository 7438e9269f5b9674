//! The odd little models of `fixtures/`, on the embedded engine.

use anira::prelude::*;
use anira_tests::{assert_same, blocks, fixture, ramp, send, valid};

use crate::rendering;

type OnRten = InferenceHandler<Rten, HopProcessor, Offline>;

fn build(file: &str, inputs: &[InputTensor], outputs: &[OutputTensor]) -> OnRten {
    let config = inputs.iter().fold(anira_tests::cut(), |b, t| b.input(t.clone()));
    let config = valid(outputs.iter().fold(config, |b, t| b.output(t.clone())).build());
    valid(InferenceHandler::builder(config).backend(Rten).source(fixture(file)).scheduler(Offline).build())
}

/// Renders mono samples in blocks of 50; what came out, without the latency.
fn render(handler: &mut OnRten, input: &[f32]) -> Vec<f32> {
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&rendering(50)));
    let (output, late) = send(&mut audio, input, &blocks(&[50], input.len()));
    assert_eq!((late, handler.control().last_error()), (0, None));
    output[report.latency[0].samples as usize..].to_vec()
}

fn saw(len: usize) -> Vec<f32> {
    ramp(len).iter().map(|x| x % 11.0 - 5.0).collect()
}

#[track_caller]
fn agrees(output: &[f32], right: impl Fn(usize) -> f32) {
    assert!(output.len() > 100);
    let right: Vec<f32> = (0..output.len()).map(right).collect();
    assert_same(output, &right, "the fixture's function");
}

#[test]
fn knob_takes_a_parameter_and_gives_a_reading() {
    let mut handler = build(
        "knob.onnx",
        &[InputTensor::stream("input", 64), InputTensor::parameter("gain", [1.0])],
        &[OutputTensor::stream("output", 64), OutputTensor::parameter("peak")],
    );
    let control = handler.control();
    assert_eq!(control.reading("peak"), None);
    valid(control.set_parameter("gain", &[0.5]));
    let input = saw(640);
    agrees(&render(&mut handler, &input), |i| 0.5 * input[i]);
    assert_eq!(control.reading("peak"), Some(vec![5.0]));
}

#[test]
fn sidechain_has_two_inputs() {
    let mut handler = build(
        "sidechain.onnx",
        &[InputTensor::stream("main", 64), InputTensor::stream("side", 64)],
        &[OutputTensor::stream("output", 64)],
    );
    let Prepared { mut audio, .. } = valid(handler.prepare(&rendering(64)));
    for n in 0..20 {
        let mut block = [n as f32; 64];
        let side = if n % 2 == 0 {
            assert!(audio.push(1, &[&[4.0f32; 64][..]]).is_ok());
            4.0
        } else {
            assert!(audio.push_silence(1, 64).is_ok());
            0.0
        };
        assert!(audio.process(&mut [&mut block[..]]).is_ok());
        assert_same(&block, &[n as f32 - 0.25 * side; 64], format_args!("block {n}"));
    }
}

#[test]
fn stereo_keeps_its_channels_apart() {
    let mut handler =
        build("stereo.onnx", &[InputTensor::stream("input", 128)], &[OutputTensor::stream("output", 128)]);
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&rendering(100).channels(4)));
    assert_eq!(report.lanes, 2);
    let latency = report.latency[0].samples as usize;
    let input = [saw(1000), ramp(1000), ramp(1000), saw(1000)];
    let mut output = input.clone();
    for at in (0..1000).step_by(100) {
        let mut block: Vec<&mut [f32]> = output.iter_mut().map(|c| &mut c[at..at + 100]).collect();
        assert!(audio.process(&mut block[..]).is_ok());
    }
    for (channel, sign) in [(0, 1.0), (1, -1.0), (2, 1.0), (3, -1.0)] {
        let (left, right) = (&input[channel / 2 * 2], &input[channel / 2 * 2 + 1]);
        agrees(&output[channel][latency..], |i| (left[i] + sign * right[i]) / 2.0);
    }
}

#[test]
fn time_in_the_middle_of_the_shape() {
    let mut handler = build(
        "time-last-batch.onnx",
        &[InputTensor::stream("input", 96)],
        &[OutputTensor::stream("output", 96)],
    );
    let input = saw(960);
    agrees(&render(&mut handler, &input), |i| 2.0 * input[i]);
}

#[test]
fn rows_are_time() {
    let mut handler = build(
        "rows.onnx",
        &[InputTensor::stream("input", 32).layout(valid("NCT".parse()))],
        &[OutputTensor::stream("output", 32).layout(valid("NT".parse()))],
    );
    let input = saw(640);
    agrees(&render(&mut handler, &input), |i| input[i.saturating_sub(7)..=i].iter().sum());
}

#[test]
fn upsample_gives_twice_as_many() {
    let mut handler =
        build("upsample.onnx", &[InputTensor::stream("input", 64)], &[OutputTensor::stream("output", 128)]);
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&rendering(50)));
    let input = saw(500);
    let mut output = vec![0.0f32; 1000];
    for (x, y) in input.chunks(50).zip(output.chunks_mut(100)) {
        assert!(audio.process_into(&[x], &mut [y]).is_ok());
    }
    agrees(&output[report.latency[0].samples as usize..], |i| input[i / 2]);
}

#[test]
fn counter_has_a_state_of_whole_numbers() {
    let mut handler = build(
        "counter-i64.onnx",
        &[InputTensor::stream("input", 32), InputTensor::state("count_in", "count_out").initial([7.0])],
        &[OutputTensor::stream("output", 32)],
    );
    let input = saw(640);
    agrees(&render(&mut handler, &input), |i| input[i] + 7.0 + (i / 32) as f32);
}

#[test]
fn smoother_sums_over_the_whole_stream_and_anew_after_a_reset() {
    let mut handler = build(
        "smoother.onnx",
        &[InputTensor::stream("input", 16), InputTensor::state("z_in", "z_out")],
        &[OutputTensor::stream("output", 16)],
    );
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&rendering(30)));
    let input = saw(600);
    for _ in 0..3 {
        let (output, late) = send(&mut audio, &input, &[30; 20]);
        assert_eq!(late, 0);
        agrees(&output[report.latency[0].samples as usize..], |i| input[..=i].iter().sum());
        audio.reset();
    }
}

#[test]
fn dynamic_takes_the_length_of_the_hop() {
    for hop in [1, 64, 100] {
        let mut handler = build(
            "dynamic.onnx",
            &[InputTensor::stream("input", hop)],
            &[OutputTensor::stream("output", hop)],
        );
        let input = saw(500);
        agrees(&render(&mut handler, &input), |i| 0.5 * input[i]);
    }
}
