//! Against rten, and against the goldens that come from Python.

use anira_backend_onnx::{OnnxRuntime, Rten};
use anira_traits::*;

use crate::support::{Noise, all_models, get, load, npy, request, root, set};

/// What an engine answers to inputs that look random, over several runs, states fed back by order.
fn answers<B: Backend>(backend: B, path: &std::path::Path, runs: usize) -> Vec<Vec<f64>> {
    let model = load(backend, path).unwrap();
    let signature = model.signature().clone();
    let mut engine = model.engine(&request(&signature, 64)).unwrap();
    let mut noise = Noise(7);
    let mut all = Vec::new();
    for _ in 0..runs {
        for i in 0..signature.inputs.len() {
            let mut input = engine.input(i).unwrap();
            (0..input.len()).for_each(|k| input.set_number(k, f64::from(noise.sample())));
        }
        engine.run().unwrap();
        for i in 0..signature.outputs.len() {
            let output = engine.output(i).unwrap();
            all.push((0..output.len()).map(|k| output.number(k).unwrap()).collect());
        }
    }
    all
}

#[test]
fn every_model_gives_what_rten_gives() {
    for path in all_models() {
        let (ours, theirs) = (answers(OnnxRuntime, &path, 3), answers(Rten, &path, 3));
        assert_eq!(ours.len(), theirs.len());
        for (ours, theirs) in ours.iter().zip(&theirs) {
            assert_eq!(ours.len(), theirs.len(), "{}", path.display());
            let peak = theirs.iter().filter(|x| x.is_finite()).fold(1e-3f64, |peak, x| peak.max(x.abs()));
            for (a, b) in ours.iter().zip(theirs) {
                let near = a == b || (a - b).abs() <= 1e-5 * peak || a.is_nan() && b.is_nan();
                assert!(near, "{}: {a} and {b}, peak {peak}", path.display());
            }
        }
    }
}

#[test]
fn single_inferences_equal_the_goldens() {
    for model in ["gain", "amp-tcn-29k", "amp-lstm-2k"] {
        let loaded = load(OnnxRuntime, root().join("models").join(format!("{model}.onnx"))).unwrap();
        let golden =
            |name: &str| npy(&root().join("tests/golden/run").join(model).join(format!("{name}.npy")));
        let signature = loaded.signature().clone();
        let inputs: Vec<_> = signature.inputs.iter().map(|t| golden(&t.name)).collect();
        let outputs: Vec<_> = signature.outputs.iter().map(|t| golden(&t.name)).collect();
        let shapes = inputs.iter().map(|(shape, _)| shape.clone()).collect();
        let expected = outputs.iter().map(|(shape, _)| Some(shape.clone())).collect();
        let mut engine = loaded.engine(&EngineRequest::new(shapes, expected)).unwrap();
        for _ in 0..2 {
            for (i, (_, data)) in inputs.iter().enumerate() {
                set(&mut engine, i, data);
            }
            engine.run().unwrap();
            for (i, (_, right)) in outputs.iter().enumerate() {
                let got = get(&engine, i);
                assert_eq!(got.len(), right.len());
                let peak = right.iter().fold(1e-3f32, |peak, x| peak.max(x.abs()));
                let worst = got.iter().zip(right).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(worst <= 1e-5 * peak, "{model} {}: {worst:e}", signature.outputs[i].name);
            }
        }
    }
}

#[test]
fn a_recurrent_state_stays_with_rtens_over_many_runs() {
    let path = root().join("models/amp-lstm-2k.onnx");
    fn drive<B: Backend>(backend: B, path: &std::path::Path) -> Vec<f32> {
        let model = load(backend, path).unwrap();
        let mut engine = model.engine(&request(model.signature(), 64)).unwrap();
        let mut noise = Noise(3);
        let mut last = Vec::new();
        for _ in 0..300 {
            let len = engine.input(0).unwrap().len();
            set(&mut engine, 0, &(0..len).map(|_| noise.sample()).collect::<Vec<_>>());
            engine.run().unwrap();
            last = get(&engine, 0);
            for state in [1, 2] {
                let value = get(&engine, state);
                set(&mut engine, state, &value);
            }
        }
        last
    }
    let (ours, theirs) = (drive(OnnxRuntime, &path), drive(Rten, &path));
    let worst = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 1e-5, "{worst:e}");
    assert!(theirs.iter().any(|x| x.abs() > 1e-3), "silence shows nothing");
}
