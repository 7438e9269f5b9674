//! Which outputs feed which inputs: states, found by shape, type and name.

use std::cmp::Reverse;

use anira_traits::{DType, Signature, TensorInfo};

/// Words that stand for "before this inference" and say nothing else of a tensor.
const BEFORE: &[&str] = &["in", "input", "prev", "previous", "old", "last", "past", "initial", "init"];
/// Words that stand for "after this inference".
const AFTER: &[&str] = &["out", "output", "next", "new", "updated", "present", "final", "y"];
/// Words that only states bear.
const STATE: &[&str] = &[
    "h", "c", "z", "state", "states", "hidden", "cell", "cache", "mem", "memory", "buf", "buffer", "hx",
    "cx", "rnn", "lstm", "gru", "ctx", "context",
];
/// Words that only streams bear.
const STREAM: &[&str] = &[
    "audio",
    "signal",
    "wav",
    "wave",
    "waveform",
    "sound",
    "samples",
    "main",
    "side",
    "sidechain",
    "mono",
    "stereo",
    "mix",
    "left",
    "right",
    "dry",
    "wet",
    "noisy",
    "clean",
    "speech",
];

/// The pairs (input, output) by index, in the order of the inputs. Tells in `notes` which were paired by order alone.
pub(super) fn pairs(signature: &Signature, notes: &mut Vec<String>) -> Vec<(usize, usize)> {
    let (inputs, outputs) = (&signature.inputs, &signature.outputs);
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    for (i, input) in inputs.iter().enumerate().filter(|(_, t)| !is_stream_name(&t.name)) {
        let alike = |o: &usize| fits(input, &outputs[*o]) && same_stem(&input.name, &outputs[*o].name);
        let mut free = (0..outputs.len()).filter(|o| pairs.iter().all(|(_, taken)| taken != o)).filter(alike);
        if let Some(o) = free.next() {
            pairs.push((i, o));
        }
    }
    leave_a_stream(signature, &mut pairs);
    by_order(signature, &mut pairs, notes);
    pairs.sort_unstable();
    pairs
}

fn fits(input: &TensorInfo, output: &TensorInfo) -> bool {
    input.dtype == output.dtype
        && input.shape.len() == output.shape.len()
        && input.shape.iter().zip(&output.shape).all(|(a, b)| a.is_none() || b.is_none() || a == b)
}

/// `x_in` and `x_out` are alike as `h_in` and `h_out` are: where no tensor is left to be the stream, the pair that is
/// the least like a state is none.
fn leave_a_stream(signature: &Signature, pairs: &mut Vec<(usize, usize)>) {
    let could_be = |t: &TensorInfo| t.dtype == DType::F32 && (t.shape.len() > 1 || !is_small(t));
    loop {
        let free_input = (0..signature.inputs.len())
            .any(|i| could_be(&signature.inputs[i]) && pairs.iter().all(|(taken, _)| *taken != i));
        let free_output = (0..signature.outputs.len())
            .any(|o| could_be(&signature.outputs[o]) && pairs.iter().all(|(_, taken)| *taken != o));
        if free_input && free_output {
            return;
        }
        let unlike = (0..pairs.len()).filter(|&p| could_be(&signature.inputs[pairs[p].0])).max_by_key(|&p| {
            let info = &signature.inputs[pairs[p].0];
            (!has_state_name(&info.name), extent(info), Reverse(p))
        });
        match unlike {
            Some(p) => drop(pairs.remove(p)),
            None => return,
        }
    }
}

/// Tensors that names do not pair: by order, where as many inputs as outputs have one shape, and it is not the shape
/// of a stream or of a knob.
fn by_order(signature: &Signature, pairs: &mut Vec<(usize, usize)>, notes: &mut Vec<String>) {
    let inputs = unclear(&signature.inputs, |i| pairs.iter().any(|(taken, _)| *taken == i));
    let outputs = unclear(&signature.outputs, |o| pairs.iter().any(|(_, taken)| *taken == o));
    for &i in &inputs {
        let input = &signature.inputs[i];
        let like = |t: &TensorInfo| t.dtype == input.dtype && t.shape == input.shape;
        let ins: Vec<usize> = inputs.iter().copied().filter(|&j| like(&signature.inputs[j])).collect();
        let outs: Vec<usize> = outputs.iter().copied().filter(|&o| like(&signature.outputs[o])).collect();
        if ins.len() != outs.len() {
            continue;
        }
        if let Some((_, &o)) = ins.iter().zip(&outs).find(|(j, _)| **j == i) {
            notes.push(format!(
                "`{}` is taken as a state fed by `{}`, because of its shape and place alone: correct `from` if not.",
                input.name, signature.outputs[o].name
            ));
            pairs.push((i, o));
        }
    }
}

/// The tensors of one side that may be states although no name says so: those that are neither as long as the stream
/// nor single numbers.
fn unclear(tensors: &[TensorInfo], taken: impl Fn(usize) -> bool) -> Vec<usize> {
    let free: Vec<usize> = (0..tensors.len()).filter(|&i| !taken(i)).collect();
    let length = |i: &usize| if tensors[*i].dtype == DType::F32 { extent(&tensors[*i]) } else { 0 };
    let named = free.iter().filter(|i| is_stream_name(&tensors[**i].name)).map(length).max();
    let stream = named.or(free.iter().map(length).max()).unwrap_or(0);
    let is_unclear = |i: &usize| {
        let t = &tensors[*i];
        let is_stream = is_stream_name(&t.name) || t.dtype == DType::F32 && extent(t) == stream;
        !is_stream && (has_state_name(&t.name) || !is_small(t))
    };
    free.into_iter().filter(is_unclear).collect()
}

/// The longest dimension; an open one is longer than any.
pub(super) fn extent(info: &TensorInfo) -> usize {
    info.shape.iter().map(|d| d.unwrap_or(usize::MAX)).max().unwrap_or(0)
}

/// A knob rather than a cache: one element.
fn is_small(info: &TensorInfo) -> bool {
    extent(info) <= 1
}

fn has_state_name(name: &str) -> bool {
    words(name).iter().any(|word| STATE.contains(&word.as_str()))
}

/// `audio`, `main_in`, `input`, `output_2`: a name that says stream, or only which way it goes.
pub(super) fn is_stream_name(name: &str) -> bool {
    let words = words(name);
    let is = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    let only_direction = words.iter().all(|word| {
        BEFORE.contains(&word.as_str())
            || AFTER.contains(&word.as_str())
            || word.chars().all(char::is_numeric)
    });
    !is(STATE) && (is(STREAM) || only_direction)
}

/// Whether two names are one but for "before" and "after".
fn same_stem(input: &str, output: &str) -> bool {
    let (before, after) = (words(input), words(output));
    let speaks = |stem: &[String]| stem.iter().any(|w| w.chars().any(char::is_alphabetic));
    let (a, b) = (without(&before, BEFORE), without(&after, AFTER));
    if speaks(&a) && a == b {
        return true;
    }
    let (a, b) = (numbered(&before, "0"), numbered(&after, "n"));
    matches!((a, b), (Some(a), Some(b)) if speaks(&a) && a == b)
}

fn without(words: &[String], marks: &[&str]) -> Vec<String> {
    words.iter().filter(|w| !marks.contains(&w.as_str())).cloned().collect()
}

/// `h0`, `h_0` and `h` for the mark `0`; `hn` and `h_n` for `n`: what stands before the mark.
fn numbered(words: &[String], mark: &str) -> Option<Vec<String>> {
    let (last, rest) = words.split_last()?;
    if last == mark {
        return Some(rest.to_vec());
    }
    let stem = last.strip_suffix(mark).filter(|stem| stem.len() == 1)?;
    Some(rest.iter().cloned().chain([stem.to_owned()]).collect())
}

/// The words of a name, in lower case: `convCache_1.in` is `conv cache 1 in`. A digit after letters starts a word.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for letter in name.chars() {
        let new = (letter.is_uppercase() && before.is_lowercase())
            || (letter.is_numeric() && before.is_alphabetic())
            || (letter.is_alphabetic() && before.is_numeric());
        if !letter.is_alphanumeric() || new {
            words.push(String::new());
        }
        if letter.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(letter.to_lowercase());
        }
        before = letter;
    }
    words.retain(|word| !word.is_empty());
    words
}
