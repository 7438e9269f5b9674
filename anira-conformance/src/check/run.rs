//! One run: what it reads, what it writes, whose inputs an answer belongs to.

use anira_traits::{Backend, Engine, Model, TensorData};

use crate::answer::{Answer, bits, expect_same, first_difference, same, same_tensor};
use crate::subject::{Feed, Subject, run, write};
use crate::verdict::{Verdict, fail, pass, skip};

/// Runs with different inputs, after which an element that never changed counts as not written.
const VARIED: usize = 8;
/// With how many earlier answers one is compared.
const LAST: usize = 6;
/// Far from all other rounds, and odd, so that integers and booleans differ too.
const ELSEWHERE: usize = 1_001;

pub(super) fn reference<B: Backend>(subject: &Subject<'_, B>) -> Verdict {
    if subject.specimen.references.is_empty() {
        return skip("no `Specimen::reference`");
    }
    let model = subject.load()?;
    let mut engine = subject.engine(&model)?;
    let mut worst = 0.0f64;
    for (round, reference) in subject.specimen.references.iter().enumerate() {
        let answer = run(&mut engine, &reference.inputs)?;
        if answer.len() != reference.outputs.len() {
            return fail(format!("{} outputs, the reference has {}", answer.len(), reference.outputs.len()));
        }
        for (i, (expected, got)) in reference.outputs.iter().zip(&answer).enumerate() {
            let Some(got) = got else { continue };
            let deviation = deviation(expected, got).ok_or(()).or_else(|()| {
                fail(format!("run {round}, output {i}: the reference has another length or type"))
            })?;
            // NaN is no small deviation.
            if deviation.is_nan() || deviation > reference.tolerance {
                let bound = reference.tolerance;
                return fail(format!("run {round}, output {i} is off by {deviation:e}, at most {bound:e}"));
            }
            worst = worst.max(deviation);
        }
    }
    let mut passed = pass(format!("off by at most {worst:.1e}"))?;
    passed.figures.insert("worst_relative", worst);
    Ok(passed)
}

/// The largest difference over the largest magnitude (or over 1); NaN if one is not a number and the other is.
fn deviation(expected: &TensorData, got: &TensorData) -> Option<f64> {
    let (expected, got) = (expected.view(), got.view());
    if expected.dtype() != got.dtype() || expected.len() != got.len() {
        return None;
    }
    let (mut largest, mut difference) = (1.0f64, 0.0f64);
    for i in 0..expected.len() {
        let (e, g) = (expected.number(i)?, got.number(i)?);
        largest = largest.max(e.abs());
        if e.to_bits() == g.to_bits() || e.is_nan() && g.is_nan() {
            continue;
        }
        let step = (e - g).abs();
        difference = if step.is_nan() { f64::NAN } else { difference.max(step) };
        if difference.is_nan() {
            return Some(f64::NAN);
        }
    }
    Some(difference / largest)
}

pub(super) fn inputs_kept<B: Backend>(subject: &Subject<'_, B>) -> Verdict {
    let model = subject.load()?;
    if model.signature().inputs.is_empty() {
        return skip("there is no input");
    }
    let mut engine = subject.engine(&model)?;
    for round in 0..3 {
        let feed = subject.feed(&model, round)?;
        run(&mut engine, &feed)?;
        for (i, data) in feed.iter().enumerate() {
            let after = engine.input(i);
            let at = after.and_then(|t| first_difference(data.view(), t.as_view()));
            if let Some(at) = at {
                return fail(format!("element {at} of input {i} was overwritten by run {round}"));
            }
        }
    }
    if !Subject::<B>::forgets(&model) {
        return pass("");
    }
    // A second run on inputs that nobody wrote anew.
    let feed = subject.feed(&model, 0)?;
    let first = run(&mut engine, &feed)?;
    engine.run()?;
    expect_same("a second run on the inputs as they were left", &first, &crate::subject::read(&engine))?;
    pass("")
}

pub(super) fn outputs_written<B: Backend>(subject: &Subject<'_, B>) -> Verdict {
    let model = subject.load()?;
    let mut engine = subject.engine(&model)?;
    let feeds = subject.feeds(&model, VARIED)?;
    let mut answers = Vec::new();
    for i in 0..feeds.len() {
        let answer = run(&mut engine, &feeds[i])?;
        // What an engine left over from the run before would not be there in a fresh one.
        let fresh = subject.last_alone(&model, &feeds[..=i])?;
        expect_same(&format!("run {i}, beside a fresh engine's"), &fresh, &answer)?;
        answers.push(answer);
    }
    if feeds.first().is_none_or(Vec::is_empty) {
        return skip("there is no input to vary");
    }
    let mut exempt = 0;
    for (i, info) in model.signature().outputs.iter().enumerate() {
        if subject.specimen.constant_outputs.contains(&i) || subject.specimen.constant_elements.contains(&i) {
            exempt += 1;
            continue;
        }
        if let Some((at, count, all)) = unchanged(&answers, i) {
            return fail(format!(
                "{count} of {all} elements of output `{}`, the first at {at}, are the same after {VARIED} runs with \
                 different inputs, as if not written (if the model means it: `Specimen::constant_elements({i})`)",
                info.name
            ));
        }
    }
    pass(if exempt > 0 {
        format!("but for {exempt} outputs said to be constant in part")
    } else {
        String::new()
    })
}

/// Elements of output `index` that are equal in all answers: the first, how many, of how many.
fn unchanged(answers: &[Answer], index: usize) -> Option<(usize, usize, usize)> {
    let all: Vec<Vec<u64>> =
        answers.iter().filter_map(|a| a.get(index)?.as_ref().map(|t| bits(t.view()))).collect();
    let first = all.first()?;
    let still = |at: &usize| all.iter().all(|one| one.get(*at) == first.get(*at));
    let at = (0..first.len()).find(still)?;
    Some((at, (0..first.len()).filter(still).count(), first.len()))
}

pub(super) fn deterministic<B: Backend>(subject: &Subject<'_, B>) -> Verdict {
    let model = subject.load()?;
    let feeds = subject.feeds(&model, 4)?;
    let a = subject.alone(&model, &feeds)?;
    for (whose, model) in [("the same", &model), ("another load of the same", &subject.load()?)] {
        for (i, (a, b)) in a.iter().zip(&subject.alone(model, &feeds)?).enumerate() {
            expect_same(&format!("run {i} of a second engine of {whose} model"), a, b)?;
        }
    }
    if Subject::<B>::forgets(&model) {
        let mut engine = subject.engine(&model)?;
        for (i, (feed, expected)) in feeds.iter().zip(&a).enumerate() {
            for _ in 0..3 {
                expect_same(
                    &format!("the same inputs again, round {i}"),
                    expected,
                    &run(&mut engine, feed)?,
                )?;
            }
        }
    }
    pass("")
}

/// Whether every input tensor differs between the two.
fn all_differ(a: &Feed, b: &Feed) -> bool {
    !a.is_empty() && a.iter().zip(b).all(|(a, b)| !same_tensor(Some(a), Some(b)))
}

pub(super) fn not_stale<B: Backend>(subject: &Subject<'_, B>) -> Verdict {
    let model = subject.load()?;
    let outputs = &model.signature().outputs;
    let constant = |i: usize| subject.specimen.constant_outputs.contains(&i);
    if (0..outputs.len()).all(constant) {
        return skip("every output is said to be constant");
    }
    let feeds = subject.feeds(&model, 2 * LAST)?;
    let mut engine = subject.engine(&model)?;
    let mut answers: Vec<Answer> = Vec::new();
    let mut compared = 0;
    for (k, feed) in feeds.iter().enumerate() {
        let answer = run(&mut engine, feed)?;
        for (back, (before, earlier)) in
            answers.iter().zip(&feeds).rev().take(LAST).enumerate().map(|(i, pair)| (i + 1, pair))
        {
            let ago = format!("{back} run{}", if back == 1 { "" } else { "s" });
            if !all_differ(feed, earlier) {
                continue;
            }
            compared += 1;
            for (i, info) in outputs.iter().enumerate().filter(|(i, _)| !constant(*i)) {
                if has_elements(&answer, i) && same_output(&answer, before, i) {
                    return fail(format!(
                        "output `{}` of run {k} is that of {ago} before, though every input is another (if the model \
                         means it: `Specimen::constant_output({i})`)",
                        info.name
                    ));
                }
            }
        }
        answers.push(answer);
    }
    if compared == 0 {
        return skip("the inputs cannot be varied: there is none, or a `Specimen::range` is too narrow");
    }
    // Two engines with one past and another present: what differs now is this run's.
    for len in [1, 3] {
        let (past, now) = (&feeds[..len], subject.feed(&model, ELSEWHERE)?);
        let (mut a, mut b) = (subject.engine(&model)?, subject.engine(&model)?);
        for feed in past {
            run(&mut a, feed)?;
            run(&mut b, feed)?;
        }
        let (x, y) = (run(&mut a, &feeds[len])?, run(&mut b, &now)?);
        for (i, info) in outputs.iter().enumerate().filter(|(i, _)| !constant(*i)) {
            if all_differ(&feeds[len], &now) && has_elements(&x, i) && same_output(&x, &y, i) {
                let name = &info.name;
                return fail(format!("output `{name}` does not change with the inputs of its own run"));
            }
        }
    }
    // The last inputs again: a rest of other runs would show.
    if Subject::<B>::forgets(&model) {
        write(&mut engine, &feeds[0])?;
        engine.run()?;
        if !same(&crate::subject::read(&engine), &answers[0]) {
            return fail("the first inputs again, and another answer than the first time");
        }
    }
    pass(format!("{compared} pairs of answers"))
}

fn has_elements(answer: &Answer, index: usize) -> bool {
    answer.get(index).and_then(Option::as_ref).is_some_and(|t| !t.view().is_empty())
}

fn same_output(a: &Answer, b: &Answer, index: usize) -> bool {
    same_tensor(a.get(index).and_then(Option::as_ref), b.get(index).and_then(Option::as_ref))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deviations_are_relative_to_the_largest_and_see_what_is_no_number() {
        let t = |x: &[f32]| TensorData::F32(x.to_vec());
        assert_eq!(deviation(&t(&[4.0, 1.0]), &t(&[4.0, 2.0])), Some(0.25));
        assert_eq!(deviation(&t(&[0.5]), &t(&[0.25])), Some(0.25));
        assert_eq!(deviation(&t(&[f32::NAN]), &t(&[f32::NAN])), Some(0.0));
        assert!(deviation(&t(&[1.0, 1.0]), &t(&[f32::NAN, 1.0])).unwrap().is_nan());
        assert_eq!(deviation(&t(&[1.0]), &t(&[1.0, 1.0])), None);
        assert_eq!(deviation(&t(&[1.0]), &TensorData::F64(vec![1.0])), None);
    }
}
