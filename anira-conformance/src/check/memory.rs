//! What an engine remembers, and how it forgets.

use anira_traits::{Backend, Engine, TensorData};

use crate::answer::{Answer, expect_same, same};
use crate::subject::{Feed, Subject, run, write};
use crate::verdict::{Verdict, fail, pass, skip};

pub(super) fn order_of_runs<B: Backend>(subject: &Subject<'_, B>) -> Verdict {
    let model = subject.load()?;
    if !Subject::<B>::forgets(&model) {
        return skip("the model says that it remembers something inside");
    }
    let feeds = subject.feeds(&model, 4)?;
    let mut alone = Vec::new();
    for feed in &feeds {
        alone.push(run(&mut subject.engine(&model)?, feed)?);
    }
    let mut engine = subject.engine(&model)?;
    for i in [0, 1, 2, 3, 3, 1, 0, 2, 0, 0, 3, 2, 1] {
        let what =
            format!("inputs {i} among runs in another order, though the model says it remembers nothing");
        expect_same(&what, &alone[i], &run(&mut engine, &feeds[i])?)?;
    }
    pass("")
}

/// The answers of this engine to these inputs in turn.
fn all<E: Engine>(engine: &mut E, feeds: &[Feed]) -> Verdict<Vec<Answer>> {
    feeds.iter().map(|feed| run(engine, feed)).collect()
}

fn expect_all(what: &str, expected: &[Answer], got: &[Answer]) -> Verdict<()> {
    for (i, (expected, got)) in expected.iter().zip(got).enumerate() {
        expect_same(&format!("run {i} {what}"), expected, got)?;
    }
    Ok(())
}

pub(super) fn reset<B: Backend>(subject: &Subject<'_, B>) -> Verdict {
    let model = subject.load()?;
    let feeds = subject.feeds(&model, 4)?;
    let mut engine = subject.engine(&model)?;
    engine.reset()?;
    let first = all(&mut engine, &feeds)?;
    expect_all("of an engine that was never reset", &first, &subject.alone(&model, &feeds)?)?;
    for rest in 1..=feeds.len() {
        engine.reset()?;
        expect_all("after a reset", &first, &all(&mut engine, &feeds[..rest])?)?;
    }
    engine.reset()?;
    engine.reset()?;
    expect_all("after two resets", &first, &all(&mut engine, &feeds)?)?;
    if !Subject::<B>::forgets(&model) && !remembers(&mut engine, &feeds)? {
        return skip("the model says that it remembers something inside, and no answer shows it");
    }
    pass("")
}

/// Whether the same inputs give another answer after others.
fn remembers<E: Engine>(engine: &mut E, feeds: &[Feed]) -> Verdict<bool> {
    engine.reset()?;
    let mut answers = Vec::new();
    for _ in 0..feeds.len() {
        answers.push(run(engine, &feeds[0])?);
    }
    Ok(!answers.iter().all(|answer| same(answer, &answers[0])))
}

pub(super) fn warm_up<B: Backend>(subject: &Subject<'_, B>) -> Verdict {
    let model = subject.load()?;
    let feeds = subject.feeds(&model, 4)?;
    let expected = subject.alone(&model, &feeds)?;
    let zeros: Feed = feeds[0].iter().map(|t| TensorData::zeros(t.view().dtype(), t.view().len())).collect();
    for (what, warm) in [("zeros", &zeros), ("noise", &subject.feed(&model, 77)?)] {
        let mut engine = subject.engine(&model)?;
        for _ in 0..5 {
            run(&mut engine, warm).map_err(|stop| stop.at(&format!("on {what}")))?;
        }
        engine.reset()?;
        expect_all(&format!("after a warm-up on {what} and a reset"), &expected, &all(&mut engine, &feeds)?)?;
    }
    pass("")
}

pub(super) fn after_failure<B: Backend>(subject: &Subject<'_, B>) -> Verdict {
    let Some(failing) = &subject.specimen.failing else {
        return skip("no `Specimen::failing`: the kit knows no inputs with which a run fails");
    };
    let model = subject.load()?;
    let feeds = subject.feeds(&model, 3)?;
    let expected = subject.alone(&model, &feeds)?;
    let mut engine = subject.engine(&model)?;
    for times in 1..=3 {
        all(&mut engine, &feeds[..1])?;
        for _ in 0..times {
            write(&mut engine, failing)?;
            if engine.run().is_ok() {
                return fail("a run with the inputs of `Specimen::failing` is no error");
            }
        }
        if Subject::<B>::forgets(&model) {
            let got = all(&mut engine, &feeds)?;
            expect_all("after a failure, without a reset, of what remembers nothing", &expected, &got)?;
        }
        engine.reset()?;
        expect_all("after a failure and a reset", &expected, &all(&mut engine, &feeds)?)?;
    }
    pass("")
}
