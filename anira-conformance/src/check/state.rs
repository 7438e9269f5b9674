//! States that go round as tensors: whoever hands them over hands over everything.

use anira_traits::{Backend, Engine, InputRole, Model, OutputRole, TensorData};

use crate::answer::{Answer, expect_same, first_difference};
use crate::subject::{Feed, Subject, read, run};
use crate::verdict::{Verdict, fail, pass, skip};

/// Runs before the state is handed to another engine, and behind it.
const RUNS: usize = 4;

/// A state: the input that it goes into, the output that it comes from, and what it is at rest.
struct State {
    name: String,
    input: usize,
    output: usize,
    rest: TensorData,
}

pub(super) fn states<B: Backend>(subject: &Subject<'_, B>) -> Verdict {
    let model = subject.load()?;
    let states = find(subject, &model)?;
    if states.is_empty() {
        return skip("no state in a `Specimen::config`");
    }
    let feeds = subject.feeds(&model, 2 * RUNS)?;
    let mut engine = subject.engine(&model)?;
    let rest: Vec<TensorData> = states.iter().map(|state| state.rest.clone()).collect();
    let mut held = rest.clone();
    let (mut answers, mut middle) = (Vec::new(), Vec::new());
    for (i, feed) in feeds.iter().enumerate() {
        if i == RUNS {
            middle = held.clone();
        }
        answers.push(step(&mut engine, feed, &states, &mut held)?);
    }
    if Subject::<B>::forgets(&model) {
        let (mut other, mut held) = (subject.engine(&model)?, middle);
        for (i, feed) in feeds.iter().enumerate().skip(RUNS) {
            let answer = step(&mut other, feed, &states, &mut held)?;
            expect_same(
                &format!("run {i} on another engine, which was given the states"),
                &answers[i],
                &answer,
            )?;
        }
    } else {
        engine.reset()?;
    }
    let mut held = rest;
    for (i, feed) in feeds.iter().enumerate() {
        let answer = step(&mut engine, feed, &states, &mut held)?;
        expect_same(&format!("run {i}, the states at rest again"), &answers[i], &answer)?;
    }
    let names: Vec<_> = states.iter().map(|state| state.name.as_str()).collect();
    pass(names.join(", "))
}

/// The configured states, if each goes out as it goes in.
fn find<B: Backend>(subject: &Subject<'_, B>, model: &B::Model) -> Verdict<Vec<State>> {
    let Some(config) = &subject.specimen.request.config else { return Ok(Vec::new()) };
    let (signature, shapes) = (model.signature(), subject.shapes(model)?);
    let mut states = Vec::new();
    for tensor in config.inputs() {
        let InputRole::State { from, initial } = &tensor.role else { continue };
        let configured =
            |t: &&anira_traits::OutputTensor| matches!(t.role, OutputRole::State) && t.name == *from;
        let source = config.outputs().iter().find(configured).map_or(from.as_str(), |t| t.name_in_model());
        let places = signature.input(tensor.name_in_model()).zip(signature.output(source));
        let Some((input, output)) = places else {
            return fail(format!(
                "state `{}` or its source `{source}` is no tensor of the model",
                tensor.name
            ));
        };
        let (to, by) = (&signature.inputs[input], &signature.outputs[output]);
        if to.dtype != by.dtype {
            return fail(format!("state `{}` is {}, its source `{source}` {}", to.name, to.dtype, by.dtype));
        }
        let mut rest = TensorData::zeros(to.dtype, shapes.inputs[input].iter().product());
        let mut view = rest.view_mut();
        if let Some(first) = initial.first() {
            (0..view.len()).for_each(|i| view.set_number(i, *initial.get(i).unwrap_or(first)));
        }
        states.push(State { name: tensor.name.clone(), input, output, rest });
    }
    Ok(states)
}

/// One run on inputs with the states in place of theirs; the states that come out are in `held` afterwards.
fn step<E: Engine>(
    engine: &mut E,
    feed: &Feed,
    states: &[State],
    held: &mut [TensorData],
) -> Verdict<Answer> {
    let mut feed = feed.clone();
    for (state, data) in states.iter().zip(held.iter()) {
        feed[state.input] = data.clone();
    }
    let answer = run(engine, &feed)?;
    for (state, data) in states.iter().zip(held.iter_mut()) {
        let Some(Some(out)) = answer.get(state.output) else {
            return fail(format!("the source of state `{}` cannot be read", state.name));
        };
        if out.view().len() != data.view().len() {
            let (out, own) = (out.view().len(), data.view().len());
            return fail(format!("state `{}` has {own} elements, its source {out}", state.name));
        }
        // The next input is written while the last output may still be read.
        let target = engine.input(state.input);
        target.map_or(Ok(()), |target| target.copy_from(state.rest.view()))?;
        let kept = read(engine);
        let now = kept.get(state.output).and_then(Option::as_ref);
        if now.and_then(|now| first_difference(out.view(), now.view())).is_some() {
            return fail(format!("writing state `{}` changes the output that it comes from", state.name));
        }
        data.clone_from(out);
    }
    Ok(answer)
}
