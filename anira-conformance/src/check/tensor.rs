//! What a tensor holds, and how its axes lie.

use anira_traits::{
    Axis, Backend, DType, Engine, InputRole, Layout, Model, OutputRole, TensorData, TensorInfo, shape_text,
};

use crate::answer::first_difference;
use crate::subject::{Subject, write};
use crate::verdict::{Verdict, fail, pass, skip};

/// Numbers at the ends of a type and in its middle. (A number beyond a type becomes its end.)
const ENDS: [f64; 10] =
    [0.0, 1.0, -1.0, f64::MAX, f64::MIN, f64::MIN_POSITIVE, 16_777_217.0, 1e-40, -0.0, 255.0];

/// A tensor of this type in which every element is one of the [`ENDS`], from another one on in each round.
fn ends(dtype: DType, len: usize, round: usize) -> TensorData {
    let mut data = TensorData::zeros(dtype, len);
    let mut view = data.view_mut();
    (0..len).for_each(|i| view.set_number(i, ENDS[(i + round) % ENDS.len()]));
    data
}

pub(super) fn types<B: Backend>(subject: &Subject<'_, B>) -> Verdict {
    let model = subject.load()?;
    let (shapes, signature) = (subject.shapes(&model)?, model.signature());
    if signature.inputs.is_empty() {
        return skip("there is no input");
    }
    let mut engine = subject.engine(&model)?;
    for round in 0..ENDS.len() {
        let tensors = signature.inputs.iter().zip(&shapes.inputs);
        let feed = tensors.map(|(info, shape)| ends(info.dtype, shape.iter().product(), round)).collect();
        write(&mut engine, &feed)?;
        for (i, (info, data)) in signature.inputs.iter().zip(&feed).enumerate() {
            let held = engine.input(i);
            let at = held.and_then(|held| first_difference(data.view(), held.as_view()));
            if let Some(at) = at {
                return fail(format!(
                    "element {at} of input `{}`, a {}, is another after it was written",
                    info.name, info.dtype
                ));
            }
        }
    }
    let mut names: Vec<_> =
        signature.inputs.iter().chain(&signature.outputs).map(|t| t.dtype.name()).collect();
    names.sort_unstable();
    names.dedup();
    pass(names.join(", "))
}

pub(super) fn layouts<B: Backend>(subject: &Subject<'_, B>) -> Verdict {
    let Some(config) = &subject.specimen.request.config else {
        return skip("no `Specimen::config`: nothing says what the axes are");
    };
    let model = subject.load()?;
    let signature = model.signature();
    let mut seen = Vec::new();
    for tensor in config.inputs() {
        let InputRole::Stream { hop, context, channels } = tensor.role else { continue };
        let info = signature.input(tensor.name_in_model()).and_then(|i| signature.inputs.get(i));
        let stream = Stream { hop, context: context.unwrap_or(0), channels };
        seen.push(lies(
            "input",
            tensor.name_in_model(),
            tensor.shape.as_deref(),
            tensor.layout.as_ref(),
            info,
            &stream,
        )?);
    }
    for tensor in config.outputs() {
        let OutputRole::Stream { hop, channels, .. } = tensor.role else { continue };
        let info = signature.output(tensor.name_in_model()).and_then(|i| signature.outputs.get(i));
        let stream = Stream { hop, context: 0, channels };
        seen.push(lies(
            "output",
            tensor.name_in_model(),
            tensor.shape.as_deref(),
            tensor.layout.as_ref(),
            info,
            &stream,
        )?);
    }
    if seen.is_empty() { skip("no stream in `Specimen::config`") } else { pass(seen.join(", ")) }
}

/// What a stream's tensor has to have room for.
struct Stream {
    hop: usize,
    context: usize,
    channels: Option<usize>,
}

/// Whether the model's tensor lies as the configuration says; how it does.
fn lies(
    what: &str,
    name: &str,
    shape: Option<&[usize]>,
    layout: Option<&Layout>,
    info: Option<&TensorInfo>,
    stream: &Stream,
) -> Verdict<String> {
    let Some(info) = info else {
        return fail(format!("the configured {what} `{name}` is no {what} of the model"));
    };
    let own = shape_text(&info.shape);
    if let Some(shape) = shape {
        let fits = shape.len() == info.shape.len()
            && shape.iter().zip(&info.shape).all(|(n, own)| own.is_none_or(|own| own == *n));
        if !fits {
            return fail(format!("{what} `{name}` is configured as {shape:?}, the model's is {own}"));
        }
    }
    let layout = layout.cloned().or_else(|| Layout::guess(&info.shape));
    let Some(layout) = layout.filter(|layout| layout.axes().len() == info.shape.len()) else {
        return fail(format!("{what} `{name}` is {own}, and the layout has another number of axes"));
    };
    let extent = |axis| layout.position(axis).and_then(|i| info.shape.get(i).copied().flatten());
    if let (Some(channels), Some(own)) = (stream.channels, extent(Axis::Channel))
        && channels != own
    {
        return fail(format!("{what} `{name}` has {own} channels as {layout}, configured are {channels}"));
    }
    let rows = extent(Axis::Row).unwrap_or(1).max(1);
    let needed = stream.hop / rows + stream.context;
    if extent(Axis::Time).is_some_and(|time| time < needed) {
        return fail(format!(
            "{what} `{name}` is {own} as {layout}; {needed} samples of a row are configured"
        ));
    }
    Ok(layout.to_string())
}
