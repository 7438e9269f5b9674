//! silero-vad 6.2.3 (PyPI, MIT): how likely it is that somebody speaks. As ONNX: an int64 input without dimensions, a state
//! tensor, outputs of ranks 2 and 3, open extents, a branch by the sample rate. As TorchScript: modules within a module and
//! their methods, an `int` argument, state in attributes.

use anira::prelude::*;
use anira::traits::{EngineRequest, LoadRequest};
use anira_tests::valid;

use crate::{Analyser, config, near, published, reference, voice};

const ONNX: &str = "silero-vad/silero_vad.onnx";

/// The largest difference from the reference runtime that is allowed; probabilities. ONNX Runtime and LibTorch answer the same bits, the
/// largest difference seen on rten is 5.7e-7.
const NEAR: f32 = 1e-5;

/// Hop and context at 16 kHz or 8 kHz.
fn sizes(rate: usize) -> (usize, usize) {
    if rate == 16_000 { (512, 64) } else { (256, 32) }
}

/// Hop by hop through a handler, which carries the state and the context.
fn hears_a_voice<B: Backend>(backend: B, rate: usize) {
    let Some(source) = published(ONNX) else { return };
    let (hop, context) = sizes(rate);
    let config = config(
        &[
            InputTensor::stream("input", hop).shape([1, hop + context]),
            InputTensor::state("state", "stateN").shape([2, 1, 128]),
            InputTensor::constant("sr", [rate as f64]),
        ],
        &[OutputTensor::parameter("output").shape([1, 1]), OutputTensor::state("stateN").shape([2, 1, 128])],
    );
    let mut analyser = Analyser::new(backend, source, config);
    let right = reference(&format!("silero-{rate}-probabilities"));
    let said = analyser.hear_all(&voice(24 * hop), "output");
    near(&said, &right, NEAR, format_args!("{rate} Hz"));
    // A reset forgets state and context: the same again, bit for bit.
    analyser.audio.reset();
    assert_eq!(analyser.hear_all(&voice(24 * hop), "output"), said);
}

/// Two sounds at once, the second of which is silence: open extents taken as 2, the state carried by hand.
fn hears_two_at_once<B: Backend>(backend: B) {
    let Some(source) = published(ONNX) else { return };
    let rate = 16_000;
    let (hop, context) = sizes(rate);
    let model = valid(backend.load(&source, &LoadRequest::new()));
    let signature = model.signature().clone();
    let place = |name: &str| signature.input(name).unwrap();
    let (input, state, sr) = (place("input"), place("state"), place("sr"));
    assert_eq!(signature.inputs[sr].shape, []);
    let mut shapes = vec![vec![]; 3];
    shapes[input] = vec![2, hop + context];
    shapes[state] = vec![2, 2, 128];
    let (output, next) = (signature.output("output").unwrap(), signature.output("stateN").unwrap());
    let mut outputs = vec![None; 2];
    (outputs[output], outputs[next]) = (Some(vec![2, 1]), Some(vec![2, 2, 128]));
    let mut values = vec![vec![]; 3];
    values[sr] = vec![rate as f64];
    let request = EngineRequest::new(shapes, outputs).values(values);
    let mut engine = valid(model.engine(&request));
    assert_eq!(engine.input(sr).unwrap().i64_mut().unwrap(), [0], "tried with the rate, made with zeros");
    engine.input(sr).unwrap().i64_mut().unwrap().fill(rate as i64);
    engine.input(state).unwrap().f32_mut().unwrap().fill(0.0);
    let sound = [vec![0.0; context], voice(24 * hop)].concat();
    let (mut said, mut silent, mut last) = (Vec::new(), Vec::new(), Vec::new());
    for k in 0..24 {
        let mut both = sound[k * hop..(k + 1) * hop + context].to_vec();
        both.resize(2 * (hop + context), 0.0);
        engine.input(input).unwrap().f32_mut().unwrap().copy_from_slice(&both);
        valid(engine.run());
        let answer = engine.output(output).unwrap().f32().unwrap();
        said.push(answer[0]);
        silent.push(answer[1]);
        last = engine.output(next).unwrap().f32().unwrap().to_vec();
        engine.input(state).unwrap().f32_mut().unwrap().copy_from_slice(&last);
    }
    near(&said, &reference("silero-16000-probabilities"), NEAR, "the first of two");
    assert!(silent.iter().all(|p| *p < 0.05), "nobody speaks: {silent:?}");
    let own: Vec<f32> = last.chunks_exact(256).flat_map(|layer| layer[..128].to_vec()).collect();
    near(&own, &reference("silero-16000-state"), 1e-4, "the state behind it all");
}

macro_rules! onnx {
    ($engine:ident, $backend:expr) => {
        mod $engine {
            use super::*;

            #[test]
            fn hears_a_voice_at_16_khz() {
                hears_a_voice($backend, 16_000);
            }

            #[test]
            fn hears_a_voice_at_8_khz() {
                hears_a_voice($backend, 8_000);
            }

            #[test]
            fn hears_two_at_once() {
                super::hears_two_at_once($backend);
            }
        }
    };
}

onnx!(rten, Rten);
#[cfg(feature = "onnxruntime")]
onnx!(onnxruntime, OnnxRuntime);

#[cfg(feature = "torch")]
#[test]
fn torch_hears_a_voice() {
    let Some(source) = published("silero-vad/silero_vad.jit") else { return };
    let config = config(
        &[InputTensor::stream("x", 512).shape([1, 512]), InputTensor::constant("sr", [16_000.0])],
        &[OutputTensor::parameter("output").shape([1, 1])],
    );
    let mut analyser = Analyser::new(Torch, source, config);
    let said = analyser.hear_all(&voice(24 * 512), "output");
    near(&said, &reference("silero-torch-probabilities"), NEAR, "in TorchScript");
    // What it remembers is in its own attributes: a reset brings them back.
    analyser.audio.reset();
    assert_eq!(analyser.hear_all(&voice(24 * 512), "output"), said);
}
