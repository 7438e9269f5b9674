//! Two backends side by side, their outputs added.

use anira_traits::{
    Backend, DType, Engine, EngineRequest, Error, ErrorKind, InternalState, LoadRequest, Model, ModelSource,
    Result, Signature, TensorView, TensorViewMut, WorkerScope,
};

/// Two backends that hear the same: each input goes to both, and each output is the sum of both. Their tensors have to agree in number,
/// type and shape; names are those of the first. Both are loaded from the same source with the same request.
#[derive(Clone, Debug)]
pub struct Sum<A, B> {
    first: A,
    second: B,
    name: String,
}

impl<A: Backend, B: Backend> Sum<A, B> {
    /// `first` and `second`, added.
    #[must_use]
    pub fn new(first: A, second: B) -> Self {
        let name = format!("{}+{}", first.name(), second.name());
        Self { first, second, name }
    }
}

impl<A: Backend, B: Backend> Backend for Sum<A, B> {
    type Model = SumModel<A::Model, B::Model>;

    fn name(&self) -> &str {
        &self.name
    }

    /// Those of both; [`ErrorKind::Shape`] where their tensors differ, [`ErrorKind::DType`] for outputs that are not float32.
    fn load(&self, source: &ModelSource, request: &LoadRequest) -> Result<Self::Model> {
        let (first, second) = (self.first.load(source, request)?, self.second.load(source, request)?);
        let (a, b) = (first.signature(), second.signature());
        let like = |a: &[anira_traits::TensorInfo], b: &[anira_traits::TensorInfo]| {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.dtype == b.dtype && a.shape == b.shape)
        };
        let at = |error: Error| error.at(format!("sum `{}`", self.name));
        if !like(&a.inputs, &b.inputs) || !like(&a.outputs, &b.outputs) {
            let text = "the tensors of the two differ in number, type or shape; they have to agree";
            return Err(at(Error::new(ErrorKind::Shape, text)));
        }
        if let Some(output) = a.outputs.iter().find(|output| output.dtype != DType::F32) {
            let text = format!("output `{}` is {}; float32", output.name, output.dtype);
            return Err(at(Error::new(ErrorKind::DType, text)));
        }
        let signature = a.clone();
        Ok(SumModel { first, second, signature })
    }
}

/// What [`Sum`] loads.
#[derive(Debug)]
pub struct SumModel<A, B> {
    first: A,
    second: B,
    signature: Signature,
}

impl<A: Model, B: Model> Model for SumModel<A, B> {
    type Engine = SumEngine<A::Engine, B::Engine>;

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn internal_state(&self) -> InternalState {
        match (self.first.internal_state(), self.second.internal_state()) {
            (InternalState::None, InternalState::None) => InternalState::None,
            _ => InternalState::Inside,
        }
    }

    fn engine(&self, request: &EngineRequest) -> Result<Self::Engine> {
        let (first, second) = (self.first.engine(request)?, self.second.engine(request)?);
        let count = self.signature.outputs.len();
        let mut sums = Vec::with_capacity(count);
        for at in 0..count {
            let len = first.output(at).map_or(0, |view| view.len());
            if second.output(at).map_or(0, |view| view.len()) != len {
                let text = "the two made outputs of different lengths";
                return Err(Error::new(ErrorKind::Shape, text).at(format!("output {at}")));
            }
            sums.push(vec![0.0; len]);
        }
        Ok(SumEngine { first, second, inputs: self.signature.inputs.len(), sums })
    }
}

/// Two engines side by side. May run inside an audio callback if both may.
#[derive(Debug)]
pub struct SumEngine<A, B> {
    first: A,
    second: B,
    inputs: usize,
    sums: Vec<Vec<f32>>,
}

const MISSING: &str = "an engine of the sum lacks a tensor";

impl<A: Engine, B: Engine> Engine for SumEngine<A, B> {
    const SCOPE: Option<WorkerScope> = match (A::SCOPE, B::SCOPE) {
        (None, scope) => scope,
        (scope, _) => scope,
    };

    fn input(&mut self, index: usize) -> Option<TensorViewMut<'_>> {
        self.first.input(index)
    }

    fn output(&self, index: usize) -> Option<TensorView<'_>> {
        self.sums.get(index).map(|sum| TensorView::F32(sum))
    }

    fn run(&mut self) -> Result<()> {
        for at in 0..self.inputs {
            let missing = || Error::new(ErrorKind::Engine, MISSING);
            let from = self.first.input(at).ok_or_else(missing)?;
            self.second.input(at).ok_or_else(missing)?.copy_from(from.as_view())?;
        }
        self.first.run()?;
        self.second.run()?;
        for (at, sum) in self.sums.iter_mut().enumerate() {
            let both = (
                self.first.output(at).and_then(TensorView::f32),
                self.second.output(at).and_then(TensorView::f32),
            );
            let (Some(a), Some(b)) = both else { return Err(Error::new(ErrorKind::Engine, MISSING)) };
            for (sum, (a, b)) in sum.iter_mut().zip(a.iter().zip(b)) {
                *sum = a + b;
            }
        }
        Ok(())
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

    #[test]
    fn dry_and_delayed_make_an_echo() {
        let backend = Sum::new(Gain(1.0), super::super::Chain::new(DelayLine(3), Gain(0.5)));
        assert_eq!(backend.name(), "gain+delay-line-gain");
        let model = backend.load(&ModelSource::None, &LoadRequest::new()).unwrap();
        let request = EngineRequest::new(vec![vec![1, 1, 512]], vec![Some(vec![1, 1, 512])]);
        let mut engine = model.engine(&request).unwrap();
        engine.input(0).unwrap().f32_mut().unwrap()[0] = 1.0;
        engine.run().unwrap();
        let y = engine.output(0).unwrap().f32().unwrap();
        assert_eq!((y[0], y[1], y[3], y[4]), (1.0, 0.0, 0.5, 0.0));
    }
}
