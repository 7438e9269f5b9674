//! Engines on threads: at once, moved, inside of the worker's scope and outside.

use std::sync::Barrier;
use std::thread;

use anira_traits::{Backend, Engine};

use super::joined;
use crate::answer::expect_same;
use crate::subject::{EngineOf, Subject, in_scope, run};
use crate::verdict::{Verdict, fail, pass, skip};

/// Engines that run at once, and how often each runs.
const ENGINES: usize = 4;
const RUNS: usize = 24;

pub(super) fn parallel_engines<B: Backend>(subject: &Subject<'_, B>) -> Verdict {
    let model = subject.load()?;
    let feeds = subject.feeds(&model, ENGINES * RUNS)?;
    let lots: Vec<_> = feeds.chunks(RUNS).collect();
    let alone = lots.iter().map(|lot| subject.alone(&model, lot)).collect::<Verdict<Vec<_>>>()?;
    let scope = EngineOf::<B>::SCOPE;
    // Outside of scopes, and inside where there is one.
    for scope in if scope.is_some() { vec![None, scope] } else { vec![None] } {
        let start = Barrier::new(ENGINES);
        let engines = (0..ENGINES).map(|_| subject.engine(&model)).collect::<Verdict<Vec<_>>>()?;
        thread::scope(|threads| {
            let spawned: Vec<_> = engines
                .into_iter()
                .zip(lots.iter().zip(&alone))
                .enumerate()
                .map(|(n, (mut engine, (lot, alone)))| {
                    let start = &start;
                    threads.spawn(move || {
                        in_scope(scope, || {
                            start.wait();
                            for (i, (feed, expected)) in lot.iter().zip(alone).enumerate() {
                                let what = format!("run {i} of engine {n} of {ENGINES} at once");
                                expect_same(&what, expected, &run(&mut engine, feed)?)?;
                            }
                            Ok(())
                        })
                    })
                })
                .collect();
            spawned.into_iter().try_for_each(joined)
        })?;
    }
    pass(format!("{ENGINES} engines, {RUNS} runs each"))
}

pub(super) fn hand_over<B: Backend>(subject: &Subject<'_, B>) -> Verdict {
    let model = subject.load()?;
    let feeds = subject.feeds(&model, RUNS)?;
    let alone = subject.alone(&model, &feeds)?;
    let mut engine = subject.engine(&model)?;
    for (i, (feed, expected)) in feeds.iter().zip(&alone).enumerate() {
        // A new thread for every run, inside of a scope and outside in turn, and this one in between.
        let scope = EngineOf::<B>::SCOPE.filter(|_| i % 2 == 0);
        let answer = match i % 3 {
            2 => run(&mut engine, feed)?,
            _ => thread::scope(|threads| {
                let engine = &mut engine;
                joined(threads.spawn(move || in_scope(scope, || run(engine, feed))))
            })?,
        };
        expect_same(&format!("run {i}, each on another thread"), expected, &answer)?;
    }
    // It may also end on another thread than it was made on.
    thread::scope(|threads| {
        joined(threads.spawn(move || {
            drop(engine);
            Ok(())
        }))
    })?;
    pass(format!("{RUNS} runs"))
}

pub(super) fn scope<B: Backend>(subject: &Subject<'_, B>) -> Verdict {
    let Some(scope) = EngineOf::<B>::SCOPE else { return skip("engines ask for no scope") };
    let model = subject.load()?;
    let feeds = subject.feeds(&model, RUNS)?;
    let alone = subject.alone(&model, &feeds)?;
    // Two scopes one after the other: what the first leaves behind would show in the second.
    for round in 0..2 {
        let mut engine = subject.engine(&model)?;
        let (mut calls, mut verdict) = (0, None);
        let (feeds, alone) = (&feeds, &alone);
        thread::scope(|threads| {
            let (calls, verdict) = (&mut calls, &mut verdict);
            joined(threads.spawn(move || {
                scope(&mut || {
                    *calls += 1;
                    let inside = feeds.iter().zip(alone).enumerate().try_for_each(|(i, (feed, expected))| {
                        let what = format!("run {i} inside scope {round}");
                        expect_same(&what, expected, &run(&mut engine, feed)?)
                    });
                    verdict.get_or_insert(inside);
                });
                Ok(())
            }))
        })?;
        if calls != 1 {
            return fail(format!("the scope called its body {calls} times; once would be right"));
        }
        verdict.unwrap_or_else(|| fail("the scope did not call its body"))?;
    }
    pass("")
}
