//! The fixtures on every engine that is built in: signatures, values, and the errors of good files used badly.
#![cfg(any(feature = "tflite", feature = "litert"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use anira_traits::*;
use support::{
    GOOD, Noise, bytes, engine, fixture, for_every_engine, get, golden, load, outputs, request, set,
};

for_every_engine! {
    values_are_those_of_tensorflow
    quantised_models_are_within_their_steps_of_the_float_model
    quantised_inputs_and_outputs_follow_the_formula
    memory_file_and_kernels_give_the_same
    tensors_are_found_by_name_in_any_order
    states_go_round
    variables_stay_until_a_reset
    integers_keep_their_types
    open_lengths_take_any_length
    lengths_too_short_for_a_convolution_are_errors
    inputs_keep_their_contents_and_engines_begin_with_zeros
    shapes_that_do_not_fit_are_found_when_an_engine_is_made
    missing_files_wrong_options_and_lacking_operators_are_told_apart
    outputs_that_are_not_finite_say_so
}

fn signature(name: &str) -> Signature {
    anira_backend_tflite::signature(&ModelSource::file(fixture(name))).unwrap()
}

/// Sets all inputs to the goldens, runs, gives the worst distance to the goldens of each output.
fn distances<B: Backend>(backend: &B, name: &str, open: usize) -> Vec<(String, f64, f64)> {
    let (signature, mut engine) = (signature(name), engine(backend, name, open));
    for (i, tensor) in signature.inputs.iter().enumerate() {
        let mut input = engine.input(i).unwrap();
        let values = golden(name, &tensor.name);
        assert_eq!(input.len(), values.len(), "{name} {}", tensor.name);
        values.iter().enumerate().for_each(|(k, x)| input.set_number(k, *x));
    }
    let mut all = Vec::new();
    // Twice: an inference leaves nothing behind.
    for _ in 0..2 {
        engine.run().unwrap();
        for (tensor, got) in signature.outputs.iter().zip(outputs(&engine)) {
            let right = golden(name, &tensor.name);
            assert_eq!(got.len(), right.len(), "{name} {}", tensor.name);
            let worst = got.iter().zip(&right).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            let loudest = right.iter().fold(0.0f64, |m, x| m.max(x.abs()));
            assert!(loudest > 1e-2, "a golden of zeros shows nothing");
            all.push((format!("{name} {}", tensor.name), worst, loudest));
        }
    }
    all
}

fn values_are_those_of_tensorflow<B: Backend>(backend: B) {
    for (name, open) in [
        ("gain", 64),
        ("tcn", 64),
        ("lstm", 8),
        ("knob", 64),
        ("counters", 64),
        ("loop", 64),
        ("dynamic", 100),
    ] {
        for (tensor, worst, loudest) in distances(&backend, name, open) {
            assert!(worst <= 1e-6 * loudest.max(1.0), "{tensor}: {worst:e} of {loudest}");
        }
    }
}

fn quantised_models_are_within_their_steps_of_the_float_model<B: Backend>(backend: B) {
    // Eight bits for input, weights, middle and output: a few steps of 1/128 of the loudest. Sixteen: the weights' eight.
    for (name, bound) in [("conv-int8", 0.04), ("conv-uint8", 0.04), ("conv-int16", 0.02)] {
        for (tensor, worst, loudest) in distances(&backend, name, 64) {
            assert!(worst <= bound * loudest, "{tensor}: {worst:e} of {loudest}");
        }
    }
}

fn quantised_inputs_and_outputs_follow_the_formula<B: Backend>(backend: B) {
    // The input's scale; scale, zero point, least and most of the output: as make.py's converter chose them.
    for (name, step, scale, zero_point, least, most) in [
        ("conv-int8", 0.007_833_523, 0.006261586211621761, -104, -128, 127),
        ("conv-uint8", 0.007_829_955, 0.009001017548143864, 193, 0, 255),
        ("conv-int16", 3.047_082e-5, 6.96156348567456e-5, 0, -32768, 32767),
    ] {
        let mut engine = engine(&backend, name, 64);
        let signature = signature(name);
        assert_eq!(signature.inputs, [TensorInfo::f32("input", &[1, 64, 1])], "{name}");
        assert_eq!(signature.outputs, [TensorInfo::f32("output", &[1, 64, 1])], "{name}");
        let mut noise = Noise(3);
        let input: Vec<f32> = (0..64).map(|_| noise.sample()).collect();
        set(&mut engine, 0, &input);
        engine.run().unwrap();
        let got = get(&engine, 0);
        let mut numbers: Vec<_> = got.iter().map(|y| f64::from(*y) / scale + f64::from(zero_point)).collect();
        for q in &numbers {
            assert!(
                (q - q.round()).abs() < 2e-2 && (f64::from(least)..=f64::from(most)).contains(&q.round()),
                "{name}: {q}"
            );
        }
        numbers.dedup();
        assert!(numbers.len() > 30, "{name}: an output of one number shows nothing");
        // Less than half a step on the input changes nothing, more is the next number.
        let of = |engine: &mut _, part: f32| {
            let steps = input.iter().map(|x| ((x * 100.0).round() + part) * step);
            set(engine, 0, &steps.collect::<Vec<_>>());
            Engine::run(engine).unwrap();
            get(engine, 0)
        };
        let [exact, near, far, next] = [0.0, 0.3, 0.7, 1.0].map(|part| of(&mut engine, part));
        assert_eq!(exact, near, "{name}");
        assert_eq!(far, next, "{name}");
        assert_ne!(exact, next, "{name}");
        // Beyond the type it is the type's end.
        let run = |engine: &mut _, x: f32| {
            set(engine, 0, &[x; 64]);
            Engine::run(engine).unwrap();
            get(engine, 0)
        };
        assert_eq!(run(&mut engine, 1e9), run(&mut engine, 10.0), "{name}: both are the largest number");
        assert_ne!(run(&mut engine, 1e9), run(&mut engine, -1e9), "{name}");
    }
}

fn memory_file_and_kernels_give_the_same<B: Backend>(backend: B) {
    for name in GOOD {
        let plain = LoadRequest::new();
        let variants = [
            backend.load(&ModelSource::file(fixture(name)), &plain),
            backend.load(&ModelSource::memory(bytes(name)), &plain),
            backend.load(&ModelSource::memory(bytes(name)), &plain.clone().option("xnnpack", "false")),
        ];
        let results = variants.map(|model| {
            let model = model.unwrap();
            let mut engine = model.engine(&request(model.signature(), 64)).unwrap();
            let mut noise = Noise(7);
            for i in 0..model.signature().inputs.len() {
                let mut input = engine.input(i).unwrap();
                (0..input.len()).for_each(|k| input.set_number(k, f64::from(noise.sample())));
            }
            engine.run().unwrap();
            outputs(&engine).concat()
        });
        assert_eq!(results[0], results[1], "{name}");
        // Quantised kernels may round another way: by a step.
        let step = if name.starts_with("conv") { 0.0091 } else { 1e-6 };
        let near = results[0].iter().zip(&results[2]).all(|(a, b)| (a - b).abs() <= step);
        assert!(near && results[0].len() == results[2].len(), "{name}");
    }
}

fn tensors_are_found_by_name_in_any_order<B: Backend>(backend: B) {
    let signature = signature("knob");
    let model = load(&backend, "knob").unwrap();
    assert_eq!(model.signature(), &signature);
    let (input, gain) = (signature.input("input").unwrap(), signature.input("gain").unwrap());
    let (output, peak) = (signature.output("output").unwrap(), signature.output("peak").unwrap());
    let mut engine = engine(&backend, "knob", 64);
    let samples: Vec<f32> = (0..64).map(|i| i as f32 - 32.0).collect();
    set(&mut engine, input, &samples);
    set(&mut engine, gain, &[0.5]);
    engine.run().unwrap();
    assert_eq!(get(&engine, output), samples.iter().map(|x| 0.5 * x).collect::<Vec<_>>());
    assert_eq!(get(&engine, peak), [32.0]);
    assert!(engine.input(2).is_none() && engine.output(2).is_none());
}

fn states_go_round<B: Backend>(backend: B) {
    let signature = signature("lstm");
    let index = |name| signature.input(name).unwrap();
    let [input, h_in, c_in] = ["input", "h_in", "c_in"].map(index);
    let [h_out, c_out] = ["h_out", "c_out"].map(|name| signature.output(name).unwrap());
    let model = load(&backend, "lstm").unwrap();
    assert_eq!(model.internal_state(), InternalState::None, "states are ordinary tensors");
    let mut engine = engine(&backend, "lstm", 8);
    let mut last = Vec::new();
    for round in 0..5 {
        set(&mut engine, input, &[0.5; 8]);
        engine.run().unwrap();
        let output = get(&engine, signature.output("output").unwrap());
        assert_ne!(output, last, "round {round}: the state has moved");
        last = output;
        let (h, c) = (get(&engine, h_out), get(&engine, c_out));
        set(&mut engine, h_in, &h);
        set(&mut engine, c_in, &c);
        assert_eq!(engine.input(h_in).unwrap().f32_mut().unwrap(), h);
    }
}

fn variables_stay_until_a_reset<B: Backend>(backend: B) {
    if backend.name() == "litert" {
        // It knows no handles to variables.
        let error = load(&backend, "memory").map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        return;
    }
    let model = load(&backend, "memory").unwrap();
    assert_eq!(model.internal_state(), InternalState::Inside);
    let mut engine = engine(&backend, "memory", 64);
    assert_eq!(get(&engine, 0), [0.0; 64], "known before the first run");
    let mut run = |reset: bool| {
        if reset {
            engine.reset().unwrap();
            assert_eq!(get(&engine, 0).len(), 64);
        }
        set(&mut engine, 0, &[0.5; 64]);
        engine.run().unwrap();
        get(&engine, 0)[7]
    };
    assert_eq!(
        [false, false, true, false].map(&mut run),
        [1.5, 2.5, 1.5, 2.5],
        "the trial run does not count"
    );
}

fn integers_keep_their_types<B: Backend>(backend: B) {
    let signature = signature("counters");
    let int = |name, dtype| TensorInfo::new(name, dtype, vec![Some(1)]);
    let [long_in, short_in] = ["long_in", "short_in"].map(|name| signature.input(name).unwrap());
    let [long_out, short_out] = ["long_out", "short_out"].map(|name| signature.output(name).unwrap());
    assert_eq!(signature.inputs[long_in], int("long_in", DType::I64));
    assert_eq!(signature.inputs[short_in], int("short_in", DType::I32));
    assert_eq!(signature.outputs[long_out], int("long_out", DType::I64));
    let mut engine = engine(&backend, "counters", 64);
    engine.input(long_in).unwrap().i64_mut().unwrap()[0] = (1 << 40) + 5;
    engine.input(short_in).unwrap().i32_mut().unwrap()[0] = -7;
    engine.run().unwrap();
    assert_eq!(engine.output(long_out).unwrap().i64().unwrap(), [(1 << 40) + 6]);
    assert_eq!(engine.output(short_out).unwrap().i32().unwrap(), [-6]);
    assert!(engine.input(long_in).unwrap().f32_mut().is_none());
}

fn open_lengths_take_any_length<B: Backend>(backend: B) {
    let model = load(&backend, "dynamic").unwrap();
    let open = vec![Some(1), None, Some(1)];
    assert_eq!(model.signature().inputs, [TensorInfo::new("input", DType::F32, open)]);
    let run = |n: usize| {
        let mut engine = model.engine(&request(model.signature(), n)).unwrap();
        set(&mut engine, 0, &golden("dynamic", "input")[..n].iter().map(|x| *x as f32).collect::<Vec<_>>());
        engine.run().unwrap();
        get(&engine, 0)
    };
    let right = golden("dynamic", "output");
    for n in [1, 17, 64, 100] {
        let got = run(n);
        assert_eq!(got.len(), n);
        // Causal: a shorter block's outputs are the longer one's first.
        let worst = got.iter().zip(&right).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
        assert!(worst < 1e-6, "{n} samples: {worst:e}");
    }
    let ignored = EngineRequest::new(vec![vec![1, 33, 1]], vec![None]);
    let mut engine = model.engine(&ignored).unwrap();
    assert_eq!(get(&engine, 0), [0.0; 33], "known before the first run");
    engine.run().unwrap();
    assert_eq!(get(&engine, 0), [0.0; 33]);
}

fn lengths_too_short_for_a_convolution_are_errors<B: Backend>(backend: B) {
    let model = load(&backend, "valid").unwrap();
    for (n, out) in [(1, None), (2, None), (31, None), (33, Some(1)), (100, Some(68))] {
        let engine = model.engine(&EngineRequest::new(vec![vec![1, n, 1]], vec![None]));
        match (engine, out) {
            (Ok(mut engine), Some(out)) => {
                engine.run().unwrap();
                assert_eq!(get(&engine, 0).len(), out);
            }
            (Err(error), None) => assert_ne!(error.kind(), ErrorKind::Internal, "{error}"),
            (engine, _) => panic!("{n} samples: {:?}", engine.map(|e| get(&e, 0).len())),
        }
    }
}

fn inputs_keep_their_contents_and_engines_begin_with_zeros<B: Backend>(backend: B) {
    for name in GOOD {
        let model = load(&backend, name).unwrap();
        let mut engine = model.engine(&request(model.signature(), 64)).unwrap();
        assert!(
            outputs(&engine).concat().iter().all(|x| *x == 0.0),
            "{name}: something of the trial run is left"
        );
        let count = model.signature().inputs.len();
        let mut noise = Noise(11);
        for i in 0..count {
            let mut input = engine.input(i).unwrap();
            assert!((0..input.len()).all(|k| input.as_view().number(k) == Some(0.0)), "{name}: input {i}");
            (0..input.len()).for_each(|k| input.set_number(k, f64::from(noise.sample() * 8.0)));
        }
        let contents = |engine: &mut _, i| {
            let input = Engine::input(engine, i).unwrap();
            (0..input.len()).map(|k| input.as_view().number(k).unwrap()).collect::<Vec<_>>()
        };
        let before: Vec<_> = (0..count).map(|i| contents(&mut engine, i)).collect();
        engine.run().unwrap();
        let once = outputs(&engine);
        engine.run().unwrap();
        assert_eq!(once, outputs(&engine), "{name}: the same again");
        let after: Vec<_> = (0..count).map(|i| contents(&mut engine, i)).collect();
        assert_eq!(before, after, "{name}");
        // Writing the next block leaves the last one's output alone.
        (0..count).for_each(|i| {
            let mut input = engine.input(i).unwrap();
            (0..input.len()).for_each(|k| input.set_number(k, 3.0));
        });
        assert_eq!(once, outputs(&engine), "{name}");
    }
}

fn shapes_that_do_not_fit_are_found_when_an_engine_is_made<B: Backend>(backend: B) {
    let knob = load(&backend, "knob").unwrap();
    let dynamic = load(&backend, "dynamic").unwrap();
    let block = || vec![1, 64, 1];
    let cases = [
        (&knob, vec![vec![1, 32, 1], vec![1]], vec![None, None], "tensor `input`: shape is [1, 32, 1]"),
        (&knob, vec![block()], vec![None, None], "inputs: the request has 1"),
        (&knob, vec![block(), vec![1]], vec![None], "outputs: the request has 1"),
        (&knob, vec![block(), vec![1]], vec![None, Some(vec![2])], "tensor `peak`: shape is [2]"),
        (&dynamic, vec![vec![1, 8, 1]], vec![Some(vec![1, 9, 1])], "[1, 8, 1]; expected [1, 9, 1]"),
        (&dynamic, vec![vec![1, 0, 1]], vec![None], "from 1 to"),
        (&dynamic, vec![vec![1, 1 << 40, 1]], vec![None], "from 1 to"),
        (&dynamic, vec![vec![1, 8]], vec![None], "shape is [1, 8]"),
    ];
    for (model, inputs, outputs, words) in cases {
        let error = model.engine(&EngineRequest::new(inputs, outputs)).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Shape, "{error}");
        assert!(error.to_string().contains(words), "`{error}` lacks `{words}`");
    }
}

fn missing_files_wrong_options_and_lacking_operators_are_told_apart<B: Backend>(backend: B) {
    let plain = LoadRequest::new();
    let error = backend.load(&ModelSource::file("no/such.tflite"), &plain).map(drop).unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::NotFound, Some("no/such.tflite")));
    let none = backend.load(&ModelSource::None, &plain).map(drop).unwrap_err();
    assert_eq!(none.kind(), ErrorKind::Config);
    for (name, value, words) in [("threads", "4", "reads only: xnnpack"), ("xnnpack", "yes", "`yes`; `true`")]
    {
        let request = LoadRequest::new().option(name, value);
        let error = backend.load(&ModelSource::file(fixture("gain")), &request).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        let text = error.to_string();
        assert!(text.contains(&format!("options.{name}")) && text.contains(words), "{text}");
    }
    let error = load(&backend, "lacking").map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("Erfc") && error.to_string().contains("lacking.tflite"), "{error}");
}

fn outputs_that_are_not_finite_say_so<B: Backend>(backend: B) {
    // The weight is NaN. XNNPACK in TensorFlow Lite makes −∞ of it: not finite either way.
    let mut engine = engine(&backend, "nan", 64);
    set(&mut engine, 0, &[0.5; 64]);
    engine.run().unwrap();
    assert!(!engine.output(0).unwrap().is_finite());
    assert!(get(&engine, 0).iter().all(|x| !x.is_finite()));
}
