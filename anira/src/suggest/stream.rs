//! Which tensors are streams, how they lie, and how long their hop and context are.

use anira_traits::{
    DType, Error, InputTensor, Layout, OutputTensor, Result, Signature, TensorInfo, shape_text,
};

use super::state::{extent, is_stream_name};
use super::{OPEN_HOP, underivable};

/// How one stream lies in its tensor.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    hop: usize,
    context: usize,
    layout: &'static str,
    /// Where the model leaves more than the length open.
    shape: Option<Vec<usize>>,
}

impl Stream {
    pub(super) fn input(&self, info: &TensorInfo) -> Result<InputTensor> {
        let tensor =
            InputTensor::stream(&info.name, self.hop).context(self.context).layout(self.layout.parse()?);
        Ok(match &self.shape {
            Some(shape) => tensor.shape(shape.clone()),
            None => tensor,
        })
    }

    pub(super) fn output(&self, info: &TensorInfo) -> Result<OutputTensor> {
        let tensor = OutputTensor::stream(&info.name, self.hop).layout(self.layout.parse()?);
        Ok(match &self.shape {
            Some(shape) => tensor.shape(shape.clone()),
            None => tensor,
        })
    }
}

/// The streams of a signature, by tensor index.
#[derive(Debug, Default)]
pub(super) struct Streams {
    inputs: Vec<(usize, Stream)>,
    outputs: Vec<(usize, Stream)>,
}

impl Streams {
    pub(super) fn input(&self, index: usize) -> Option<&Stream> {
        self.inputs.iter().find(|(i, _)| *i == index).map(|(_, stream)| stream)
    }

    pub(super) fn output(&self, index: usize) -> Option<&Stream> {
        self.outputs.iter().find(|(i, _)| *i == index).map(|(_, stream)| stream)
    }

    /// Finds the main input and output, their geometry, and the tensors that run beside them.
    pub(super) fn find(
        signature: &Signature,
        pairs: &[(usize, usize)],
        notes: &mut Vec<String>,
    ) -> Result<Self> {
        let inputs: Vec<usize> =
            (0..signature.inputs.len()).filter(|i| pairs.iter().all(|(taken, _)| taken != i)).collect();
        let outputs: Vec<usize> =
            (0..signature.outputs.len()).filter(|o| pairs.iter().all(|(_, taken)| taken != o)).collect();
        let o = main(&signature.outputs, &outputs, "output", 0);
        let rank = o.as_ref().map_or(0, |&o| signature.outputs[o].shape.len());
        let (i, o) = (main(&signature.inputs, &inputs, "input", rank)?, o?);
        let (input, output) = (&signature.inputs[i], &signature.outputs[o]);
        let (from, to) = match rows(input, output, notes) {
            Some(streams) => streams,
            None => time(input, output, notes)?,
        };
        let beside = |tensors: &[TensorInfo], free: &[usize], main: usize, stream: &Stream| {
            let fellows = free.iter().filter(|&&t| t == main || runs_beside(&tensors[t], &tensors[main]));
            fellows.map(|&t| (t, stream.clone())).collect()
        };
        Ok(Self {
            inputs: beside(&signature.inputs, &inputs, i, &from),
            outputs: beside(&signature.outputs, &outputs, o, &to),
        })
    }
}

/// The tensor that carries the audio: one whose name says so, else one of at least this rank, else the longest.
fn main(tensors: &[TensorInfo], free: &[usize], side: &str, rank: usize) -> Result<usize> {
    let best = free
        .iter()
        .copied()
        .filter(|&t| tensors[t].dtype == DType::F32 && !tensors[t].shape.is_empty())
        .rev()
        .max_by_key(|&t| {
            let named = is_stream_name(&tensors[t].name) && extent(&tensors[t]) > 1;
            (named, tensors[t].shape.len() >= rank, extent(&tensors[t]), tensors[t].shape.len())
        });
    let Some(best) = best else {
        let seen: Vec<String> =
            tensors.iter().map(|t| format!("`{}` {} {}", t.name, t.dtype, shape_text(&t.shape))).collect();
        let seen = if seen.is_empty() { "none".to_owned() } else { seen.join(", ") };
        return Err(Error::config(
            format!("{side}s"),
            seen,
            "a stream is a float32 tensor: export the model with float32 audio, or write a configuration file",
        ));
    };
    let best_shape = &tensors[best].shape;
    if best_shape.len() > 3 {
        return Err(underivable(
            "shape",
            &tensors[best],
            "a stream has 1 to 3 dimensions (rows, channels, time): reshape inside the model, or bring a \
             PrePostProcessor of your own",
        ));
    }
    if best_shape.contains(&Some(0)) {
        return Err(underivable("shape", &tensors[best], "a stream has at least one sample and one channel"));
    }
    Ok(best)
}

/// Whether a tensor is a stream like the main one: same type, same shape.
fn runs_beside(tensor: &TensorInfo, main: &TensorInfo) -> bool {
    tensor.dtype == main.dtype && tensor.shape == main.shape && extent(main) > 1
}

/// A batch whose rows are windows slid over time: `[32, 1, 8]` to `[32, 1]` is 32 windows of 8 samples, each giving 1.
fn rows(input: &TensorInfo, output: &TensorInfo, notes: &mut Vec<String>) -> Option<(Stream, Stream)> {
    let (from, to) = (&input.shape, &output.shape);
    let (&rows, &window) = (from.first()?, from.last()?);
    let window = window.filter(|w| *w > 2)?;
    if rows == Some(1) || to.first() != Some(&rows) || !(2..=3).contains(&from.len()) {
        return None;
    }
    let step = match from.len().checked_sub(to.len())? {
        0 | 1 if to.len() > 1 => to.last().copied()??,
        1 | 2 => 1,
        _ => return None,
    };
    let channels_are_open = from.len() == 3 && from[1].is_none() || to.len() == 3 && to[1].is_none();
    // An open first dimension is a batch of one wherever a window alone yields a useful hop.
    if step == 0 || step >= window || channels_are_open || rows.is_none() && step > 1 {
        return None;
    }
    let count = rows.unwrap_or(OPEN_HOP);
    let (hop, context) = (count * step, window - step);
    let closed = |shape: &[Option<usize>]| {
        rows.is_none().then(|| shape.iter().map(|d| d.unwrap_or(count)).collect::<Vec<_>>())
    };
    notes.push(format!(
        "The {count} rows of `{}` are taken as windows of {window} samples, each {step} later than the one before: \
         correct `layout` if they are something else.",
        input.name
    ));
    if rows.is_none() {
        notes.push(format!(
            "`{}` takes any number of rows: for another hop change `hop` and the first number of each `shape`.",
            input.name
        ));
    }
    let layout = |rank: usize| match rank {
        1 => "T",
        2 => "NT",
        _ => "NCT",
    };
    Some((
        Stream { hop, context, layout: layout(from.len()), shape: closed(from) },
        Stream { hop, context: 0, layout: layout(to.len()), shape: closed(to) },
    ))
}

/// One window with a time axis.
fn time(input: &TensorInfo, output: &TensorInfo, notes: &mut Vec<String>) -> Result<(Stream, Stream)> {
    let (from, to) = (without_batch(&input.shape), without_batch(&output.shape));
    let (at, out_at) = axes(&from, &to).ok_or_else(|| {
        underivable("shape", input, "write a configuration file that gives this tensor a `layout`, as in NCT")
    })?;
    let name = &input.name;
    let (hop, context, out_hop) = match (from[at], to[out_at]) {
        (None, None) => {
            notes.push(format!(
                "`{name}` takes any length: hop {OPEN_HOP} is suggested. For another, change every `hop`. If the \
                 output comes out shorter than the input, the difference is the input's `context`."
            ));
            (OPEN_HOP, 0, OPEN_HOP)
        }
        (Some(length), None) => {
            notes.push(format!(
                "`{}` does not say its length: taken to be the input's, {length}. If it is shorter, that is the \
                 `hop`, and the difference the input's `context`.",
                output.name
            ));
            (length, 0, length)
        }
        (None, Some(length)) => {
            notes.push(format!(
                "`{name}` takes any length: taken to be the output's, {length}. If the model needs more to yield \
                 that, the difference is the `context`."
            ));
            (length, 0, length)
        }
        (Some(length), Some(hop)) if length >= hop => {
            if length > hop {
                notes.push(format!(
                    "`{name}` is {} samples longer than `{}`: taken as past samples in front of each hop (`context`).",
                    length - hop,
                    output.name
                ));
            }
            (hop, length - hop, hop)
        }
        (Some(length), Some(hop)) => {
            notes.push(format!(
                "`{}` is longer than `{name}`: taken as a stream at {hop}/{length} of the input's rate.",
                output.name
            ));
            (length, 0, hop)
        }
    };
    if hop == 1 && context > 0 {
        notes.push(
            "One sample per inference is slow: export the model with several rows or outputs.".to_owned(),
        );
    }
    let mut closed = |info: &TensorInfo, at: usize, length: usize| {
        let others_are_open = info.shape.iter().enumerate().any(|(d, size)| size.is_none() && d != at);
        if others_are_open {
            notes.push(format!(
                "`{}` leaves more than its length open: everything else is taken as 1 in `shape`.",
                info.name
            ));
        }
        let shape =
            info.shape.iter().enumerate().map(|(d, size)| size.unwrap_or(if d == at { length } else { 1 }));
        others_are_open.then(|| shape.collect())
    };
    let shape = closed(input, at, context + hop);
    let out_shape = closed(output, out_at, out_hop);
    Ok((
        Stream { hop, context, layout: layout(from.len(), at), shape },
        Stream { hop: out_hop, context: 0, layout: layout(to.len(), out_at), shape: out_shape },
    ))
}

/// The shape with an open first dimension closed to 1, where another dimension can be time: exporters like to leave
/// the batch open.
fn without_batch(shape: &[Option<usize>]) -> Vec<Option<usize>> {
    const SHORTEST_TIME: usize = 16;
    let mut shape = shape.to_vec();
    if let Some((first @ None, rest)) = shape.split_first_mut()
        && rest.iter().flatten().any(|n| *n > SHORTEST_TIME)
    {
        *first = Some(1);
    }
    shape
}

/// Where time is in the input and the output. Of equal rank: at the same place, where the shorter of both is longest.
fn axes(from: &[Option<usize>], to: &[Option<usize>]) -> Option<(usize, usize)> {
    let guess = |shape: &[Option<usize>]| Layout::guess(shape)?.position(anira_traits::Axis::Time);
    let (at, out_at) = (guess(from)?, guess(to)?);
    if from.len() != to.len() {
        return Some((at, out_at));
    }
    let length = |d: Option<usize>| d.unwrap_or(usize::MAX);
    let both = (0..from.len()).max_by_key(|&d| (length(from[d]).min(length(to[d])), d == at, d))?;
    Some((both, both))
}

fn layout(rank: usize, time: usize) -> &'static str {
    match (rank, time) {
        (1, _) => "T",
        (2, 0) => "TC",
        (2, _) => "CT",
        (_, 0) => "TNC",
        (_, 1) => "NTC",
        _ => "NCT",
    }
}
