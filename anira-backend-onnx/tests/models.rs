//! The repository's models and fixtures: signatures, values, and the errors of good files used badly.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use anira_backend_onnx::{Rten, signature};
use anira_traits::*;
use support::{all_models, engine, fixture, get, load, npy, request, root, set};

fn f32s(tensors: &[(&str, &[usize])]) -> Vec<TensorInfo> {
    tensors.iter().map(|(name, shape)| TensorInfo::f32(*name, shape)).collect()
}

#[test]
fn signatures_are_those_of_the_files() {
    let check = |path: std::path::PathBuf, inputs: Vec<TensorInfo>, outputs: Vec<TensorInfo>| {
        let right = Signature { inputs, outputs };
        assert_eq!(load(Rten, &path).unwrap().signature(), &right, "{}", path.display());
        assert_eq!(signature(&ModelSource::file(&path)).unwrap(), right);
    };
    let models = root().join("models");
    check(models.join("gain.onnx"), f32s(&[("input", &[1, 1, 512])]), f32s(&[("output", &[1, 1, 512])]));
    let lstm = load(Rten, models.join("amp-lstm-2k.onnx")).unwrap().signature().clone();
    let names = |tensors: &[TensorInfo]| tensors.iter().map(|t| t.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&lstm.inputs), ["input", "h_in", "c_in"]);
    assert_eq!(names(&lstm.outputs), ["output", "h_out", "c_out"]);
    assert!(
        lstm.inputs[1].shape.iter().all(Option::is_some) && lstm.inputs[1].shape == lstm.outputs[1].shape
    );
    let int = |name: &str| TensorInfo::new(name, DType::I64, vec![Some(1)]);
    let mut inputs = f32s(&[("input", &[1, 1, 32])]);
    let mut outputs = f32s(&[("output", &[1, 1, 32])]);
    inputs.push(int("count_in"));
    outputs.push(int("count_out"));
    check(fixture("counter-i64.onnx"), inputs, outputs);
    let double = |name: &str| vec![TensorInfo::new(name, DType::F64, [1, 1, 64].map(Some))];
    check(fixture("double.onnx"), double("input"), double("output"));
    let open = |name: &str| vec![TensorInfo::new(name, DType::F32, vec![Some(1), Some(1), None])];
    check(fixture("dynamic.onnx"), open("input"), open("output"));
    let gain = f32s(&[("input", &[1, 1, 64]), ("gain", &[1])]);
    check(fixture("knob.onnx"), gain, f32s(&[("output", &[1, 1, 64]), ("peak", &[1])]));
    check(fixture("rows.onnx"), f32s(&[("input", &[32, 1, 8])]), f32s(&[("output", &[32, 1])]));
}

#[test]
fn single_inferences_equal_the_goldens() {
    for model in ["gain", "amp-tcn-29k", "amp-lstm-2k"] {
        let loaded = load(Rten, root().join("models").join(format!("{model}.onnx"))).unwrap();
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
                let worst = got.iter().zip(right).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(worst < 1e-5, "{model} {}: {worst:e}", signature.outputs[i].name);
                assert!(right.iter().any(|x| x.abs() > 1e-3), "a golden of zeros shows nothing");
            }
        }
    }
}

#[test]
fn memory_and_file_options_and_engines_give_the_same() {
    for path in all_models() {
        let bytes = std::fs::read(&path).unwrap();
        let plain = LoadRequest::new();
        let variants = [
            Rten.load(&ModelSource::file(&path), &plain),
            Rten.load(&ModelSource::memory(bytes.clone()), &plain),
            Rten.load(&ModelSource::memory(bytes.clone()), &plain.clone().option("optimize", "false")),
            Rten.load(&ModelSource::memory(bytes), &plain.option("prepack", "true")),
        ];
        let results = variants.map(|model| {
            let model = model.unwrap();
            let mut engine = model.engine(&request(model.signature(), 64)).unwrap();
            let mut noise = support::Noise(7);
            for i in 0..model.signature().inputs.len() {
                let mut input = engine.input(i).unwrap();
                (0..input.len()).for_each(|k| input.set_number(k, f64::from(noise.sample())));
            }
            engine.run().unwrap();
            let outputs = (0..model.signature().outputs.len()).map(|i| {
                let output = engine.output(i).unwrap();
                (0..output.len()).map(|k| output.number(k).unwrap()).collect::<Vec<_>>()
            });
            outputs.flatten().collect::<Vec<_>>()
        });
        for other in &results[1..] {
            assert_eq!(results[0].len(), other.len());
            let near = |a: f64, b: f64| {
                (a - b).abs() < 1e-6 || a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()
            };
            assert!(results[0].iter().zip(other).all(|(a, b)| near(*a, *b)), "{}", path.display());
        }
    }
}

#[test]
fn integers_doubles_and_open_lengths_keep_their_types() {
    let mut counter = engine(Rten, fixture("counter-i64.onnx"));
    assert_eq!(counter.output(1).unwrap().i64().unwrap(), [0], "nothing of the trial run is left");
    set(&mut counter, 0, &[0.5; 32]);
    counter.input(1).unwrap().i64_mut().unwrap()[0] = 41;
    counter.run().unwrap();
    assert_eq!(counter.output(1).unwrap().i64().unwrap(), [42]);
    assert_eq!(get(&counter, 0), [41.5; 32]);

    let mut double = engine(Rten, fixture("double.onnx"));
    double.input(0).unwrap().f64_mut().unwrap().fill(3.0);
    double.run().unwrap();
    assert_eq!(double.output(0).unwrap().f64().unwrap(), [1.5; 64]);

    let dynamic = load(Rten, fixture("dynamic.onnx")).unwrap();
    for n in [1, 17, 480] {
        let mut engine = dynamic.engine(&request(dynamic.signature(), n)).unwrap();
        set(&mut engine, 0, &vec![2.0; n]);
        engine.run().unwrap();
        assert_eq!(get(&engine, 0), vec![1.0; n]);
    }
}

#[test]
fn an_integer_that_rten_cannot_hold_is_an_error_and_not_another_number() {
    let mut counter = engine(Rten, fixture("counter-i64.onnx"));
    for (value, fits) in
        [(i64::from(i32::MAX) - 1, true), (i64::from(i32::MAX) + 1, false), (i64::MIN, false)]
    {
        counter.input(1).unwrap().i64_mut().unwrap()[0] = value;
        let result = counter.run();
        assert_eq!(result.is_ok(), fits, "{value}");
        if let Err(error) = result {
            assert_eq!(error.kind(), ErrorKind::Engine);
            assert!(error.to_string().contains("tensor `count_in`: an int64"), "{error}");
        }
    }
}

#[test]
fn parameters_and_second_outputs_are_read() {
    let mut knob = engine(Rten, fixture("knob.onnx"));
    let input: Vec<f32> = (0..64).map(|i| i as f32 - 32.0).collect();
    set(&mut knob, 0, &input);
    set(&mut knob, 1, &[0.5]);
    knob.run().unwrap();
    assert_eq!(get(&knob, 1), [32.0]);
    assert_eq!(get(&knob, 0), input.iter().map(|x| 0.5 * x).collect::<Vec<_>>());
    assert!(knob.input(2).is_none() && knob.output(2).is_none());
    assert_eq!(knob.input(0).unwrap().f32_mut().unwrap(), input, "inputs keep their contents");
}

#[test]
fn outputs_that_the_caller_ignores_take_the_shape_that_comes() {
    let model = load(Rten, fixture("knob.onnx")).unwrap();
    let shapes = EngineRequest::new(vec![vec![1, 1, 64], vec![1]], vec![None, None]);
    let mut engine = model.engine(&shapes).unwrap();
    assert_eq!((get(&engine, 0), get(&engine, 1)), (vec![0.0; 64], vec![0.0]), "known before the first run");
    set(&mut engine, 0, &[1.0; 64]);
    set(&mut engine, 1, &[2.0]);
    engine.run().unwrap();
    assert_eq!((get(&engine, 0), get(&engine, 1)), (vec![2.0; 64], vec![1.0]));
}

#[test]
fn shapes_that_do_not_fit_are_found_when_an_engine_is_made() {
    let knob = load(Rten, fixture("knob.onnx")).unwrap();
    let dynamic = load(Rten, fixture("dynamic.onnx")).unwrap();
    let cases = [
        (&knob, vec![vec![1, 1, 32], vec![1]], vec![None, None], "tensor `input`: shape is [1, 1, 32]"),
        (&knob, vec![vec![1, 1, 64]], vec![None, None], "inputs: the request has 1"),
        (&knob, vec![vec![1, 1, 64], vec![1]], vec![None], "outputs: the request has 1"),
        (&knob, vec![vec![1, 1, 64], vec![1]], vec![None, Some(vec![2])], "tensor `peak`: shape is [2]"),
        (&dynamic, vec![vec![1, 1, 8]], vec![Some(vec![1, 1, 9])], "[1, 1, 8]; expected [1, 1, 9]"),
        (&dynamic, vec![vec![1, 1, 0]], vec![None], "from 1 to"),
        (&dynamic, vec![vec![1, 1, 1 << 40]], vec![None], "from 1 to"),
    ];
    for (model, inputs, outputs, words) in cases {
        let error = model.engine(&EngineRequest::new(inputs, outputs)).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Shape, "{error}");
        assert!(error.to_string().contains(words), "`{error}` lacks `{words}`");
    }
}

#[test]
fn missing_files_wrong_options_and_lacking_operators_are_told_apart() {
    let error = load(Rten, "no/such.onnx").map(drop).unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::NotFound, Some("no/such.onnx")));

    let none = Rten.load(&ModelSource::None, &LoadRequest::new()).map(drop).unwrap_err();
    assert_eq!(none.kind(), ErrorKind::Config);

    let gain = ModelSource::file(root().join("models/gain.onnx"));
    for (name, value, words) in
        [("threads", "4", "reads only: optimize, prepack"), ("optimize", "yes", "`yes`; `true`")]
    {
        let error = Rten.load(&gain, &LoadRequest::new().option(name, value)).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(
            error.to_string().contains(&format!("options.{name}")) && error.to_string().contains(words),
            "{error}"
        );
    }

    let mut bytes = gain.bytes().unwrap().into_owned();
    for at in 0..bytes.len() - 2 {
        if bytes[at..at + 3] == *b"Mul" {
            bytes[at..at + 3].copy_from_slice(b"Mux");
        }
    }
    let error = Rten.load(&ModelSource::memory(bytes), &LoadRequest::new()).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("Mux"), "{error}");
}

#[test]
fn a_nan_stays_a_nan() {
    let mut engine = engine(Rten, fixture("nan.onnx"));
    engine.run().unwrap();
    assert!(get(&engine, 0).iter().all(|x| x.is_nan()));
}
