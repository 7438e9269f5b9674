//! The specimens: an LSTM and a WaveNet with weights that look random, and the LSTM worked out anew from its equations.

use anira_conformance::Specimen;
use anira_traits::{ModelSource, TensorData};

const UNITS: usize = 6;

/// Numbers that look random, between −0.5 and 0.5, rounded so that a file holds them exactly.
fn numbers(count: usize) -> Vec<f32> {
    let mut state = 0x2545_f491_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as f32 / 256.0 - 0.5
    };
    (0..count).map(|_| next()).collect()
}

fn file(architecture: &str, config: &str, weights: &[f32]) -> Vec<u8> {
    format!("{{\"version\":\"0.5.4\",\"architecture\":\"{architecture}\",\"config\":{config},\"weights\":{weights:?}}}")
        .into_bytes()
}

/// Weights of one layer: gates from x and h, biases, first h and c, the head and its bias.
fn lstm_weights() -> Vec<f32> {
    numbers(4 * UNITS * (1 + UNITS) + 4 * UNITS + 2 * UNITS + UNITS + 1)
}

fn lstm_file(weights: &[f32]) -> Vec<u8> {
    file("LSTM", &format!("{{\"input_size\":1,\"hidden_size\":{UNITS},\"num_layers\":1}}"), weights)
}

/// The LSTM's equations in double precision; gates in the order input, forget, cell, output.
fn lstm(weights: &[f32], input: &[f32]) -> Vec<f32> {
    let w: Vec<f64> = weights.iter().map(|x| f64::from(*x)).collect();
    let width = 1 + UNITS;
    let (biases, rest) = (&w[4 * UNITS * width..], 4 * UNITS);
    let mut h = biases[rest..rest + UNITS].to_vec();
    let mut c = biases[rest + UNITS..rest + 2 * UNITS].to_vec();
    let head = &biases[rest + 2 * UNITS..];
    let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
    let step = |x: &f32| {
        let gate = |row: usize| {
            let weights = &w[row * width..(row + 1) * width];
            let past: f64 = weights[1..].iter().zip(&h).map(|(w, h)| w * h).sum();
            weights[0] * f64::from(*x) + past + biases[row]
        };
        let gates: Vec<f64> = (0..4 * UNITS).map(gate).collect();
        for j in 0..UNITS {
            let (i, f) = (sigmoid(gates[j]), sigmoid(gates[UNITS + j]));
            c[j] = f * c[j] + i * gates[2 * UNITS + j].tanh();
            h[j] = sigmoid(gates[3 * UNITS + j]) * c[j].tanh();
        }
        (head[..UNITS].iter().zip(&h).map(|(w, h)| w * h).sum::<f64>() + head[UNITS]) as f32
    };
    input.iter().map(step).collect()
}

/// Two layers of three channels, which reach back over five samples.
fn wavenet_file() -> Vec<u8> {
    let array = "{\"input_size\":1,\"condition_size\":1,\"channels\":3,\"head_size\":1,\"kernel_size\":2,\
                 \"dilations\":[1,3],\"activation\":\"Tanh\",\"gated\":false,\"head_bias\":true}";
    let config = format!("{{\"layers\":[{array}],\"head\":null,\"head_scale\":0.5}}");
    // In; per layer the convolution, its bias, the condition, the mixing and its bias; the head, its bias, its scale.
    let layer = 3 * 3 * 2 + 3 + 3 + 3 * 3 + 3;
    file("WaveNet", &config, &numbers(3 + 2 * layer + 3 + 1 + 1))
}

pub(crate) fn specimens() -> Vec<Specimen> {
    let weights = lstm_weights();
    // Two blocks: what the first leaves behind counts in the second.
    let input: Vec<f32> = (0..128).map(|i| (i as f32 * 0.21).sin()).collect();
    let output = lstm(&weights, &input);
    let block = |from: &[f32], i: usize| [TensorData::F32(from[64 * i..64 * (i + 1)].to_vec())];
    let mut endless = weights.clone();
    endless.pop();
    let more = String::from_utf8_lossy(&lstm_file(&weights))
        .replace("\"num_layers\":1", "\"num_layers\":1000000000000");
    let specimen = |name: &str, bytes: Vec<u8>| {
        Specimen::new(name, ModelSource::memory(bytes))
            .shapes([vec![1, 1, 64]], [vec![1, 1, 64]])
            .shapes([vec![1, 1, 480]], [vec![1, 1, 480]])
            .shapes([vec![1, 1, 1]], [vec![1, 1, 1]])
            .max_allocations(0)
    };
    vec![
        specimen("lstm", lstm_file(&weights))
            .reference(block(&input, 0), block(&output, 0), 1e-5)
            .reference(block(&input, 1), block(&output, 1), 1e-5)
            .malformed("a weight too few", lstm_file(&endless))
            .malformed("a million million layers", more.into_bytes()),
        specimen("wavenet", wavenet_file()).option("trim", "-6"),
    ]
}
