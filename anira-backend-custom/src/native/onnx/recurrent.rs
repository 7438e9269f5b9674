//! LSTM and GRU of ONNX.

use anira_traits::Result;
use rten_onnx::onnx::NodeProto;

use super::import::{Axis, Heard, Import, Value};
use super::operator::{attribute, int, unsupported};
use crate::native::layer::{Gru, Lstm};

/// Order of ONNX's gates in ours: input, output, forget, cell become input, forget, cell, output.
const LSTM: [usize; 4] = [0, 2, 3, 1];
/// Update, reset, new become reset, update, new.
const GRU: [usize; 3] = [1, 0, 2];

/// What both kinds have in common.
struct Parts {
    heard: Heard,
    inputs: usize,
    hidden: usize,
    input_weights: Vec<f32>,
    state_weights: Vec<f32>,
    input_bias: Vec<f32>,
    state_bias: Vec<f32>,
}

pub(crate) fn lstm(import: &mut Import, node: &NodeProto) -> Result<()> {
    let parts = parts(import, node, &LSTM)?;
    if import.given(node, 7)?.is_some() || int(node, "input_forget", 0) != 0 {
        return Err(unsupported("with peepholes, or with input and forget gates coupled"));
    }
    let bias = parts.input_bias.iter().zip(&parts.state_bias).map(|(a, b)| a + b).collect::<Vec<_>>();
    let (h, c) = (start(import, node, 5, parts.hidden)?, start(import, node, 6, parts.hidden)?);
    take_state(import, node, 5, false)?;
    take_state(import, node, 6, true)?;
    let layer =
        Lstm::new(parts.inputs, parts.hidden, parts.input_weights, parts.state_weights, bias).state(h, c);
    let signal = import.net.lstm(parts.heard.signal, layer)?;
    made(import, node, parts.heard, signal, true)
}

pub(crate) fn gru(import: &mut Import, node: &NodeProto) -> Result<()> {
    if int(node, "linear_before_reset", 0) != 1 {
        return Err(unsupported("with linear_before_reset other than 1, as PyTorch writes it"));
    }
    let parts = parts(import, node, &GRU)?;
    let h = start(import, node, 5, parts.hidden)?;
    take_state(import, node, 5, false)?;
    let layer = Gru::new(
        parts.inputs,
        parts.hidden,
        parts.input_weights,
        parts.state_weights,
        parts.input_bias,
        parts.state_bias,
    )
    .state(h);
    let signal = import.net.gru(parts.heard.signal, layer)?;
    made(import, node, parts.heard, signal, false)
}

fn parts<const G: usize>(import: &Import, node: &NodeProto, order: &[usize; G]) -> Result<Parts> {
    let heard = import.heard(node, 0)?;
    let is_usual = matches!(heard.axes[..], [Axis::Time, Axis::Row | Axis::One, Axis::Channel]);
    let has = |name| attribute(node, name).is_some();
    let direction = attribute(node, "direction").and_then(|a| a.s.as_deref()).unwrap_or("forward");
    if !is_usual || int(node, "layout", 0) != 0 || direction != "forward" {
        return Err(unsupported("other than forward over time, rows, channels"));
    }
    if has("activations") || has("activation_alpha") || has("activation_beta") || has("clip") {
        return Err(unsupported("with activations of its own, or clipped"));
    }
    if import.given(node, 4)?.is_some() {
        return Err(unsupported("with lengths of sequences"));
    }
    if !import.windowed && heard.lead > 0 {
        // Its state would have to go over the window's past once more in every run.
        return Err(unsupported("behind convolutions that were exported as a window"));
    }
    let constant =
        |at: usize| import.constant(node, at)?.ok_or_else(|| unsupported(format!("without its input {at}")));
    let (w, r) = (constant(1)?, constant(2)?);
    let (&[1, rows, inputs], &[1, again, hidden]) = (&w.shape[..], &r.shape[..]) else {
        let text = format!("weights of shapes {:?} and {:?}; one direction", w.shape, r.shape);
        return Err(unsupported(text));
    };
    if hidden.checked_mul(G) != Some(rows) || again != rows || hidden == 0 {
        let text = format!("weights of shapes {:?} and {:?}: {G} gates", w.shape, r.shape);
        return Err(anira_traits::Error::new(anira_traits::ErrorKind::Model, text));
    }
    let bias = match import.constant(node, 3)? {
        Some(bias) => bias.numbers()?.to_vec(),
        None => vec![0.0; 2 * rows],
    };
    if bias.len() != 2 * rows {
        let text = format!("has {} numbers of bias; {}", bias.len(), 2 * rows);
        return Err(anira_traits::Error::new(anira_traits::ErrorKind::Model, text));
    }
    let turned = |numbers: &[f32], width: usize| -> Vec<f32> {
        let size = hidden * width;
        order.iter().flat_map(|gate| numbers[gate * size..][..size].to_vec()).collect()
    };
    Ok(Parts {
        heard,
        inputs,
        hidden,
        input_weights: turned(w.numbers()?, inputs),
        state_weights: turned(r.numbers()?, hidden),
        input_bias: turned(&bias[..rows], 1),
        state_bias: turned(&bias[rows..], 1),
    })
}

/// The state at the start: zeros, or a constant that is the same for all rows.
fn start(import: &Import, node: &NodeProto, at: usize, hidden: usize) -> Result<Vec<f32>> {
    match import.given(node, at)? {
        None | Some(Value::StateIn(_)) => Ok(vec![0.0; hidden]),
        Some(Value::Constant(constant)) => {
            let numbers = constant.numbers()?;
            let first = numbers.get(..hidden).ok_or_else(|| unsupported("a state of another size"))?;
            if numbers.chunks(hidden).any(|row| row != first) {
                return Err(unsupported("a state that differs from row to row"));
            }
            Ok(first.to_vec())
        }
        Some(_) => Err(unsupported("a state that is neither an input of the graph nor constant")),
    }
}

/// Binds an input of the graph to the state of the layer that is made next.
fn take_state(import: &mut Import, node: &NodeProto, at: usize, second: bool) -> Result<()> {
    if let Some(&Value::StateIn(input)) = import.given(node, at)?
        && import.states.insert(input, (import.cells, second)).is_some()
    {
        return Err(unsupported("a state that two layers take"));
    }
    Ok(())
}

/// Names the outputs: all moments, and the state behind the last.
fn made(
    import: &mut Import,
    node: &NodeProto,
    heard: Heard,
    signal: crate::native::network::Signal,
    has_second: bool,
) -> Result<()> {
    let axes = vec![Axis::Time, Axis::One, heard.axes[1], Axis::Channel];
    import.made(node, 0, Value::Heard(Heard { signal, axes, lead: heard.lead }))?;
    let cell = import.cells;
    import.cells += 1;
    if import.windowed {
        // What a window ends with, nobody may read: the next one does not begin with it.
        return Ok(());
    }
    import.made(node, 1, Value::StateOut(cell, false))?;
    if has_second { import.made(node, 2, Value::StateOut(cell, true)) } else { Ok(()) }
}
