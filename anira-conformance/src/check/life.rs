//! Several engines, several models, and who outlives whom. One thread.

use anira_traits::{Backend, Engine};

use crate::answer::expect_same;
use crate::subject::{Subject, read, run, write};
use crate::verdict::{Verdict, pass};

/// Runs of each engine.
const RUNS: usize = 4;

pub(super) fn engines_apart<B: Backend>(subject: &Subject<'_, B>) -> Verdict {
    let model = subject.load()?;
    let feeds = subject.feeds(&model, 2 * RUNS)?;
    let (first, second) = feeds.split_at(RUNS);
    let expected = [subject.alone(&model, first)?, subject.alone(&model, second)?];
    let (mut a, mut b) = (subject.engine(&model)?, subject.engine(&model)?);
    for i in 0..RUNS {
        // Both are filled before one runs, both have run before one is read.
        write(&mut a, &first[i])?;
        write(&mut b, &second[i])?;
        a.run()?;
        b.run()?;
        for (name, engine, expected) in [("first", &a, &expected[0]), ("second", &b, &expected[1])] {
            expect_same(&format!("run {i} of the {name} of two engines"), &expected[i], &read(engine))?;
        }
    }
    // A reset of one is no reset of the other.
    let (first, second) = (subject.alone(&model, &feeds)?, &mut subject.engine(&model)?);
    let mut engine = subject.engine(&model)?;
    for (i, feed) in feeds.iter().enumerate() {
        let what = format!("run {i} beside an engine that is reset");
        expect_same(&what, &first[i], &run(&mut engine, feed)?)?;
        run(second, &feeds[0])?;
        second.reset()?;
    }
    pass("")
}

pub(super) fn two_models<B: Backend>(subject: &Subject<'_, B>) -> Verdict {
    let other = Subject { backend: subject.backend, specimen: subject.other, other: subject.specimen };
    let own_model = subject.load()?;
    let own_feeds = subject.feeds(&own_model, RUNS)?;
    // Before the other is loaded, which may already be too much.
    let own_alone = subject.alone(&own_model, &own_feeds)?;
    let other_model = other.load()?;
    // Other rounds, so that the same file twice gets other inputs.
    let other_feeds = (RUNS..2 * RUNS).map(|i| other.feed(&other_model, i)).collect::<Verdict<Vec<_>>>()?;
    let other_alone = other.alone(&other_model, &other_feeds)?;
    let (mut a, mut b) = (subject.engine(&own_model)?, other.engine(&other_model)?);
    for i in 0..RUNS {
        write(&mut a, &own_feeds[i])?;
        write(&mut b, &other_feeds[i])?;
        a.run()?;
        b.run()?;
        expect_same(&format!("run {i} beside another model"), &own_alone[i], &read(&a))?;
        expect_same(&format!("run {i} of the other model"), &other_alone[i], &read(&b))?;
    }
    pass(format!("beside `{}`", subject.other.name))
}

pub(super) fn model_dropped<B: Backend>(subject: &Subject<'_, B>) -> Verdict {
    let model = subject.load()?;
    let feeds = subject.feeds(&model, RUNS)?;
    let expected = subject.alone(&model, &feeds)?;
    let mut engine = subject.engine(&model)?;
    drop(model);
    for (i, feed) in feeds.iter().enumerate() {
        expect_same(&format!("run {i} without the model"), &expected[i], &run(&mut engine, feed)?)?;
    }
    pass("")
}
