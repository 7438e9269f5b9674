//! What a backend is asked for when it makes an engine: shapes, and what the configuration says that inputs hold at first.

#![allow(clippy::unwrap_used, reason = "a test's failure")]

use std::sync::{Arc, Mutex};

use anira::prelude::*;
use anira::traits::{DType, EngineRequest, LoadRequest, Signature, TensorInfo};
use anira_tests::{signature, valid};

/// A backend that remembers what it was asked for, and makes no engine.
#[derive(Clone, Default)]
struct Asked(Arc<Mutex<Vec<EngineRequest>>>);

struct AskedModel(Asked, Signature);

impl Backend for Asked {
    type Model = AskedModel;

    fn name(&self) -> &str {
        "asked"
    }

    fn load(&self, _source: &ModelSource, _request: &LoadRequest) -> Result<AskedModel, Error> {
        let mut tensors = signature(
            &[("input", &[1, 1, 8]), ("gain", &[2]), ("before", &[3])],
            &[("output", &[1, 1, 8]), ("after", &[3])],
        );
        tensors.inputs.push(TensorInfo::new("rate", DType::I64, []));
        Ok(AskedModel(self.clone(), tensors))
    }
}

impl Model for AskedModel {
    type Engine = <<Bypass as Backend>::Model as Model>::Engine;

    fn signature(&self) -> &Signature {
        &self.1
    }

    fn engine(&self, request: &EngineRequest) -> Result<Self::Engine, Error> {
        self.0.0.lock().unwrap().push(request.clone());
        Err(Error::new(ErrorKind::Unsupported, "asked is enough"))
    }
}

#[test]
fn parameters_states_and_constants_are_known_before_the_first_run() {
    let config = anira_tests::cut()
        .input(InputTensor::constant("rate", [16_000.0]))
        .input(InputTensor::state("before", "after").initial([0.5, 1.5, 2.5]))
        .input(InputTensor::stream("input", 8))
        .input(InputTensor::parameter("gain", [0.25]))
        .output(OutputTensor::stream("output", 8))
        .build();
    let backend = Asked::default();
    let built = InferenceHandler::builder(valid(config)).backend(backend.clone()).build();
    assert_eq!(built.map(drop).unwrap_err().kind(), ErrorKind::Unsupported);
    let asked = backend.0.lock().unwrap();
    let [request] = &asked[..] else { panic!("asked {} times", asked.len()) };
    assert_eq!(request.inputs, [vec![1, 1, 8], vec![2], vec![3], vec![]]);
    // In the model's order, and the stream is silent.
    let right = [vec![], vec![0.25, 0.25], vec![0.5, 1.5, 2.5], vec![16_000.0]];
    assert_eq!(request.values, right);
}
