//! A bypass with a factor.

use anira_traits::{
    Backend, Engine, EngineRequest, LoadRequest, Model, ModelSource, Result, Signature, TensorView,
    TensorViewMut,
};

use crate::bypass::{Bypass, BypassEngine, BypassModel};

/// A [`Bypass`] whose output streams are multiplied by a factor.
#[derive(Clone, Copy, Debug)]
pub struct Gain(pub f32);

impl Backend for Gain {
    type Model = GainModel;

    fn name(&self) -> &str {
        "gain"
    }

    /// As [`Bypass`].
    fn load(&self, source: &ModelSource, request: &LoadRequest) -> Result<GainModel> {
        Ok(GainModel { inner: Bypass.load(source, request)?, factor: self.0 })
    }
}

/// The model that [`Gain`] makes up.
#[derive(Clone, Debug)]
pub struct GainModel {
    inner: BypassModel,
    factor: f32,
}

impl Model for GainModel {
    type Engine = GainEngine;

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn engine(&self, request: &EngineRequest) -> Result<GainEngine> {
        Ok(GainEngine { inner: self.inner.engine(request)?, factor: self.factor })
    }
}

/// An engine that multiplies. May run inside an audio callback.
#[derive(Debug)]
pub struct GainEngine {
    inner: BypassEngine,
    factor: f32,
}

impl Engine for GainEngine {
    fn input(&mut self, index: usize) -> Option<TensorViewMut<'_>> {
        self.inner.input(index)
    }

    fn output(&self, index: usize) -> Option<TensorView<'_>> {
        self.inner.output(index)
    }

    fn run(&mut self) -> Result<()> {
        self.inner.run()?;
        let factor = self.factor;
        self.inner.each_hop(|_, _, sample| *sample *= factor);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_multiplied() {
        let model = Gain(-0.5).load(&ModelSource::None, &LoadRequest::new()).unwrap();
        let request = EngineRequest::new(vec![vec![1, 1, 512]], vec![Some(vec![1, 1, 512])]);
        let mut engine = model.engine(&request).unwrap();
        engine.input(0).unwrap().f32_mut().unwrap().fill(3.0);
        for _ in 0..2 {
            engine.run().unwrap();
            assert_eq!(engine.output(0).unwrap().f32().unwrap(), [-1.5; 512]);
        }
    }
}
