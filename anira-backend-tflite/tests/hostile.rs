//! Files made to do harm: each is refused by the reader, before any engine, in words. Runs with every feature off, too.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[path = "support/flat.rs"]
mod flat;
#[path = "support/plain.rs"]
mod plain;

use anira_traits::*;
use flat::Field::{self, Absent, I32, Ints, Longs, Tables, U8};
use flat::{file, text};
use plain::{ADD, Plain, code, ints, operator, plain, tensor, with_options};

const PAD: u8 = 34;
const RESHAPE: u8 = 22;
const MAX_POOL: u8 = 17;
const SPLIT: u8 = 49;
const FILL: u8 = 94;
const WHILE: u8 = 119;
const CUSTOM: u8 = 32;

fn read(bytes: Vec<u8>) -> Result<Signature> {
    anira_backend_tflite::signature(&ModelSource::memory(bytes))
}

/// The model, spoilt, is refused as malformed in these words.
#[track_caller]
fn refused(spoil: impl FnOnce(&mut Plain), words: &str) {
    refused_as(ErrorKind::Model, spoil, words);
}

#[track_caller]
fn refused_as(kind: ErrorKind, spoil: impl FnOnce(&mut Plain), words: &str) {
    let mut model = plain();
    spoil(&mut model);
    let error = read(model.bytes()).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(words), "`{error}` lacks `{words}`");
}

#[test]
fn the_hand_made_model_is_good_unless_spoilt() {
    let right = Signature {
        inputs: vec![TensorInfo::f32("x", &[1, 4])],
        outputs: vec![TensorInfo::f32("y", &[1, 4])],
    };
    assert_eq!(read(plain().bytes()).unwrap(), right);
}

#[test]
fn names_are_those_of_the_signature_or_the_tensors_or_numbers() {
    let map = |name: &str, index| vec![text(name), I32(index)];
    let mut model = plain();
    model.signatures = vec![vec![Tables(vec![map("in", 0)]), Tables(vec![map("out", 2)]), text("serve")]];
    let names = |bytes| {
        let signature = read(bytes).unwrap();
        (signature.inputs[0].name.clone(), signature.outputs[0].name.clone())
    };
    assert_eq!(names(model.bytes()), ("in".into(), "out".into()));
    model.signatures.clear();
    model.tensors[0][3] = text("");
    assert_eq!(names(model.bytes()), ("input_0".into(), "y".into()));
}

#[test]
fn sizes_are_bounded_before_an_engine_sees_them() {
    // 10 GiB: 2.5 · 2³⁰ floats.
    refused(|m| m.tensors[2][0] = Ints(vec![1 << 20, 2560]), "tensor `y`: its shape is [1048576, 2560]");
    refused(|m| m.tensors[0][0] = Ints(vec![i32::MAX; 8]), "tensor `x`: its shape is");
    refused(|m| m.tensors[0][0] = Ints(vec![-4]), "tensor `x`: its shape is [-4]");
    refused(|m| m.tensors[0][0] = Ints(vec![0, 4]), "tensor `x`: its shape is [0, 4]");
    refused(|m| m.tensors[0][0] = Ints(vec![1; 9]), "8 dimensions");
    refused(|m| m.tensors.extend((0..10).map(|_| tensor("m", 0, &[1 << 26], 0))), "bytes together");
    refused(|m| m.tensors[1][0] = Ints(vec![1 << 20]), "asks for 4194304 bytes; the file holds 16");
    refused(|m| m.tensors[1][0] = Ints(vec![3]), "asks for 12 bytes; the file holds 16");
}

#[test]
fn constants_that_ask_for_much_are_refused() {
    let constant = |code_of: u8, shape: &'static [i32], numbers: &'static [i32], inputs: &'static [i32]| {
        move |m: &mut Plain| {
            m.codes = vec![code(code_of)];
            m.tensors[1] = tensor("w", 2, shape, 1);
            m.buffers[1] = ints(numbers);
            m.operators = vec![operator(0, inputs, &[2])];
        }
    };
    refused(
        constant(FILL, &[2], &[1 << 20, 1 << 20], &[1, 0]),
        "operator 0 (FILL): is told [1048576, 1048576]",
    );
    refused(constant(FILL, &[2], &[-1, 4], &[1, 0]), "is told [-1, 4]");
    refused(constant(PAD, &[2, 2], &[0, 0, 1 << 30, 0], &[0, 1]), "operator 0 (PAD): is told");
    refused(constant(PAD, &[2, 2], &[0, 0, -1, 0], &[0, 1]), "is told [0, 0, -1, 0]");
    refused(constant(RESHAPE, &[2], &[-1, 0], &[0, 1]), "operator 0 (RESHAPE): is told [-1, 0]");
    refused(constant(RESHAPE, &[2], &[-1, -1], &[0, 1]), "is told [-1, -1]");
    refused(constant(RESHAPE, &[2], &[-2, 2], &[0, 1]), "is told [-2, 2]");
    let mut fine = plain();
    constant(RESHAPE, &[2], &[-1, 2], &[0, 1])(&mut fine);
    assert!(read(fine.bytes()).is_ok());
    let mut fine = plain();
    constant(PAD, &[2, 2], &[0, 0, 3, 0], &[0, 1])(&mut fine);
    assert!(read(fine.bytes()).is_ok());
}

#[test]
fn indices_that_point_nowhere_are_refused() {
    refused(|m| m.operators[0] = operator(7, &[0, 1], &[2]), "not in its table of operators");
    refused(|m| m.operators[0] = operator(0, &[0, 9], &[2]), "operator 0 (ADD): refers to tensor 9 of 3");
    refused(|m| m.operators[0] = operator(0, &[0, -2], &[2]), "refers to tensor -2");
    refused(|m| m.operators[0] = operator(0, &[0, -1], &[2]), "input 1 is left out");
    refused(|m| m.operators[0] = operator(0, &[0, 1], &[3]), "refers to tensor 3");
    refused(|m| m.inputs = vec![5], "refers to tensor 5");
    refused(|m| m.outputs = vec![-1], "refers to tensor -1");
    refused(|m| m.tensors[1][2] = I32(2), "its data is buffer 2");
    let entry = |graph, index| {
        vec![Tables(vec![vec![text("in"), I32(index)]]), Absent, text("serve"), Absent, I32(graph)]
    };
    refused(|m| m.signatures = vec![entry(4, 0)], "graph 4, which is not there");
    refused(|m| m.signatures = vec![entry(0, 1)], "no input or output of its graph");
}

#[test]
fn values_are_computed_before_they_are_used_and_once() {
    refused(|m| m.operators[0] = operator(0, &[0, 2], &[2]), "input 1 is used before");
    refused(|m| m.operators.clear(), "output 2 is computed by no operator");
    refused(|m| m.operators[0] = operator(0, &[0, 1], &[1]), "writes what is a constant");
    refused(|m| m.operators[0] = operator(0, &[0, 1], &[0]), "writes what is a constant");
    refused(|m| m.operators.push(operator(0, &[0, 1], &[2])), "operator 1 (ADD): writes");
    refused(|m| m.inputs = vec![0, 0], "an input twice");
    refused(|m| m.inputs = vec![1], "an input is a constant");
    refused(|m| m.outputs.clear(), "no outputs");
}

#[test]
fn operators_get_what_they_need() {
    refused(|m| m.operators[0] = operator(0, &[0], &[2]), "operator 0 (ADD): has 1 inputs; from 2 to 2");
    refused(|m| m.operators[0] = operator(0, &[0, 1], &[]), "has 0 outputs");
    let split = |count| {
        move |m: &mut Plain| {
            m.codes = vec![code(SPLIT)];
            m.operators = vec![with_options(operator(0, &[1, 0], &[2]), 35, vec![I32(count)])];
        }
    };
    refused(split(0), "option 0 is 0; from 1 to");
    refused(split(3), "has 1 outputs, and its options say 3");
    refused(|m| m.codes = vec![code(SPLIT)], "lacks its options");
    let pool = |padding| {
        move |m: &mut Plain| {
            m.codes = vec![code(MAX_POOL)];
            let options = [vec![U8(padding)], vec![I32(1); 4]].concat();
            m.operators = vec![with_options(operator(0, &[0], &[2]), 5, options)];
        }
    };
    refused(pool(2), "padding is number 2");
    let mut fine = plain();
    pool(1)(&mut fine);
    assert!(read(fine.bytes()).is_ok());
    refused_as(
        ErrorKind::Unsupported,
        |m| m.codes = vec![vec![U8(CUSTOM), text("Evil")]],
        "operator 0 is Evil",
    );
    refused_as(
        ErrorKind::Unsupported,
        |m| m.codes = vec![vec![U8(127), Absent, Absent, I32(300)]],
        "number 300",
    );
}

#[test]
fn graphs_that_call_themselves_are_refused() {
    let calls = |cond, body| {
        move |m: &mut Plain| {
            m.codes = vec![code(WHILE)];
            m.operators = vec![with_options(operator(0, &[0], &[2]), 93, vec![I32(cond), I32(body)])];
        }
    };
    refused(calls(0, 0), "deeper than 8, or themselves");
    refused(calls(1, 0), "calls graph 1, which is not there");
    refused(calls(-1, 0), "calls graph -1");
    // Two graphs that call each other, and thousands in a row.
    refused(
        |m| {
            calls(1, 1)(m);
            let mut other = m.clone();
            calls(0, 0)(&mut other);
            m.more_graphs = vec![other.graph()];
        },
        "deeper than 8",
    );
    refused(
        |m| {
            calls(1, 1)(m);
            m.more_graphs = (2..2000)
                .map(|next| {
                    let mut other = m.clone();
                    calls(next, next)(&mut other);
                    other.graph()
                })
                .chain([plain().graph()])
                .collect();
            m.codes.push(code(ADD));
            if let Tables(operators) = &mut m.more_graphs.last_mut().unwrap()[3] {
                operators[0][0] = I32(1);
            }
        },
        "deeper than 8",
    );
}

#[test]
fn scales_and_zero_points_are_sane() {
    let scaled = |scale: f32, zero_point: i64| {
        move |m: &mut Plain| {
            let scale = Ints(vec![scale.to_bits() as i32]);
            let quantization = vec![Absent, Absent, scale, Longs(vec![zero_point])];
            m.tensors[0] = tensor("x", 9, &[1, 4], 0);
            m.tensors[0].push(Field::Table(quantization));
        }
    };
    for scale in [f32::NAN, f32::INFINITY, -1.0, 1e-30] {
        refused(scaled(scale, 0), "tensor `x`: a scale is not a sane");
    }
    refused(scaled(1.0, 300), "a zero point is 300");
    let lone = vec![Absent, Absent, Ints(vec![1f32.to_bits() as i32])];
    refused(|m| m.tensors[0].push(Field::Table(lone)), "has 1 scales and 0 zero points");
    let mut fine = plain();
    scaled(0.5, -128)(&mut fine);
    assert_eq!(read(fine.bytes()).unwrap().inputs, [TensorInfo::f32("x", &[1, 4])]);
}

#[test]
fn what_is_no_such_file_is_told() {
    let elsewhere = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/gain.onnx");
    let wrong_version = file(&vec![I32(2)]);
    let mut empty = b"\x08\0\0\0TFL3".to_vec();
    for (bytes, words) in [
        (vec![], "does not begin"),
        (std::fs::read(elsewhere).unwrap(), "does not begin"),
        (empty.clone(), "beyond its own end"),
        (wrong_version, "another version of the format"),
        (file(&vec![I32(3)]), "holds no graph"),
    ] {
        let error = read(bytes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Model);
        assert!(error.to_string().contains(words), "`{error}` lacks `{words}`");
    }
    empty.extend([0; 64]);
    assert_eq!(read(empty).unwrap_err().kind(), ErrorKind::Model);
}
