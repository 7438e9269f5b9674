//! A build without any feature holds no engine, and serves one that the user brings: all three traits, written out.

#![allow(clippy::unwrap_used, reason = "a test's failure")]

use anira::prelude::*;
use anira::traits::{
    EngineRequest, InternalState, LoadRequest, Result, Signature, TensorData, TensorInfo, TensorView,
    TensorViewMut,
};

const HOP: usize = 64;

/// Adds to its input how many inferences there were, and wants a byte of a file.
struct Mine;

struct MyModel {
    signature: Signature,
    step: f32,
}

struct MyEngine {
    input: TensorData,
    output: TensorData,
    step: f32,
    runs: f32,
}

impl Backend for Mine {
    type Model = MyModel;

    fn name(&self) -> &str {
        "mine"
    }

    fn load(&self, source: &ModelSource, request: &LoadRequest) -> Result<MyModel> {
        request.refuse_unknown_options(&[])?;
        let step =
            f32::from(*source.bytes()?.first().ok_or_else(|| Error::new(ErrorKind::Model, "an empty file"))?);
        let block = || vec![TensorInfo::f32("x", &[1, 1, HOP])];
        let mut signature = Signature { inputs: block(), outputs: block() };
        signature.outputs[0].name = "y".into();
        Ok(MyModel { signature, step })
    }
}

impl Model for MyModel {
    type Engine = MyEngine;

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn internal_state(&self) -> InternalState {
        InternalState::Inside
    }

    fn engine(&self, _request: &EngineRequest) -> Result<MyEngine> {
        let zeros = || TensorData::F32(vec![0.0; HOP]);
        Ok(MyEngine { input: zeros(), output: zeros(), step: self.step, runs: 0.0 })
    }
}

impl Engine for MyEngine {
    fn input(&mut self, index: usize) -> Option<TensorViewMut<'_>> {
        (index == 0).then(|| self.input.view_mut())
    }

    fn output(&self, index: usize) -> Option<TensorView<'_>> {
        (index == 0).then(|| self.output.view())
    }

    fn run(&mut self) -> Result<()> {
        self.runs += self.step;
        if let (Some(x), Some(y)) = (self.input.view().f32(), self.output.view_mut().f32_mut()) {
            y.iter_mut().zip(x).for_each(|(y, x)| *y = x + self.runs);
        }
        Ok(())
    }

    fn reset(&mut self) -> Result<()> {
        self.runs = 0.0;
        Ok(())
    }
}

fn handler(bytes: &[u8]) -> Result<InferenceHandler<Mine, HopProcessor, Pool>> {
    let config = InferenceConfig::builder()
        .input(InputTensor::stream("x", HOP))
        .output(OutputTensor::stream("y", HOP))
        .max_inference(std::time::Duration::ZERO)
        .build()?;
    InferenceHandler::builder(config).backend(Mine).source(ModelSource::memory(bytes)).build()
}

#[test]
fn a_users_backend_plays() {
    let mut handler = handler(&[3]).unwrap();
    let host = HostConfig::fixed(48_000.0, HOP).mode(Mode::Offline);
    let Prepared { mut audio, report, .. } = handler.prepare(&host).unwrap();
    assert_eq!(report.latency[0].samples, 0);
    for round in 0..2 {
        for hop in 1..=4 {
            let mut block: Vec<f32> = (0..HOP).map(|i| i as f32).collect();
            assert!(audio.process(&mut [&mut block[..]]).is_ok());
            let right: Vec<f32> = (0..HOP).map(|i| (i + 3 * hop) as f32).collect();
            assert_eq!(block, right, "round {round}, hop {hop}");
        }
        audio.reset();
    }
}

#[test]
fn its_errors_arrive_as_they_are() {
    let error = handler(&[]).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Model);
    assert!(error.to_string().contains("an empty file"), "{error}");
}
