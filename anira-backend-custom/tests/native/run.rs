//! Runs a network block by block, as a session would.

use anira_backend_custom::native::{NativeEngine, NativeModel, Network, NetworkBackend};
use anira_traits::*;

pub(crate) fn model(net: &Network, simd: &str) -> NativeModel {
    let request = LoadRequest::new().option("simd", simd);
    NetworkBackend::new(net.clone()).load(&ModelSource::None, &request).unwrap()
}

/// An engine on a stream, `[1, channels, block]`, with its parameters set.
pub(crate) fn engine(model: &NativeModel, block: usize, parameters: &[&[f32]]) -> NativeEngine {
    let shape =
        |info: &TensorInfo| info.shape.iter().map(|extent| extent.unwrap_or(block)).collect::<Vec<_>>();
    let signature = model.signature();
    let inputs = signature.inputs.iter().map(shape).collect();
    let outputs = signature.outputs.iter().map(|info| Some(shape(info))).collect();
    let mut engine = model.engine(&EngineRequest::new(inputs, outputs)).unwrap();
    let first = signature.inputs.len() - parameters.len();
    for (at, values) in parameters.iter().enumerate() {
        engine.input(first + at).unwrap().f32_mut().unwrap().copy_from_slice(values);
    }
    engine
}

/// All of a stream, `block` samples at a time. The length is a multiple of the block. Channel by channel.
pub(crate) fn stream(engine: &mut NativeEngine, samples: &[f32], channels: usize, block: usize) -> Vec<f32> {
    let length = samples.len() / channels;
    let outputs = engine.output(0).unwrap().len() / block;
    let mut made = vec![0.0; outputs * length];
    for start in (0..length).step_by(block) {
        let input = engine.input(0).unwrap().f32_mut().unwrap();
        for c in 0..channels {
            input[c * block..][..block].copy_from_slice(&samples[c * length + start..][..block]);
        }
        engine.run().unwrap();
        let output = engine.output(0).unwrap().f32().unwrap();
        for c in 0..outputs {
            made[c * length + start..][..block].copy_from_slice(&output[c * block..][..block]);
        }
    }
    made
}

/// The greatest difference, and the greatest number of what is right.
pub(crate) fn difference(made: &[f32], right: &[f64]) -> (f64, f64) {
    assert_eq!(made.len(), right.len());
    let worst = made.iter().zip(right).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
    assert!(made.iter().all(|x| x.is_finite()), "not finite");
    (worst, right.iter().fold(0.0, |m, x| x.abs().max(m)))
}
