//! The default processor: samples in, samples out, whatever the tensors' layout.

#![deny(clippy::indexing_slicing, clippy::panic, clippy::unreachable)]

use super::{EmitPart, Hops, PrePostProcessor, Windows, WorkerPart};
use crate::{Engine, Error, ErrorKind, Result, SessionPlan, StreamPlan};

/// Copies each window into its tensor and each tensor into its hop, in the layout that the configuration names.
///
/// Contiguous rows (`NCT`, `CT`, `T`) are block copies; others go sample by sample, on the worker.
#[derive(Clone, Copy, Debug, Default)]
pub struct HopProcessor;

/// The worker part of [`HopProcessor`].
#[derive(Clone, Debug)]
pub struct HopWorker {
    inputs: Vec<StreamPlan>,
    outputs: Vec<StreamPlan>,
}

/// The emit part of [`HopProcessor`]: a copy.
#[derive(Clone, Copy, Debug)]
pub struct HopEmit;

impl PrePostProcessor for HopProcessor {
    type Worker = HopWorker;
    type Emit = HopEmit;

    fn split(&self, plan: &SessionPlan) -> Result<(Vec<HopWorker>, HopEmit)> {
        let worker = HopWorker { inputs: plan.inputs.clone(), outputs: plan.outputs.clone() };
        Ok((vec![worker; plan.engines * plan.lanes], HopEmit))
    }
}

const WRONG_TENSOR: &str = "a stream's tensor is missing, or not float32";
const WRONG_LENGTH: &str = "a stream's tensor is shorter than its plan";

impl WorkerPart for HopWorker {
    fn prepare<E: Engine>(&mut self, windows: &impl Windows, engine: &mut E) -> Result<()> {
        for (stream, plan) in self.inputs.iter().enumerate() {
            let tensor = engine.input(plan.tensor).and_then(|t| t.f32_mut());
            let tensor = tensor.ok_or(Error::new(ErrorKind::DType, WRONG_TENSOR))?;
            for channel in 0..plan.channels {
                let window = windows.span(stream, channel);
                for row in 0..plan.rows {
                    let span = window.slice(row * plan.step(), plan.row_len());
                    let start = row * plan.strides.row + channel * plan.strides.channel;
                    let tensor = tensor.get_mut(start..).ok_or(Error::new(ErrorKind::Shape, WRONG_LENGTH))?;
                    if plan.strides.time == 1 {
                        let target = tensor.get_mut(..plan.row_len());
                        span.copy_to(target.ok_or(Error::new(ErrorKind::Shape, WRONG_LENGTH))?);
                    } else {
                        let cells = tensor.iter_mut().step_by(plan.strides.time);
                        cells.zip(span.iter()).for_each(|(cell, sample)| *cell = sample);
                    }
                }
            }
        }
        Ok(())
    }

    fn finish<E: Engine>(&mut self, engine: &E, hops: &mut impl Hops) -> Result<()> {
        for (stream, plan) in self.outputs.iter().enumerate() {
            let tensor = engine.output(plan.tensor).and_then(|t| t.f32());
            let tensor = tensor.ok_or(Error::new(ErrorKind::DType, WRONG_TENSOR))?;
            for channel in 0..plan.channels {
                let hop = hops.channel(stream, channel);
                for (row, part) in hop.chunks_exact_mut(plan.step()).take(plan.rows).enumerate() {
                    let start = row * plan.strides.row
                        + channel * plan.strides.channel
                        + plan.context * plan.strides.time;
                    let tensor = tensor.get(start..).ok_or(Error::new(ErrorKind::Shape, WRONG_LENGTH))?;
                    if plan.strides.time == 1 {
                        let source = tensor.get(..part.len());
                        part.copy_from_slice(source.ok_or(Error::new(ErrorKind::Shape, WRONG_LENGTH))?);
                    } else {
                        let cells = tensor.iter().step_by(plan.strides.time);
                        part.iter_mut().zip(cells).for_each(|(sample, cell)| *sample = *cell);
                    }
                }
            }
        }
        Ok(())
    }
}

impl EmitPart for HopEmit {
    fn emit(&mut self, _stream: usize, _channel: usize, hop: Option<&[f32]>, target: &mut [f32]) {
        match hop {
            Some(hop) => {
                let n = hop.len().min(target.len());
                let (copied, rest) = target.split_at_mut(n);
                copied.iter_mut().zip(hop).for_each(|(t, h)| *t = *h);
                rest.fill(0.0);
            }
            None => target.fill(0.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Span, TensorView, TensorViewMut};

    struct Copying {
        input: Vec<f32>,
        output: Vec<f32>,
    }

    impl Engine for Copying {
        fn input(&mut self, index: usize) -> Option<TensorViewMut<'_>> {
            (index == 0).then_some(TensorViewMut::F32(&mut self.input))
        }
        fn output(&self, index: usize) -> Option<TensorView<'_>> {
            (index == 0).then_some(TensorView::F32(&self.output))
        }
        fn run(&mut self) -> Result<()> {
            self.output.clone_from(&self.input);
            Ok(())
        }
    }

    struct Planar(Vec<Vec<f32>>);

    impl Windows for Planar {
        fn span(&self, _stream: usize, channel: usize) -> Span<'_> {
            Span::from_slice(&self.0[channel])
        }
    }

    impl Hops for Planar {
        fn channel(&mut self, _stream: usize, channel: usize) -> &mut [f32] {
            &mut self.0[channel]
        }
    }

    fn run(input: StreamPlan, output: StreamPlan, elements: usize) -> (Vec<f32>, Vec<Vec<f32>>) {
        let windows = Planar(
            (0..input.channels)
                .map(|c| (0..input.window()).map(|t| (100 * c + t) as f32).collect())
                .collect(),
        );
        let mut hops = Planar(vec![vec![-1.0; output.hop]; output.channels]);
        let mut engine = Copying { input: vec![-1.0; elements], output: vec![] };
        let plan = SessionPlan::new(vec![input], vec![output]);
        let (mut workers, _) = HopProcessor.split(&plan).unwrap();
        workers[0].prepare(&windows, &mut engine).unwrap();
        engine.run().unwrap();
        workers[0].finish(&engine, &mut hops).unwrap();
        (engine.input, hops.0)
    }

    #[test]
    fn planar_tensors_hold_context_then_hop_and_yield_the_last_samples() {
        let (tensor, hops) =
            run(StreamPlan::planar("x", 0, 2, 3, 2), StreamPlan::planar("y", 0, 2, 3, 2), 10);
        assert_eq!(tensor, [0., 1., 2., 3., 4., 100., 101., 102., 103., 104.]);
        assert_eq!(hops, [vec![2., 3., 4.], vec![102., 103., 104.]]);
    }

    #[test]
    fn time_before_channels_is_interleaved() {
        let plan = |n| StreamPlan::planar(n, 0, 2, 2, 0).with_strides(4, 1, 2);
        let (tensor, hops) = run(plan("x"), plan("y"), 4);
        assert_eq!(tensor, [0., 100., 1., 101.]);
        assert_eq!(hops, [vec![0., 1.], vec![100., 101.]]);
    }

    #[test]
    fn rows_are_windows_that_slide() {
        let input = StreamPlan::planar("x", 0, 1, 4, 2).with_rows(4).with_strides(3, 3, 1);
        let output = StreamPlan::planar("y", 0, 1, 4, 2).with_rows(4).with_strides(3, 3, 1);
        let (tensor, hops) = run(input, output, 12);
        assert_eq!(tensor, [0., 1., 2., 1., 2., 3., 2., 3., 4., 3., 4., 5.]);
        assert_eq!(hops, [vec![2., 3., 4., 5.]]);
    }

    #[test]
    fn a_tensor_that_is_too_short_is_an_error_not_a_panic() {
        let plan = SessionPlan::new(vec![StreamPlan::planar("x", 0, 1, 8, 0)], vec![]);
        let (mut workers, _) = HopProcessor.split(&plan).unwrap();
        let mut engine = Copying { input: vec![0.0; 4], output: vec![] };
        let error = workers[0].prepare(&Planar(vec![vec![0.0; 8]]), &mut engine).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Shape);
    }
}
