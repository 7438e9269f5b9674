//! A bypass that is late by so many samples, as a model with latency of its own is.

use anira_traits::{
    Backend, Engine, EngineRequest, InternalState, LoadRequest, Model, ModelSource, Result, Signature,
    TensorView, TensorViewMut,
};

use crate::bypass::{Bypass, BypassEngine, BypassModel};

/// A [`Bypass`] whose output streams come so many samples later, zeros before them: it stands for an engine whose answer takes
/// that long, where a test or a demonstration wants the delay without the time. ([`Slow`](crate::Slow) takes the time.)
#[derive(Clone, Copy, Debug)]
pub struct DelayLine(pub usize);

impl Backend for DelayLine {
    type Model = DelayLineModel;

    fn name(&self) -> &str {
        "delay-line"
    }

    /// As [`Bypass`].
    fn load(&self, source: &ModelSource, request: &LoadRequest) -> Result<DelayLineModel> {
        Ok(DelayLineModel { inner: Bypass.load(source, request)?, samples: self.0 })
    }
}

/// The model that [`DelayLine`] makes up.
#[derive(Clone, Debug)]
pub struct DelayLineModel {
    inner: BypassModel,
    samples: usize,
}

impl Model for DelayLineModel {
    type Engine = DelayLineEngine;

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn internal_state(&self) -> InternalState {
        if self.samples == 0 { InternalState::None } else { InternalState::Inside }
    }

    fn engine(&self, request: &EngineRequest) -> Result<DelayLineEngine> {
        let mut inner = self.inner.engine(request)?;
        let mut count = 0;
        inner.each_hop(|line, _, _| count = count.max(line + 1));
        let line = Line { samples: vec![0.0; self.samples], at: 0 };
        Ok(DelayLineEngine { inner, lines: vec![line; count] })
    }
}

/// The newest samples of one channel, the oldest at `at`.
#[derive(Clone, Debug)]
struct Line {
    samples: Vec<f32>,
    at: usize,
}

/// An engine that delays. May run inside an audio callback.
#[derive(Debug)]
pub struct DelayLineEngine {
    inner: BypassEngine,
    lines: Vec<Line>,
}

impl Engine for DelayLineEngine {
    fn input(&mut self, index: usize) -> Option<TensorViewMut<'_>> {
        self.inner.input(index)
    }

    fn output(&self, index: usize) -> Option<TensorView<'_>> {
        self.inner.output(index)
    }

    fn run(&mut self) -> Result<()> {
        self.inner.run()?;
        let lines = &mut self.lines;
        self.inner.each_hop(|line, _, sample| {
            let Some(line) = lines.get_mut(line) else { return };
            if let Some(oldest) = line.samples.get_mut(line.at) {
                std::mem::swap(oldest, sample);
                line.at = if line.at + 1 == line.samples.len() { 0 } else { line.at + 1 };
            }
        });
        Ok(())
    }

    fn reset(&mut self) -> Result<()> {
        self.lines.iter_mut().for_each(|line| line.samples.fill(0.0));
        self.inner.reset()
    }
}

#[cfg(test)]
mod tests {
    use anira_traits::{InferenceConfig, InputTensor, OutputTensor};

    use super::*;

    #[test]
    fn every_channel_comes_so_many_samples_later_and_a_reset_forgets() {
        let config = InferenceConfig::builder()
            .input(InputTensor::stream("x", 4).channels(2))
            .output(OutputTensor::stream("y", 4).channels(2))
            .build()
            .unwrap();
        for delay in [0usize, 1, 3, 4, 5, 11] {
            let model = DelayLine(delay)
                .load(&ModelSource::None, &LoadRequest::new().config(config.clone()))
                .unwrap();
            let request = EngineRequest::new(vec![vec![1, 2, 4]], vec![Some(vec![1, 2, 4])]);
            let mut engine = model.engine(&request).unwrap();
            for _ in 0..2 {
                for start in (0..24).step_by(4) {
                    let x = engine.input(0).unwrap().f32_mut().unwrap();
                    (0..4)
                        .for_each(|t| (x[t], x[4 + t]) = ((start + t + 1) as f32, -((start + t + 1) as f32)));
                    engine.run().unwrap();
                    for t in 0..4 {
                        let right = (start + t + 1).saturating_sub(delay) as f32;
                        let y = engine.output(0).unwrap().f32().unwrap();
                        assert_eq!((y[t], y[4 + t]), (right, -right), "{delay}: {}", start + t);
                    }
                }
                engine.reset().unwrap();
            }
        }
    }
}
