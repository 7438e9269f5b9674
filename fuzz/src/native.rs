//! Files with weights for the engine `native`: JSON of Neural Amp Modeler and RTNeural, and ONNX.
//!
//! The engine is ours: it never panics, whatever the file, and a network that it takes gives after a reset what it gave when it was new.

use anira::backends::Native;
use anira_traits::{
    Backend, Engine, EngineRequest, Error, ErrorKind, LoadRequest, Model, ModelSource, TensorInfo,
};
use arbitrary::{Result, Unstructured};
use serde_json::{Value, json};

/// Elements of all tensors of a network that is run.
const MOST: usize = 1 << 14;

/// Loads the network that `data` is, or that is made from it, and runs it.
///
/// # Panics
/// If a promise of the engine is broken.
pub fn check(data: &[u8]) {
    let Some(file) = file(data) else { return };
    let model = match Native.load(&ModelSource::memory(file), &LoadRequest::new()) {
        Ok(model) => model,
        Err(error) => return refused(&error),
    };
    let signature = model.signature().clone();
    let Some(inputs) = signature.inputs.iter().map(shape).collect::<Option<Vec<_>>>() else { return };
    let outputs = vec![None; signature.outputs.len()];
    let mut engine = match model.engine(&EngineRequest::new(inputs, outputs)) {
        Ok(engine) => engine,
        Err(error) => return refused(&error),
    };
    let mut play = || {
        let mut heard = Vec::new();
        for run in 0..3u8 {
            for i in 0..signature.inputs.len() {
                let to = engine.input(i).and_then(|view| view.f32_mut()).expect("inputs are numbers");
                (0..).zip(to).for_each(|(at, to)| *to = ((at * 7 + run as usize) % 13) as f32 / 13.0);
            }
            engine.run().expect("a network that was made runs");
            for i in 0..signature.outputs.len() {
                let from = engine.output(i).and_then(|view| view.f32()).expect("outputs are numbers");
                heard.extend(from.iter().map(|y| y.to_bits()));
            }
        }
        engine.reset().expect("a network forgets");
        heard
    };
    let first = play();
    assert_eq!(first, play(), "after a reset it is as new");
}

fn refused(error: &Error) {
    let kind = error.kind();
    assert!(matches!(kind, ErrorKind::Model | ErrorKind::Unsupported | ErrorKind::Shape), "{kind}: {error}");
    assert!(!error.message().is_empty(), "no message: {error:?}");
}

/// The extents with small numbers for open ones, unless they are many.
fn shape(info: &TensorInfo) -> Option<Vec<usize>> {
    let shape: Vec<usize> = info.shape.iter().map(|extent| extent.unwrap_or(5)).collect();
    let elements = shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d))?;
    (elements <= MOST).then_some(shape)
}

/// The file that `data` is, or that is made from it.
fn file(data: &[u8]) -> Option<Vec<u8>> {
    match data.first()? {
        // As files begin: JSON, and ONNX.
        b'{' | 8 => Some(data.to_vec()),
        kind => {
            let mut input = Unstructured::new(&data[1..]);
            let made = match kind % 4 {
                0 => lstm(&mut input),
                1 => wavenet(&mut input),
                2 => rtneural(&mut input),
                _ => return crate::onnx_file::file(data),
            };
            Some(made.ok()?.to_string().into_bytes())
        }
    }
}

/// A number as configurations have them, mostly one that is right.
fn number(input: &mut Unstructured<'_>, right: std::ops::RangeInclusive<u64>) -> Result<Value> {
    Ok(match input.int_in_range(0..=63u8)? {
        0 => json!(0),
        1 => json!(-1),
        2 => json!(u64::MAX),
        3 => json!(1e30),
        4 => Value::Null,
        5 => json!("3"),
        6 => json!(1u64 << 33),
        7 => json!(70_000),
        _ => json!(input.int_in_range(right)?),
    })
}

/// So many numbers, or some more or fewer.
fn weights(input: &mut Unstructured<'_>, right: usize) -> Result<Value> {
    let count = match input.int_in_range(0..=15u8)? {
        0 => right.saturating_sub(1),
        1 => right + 1,
        2 => 0,
        _ => right,
    };
    let value = |at: usize, seed: u64| ((at as u64 * 37 + seed) % 41) as f64 / 41.0 - 0.5;
    let seed = input.int_in_range(0..=1000u64)?;
    let mut all: Vec<Value> = (0..count.min(1 << 16)).map(|at| json!(value(at, seed))).collect();
    if let (Some(last), 0) = (all.last_mut(), input.int_in_range(0..=7u8)?) {
        *last = input.choose(&[json!(1e39), json!("x"), Value::Null, json!([1.0]), json!(3.4e38)])?.clone();
    }
    Ok(Value::Array(all))
}

fn whole(value: &Value) -> usize {
    value.as_u64().unwrap_or(1).min(32) as usize
}

fn lstm(input: &mut Unstructured<'_>) -> Result<Value> {
    let (inputs, hidden, layers) = (number(input, 1..=2)?, number(input, 1..=12)?, number(input, 1..=3)?);
    let (i, h, n) = (whole(&inputs), whole(&hidden), whole(&layers));
    let layer = |i: usize| 4 * h * (i + h) + 6 * h;
    let right = layer(i) + (n.max(1) - 1) * layer(h) + h + 1;
    Ok(json!({
        "version": "0.5.4", "architecture": "LSTM",
        "config": {"input_size": inputs, "hidden_size": hidden, "num_layers": layers},
        "weights": weights(input, right)?,
    }))
}

const ACTIVATIONS: [&str; 6] = ["Tanh", "ReLU", "Sigmoid", "Hardtanh", "SiLU", "Fasttanh"];

fn wavenet(input: &mut Unstructured<'_>) -> Result<Value> {
    let mut arrays = Vec::new();
    let mut right = 1;
    let mut from = 1;
    for stack in 0..input.int_in_range(1..=2u8)? {
        let (channels, head, kernel) = (number(input, 1..=6)?, number(input, 1..=4)?, number(input, 1..=4)?);
        let (c, h, k) = (whole(&channels), whole(&head), whole(&kernel));
        let dilations =
            (0..input.int_in_range(1..=4)?).map(|_| number(input, 1..=16)).collect::<Result<Vec<_>>>()?;
        let (gated, bias) = (input.arbitrary::<bool>()?, input.arbitrary::<bool>()?);
        let wide = if gated { 2 * c } else { c };
        right += from * c
            + dilations.len() * (wide * c * k + wide + wide + c * c + c)
            + c * h
            + usize::from(bias) * h;
        arrays.push(json!({
            "input_size": if input.ratio(1, 16)? { number(input, 1..=6)? } else { json!(from) },
            "condition_size": if input.ratio(1, 16)? { number(input, 1..=2)? } else { json!(1) },
            "head_size": head, "channels": channels, "kernel_size": kernel, "dilations": dilations,
            "activation": input.choose(&ACTIVATIONS)?, "gated": gated, "head_bias": bias,
        }));
        from = c;
        if stack == 0 && input.ratio(1, 16)? {
            break;
        }
    }
    Ok(json!({
        "version": "0.5.4", "architecture": "WaveNet",
        "config": {"layers": arrays, "head": null, "head_scale": 0.02},
        "weights": weights(input, right)?,
    }))
}

/// A list of lists of numbers, one of them perhaps another's length.
fn rows(input: &mut Unstructured<'_>, rows: usize, columns: usize) -> Result<Value> {
    let all = (0..rows).map(|_| weights(input, columns)).collect::<Result<Vec<_>>>()?;
    Ok(Value::Array(all))
}

fn rtneural(input: &mut Unstructured<'_>) -> Result<Value> {
    let mut from = input.int_in_range(1..=3usize)?;
    let shape = json!([null, null, from]);
    let mut layers = Vec::new();
    for _ in 0..input.int_in_range(1..=4u8)? {
        let outputs = number(input, 1..=8)?;
        let to = whole(&outputs);
        let kind =
            *input.choose(&["dense", "conv1d", "gru", "lstm", "prelu", "batchnorm", "activation", "what"])?;
        let (kernel, dilation) = (number(input, 1..=4)?, number(input, 1..=8)?);
        let weights = match kind {
            "dense" => vec![rows(input, from, to)?, weights(input, to)?],
            "conv1d" => {
                let taps = (0..whole(&kernel)).map(|_| rows(input, from, to)).collect::<Result<Vec<_>>>()?;
                vec![Value::Array(taps), weights(input, to)?]
            }
            "gru" => vec![rows(input, from, 3 * to)?, rows(input, to, 3 * to)?, rows(input, 2, 3 * to)?],
            "lstm" => vec![rows(input, from, 4 * to)?, rows(input, to, 4 * to)?, weights(input, 4 * to)?],
            "prelu" => vec![rows(input, 1, to)?],
            _ => (0..4).map(|_| weights(input, to)).collect::<Result<Vec<_>>>()?,
        };
        layers.push(json!({
            "type": kind, "activation": input.choose(&["", "tanh", "relu", "sigmoid", "elu"])?,
            "shape": [null, null, outputs], "kernel_size": [kernel], "dilation": [dilation], "weights": weights,
        }));
        from = to;
    }
    Ok(json!({"in_shape": shape, "in_batch_size": 1, "layers": layers}))
}
