//! One backend behind another.

use anira_traits::{
    Backend, Engine, EngineRequest, Error, ErrorKind, InternalState, LoadRequest, Model, ModelSource, Result,
    Signature, TensorView, TensorViewMut, WorkerScope, shape_text,
};

/// Two backends in a row: the outputs of the first are the first inputs of the second, in order.
///
/// The model's inputs are those of the first, then those of the second that nothing feeds; its outputs are those of the second. Both are loaded
/// from the same source with the same request, so at most one of them reads it.
#[derive(Clone, Debug)]
pub struct Chain<A, B> {
    first: A,
    second: B,
    name: String,
}

impl<A: Backend, B: Backend> Chain<A, B> {
    /// `second` behind `first`.
    #[must_use]
    pub fn new(first: A, second: B) -> Self {
        let name = format!("{}-{}", first.name(), second.name());
        Self { first, second, name }
    }
}

impl<A: Backend, B: Backend> Backend for Chain<A, B> {
    type Model = ChainModel<A::Model, B::Model>;

    fn name(&self) -> &str {
        &self.name
    }

    /// Those of both; [`ErrorKind::Shape`] and [`ErrorKind::DType`] where outputs of the first are not inputs of the second, or
    /// two inputs bear one name.
    fn load(&self, source: &ModelSource, request: &LoadRequest) -> Result<Self::Model> {
        let first = self.first.load(source, request)?;
        let second = self.second.load(source, request)?;
        let (a, b) = (first.signature(), second.signature());
        let fed = a.outputs.len();
        if b.inputs.len() < fed {
            let text = format!("{fed} outputs of `{}` before {} inputs", self.first.name(), b.inputs.len());
            return Err(Error::new(ErrorKind::Shape, text).at(format!("chain `{}`", self.name)));
        }
        for (output, input) in a.outputs.iter().zip(&b.inputs) {
            let at = |kind, text: String| {
                Error::new(kind, text).at(format!("output `{}` before input `{}`", output.name, input.name))
            };
            if output.dtype != input.dtype {
                return Err(at(ErrorKind::DType, format!("{} before {}", output.dtype, input.dtype)));
            }
            let fits = output.shape.len() == input.shape.len()
                && output.shape.iter().zip(&input.shape).all(|(a, b)| a.is_none() || b.is_none() || a == b);
            if !fits {
                let text = format!("{} before {}", shape_text(&output.shape), shape_text(&input.shape));
                return Err(at(ErrorKind::Shape, text));
            }
        }
        let inputs: Vec<_> = a.inputs.iter().chain(b.inputs.iter().skip(fed)).cloned().collect();
        for (at, input) in inputs.iter().enumerate() {
            if inputs.iter().skip(at + 1).any(|other| other.name == input.name) {
                let text = "is an input of both";
                return Err(Error::new(ErrorKind::Shape, text).at(format!("tensor `{}`", input.name)));
            }
        }
        let signature = Signature { inputs, outputs: b.outputs.clone() };
        Ok(ChainModel { first, second, signature, fed })
    }
}

/// What [`Chain`] loads.
#[derive(Debug)]
pub struct ChainModel<A, B> {
    first: A,
    second: B,
    signature: Signature,
    fed: usize,
}

impl<A: Model, B: Model> Model for ChainModel<A, B> {
    type Engine = ChainEngine<A::Engine, B::Engine>;

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn internal_state(&self) -> InternalState {
        match (self.first.internal_state(), self.second.internal_state()) {
            (InternalState::None, InternalState::None) => InternalState::None,
            _ => InternalState::Inside,
        }
    }

    /// Extents between the two that both leave open are those of the first input, axis by axis.
    fn engine(&self, request: &EngineRequest) -> Result<Self::Engine> {
        let own = self.first.signature().inputs.len();
        if request.inputs.len() != self.signature.inputs.len() {
            let text =
                format!("{} shapes; the model has {}", request.inputs.len(), self.signature.inputs.len());
            return Err(Error::new(ErrorKind::Shape, text).at("inputs"));
        }
        let (before, behind) = request.inputs.split_at(own);
        let between = self.first.signature().outputs.iter().zip(&self.second.signature().inputs);
        let like = before.first().cloned().unwrap_or_default();
        let between: Vec<Vec<usize>> = between
            .map(|(output, input)| {
                let extents = output.shape.iter().zip(&input.shape).enumerate();
                extents.map(|(axis, (a, b))| a.or(*b).or(like.get(axis).copied()).unwrap_or(1)).collect()
            })
            .collect();
        let values = |range: std::ops::Range<usize>| -> Vec<Vec<f64>> {
            range.map(|at| request.values.get(at).cloned().unwrap_or_default()).collect()
        };
        let mut first = EngineRequest::new(before.to_vec(), between.iter().cloned().map(Some).collect());
        first.values = values(0..own);
        let inputs: Vec<_> = between.into_iter().chain(behind.iter().cloned()).collect();
        let mut second = EngineRequest::new(inputs, request.outputs.clone());
        second.values = vec![Vec::new(); self.fed];
        second.values.extend(values(own..self.signature.inputs.len()));
        let (first, second) = (self.first.engine(&first)?, self.second.engine(&second)?);
        Ok(ChainEngine { first, second, own, fed: self.fed })
    }
}

/// Two engines in a row. May run inside an audio callback if both may.
#[derive(Debug)]
pub struct ChainEngine<A, B> {
    first: A,
    second: B,
    /// Inputs of the first.
    own: usize,
    /// Inputs of the second that the first feeds.
    fed: usize,
}

impl<A: Engine, B: Engine> Engine for ChainEngine<A, B> {
    const SCOPE: Option<WorkerScope> = match (A::SCOPE, B::SCOPE) {
        (None, scope) => scope,
        (scope, _) => scope,
    };

    fn input(&mut self, index: usize) -> Option<TensorViewMut<'_>> {
        match index.checked_sub(self.own) {
            None => self.first.input(index),
            Some(rest) => self.second.input(self.fed + rest),
        }
    }

    fn output(&self, index: usize) -> Option<TensorView<'_>> {
        self.second.output(index)
    }

    fn run(&mut self) -> Result<()> {
        self.first.run()?;
        for at in 0..self.fed {
            let missing = || Error::new(ErrorKind::Engine, "an engine of the chain lacks a tensor");
            let from = self.first.output(at).ok_or_else(missing)?;
            self.second.input(at).ok_or_else(missing)?.copy_from(from)?;
        }
        self.second.run()
    }

    fn reset(&mut self) -> Result<()> {
        self.first.reset()?;
        self.second.reset()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DelayLine, Gain};
    use super::*;
    use crate::FnBackend;
    use anira_traits::TensorInfo;

    #[test]
    fn the_second_hears_what_the_first_made() {
        let backend = Chain::new(Gain(3.0), Chain::new(DelayLine(2), Gain(0.5)));
        assert_eq!(backend.name(), "gain-delay-line-gain");
        // Both name their input `input`, but only the first's is one of the chain.
        let model = backend.load(&ModelSource::None, &LoadRequest::new()).unwrap();
        assert_eq!(model.internal_state(), InternalState::Inside);
        let request = EngineRequest::new(vec![vec![1, 1, 512]], vec![Some(vec![1, 1, 512])]);
        let mut engine = model.engine(&request).unwrap();
        for _ in 0..2 {
            engine.input(0).unwrap().f32_mut().unwrap().fill(1.0);
            engine.run().unwrap();
            let y = engine.output(0).unwrap().f32().unwrap();
            assert_eq!((y[0], y[1], y[2], y[511]), (0.0, 0.0, 1.5, 1.5));
            engine.reset().unwrap();
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let other = Signature {
            inputs: vec![TensorInfo::f32("wide", &[1, 2, 512])],
            outputs: vec![TensorInfo::f32("y", &[1])],
        };
        let second =
            FnBackend::new("wide", other, || |_: &crate::Inputs<'_>, _: &mut crate::Outputs<'_>| Ok(()));
        let error = Chain::new(Gain(1.0), second).load(&ModelSource::None, &LoadRequest::new()).map(drop);
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Shape);
        assert!(
            error.to_string().contains("`output` before input `wide`: [1, 1, 512] before [1, 2, 512]"),
            "{error}"
        );
    }
}
