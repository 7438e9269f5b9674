//! The fixtures: signatures, values, and the errors of good files used badly.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use anira_backend_torch::Torch;
use anira_traits::*;
use support::{bytes, engine, engine_of, fixture, get, load, load_with, ramp, set};

const X: &[usize] = &[1, 1, 8];

fn names(tensors: &[TensorInfo]) -> Vec<&str> {
    tensors.iter().map(|t| t.name.as_str()).collect()
}

fn stream(hop: usize) -> InferenceConfig {
    let builder = InferenceConfig::builder().input(InputTensor::stream("input", hop));
    builder.output(OutputTensor::stream("output", hop)).build().unwrap()
}

#[test]
fn a_file_alone_tells_names_and_how_many() {
    let signature = |name: &str| load(name).unwrap().signature().clone();
    let pair = signature("pair");
    assert_eq!((names(&pair.inputs), names(&pair.outputs)), (vec!["x"], vec!["output_0", "output_1"]));
    assert_eq!(shape_text(&pair.inputs[0].shape), "[?, ?, ?]", "assumed: the file does not say");
    assert_eq!(names(&signature("mix").inputs), ["main", "side", "amount"], "what may be left out is");
    assert_eq!(names(&signature("gain").outputs), ["output"]);
    let error = load("list").map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("gives List[Tensor]: only a run tells"), "{error}");
    let error = load("dict").map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
}

#[test]
fn a_file_may_describe_itself() {
    let open = |name: &str| TensorInfo::new(name, DType::F32, vec![Some(1), Some(1), None]);
    let int = |name: &str| TensorInfo::new(name, DType::I64, vec![Some(1)]);
    let right = Signature {
        inputs: vec![open("input"), int("count_in")],
        outputs: vec![open("output"), int("count_out")],
    };
    let model = load("described").unwrap();
    assert_eq!(model.signature(), &right);
    let mut engine = engine_of(&model, &[&[1, 1, 4], &[1]]).unwrap();
    set(&mut engine, 0, &[0.5; 4]);
    engine.input(1).unwrap().i64_mut().unwrap()[0] = 41;
    engine.run().unwrap();
    assert_eq!(get(&engine, 0), [41.5; 4]);
    assert_eq!(engine.output(1).unwrap().i64().unwrap(), [42]);
}

#[test]
fn with_a_configuration_the_signature_is_complete() {
    let config = InferenceConfig::builder()
        .input(InputTensor::stream("x", 16).layout("NTC".parse().unwrap()))
        .input(InputTensor::state("h", "h_out").shape([1, 1, 4]))
        .input(InputTensor::state("c", "c_out").shape([1, 1, 4]))
        .output(OutputTensor::stream("y", 16))
        .build()
        .unwrap();
    let source = ModelSource::file(fixture("states"));
    let model = Torch.load(&source, &LoadRequest::new().config(config)).unwrap();
    let signature = model.signature();
    assert_eq!(names(&signature.inputs), ["x", "h", "c"]);
    assert_eq!(names(&signature.outputs), ["y", "h_out", "c_out"], "states in the order of the inputs");
    let shapes: Vec<_> = signature.outputs.iter().map(|t| shape_text(&t.shape)).collect();
    assert_eq!(shapes, ["[1, 16, 1]", "[1, 1, 4]", "[1, 1, 4]"]);
    assert_eq!(model.internal_state(), InternalState::None);
}

#[test]
fn states_as_tensors_are_fed_back_by_the_caller() {
    let mut once = engine("states", &[&[1, 8, 1], &[1, 1, 4], &[1, 1, 4]]).unwrap();
    let mut twice = engine("states", &[&[1, 4, 1], &[1, 1, 4], &[1, 1, 4]]).unwrap();
    set(&mut once, 0, &ramp(8));
    once.run().unwrap();
    let mut halves = Vec::new();
    for half in ramp(8).chunks(4) {
        set(&mut twice, 0, half);
        twice.run().unwrap();
        halves.extend(get(&twice, 0));
        for state in [1, 2] {
            let new = get(&twice, state);
            set(&mut twice, state, &new);
        }
    }
    assert_eq!(get(&once, 0), halves);
    assert!(halves.iter().any(|x| x.abs() > 1e-3), "zeros show nothing");
}

#[test]
fn memory_and_file_give_the_same_and_nothing_of_the_trial_run_is_left() {
    let from_memory = Torch.load(&ModelSource::memory(bytes("gain")), &LoadRequest::new()).unwrap();
    for model in [from_memory, load("gain").unwrap(), load("traced").unwrap(), load("frozen").unwrap()] {
        let mut engine = engine_of(&model, &[X]).unwrap();
        assert_eq!(get(&engine, 0), [0.0; 8]);
        for _ in 0..3 {
            set(&mut engine, 0, &ramp(8));
            engine.run().unwrap();
            assert_eq!(get(&engine, 0), ramp(8).iter().map(|x| 0.5 * x).collect::<Vec<_>>());
            assert_eq!(engine.input(0).unwrap().f32_mut().unwrap(), ramp(8), "inputs keep their contents");
        }
        assert!(engine.input(1).is_none() && engine.output(1).is_none());
    }
}

#[test]
fn other_methods_run_by_name() {
    let model = load_with("methods", &[("method", "encode")]).unwrap();
    assert_eq!(names(&model.signature().inputs), ["audio", "amount"]);
    let mut engine = engine_of(&model, &[X, &[1]]).unwrap();
    set(&mut engine, 0, &ramp(8));
    set(&mut engine, 1, &[4.0]);
    engine.run().unwrap();
    assert_eq!(get(&engine, 0), ramp(8).iter().map(|x| 2.0 * x).collect::<Vec<_>>());

    let error = load_with("methods", &[("method", "decode")]).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    let text = error.to_string();
    assert!(
        text.contains("options.method") && text.contains("`decode`") && text.contains("encode"),
        "{text}"
    );
    let error = load_with("methods", &[("method", "count")]).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("gives an int"), "{error}");
}

#[test]
fn tuples_and_lists_are_outputs_in_order_and_dictionaries_are_not() {
    let mut pair = engine("pair", &[X]).unwrap();
    set(&mut pair, 0, &ramp(8));
    pair.run().unwrap();
    assert_eq!(get(&pair, 0), ramp(8).iter().map(|x| 0.5 * x).collect::<Vec<_>>());
    assert_eq!(get(&pair, 1), [7.0]);

    let list = load_with("list", &[("outputs", "half, quarter")]).unwrap();
    let mut list = engine_of(&list, &[X]).unwrap();
    set(&mut list, 0, &[1.0; 8]);
    list.run().unwrap();
    assert_eq!((get(&list, 0), get(&list, 1)), (vec![0.5; 8], vec![0.25; 8]));
    let three = load_with("list", &[("outputs", "a, b, c")]).unwrap();
    let error = engine_of(&three, &[X]).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Shape);
    assert!(error.to_string().contains("gave 2 tensors; the signature has 3"), "{error}");

    let error = Torch.load(&ModelSource::file(fixture("dict")), &LoadRequest::new().config(stream(8)));
    let error = error.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("a dictionary"), "{error}");
}

#[test]
fn every_type_goes_in_and_comes_out() {
    let names = "d:float64, h:float16, l:int64, i:int32, b:int8, u:uint8, t:bool";
    let model = load_with("types", &[("inputs", names), ("outputs", names)]).unwrap();
    let mut engine = engine_of(&model, &[&[3][..]; 7]).unwrap();
    for i in 0..7 {
        let mut input = engine.input(i).unwrap();
        assert_eq!(input.dtype(), model.signature().inputs[i].dtype);
        (0..3).for_each(|k| input.set_number(k, [0.0, 1.0, 100.0][k]));
    }
    engine.run().unwrap();
    for i in 0..7 {
        let output = engine.output(i).unwrap();
        assert_eq!(output.dtype(), model.signature().outputs[i].dtype);
        let got: Vec<_> = (0..3).map(|k| output.number(k).unwrap()).collect();
        assert_eq!(got, if i == 6 { [1.0, 0.0, 0.0] } else { [1.0, 2.0, 101.0] }, "{}", output.dtype());
    }
    let wrong = load("types").unwrap();
    let error = engine_of(&wrong, &[&[3][..]; 7]).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DType, "{error}");
}

#[test]
fn several_inputs_and_one_that_may_be_left_out() {
    let shapes: [&[usize]; 4] = [X, X, &[1], &[1]];
    let run = |options: &[(&str, &str)], count: usize| {
        let mut engine = engine_of(&load_with("mix", options).unwrap(), &shapes[..count]).unwrap();
        for (i, value) in [5.0, 2.0, 0.5, 10.0].into_iter().enumerate().take(count) {
            let len = engine.input(i).unwrap().len();
            set(&mut engine, i, &vec![value; len]);
        }
        engine.run().unwrap();
        get(&engine, 0)
    };
    assert_eq!(run(&[], 3), [4.0; 8]);
    assert_eq!(run(&[("inputs", "main, side, amount, bias")], 4), [14.0; 8]);
}

/// Some published modules take their sample rate so, and refuse 0.
#[test]
fn a_number_is_an_input_of_one_element_and_trial_runs_get_the_configured_one() {
    let config = |rate: f64| {
        InferenceConfig::builder()
            .input(InputTensor::stream("x", 8))
            .input(InputTensor::constant("rate", [rate]))
            .input(InputTensor::parameter("amount", [0.5]))
            .input(InputTensor::constant("double", [1.0]))
            .output(OutputTensor::stream("y", 8))
            .build()
            .unwrap()
    };
    let load = |rate| {
        let request = LoadRequest::new().config(config(rate));
        Torch.load(&ModelSource::file(fixture("numbers")), &request)
    };
    let model = load(16000.0).unwrap();
    let types: Vec<_> = model.signature().inputs.iter().map(|t| t.dtype).collect();
    assert_eq!(types, [DType::F32, DType::I64, DType::F64, DType::Bool]);
    let mut engine = engine_of(&model, &[X, &[1], &[1], &[1]]).unwrap();
    assert_eq!(engine.input(1).unwrap().i64_mut().unwrap(), [0], "nothing of the trial run is left");
    set(&mut engine, 0, &[1.0; 8]);
    for (amount, double, right) in [(0.25, true, 0.5), (0.25, false, 0.25), (4.0, false, 4.0)] {
        engine.input(1).unwrap().i64_mut().unwrap()[0] = 16000;
        engine.input(2).unwrap().f64_mut().unwrap()[0] = amount;
        engine.input(3).unwrap().bools_mut().unwrap()[0] = double;
        engine.run().unwrap();
        assert_eq!(get(&engine, 0), [right; 8]);
    }
    let error = load(0.0).map(drop).unwrap_err();
    assert!(error.to_string().contains("no such rate"), "{error}");
}

#[test]
fn open_lengths_give_other_lengths() {
    let model = load("half").unwrap();
    for n in [2, 16, 480] {
        let mut engine = engine_of(&model, &[&[1, 1, n]]).unwrap();
        set(&mut engine, 0, &vec![1.0; n]);
        engine.run().unwrap();
        assert_eq!(get(&engine, 0), vec![2.0; n / 2]);
    }
}

#[test]
fn a_module_that_changes_its_input_does_not_change_ours() {
    let mut engine = engine("inplace", &[X]).unwrap();
    set(&mut engine, 0, &[4.0; 8]);
    for _ in 0..3 {
        engine.run().unwrap();
        assert_eq!(get(&engine, 0), [3.0; 8]);
        assert_eq!(engine.input(0).unwrap().f32_mut().unwrap(), [4.0; 8]);
    }
}

#[test]
fn outputs_lie_in_order_whatever_their_strides() {
    let mut engine = engine("strided", &[&[1, 2, 3]]).unwrap();
    set(&mut engine, 0, &ramp(6));
    engine.run().unwrap();
    assert_eq!(get(&engine, 0), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
}

#[test]
fn what_a_module_raises_is_an_error_with_its_words_and_the_next_run_works() {
    let mut engine = engine("raises", &[X]).unwrap();
    for round in 0..3 {
        set(&mut engine, 0, &[2.0; 8]);
        let error = engine.run().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Engine, "{error}");
        assert!(error.to_string().contains("too loud"), "round {round}: {error}");
        set(&mut engine, 0, &[1.0; 8]);
        engine.run().unwrap();
        assert_eq!(get(&engine, 0), [0.5; 8]);
    }
}

#[test]
fn shapes_that_do_not_fit_are_found_when_an_engine_is_made() {
    let shapes = |name: &str, inputs: &[&[usize]], output: Option<&[usize]>| {
        let model = load(name).unwrap();
        let mut outputs = vec![None; model.signature().outputs.len()];
        outputs[0] = output.map(<[usize]>::to_vec);
        model.engine(&EngineRequest::new(inputs.iter().map(|s| s.to_vec()).collect(), outputs))
    };
    type Case<'a> = (&'a str, &'a [&'a [usize]], Option<&'a [usize]>, &'a str);
    let cases: [Case<'_>; 6] = [
        ("tcn", &[&[1, 2, 64]], None, "channels"),
        ("gain", &[X], Some(&[1, 1, 9]), "[1, 1, 8]; expected [1, 1, 9]"),
        ("gain", &[X, X], None, "inputs: the request has 2"),
        ("gain", &[&[1, 0, 8]], None, "at least 1 element"),
        ("gain", &[&[1 << 40, 8]], None, "at most"),
        (
            "described",
            &[&[1, 2, 8], &[1]],
            None,
            "tensor `input`: shape is [1, 2, 8]; the model's is [1, 1, ?]",
        ),
    ];
    for (name, inputs, output, words) in cases {
        let error = shapes(name, inputs, output).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Shape, "{error}");
        assert!(error.to_string().contains(words), "`{error}` lacks `{words}`");
    }
    let error = Torch.load(&ModelSource::file(fixture("tcn")), &LoadRequest::new().config(stream(8)));
    let error = error.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Shape, "{error}");
    assert!(error.to_string().contains("running `forward` on zeros, input [1, 1, 8]"), "{error}");
}

#[test]
fn missing_files_wrong_options_and_lacking_operators_are_told_apart() {
    let error = Torch.load(&ModelSource::file("no/such.pt"), &LoadRequest::new()).map(drop).unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::NotFound, Some("no/such.pt")));
    let none = Torch.load(&ModelSource::None, &LoadRequest::new()).map(drop).unwrap_err();
    assert_eq!(none.kind(), ErrorKind::Config);
    for (name, value) in [("threads", "4"), ("optimize", "yes"), ("state", "maybe"), ("inputs", "a, b")] {
        let error = load_with("gain", &[(name, value)]).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.to_string().contains(name), "{error}");
    }
    let error = load("lacking").map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("spectral_magic"), "{error}");
    let error = load("forks").map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("fork"), "{error}");
}

#[test]
fn a_nan_stays_a_nan() {
    let mut engine = engine("nan", &[X]).unwrap();
    engine.run().unwrap();
    assert!(get(&engine, 0).iter().all(|x| x.is_nan()));
}
