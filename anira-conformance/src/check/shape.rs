//! Signatures, tensors, requests.

use anira_traits::{Backend, Engine, EngineRequest, ErrorKind, Model, TensorInfo, shape_text};

use super::expect_error;
use crate::answer::expect_same;
use crate::subject::{Subject, run};
use crate::verdict::{Stop, Verdict, fail, pass, skip};

pub(super) fn signature<B: Backend>(subject: &Subject<'_, B>) -> Verdict {
    let model = subject.load()?;
    let own = model.signature();
    for (what, tensors) in [("input", &own.inputs), ("output", &own.outputs)] {
        for (i, tensor) in tensors.iter().enumerate() {
            if tensor.name.is_empty() {
                return fail(format!("{what} {i} has no name"));
            }
            if tensors.iter().take(i).any(|before| before.name == tensor.name) {
                return fail(format!("{what} {i} has the name `{}` of an earlier one", tensor.name));
            }
        }
    }
    if own.outputs.is_empty() {
        return fail("there is no output");
    }
    let again = subject.load()?;
    if again.signature() != own {
        return fail(format!("a second load tells another signature: {own:?}, then {:?}", again.signature()));
    }
    if let Some(expected) = &subject.specimen.signature
        && expected != own
    {
        return fail(format!("the signature is {own:?}, the author expects {expected:?}"));
    }
    pass(format!("{} in, {} out", own.inputs.len(), own.outputs.len()))
}

fn expect_tensor(
    what: &str,
    info: &TensorInfo,
    shape: &[usize],
    found: Option<(anira_traits::DType, usize)>,
) -> Verdict<()> {
    let Some((dtype, len)) = found else { return fail(format!("{what} `{}` is not there", info.name)) };
    if dtype != info.dtype {
        return fail(format!("{what} `{}` is {dtype}, the signature says {}", info.name, info.dtype));
    }
    if len != shape.iter().product::<usize>() {
        return fail(format!("{what} `{}` has {len} elements, requested was {shape:?}", info.name));
    }
    Ok(())
}

/// The engine's tensors against the signature and the request.
fn expect_tensors<E: Engine>(
    engine: &mut E,
    inputs: &[TensorInfo],
    outputs: &[TensorInfo],
    shapes: &EngineRequest,
) -> Verdict<()> {
    for (i, (info, shape)) in inputs.iter().zip(&shapes.inputs).enumerate() {
        expect_tensor("input", info, shape, engine.input(i).map(|t| (t.dtype(), t.len())))?;
    }
    for (i, (info, shape)) in outputs.iter().zip(&shapes.outputs).enumerate() {
        if let Some(shape) = shape {
            expect_tensor("output", info, shape, engine.output(i).map(|t| (t.dtype(), t.len())))?;
        }
    }
    if engine.input(inputs.len()).is_some() || engine.output(outputs.len()).is_some() {
        return fail("the engine has more tensors than the signature");
    }
    Ok(())
}

pub(super) fn tensors<B: Backend>(subject: &Subject<'_, B>) -> Verdict {
    let model = subject.load()?;
    let (shapes, signature) = (subject.shapes(&model)?, model.signature());
    let mut engine = subject.engine(&model)?;
    expect_tensors(&mut engine, &signature.inputs, &signature.outputs, &shapes)?;
    for round in 0..2 {
        run(&mut engine, &subject.feed(&model, round)?)?;
        let checked = expect_tensors(&mut engine, &signature.inputs, &signature.outputs, &shapes);
        checked.map_err(|stop| stop.at("after a run"))?;
    }
    pass("")
}

/// Every request that differs from a right one in one place, and says no shape that could be right.
fn wrong(
    right: &EngineRequest,
    inputs: &[TensorInfo],
    outputs: &[TensorInfo],
) -> Vec<(String, EngineRequest)> {
    let mut all = Vec::new();
    let mut with = |what: String, change: &dyn Fn(&mut EngineRequest)| {
        let mut request = right.clone();
        change(&mut request);
        all.push((what, request));
    };
    with("a request of one input too many".into(), &|r| r.inputs.push(vec![1]));
    with("a request of one output too many".into(), &|r| r.outputs.push(Some(vec![1])));
    with("a request without the last output".into(), &|r| drop(r.outputs.pop()));
    if !right.inputs.is_empty() {
        with("a request without the last input".into(), &|r| drop(r.inputs.pop()));
    }
    for (i, info) in inputs.iter().enumerate() {
        let Some(shape) = right.inputs.get(i) else { continue };
        for (what, other) in wrong_shapes(info, shape) {
            with(format!("input `{}` {what}", info.name), &|r| r.inputs[i].clone_from(&other));
        }
    }
    for (i, info) in outputs.iter().enumerate() {
        let Some(Some(shape)) = right.outputs.get(i) else { continue };
        for (what, other) in wrong_shapes(info, shape) {
            with(format!("output `{}` {what}", info.name), &|r| r.outputs[i] = Some(other.clone()));
        }
    }
    // The same beyond all memory on every open axis, so that inputs and outputs fit one another.
    for n in [usize::MAX, usize::MAX / 2 + 1] {
        let mut request = right.clone();
        let open = fill_open(n, inputs.iter().zip(&mut request.inputs))
            | fill_open(
                n,
                outputs.iter().zip(&mut request.outputs).filter_map(|(t, s)| Some((t, s.as_mut()?))),
            );
        if open {
            all.push((format!("{n} on every open axis"), request));
        }
    }
    all
}

/// Writes `n` to every open axis of the shapes. Whether there is one.
fn fill_open<'a>(n: usize, tensors: impl Iterator<Item = (&'a TensorInfo, &'a mut Vec<usize>)>) -> bool {
    let mut found = false;
    for (info, shape) in tensors {
        for (own, extent) in info.shape.iter().zip(shape) {
            if own.is_none() {
                (*extent, found) = (n, true);
            }
        }
    }
    found
}

fn wrong_shapes(info: &TensorInfo, right: &[usize]) -> Vec<(String, Vec<usize>)> {
    let own = shape_text(&info.shape);
    let mut all = Vec::new();
    let mut longer = right.to_vec();
    longer.push(1);
    all.push((format!("as {longer:?} instead of {own}, one axis too many,"), longer));
    if let Some((_, shorter)) = right.split_last() {
        all.push((format!("as {shorter:?} instead of {own}, one axis too few,"), shorter.to_vec()));
    }
    for (axis, extent) in info.shape.iter().enumerate().take(right.len()) {
        let extents: &[usize] = match extent {
            Some(known) => &[known + 1, known.saturating_mul(2), usize::MAX],
            // Open, but no memory is that large.
            None => &[usize::MAX, usize::MAX / 2 + 1],
        };
        for n in extents.iter().filter(|n| Some(**n) != *extent) {
            let mut other = right.to_vec();
            other[axis] = *n;
            all.push((format!("as {other:?} instead of {own}"), other));
        }
    }
    all
}

pub(super) fn wrong_requests<B: Backend>(subject: &Subject<'_, B>) -> Verdict {
    let model = subject.load()?;
    let right = subject.shapes(&model)?;
    Subject::<B>::engine_for(&model, &right)?;
    let requests = wrong(&right, &model.signature().inputs, &model.signature().outputs);
    for (what, request) in &requests {
        super::caught(|| expect_error(what, model.engine(request), &[ErrorKind::Shape])).map_err(|stop| {
            if matches!(&stop, Stop::Failed(r) if r.starts_with("panicked")) { stop.at(what) } else { stop }
        })?;
    }
    pass(format!("{} wrong requests", requests.len()))
}

pub(super) fn ignored_outputs<B: Backend>(subject: &Subject<'_, B>) -> Verdict {
    let model = subject.load()?;
    let shapes = subject.shapes(&model)?;
    let feeds = subject.feeds(&model, 2)?;
    let expected = subject.alone(&model, &feeds)?;
    let mut tried = 0;
    for (i, info) in model.signature().outputs.iter().enumerate() {
        if info.shape.contains(&None) {
            continue;
        }
        let mut request = shapes.clone();
        request.outputs[i] = None;
        let what = format!("with output `{}` ignored", info.name);
        let mut engine = Subject::<B>::engine_for(&model, &request).map_err(|stop| stop.at(&what))?;
        for (feed, expected) in feeds.iter().zip(&expected) {
            let (mut expected, mut got) = (expected.clone(), run(&mut engine, feed)?);
            for answer in [&mut expected, &mut got] {
                answer.resize(model.signature().outputs.len(), None);
                answer[i] = None;
            }
            expect_same(&what, &expected, &got)?;
        }
        tried += 1;
    }
    if tried == 0 { skip("every output has an open axis; a backend may want its extents") } else { pass("") }
}

pub(super) fn open_axes<B: Backend>(subject: &Subject<'_, B>) -> Verdict {
    let model = subject.load()?;
    let signature = model.signature();
    if subject.specimen.shapes.len() < 2 {
        let open = signature.inputs.iter().any(|t| t.shape.contains(&None));
        let why =
            if open { "axes are open, but the specimen has one `shapes` alone" } else { "no axis is open" };
        return skip(why);
    }
    let all = &subject.specimen.shapes;
    let feed = |shapes, round| subject.feed_for(signature, shapes, round);
    let mut alone = Vec::new();
    for shapes in all {
        let mut engine = Subject::<B>::engine_for(&model, shapes)?;
        expect_tensors(&mut engine, &signature.inputs, &signature.outputs, shapes)?;
        alone.push([run(&mut engine, &feed(shapes, 0))?, run(&mut engine, &feed(shapes, 1))?]);
    }
    let mut engines = all.iter().map(|s| Subject::<B>::engine_for(&model, s)).collect::<Verdict<Vec<_>>>()?;
    for round in 0..2 {
        for ((engine, shapes), alone) in engines.iter_mut().zip(all).zip(&alone) {
            let what = format!("inputs of {:?}, beside engines of other shapes", shapes.inputs);
            expect_same(&what, &alone[round], &run(engine, &feed(shapes, round))?)?;
        }
    }
    pass(format!("{} shapes", all.len()))
}
