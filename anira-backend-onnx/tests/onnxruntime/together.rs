//! Several engines, models and threads at once.

use std::thread;

use anira_backend_onnx::OnnxRuntime;
use anira_traits::*;

use crate::support::{Noise, fixture, get, load, request, root, set};

/// Drives an engine with noise of this seed; gives all that comes out.
fn drive(engine: &mut impl Engine, signature: &Signature, seed: u64, runs: usize) -> Vec<f32> {
    let (mut noise, mut all) = (Noise(seed), Vec::new());
    for _ in 0..runs {
        for i in 0..signature.inputs.len() {
            let mut input = engine.input(i).unwrap();
            (0..input.len()).for_each(|k| input.set_number(k, f64::from(noise.sample())));
        }
        engine.run().unwrap();
        all.extend(get(engine, 0));
    }
    all
}

#[test]
fn engines_of_two_models_on_eight_threads_do_not_disturb_each_other() {
    let paths = [root().join("models/amp-tcn-29k.onnx"), root().join("models/amp-lstm-2k.onnx")];
    let models = paths.map(|path| load(OnnxRuntime, path).unwrap());
    let alone: Vec<Vec<f32>> = (0..8)
        .map(|i| {
            let (model, seed) = (&models[i % 2], i as u64 + 1);
            let mut engine = model.engine(&request(model.signature(), 64)).unwrap();
            drive(&mut engine, model.signature(), seed, 5)
        })
        .collect();
    thread::scope(|scope| {
        let started: Vec<_> = (0..8)
            .map(|i| {
                let model = &models[i % 2];
                // Made here, run there; half of them are made there, while others run.
                let made = (i < 4).then(|| model.engine(&request(model.signature(), 64)).unwrap());
                scope.spawn(move || {
                    let mut engine =
                        made.unwrap_or_else(|| model.engine(&request(model.signature(), 64)).unwrap());
                    drive(&mut engine, model.signature(), i as u64 + 1, 5)
                })
            })
            .collect();
        for (i, started) in started.into_iter().enumerate() {
            assert_eq!(started.join().unwrap(), alone[i], "engine {i}, bit for bit");
        }
    });
}

#[test]
fn models_load_on_several_threads_and_an_engine_outlives_its_model() {
    let engines: Vec<_> = thread::scope(|scope| {
        let load = || {
            let model = load(OnnxRuntime, fixture("knob.onnx")).unwrap();
            model.engine(&request(model.signature(), 64)).unwrap()
        };
        let started: Vec<_> = (0..4).map(|_| scope.spawn(load)).collect();
        started.into_iter().map(|started| started.join().unwrap()).collect()
    });
    for (i, mut engine) in engines.into_iter().enumerate() {
        set(&mut engine, 0, &[1.0; 64]);
        set(&mut engine, 1, &[i as f32]);
        engine.run().unwrap();
        assert_eq!(get(&engine, 0), [i as f32; 64]);
    }
}
