//! Types, shapes, and whose memory a tensor is.

use anira_backend_onnx::{OnnxRuntime, signature};
use anira_traits::*;

use crate::support::{all_models, engine, fixture, get, load, model_of, request, set, tensor_value};

#[test]
fn signatures_are_those_of_the_files() {
    for path in all_models() {
        let model = load(OnnxRuntime, &path).unwrap();
        assert_eq!(model.signature(), &signature(&ModelSource::file(&path)).unwrap(), "{}", path.display());
    }
}

#[test]
fn integers_doubles_and_open_lengths_keep_their_types() {
    let mut counter = engine(OnnxRuntime, fixture("counter-i64.onnx"));
    assert_eq!(counter.output(1).unwrap().i64().unwrap(), [0], "nothing of the trial run is left");
    set(&mut counter, 0, &[0.5; 32]);
    // Beyond what 32 bits hold, and beyond what a float holds exactly.
    for start in [41, i64::from(i32::MAX), (1 << 53) + 1] {
        counter.input(1).unwrap().i64_mut().unwrap()[0] = start;
        counter.run().unwrap();
        assert_eq!(counter.output(1).unwrap().i64().unwrap(), [start + 1]);
    }

    let mut double = engine(OnnxRuntime, fixture("double.onnx"));
    double.input(0).unwrap().f64_mut().unwrap().fill(3.0);
    double.run().unwrap();
    assert_eq!(double.output(0).unwrap().f64().unwrap(), [1.5; 64]);

    let dynamic = load(OnnxRuntime, fixture("dynamic.onnx")).unwrap();
    for n in [1, 17, 480] {
        let mut engine = dynamic.engine(&request(dynamic.signature(), n)).unwrap();
        set(&mut engine, 0, &vec![2.0; n]);
        engine.run().unwrap();
        assert_eq!(get(&engine, 0), vec![1.0; n]);
    }
}

/// A model that gives its only input back, of this ONNX type.
fn identity(kind: i64) -> <OnnxRuntime as Backend>::Model {
    let bytes =
        model_of(&[tensor_value("x", kind, &[2, 3])], &[tensor_value("y", kind, &[2, 3])], "Identity");
    OnnxRuntime.load(&ModelSource::memory(bytes), &LoadRequest::new()).unwrap()
}

#[test]
fn every_type_goes_in_and_comes_out() {
    let kinds = [
        (1, DType::F32),
        (2, DType::U8),
        (3, DType::I8),
        (6, DType::I32),
        (7, DType::I64),
        (9, DType::Bool),
        (10, DType::F16),
        (11, DType::F64),
    ];
    for (kind, dtype) in kinds {
        let model = identity(kind);
        assert_eq!(model.signature().inputs[0].dtype, dtype);
        let mut engine = model.engine(&request(model.signature(), 1)).unwrap();
        for round in 0..2 {
            for i in 0..6 {
                engine.input(0).unwrap().set_number(i, f64::from((i as i32 + round) % 2 * (i as i32)));
            }
            engine.run().unwrap();
            let input = engine.input(0).unwrap();
            let given = input.as_view();
            let given: Vec<_> = (0..6).map(|i| given.number(i).unwrap()).collect();
            let output = engine.output(0).unwrap();
            assert_eq!((output.dtype(), output.len()), (dtype, 6));
            let taken: Vec<_> = (0..6).map(|i| output.number(i).unwrap()).collect();
            assert_eq!(taken, given, "{dtype} round {round}");
            assert!(given.iter().any(|x| *x != 0.0), "zeros show nothing");
        }
    }
}

#[test]
fn parameters_second_outputs_and_inputs_keep_what_they_hold() {
    let mut knob = engine(OnnxRuntime, fixture("knob.onnx"));
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
fn outputs_are_bound_once_and_read_where_they_were_written() {
    let mut knob = engine(OnnxRuntime, fixture("knob.onnx"));
    let place = |engine: &<<OnnxRuntime as Backend>::Model as Model>::Engine| {
        engine.output(0).unwrap().f32().unwrap().as_ptr()
    };
    let before = place(&knob);
    for gain in [1.0, 2.0, 3.0] {
        set(&mut knob, 0, &[1.0; 64]);
        set(&mut knob, 1, &[gain]);
        knob.run().unwrap();
        assert_eq!(get(&knob, 0), [gain; 64], "the answer of this run, not of one before");
        assert_eq!(place(&knob), before);
    }
}

#[test]
fn outputs_that_the_caller_ignores_take_the_shape_that_comes() {
    for (file, inputs) in
        [("knob.onnx", vec![vec![1, 1, 64], vec![1]]), ("dynamic.onnx", vec![vec![1, 1, 9]])]
    {
        let model = load(OnnxRuntime, fixture(file)).unwrap();
        let len = inputs[0][2];
        let ignored = vec![None; model.signature().outputs.len()];
        let mut engine = model.engine(&EngineRequest::new(inputs, ignored)).unwrap();
        assert_eq!(get(&engine, 0), vec![0.0; len], "known before the first run");
        for value in [2.0f32, 4.0] {
            set(&mut engine, 0, &vec![value; len]);
            if file == "knob.onnx" {
                set(&mut engine, 1, &[0.5]);
            }
            engine.run().unwrap();
            assert_eq!(get(&engine, 0), vec![value / 2.0; len], "{file}");
        }
    }
}

#[test]
fn a_boolean_that_is_neither_0_nor_1_is_true() {
    // A weight of booleans whose bytes are 2, 0 and 255, and an output that is a copy of it. (1.31 tidies them up itself.)
    let bytes = crate::support::bool_weight_model(&[2, 0, 255]);
    let model = OnnxRuntime.load(&ModelSource::memory(bytes), &LoadRequest::new()).unwrap();
    let mut engine = model.engine(&request(model.signature(), 1)).unwrap();
    engine.run().unwrap();
    let output = engine.output(0).unwrap().bools().unwrap().to_vec();
    // Compared as bytes: a `bool` of another value would compare as it likes.
    assert_eq!(output.iter().map(|b| u8::from(*b)).collect::<Vec<_>>(), [1, 0, 1]);
}

#[test]
fn a_nan_stays_a_nan() {
    let mut engine = engine(OnnxRuntime, fixture("nan.onnx"));
    engine.run().unwrap();
    assert!(get(&engine, 0).iter().all(|x| x.is_nan()));
}
