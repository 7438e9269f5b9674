//! Small graphs whose last operator gives too much, and the same with numbers that are still right.

use super::*;

const ADD: i32 = 0;
const MUL: i32 = 18;
const CAST: i32 = 53;
const TILE: i32 = 69;
const EXPAND_DIMS: i32 = 70;
const SHAPE: i32 = 77;
const REDUCE_PROD: i32 = 81;
const FILL: i32 = 94;
const PAD: i32 = 34;
const RANGE: i32 = 96;
const BATCH_MATMUL: i32 = 126;
const BROADCAST_TO: i32 = 130;

/// A value of these extents, −1 for open ones; with the bytes of a constant if it is one.
struct Value(&'static [i32], u8, Vec<u8>);

fn open(extents: &'static [i32]) -> Value {
    Value(extents, 0, Vec::new())
}

/// A row of int32.
fn row(numbers: &'static [i32]) -> Value {
    let extents: &'static [i32] = match numbers.len() {
        1 => &[1],
        2 => &[2],
        _ => &[3],
    };
    Value(extents, 2, numbers.iter().flat_map(|n| n.to_le_bytes()).collect())
}

/// Checks a graph of these values and of operators by code, inputs and output.
fn follow(values: &[Value], operators: &[(i32, &[i32], i32)]) -> Result<()> {
    let tensor = |(i, value): (usize, &Value)| Tensor {
        name: "t",
        kind: value.1,
        shape: value.0.iter().map(|n| (*n).max(1)).collect(),
        open: value.0.to_vec(),
        buffer: i,
        scale: Vec::new(),
        zero_point: Vec::new(),
        variable: false,
    };
    let operator = |(code, inputs, output): &(i32, &[i32], i32)| Operator {
        code: *code,
        custom: "",
        version: 1,
        inputs: inputs.to_vec(),
        outputs: vec![*output],
        options: None,
    };
    let graph = Graph {
        tensors: values.iter().enumerate().map(tensor).collect(),
        inputs: vec![0],
        outputs: vec![],
        operators: operators.iter().map(operator).collect(),
    };
    let buffers = values.iter().map(|value| &value.2[..]).collect();
    check(&Model { graphs: vec![graph], buffers, entries: vec![] })
}

#[track_caller]
fn too_much(values: &[Value], operators: &[(i32, &[i32], i32)], words: &str) {
    let error = follow(values, operators).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Model, "{error}");
    assert!(error.to_string().contains(words), "`{error}` lacks `{words}`");
}

#[test]
fn a_column_and_a_row_make_a_square_whatever_is_declared() {
    let values = |n: &'static [i32], m: &'static [i32]| [open(n), open(m), open(&[1, 1])];
    for code in [ADD, MUL] {
        follow(&values(&[8000, 1], &[1, 8000]), &[(code, &[0, 1], 2)]).unwrap();
        too_much(&values(&[65536, 1], &[1, 65536]), &[(code, &[0, 1], 2)], "gives 4294967296 elements");
    }
    too_much(&values(&[65536, 1], &[1, 65536]), &[(BATCH_MATMUL, &[0, 1], 2)], "operator 0 (BATCH_MATMUL)");
    too_much(&values(&[-1, 1 << 14, 1], &[1 << 14]), &[(ADD, &[0, 1], 2)], "gives 268435456");
    follow(&values(&[-1, 1], &[1, -1]), &[(ADD, &[0, 1], 2)]).unwrap();
}

#[test]
fn sizes_are_followed_through_what_computes_them() {
    let anything = || open(&[1]);
    let values = |n: &'static [i32]| [row(n), row(n), anything(), anything(), open(&[])];
    let product: &[(i32, &[i32], i32)] = &[(MUL, &[0, 1], 2), (CAST, &[2], 3), (FILL, &[3, 4], 2)];
    follow(&values(&[64, 64]), product).unwrap();
    too_much(&values(&[256, 512]), product, "operator 2 (FILL)");
    let shape: &[(i32, &[i32], i32)] = &[(SHAPE, &[0], 2), (MUL, &[2, 1], 3), (FILL, &[3, 4], 2)];
    let of = |n: &'static [i32]| [open(&[4, 4]), row(n), anything(), anything(), open(&[])];
    follow(&of(&[64, 64]), shape).unwrap();
    too_much(&of(&[1 << 13, 1 << 13]), shape, "operator 2 (FILL)");
    let all: &[(i32, &[i32], i32)] =
        &[(REDUCE_PROD, &[0, 1], 2), (EXPAND_DIMS, &[2, 1], 3), (FILL, &[2, 4], 3)];
    follow(&values(&[64, 64]), all).unwrap();
    too_much(&values(&[1 << 14, 1 << 14]), all, "operator 2 (FILL)");
}

#[test]
fn operators_that_are_told_how_much_give_it() {
    for (code, right, wrong) in [
        (TILE, row(&[2, 3, 4]), row(&[1000, 1000, 1000])),
        (BROADCAST_TO, row(&[2, 4, 4]), row(&[1 << 20, 4, 1 << 10])),
    ] {
        let told = |numbers: Value| follow(&[open(&[1, 4, 1]), numbers, open(&[1])], &[(code, &[0, 1], 2)]);
        told(right).unwrap();
        assert_eq!(told(wrong).unwrap_err().kind(), ErrorKind::Model, "{code}");
    }
    let pads = |n: i32| {
        let bytes = [0, n, n, 0].iter().flat_map(|n: &i32| n.to_le_bytes()).collect();
        follow(&[open(&[1, 4]), Value(&[2, 2], 2, bytes), open(&[1])], &[(PAD, &[0, 1], 2)])
    };
    pads(1000).unwrap();
    assert!(pads(1 << 20).is_err());
    let scalar = |x: f32| Value(&[], 0, x.to_le_bytes().to_vec());
    let range = |limit: f32| {
        follow(&[scalar(0.0), scalar(limit), scalar(0.5), open(&[1])], &[(RANGE, &[0, 1, 2], 3)])
    };
    range(1e6).unwrap();
    assert!(range(1e9).is_err());
}
