//! A user's own processor: overlapping windows on the worker, overlap-add on the audio thread.

use std::f32::consts::PI;

use anira::prelude::*;
use anira::traits::{EmitPart, Hops, Result, SessionPlan, Windows, WorkerPart};
use anira_tests::{blocks, send, valid};

/// Frames of two hops under a sine window, before the model and after it: added up, half overlapped, they are the signal
/// again, one hop later. It is the analysis and synthesis of a spectral effect without the spectrum.
struct OverlapAdd;

struct Frames {
    hop: usize,
}

/// What the newest frame leaves for the next hop, per channel.
struct Adder {
    tails: Vec<Vec<f32>>,
}

fn window(i: usize, len: usize) -> f32 {
    (PI * (i as f32 + 0.5) / len as f32).sin()
}

impl PrePostProcessor for OverlapAdd {
    type Worker = Frames;
    type Emit = Adder;

    fn split(&self, plan: &SessionPlan) -> Result<(Vec<Frames>, Adder)> {
        let (input, output) = (&plan.inputs[0], &plan.outputs[0]);
        if input.context != input.hop {
            return Err(Error::config("context", input.context, "one hop: frames overlap by half"));
        }
        let parts = (0..plan.engines * plan.lanes).map(|_| Frames { hop: input.hop }).collect();
        let tails = vec![vec![0.0; output.hop]; output.channels * plan.lanes];
        Ok((parts, Adder { tails }))
    }

    fn hop_len(&self, plan: &SessionPlan, stream: usize) -> usize {
        2 * plan.outputs[stream].hop
    }
}

impl WorkerPart for Frames {
    fn prepare<E: Engine>(&mut self, windows: &impl Windows, engine: &mut E) -> Result<()> {
        let tensor =
            engine.input(0).and_then(|t| t.f32_mut()).ok_or(Error::new(ErrorKind::DType, "no input"))?;
        let span = windows.span(0, 0);
        for (i, (cell, sample)) in tensor.iter_mut().zip(span.iter()).enumerate() {
            *cell = sample * window(i, 2 * self.hop);
        }
        Ok(())
    }

    fn finish<E: Engine>(&mut self, engine: &E, hops: &mut impl Hops) -> Result<()> {
        let tensor =
            engine.output(0).and_then(|t| t.f32()).ok_or(Error::new(ErrorKind::DType, "no output"))?;
        let frame = hops.channel(0, 0);
        assert_eq!(frame.len(), 2 * self.hop);
        for (i, (sample, cell)) in frame.iter_mut().zip(tensor).enumerate() {
            *sample = cell * window(i, 2 * self.hop);
        }
        Ok(())
    }
}

impl EmitPart for Adder {
    fn emit(&mut self, _stream: usize, channel: usize, frame: Option<&[f32]>, target: &mut [f32]) {
        let Some(tail) = self.tails.get_mut(channel) else { return };
        target.copy_from_slice(tail);
        tail.fill(0.0);
        if let Some((first, second)) = frame.map(|f| f.split_at(f.len() / 2)) {
            target.iter_mut().zip(first).for_each(|(t, f)| *t += f);
            tail.copy_from_slice(second);
        }
    }

    fn reset(&mut self) {
        self.tails.iter_mut().for_each(|tail| tail.fill(0.0));
    }
}

/// A model that passes whole frames of `2 * hop` samples through, whatever is new in them.
fn handler(hop: usize) -> InferenceHandler<impl Backend, OverlapAdd, Pool> {
    let frames = anira::backends::FnBackend::new(
        "frames",
        anira_tests::signature(&[("input", &[1, 1, 2 * hop])], &[("output", &[1, 1, 2 * hop])]),
        || {
            |x: &anira::backends::Inputs<'_>, y: &mut anira::backends::Outputs<'_>| {
                y.f32(0)?.copy_from_slice(x.f32(0)?);
                Ok(())
            }
        },
    );
    let config = InferenceConfig::builder()
        .input(InputTensor::stream("input", hop))
        // The frame that begins one hop ago is complete only with the next one: the model's own delay.
        .output(OutputTensor::stream("output", hop).latency(hop as u64));
    let config = valid(config.build());
    valid(InferenceHandler::builder(config).backend(frames).processor(OverlapAdd).build())
}

#[test]
fn overlapping_frames_add_up_to_the_input() {
    let hop = 64;
    let mut handler = handler(hop);
    for channels in [1, 2] {
        let host = HostConfig::varying(48_000.0, 100).channels(channels).mode(Mode::Offline);
        let Prepared { mut audio, report, .. } = valid(handler.prepare(&host));
        let latency = report.latency[0].samples as usize;
        assert_eq!(report.latency[0].model, hop as u64);
        let signal = |c: usize, i: usize| ((i * (c + 1)) as f32 * 0.1).sin();
        let mut audio_blocks = vec![Vec::new(); channels];
        let mut at = 0;
        for size in blocks(&[100, 1, 37], 3000) {
            let mut block: Vec<Vec<f32>> =
                (0..channels).map(|c| (at..at + size).map(|i| signal(c, i)).collect()).collect();
            assert!(audio.process(&mut block[..]).is_ok());
            audio_blocks.iter_mut().zip(block).for_each(|(all, part)| all.extend(part));
            at += size;
        }
        for (c, out) in audio_blocks.iter().enumerate() {
            for (i, sample) in out.iter().enumerate() {
                let right = if i < latency { 0.0 } else { signal(c, i - latency) };
                assert!((sample - right).abs() < 1e-6, "channel {c}, sample {i}: {sample}, not {right}");
            }
        }
    }
}

#[test]
fn a_reset_leaves_no_tail_behind() {
    let mut handler = handler(64);
    let host = HostConfig::fixed(48_000.0, 64).mode(Mode::Offline);
    let Prepared { mut audio, .. } = valid(handler.prepare(&host));
    send(&mut audio, &[1.0; 640], &[64; 10]);
    audio.reset();
    let (silence, _) = send(&mut audio, &[0.0; 640], &[64; 10]);
    assert_eq!(silence, [0.0; 640]);
}

#[test]
fn a_processor_may_refuse_a_plan() {
    let config = anira_tests::plain(64, std::time::Duration::ZERO);
    let mut handler = valid(InferenceHandler::builder(config).backend(Bypass).processor(OverlapAdd).build());
    let error = handler.prepare(&HostConfig::fixed(48e3, 64)).unwrap_err();
    assert!(error.to_string().contains("context: is 0"), "{error}");
}
