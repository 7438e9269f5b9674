//! Layouts, rows of the batch, extents that the model leaves open, context.

use anira::prelude::*;
use anira::traits::{DType, Layout, Signature, TensorInfo};
use anira_tests::{assert_same, backend, blocks, delayed, ramp, send, signature, valid};

use crate::{rendering, rendering_varying};

fn stream(len: usize) -> Vec<f32> {
    ramp(len).iter().map(|x| x % 7.0).collect()
}

/// Renders the whole blocks of mono samples and returns them without the latency.
fn render<B: Backend>(config: InferenceConfig, backend: B, input: &[f32], block: usize) -> Vec<f32> {
    let mut handler = valid(InferenceHandler::builder(config).backend(backend).scheduler(Offline).build());
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&rendering(block)));
    let (output, late) = send(&mut audio, input, &blocks(&[block], input.len() / block * block));
    assert_eq!(late, 0);
    output[report.latency[0].samples as usize..].to_vec()
}

/// The sum of the last `context + 1` samples, for every sample; before the stream there is silence.
fn sums(input: &[f32], context: usize) -> Vec<f32> {
    (0..input.len()).map(|i| input[i.saturating_sub(context)..=i].iter().sum()).collect()
}

#[test]
fn context_is_the_past_and_silence_before_the_stream() {
    for (hop, context, block) in [(8, 24, 8), (8, 3, 5), (4, 100, 64), (16, 1, 16), (5, 0, 3)] {
        let window = hop + context;
        let tensors = signature(&[("input", &[1, 1, window])], &[("output", &[1, 1, hop])]);
        let model = backend(tensors, move |x, y| {
            let x = x.f32(0)?;
            y.f32(0)?.iter_mut().enumerate().for_each(|(i, y)| *y = x[i..=i + context].iter().sum());
            Ok(())
        });
        let config = anira_tests::cut()
            .input(InputTensor::stream("input", hop).context(context))
            .output(OutputTensor::stream("output", hop));
        let input = stream(1000);
        let output = render(valid(config.build()), model, &input, block);
        assert_same(
            &output,
            &sums(&input, context)[..output.len()],
            format_args!("{hop}+{context} at {block}"),
        );
    }
}

#[test]
fn rows_of_the_batch_are_windows_that_slide_through_time() {
    // 8 rows of 4 samples each, a step of 2: 16 new samples per inference, 2 of context.
    let mut tensors = signature(&[("input", &[8, 1, 4])], &[("output", &[8, 2])]);
    tensors.outputs[0].name = "output".to_owned();
    let model = backend(tensors, |x, y| {
        let x = x.f32(0)?;
        for (row, y) in y.f32(0)?.chunks_mut(2).enumerate() {
            let x = &x[4 * row..4 * row + 4];
            y.copy_from_slice(&[x[0] + x[1] + x[2], x[1] + x[2] + x[3]]);
        }
        Ok(())
    });
    let config = anira_tests::cut()
        .input(InputTensor::stream("input", 16).layout(valid("NCT".parse::<Layout>())))
        .output(OutputTensor::stream("output", 16).layout(valid("NT".parse::<Layout>())));
    let input = stream(500);
    let output = render(valid(config.build()), model, &input, 10);
    assert_same(&output, &sums(&input, 2)[..output.len()], "sums of three");
}

#[test]
fn time_may_stand_before_the_channels() {
    // [1, N, 2]: interleaved; the model swaps the channels.
    let tensors = signature(&[("input", &[1, 16, 2])], &[("output", &[1, 16, 2])]);
    let model = backend(tensors, |x, y| {
        for (y, x) in y.f32(0)?.chunks_mut(2).zip(x.f32(0)?.chunks(2)) {
            y.copy_from_slice(&[x[1], x[0]]);
        }
        Ok(())
    });
    let config = anira_tests::cut()
        .input(InputTensor::stream("input", 16).channels(2))
        .output(OutputTensor::stream("output", 16).channels(2));
    let mut handler =
        valid(InferenceHandler::builder(valid(config.build())).backend(model).scheduler(Offline).build());
    // Two lanes of two channels each.
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&rendering_varying(30).channels(4)));
    assert_eq!(report.lanes, 2);
    let latency = report.latency[0].samples;
    let input: Vec<Vec<f32>> =
        (0..4).map(|c| (0..480).map(|i| (1000 * c + i + 1) as f32).collect()).collect();
    let mut output = input.clone();
    for at in (0..480).step_by(30) {
        let mut block: Vec<&mut [f32]> = output.iter_mut().map(|c| &mut c[at..at + 30]).collect();
        assert!(audio.process(&mut block[..]).is_ok());
    }
    for (channel, from) in [(0, 1), (1, 0), (2, 3), (3, 2)] {
        assert_same(&output[channel], &delayed(&input[from], latency), format_args!("channel {channel}"));
    }
}

#[test]
fn mono_layouts_all_mean_the_same() {
    for shape in [&[24][..], &[1, 24], &[1, 24, 1], &[24, 1, 1], &[1, 1, 24]] {
        let model = backend(signature(&[("input", shape)], &[("output", shape)]), |x, y| {
            y.f32(0)?.iter_mut().zip(x.f32(0)?).for_each(|(y, x)| *y = 2.0 * x);
            Ok(())
        });
        let input = stream(500);
        let output = render(anira_tests::plain(24, std::time::Duration::ZERO), model, &input, 17);
        let right: Vec<f32> = input.iter().map(|x| 2.0 * x).collect();
        assert_same(&output, &right[..output.len()], format_args!("{shape:?}"));
    }
}

/// A model that leaves its length open and doubles.
fn open_length() -> impl Backend {
    let open = |name: &str| TensorInfo::new(name, DType::F32, [Some(1), Some(1), None]);
    let tensors = Signature { inputs: vec![open("input")], outputs: vec![open("output")] };
    backend(tensors, |x, y| {
        y.f32(0)?.iter_mut().zip(x.f32(0)?).for_each(|(y, x)| *y = 2.0 * x);
        Ok(())
    })
}

#[test]
fn an_open_length_is_the_hop() {
    for hop in [1, 33, 400] {
        // A closure's output needs its shape; an engine that computes tells by itself.
        let config = anira_tests::cut()
            .input(InputTensor::stream("input", hop))
            .output(OutputTensor::stream("output", hop).shape([1, 1, hop]));
        let input = stream(1000);
        let output = render(valid(config.build()), open_length(), &input, 50);
        let right: Vec<f32> = input.iter().map(|x| 2.0 * x).collect();
        assert_same(&output, &right[..output.len()], format_args!("hop {hop}"));
    }
}

#[test]
fn of_a_longer_output_the_newest_samples_count() {
    // The model answers its whole window; only the end belongs to the hop.
    let shape = [1, 1, 40];
    let model = backend(signature(&[("input", &shape)], &[("output", &shape)]), |x, y| {
        y.f32(0)?.copy_from_slice(x.f32(0)?);
        Ok(())
    });
    let input = stream(400);
    let output = render(anira_tests::plain(16, std::time::Duration::ZERO), model, &input, 16);
    assert_same(&output, &input[..output.len()], "the last 16 of 40");
}
