//! Files that the reader lets through and an engine does not, or should not have to: errors of the right kind.
#![cfg(any(feature = "tflite", feature = "litert"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[path = "support/flat.rs"]
mod flat;
#[path = "support/plain.rs"]
mod plain;
mod support;

use anira_traits::*;
use flat::Field::{Absent, I32, Ints, Tables, U8};
use flat::text;
use plain::{Plain, code, ints, operator, plain, tensor, with_options};
use support::{bytes, for_every_engine, get, request, set};

const SUB: u8 = 41;
const DIV: u8 = 42;

for_every_engine! {
    the_hand_made_model_runs
    tensors_stand_where_the_graph_has_them_whatever_the_signatures_order
    what_an_engine_lacks_is_unsupported
    shapes_that_do_not_fit_are_errors
    other_formats_and_huge_sizes_never_reach_the_engine
    values_that_nobody_uses_do_no_harm
    engines_are_tried_with_the_requests_values
    engines_that_failed_leave_others_alone
}

fn load<B: Backend>(backend: &B, model: &Plain) -> Result<B::Model> {
    backend.load(&ModelSource::memory(model.bytes()), &LoadRequest::new())
}

fn make<B: Backend>(backend: &B, model: &Plain) -> Result<<B::Model as Model>::Engine> {
    let model = load(backend, model)?;
    model.engine(&request(model.signature(), 1))
}

/// `plain()`, its operator with the options that engines want.
fn good() -> Plain {
    let mut model = plain();
    model.operators = vec![with_options(operator(0, &[0, 1], &[2]), 11, vec![U8(0)])];
    // As floats 1, 2, 3, 4.
    model.buffers[1] = ints(&[1f32, 2.0, 3.0, 4.0].map(|x| x.to_bits() as i32));
    model
}

fn the_hand_made_model_runs<B: Backend>(backend: B) {
    let mut engine = make(&backend, &good()).unwrap();
    set(&mut engine, 0, &[0.5; 4]);
    engine.run().unwrap();
    assert_eq!(get(&engine, 0), [1.5, 2.5, 3.5, 4.5]);
}

fn tensors_stand_where_the_graph_has_them_whatever_the_signatures_order<B: Backend>(backend: B) {
    // y = x − z and v = z − x, named the other way round.
    let mut model = good();
    model.codes = vec![code(SUB)];
    model.tensors = ["x", "z", "y", "v"].map(|name| tensor(name, 0, &[1, 4], 0)).to_vec();
    let minus = |inputs: &[i32], output| with_options(operator(0, inputs, &[output]), 28, vec![U8(0)]);
    model.operators = vec![minus(&[0, 1], 2), minus(&[1, 0], 3)];
    (model.inputs, model.outputs) = (vec![0, 1], vec![2, 3]);
    let map = |names: [(&str, i32); 2]| Tables(names.map(|(name, i)| vec![text(name), I32(i)]).to_vec());
    model.signatures = vec![vec![map([("zed", 1), ("ex", 0)]), map([("vee", 3), ("why", 2)]), text("serve")]];
    let names = |tensors: &[TensorInfo]| tensors.iter().map(|t| t.name.clone()).collect::<Vec<_>>();
    let loaded = load(&backend, &model).unwrap();
    assert_eq!(names(&loaded.signature().inputs), ["ex", "zed"]);
    assert_eq!(names(&loaded.signature().outputs), ["why", "vee"]);
    let mut engine = make(&backend, &model).unwrap();
    set(&mut engine, 0, &[5.0; 4]);
    set(&mut engine, 1, &[2.0; 4]);
    engine.run().unwrap();
    assert_eq!((get(&engine, 0), get(&engine, 1)), (vec![3.0; 4], vec![-3.0; 4]));
}

fn what_an_engine_lacks_is_unsupported<B: Backend>(backend: B) {
    let mut model = good();
    model.codes[0][2] = I32(99);
    let error = load(&backend, &model).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("ADD"), "{error}");
}

fn shapes_that_do_not_fit_are_errors<B: Backend>(backend: B) {
    let mut declared = good();
    declared.tensors[2] = tensor("y", 0, &[1, 8], 0);
    let error = make(&backend, &declared).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Shape, "{error}");
    assert!(error.to_string().contains("[1, 4]") && error.to_string().contains("[1, 8]"), "{error}");

    // Four numbers and three cannot be added.
    let mut apart = good();
    apart.tensors[1] = tensor("w", 0, &[1, 3], 1);
    apart.buffers[1] = ints(&[0, 0, 0]);
    let error = make(&backend, &apart).map(drop).unwrap_err();
    // LiteRT finds it while it loads and does not say what it is.
    let kinds = [ErrorKind::Shape, ErrorKind::Model, ErrorKind::Engine, ErrorKind::Unsupported];
    assert!(kinds.contains(&error.kind()), "{:?}: {error}", error.kind());
}

fn other_formats_and_huge_sizes_never_reach_the_engine<B: Backend>(backend: B) {
    let mut huge = good();
    huge.tensors.iter_mut().for_each(|t| t[0] = Ints(vec![1 << 20, 2560]));
    let mut types = good();
    types.tensors[0] = tensor("x", 5, &[1, 4], 0);
    let onnx = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/gain.onnx");
    for (bytes, kind) in [
        (vec![], ErrorKind::Model),
        (std::fs::read(onnx).unwrap(), ErrorKind::Model),
        (huge.bytes(), ErrorKind::Model),
        (types.bytes(), ErrorKind::Unsupported),
    ] {
        let error = backend.load(&ModelSource::memory(bytes), &LoadRequest::new()).map(drop).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
}

fn values_that_nobody_uses_do_no_harm<B: Backend>(backend: B) {
    let mut model = good();
    model.tensors.push(tensor("unused", 0, &[1, 4], 0));
    model.operators.insert(0, with_options(operator(0, &[0, 0], &[3]), 11, vec![Absent]));
    let mut engine = make(&backend, &model).unwrap();
    set(&mut engine, 0, &[1.0; 4]);
    engine.run().unwrap();
    assert_eq!(get(&engine, 0), [2.0, 3.0, 4.0, 5.0]);
}

/// Whole numbers divided by others, which may not be 0.
fn engines_are_tried_with_the_requests_values<B: Backend>(backend: B) {
    let mut divided = good();
    divided.codes = vec![code(DIV)];
    divided.tensors = ["x", "d", "y"].map(|name| tensor(name, 2, &[1, 4], 0)).to_vec();
    divided.inputs = vec![0, 1];
    divided.operators = vec![with_options(operator(0, &[0, 1], &[2]), 29, vec![U8(0)])];
    let model = load(&backend, &divided).unwrap();
    let error = model.engine(&request(model.signature(), 1)).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Engine, "{error}");
    let tried = request(model.signature(), 1).values(vec![vec![], vec![1.0]]);
    let mut engine = model.engine(&tried).unwrap();
    assert_eq!(engine.input(1).unwrap().i32_mut().unwrap(), [0; 4], "zeros again");
    engine.input(0).unwrap().i32_mut().unwrap().copy_from_slice(&[9, 8, 7, 6]);
    engine.input(1).unwrap().i32_mut().unwrap().copy_from_slice(&[3, 2, 7, 1]);
    engine.run().unwrap();
    assert_eq!(engine.output(0).unwrap().i32().unwrap(), [3, 4, 1, 6]);
}

fn engines_that_failed_leave_others_alone<B: Backend>(backend: B) {
    let model = backend.load(&ModelSource::memory(bytes("dynamic")), &LoadRequest::new()).unwrap();
    let mut engine = model.engine(&request(model.signature(), 16)).unwrap();
    set(&mut engine, 0, &[0.25; 16]);
    engine.run().unwrap();
    let right = get(&engine, 0);
    let wrong = EngineRequest::new(vec![vec![1, 16, 1]], vec![Some(vec![1, 17, 1])]);
    assert!(model.engine(&wrong).is_err());
    engine.run().unwrap();
    assert_eq!(get(&engine, 0), right);
}
