//! A fork while a model is being exchanged: unseen, within the fade, with a worker inside an engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anira::backends::{FnBackend, Inputs, Outputs};
use anira::prelude::*;
use anira_tests::{Gate, apart, assert_same, delayed, plain, ramp, send_settled, settle, signature, valid};

use super::child::in_child;
use super::{HOP, LIMIT, LONGEST, assert_silent, host};

/// As a native engine may be: who ends it in another process than its own waits for threads that are not there. Here it is counted.
#[derive(Clone)]
struct Counts {
    alive: Arc<AtomicI64>,
    strangers: Arc<AtomicI64>,
}

struct Token(Counts, u32);

impl Drop for Token {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, Ordering::SeqCst);
        if std::process::id() != self.1 {
            self.0.strangers.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// A counted model that copies; its runs pass the gate.
fn counted(counts: &Counts, gate: &Arc<Gate>) -> impl Backend + use<> {
    let (shape, gate) = ([1, 1, HOP], gate.clone());
    counts.alive.fetch_add(1, Ordering::SeqCst);
    let token = Token(counts.clone(), std::process::id());
    FnBackend::new("counted", signature(&[("input", &shape)], &[("output", &shape)]), move || {
        let (gate, _) = (gate.clone(), &token);
        move |x: &Inputs<'_>, y: &mut Outputs<'_>| {
            gate.pass();
            y.f32(0)?.copy_from_slice(x.f32(0)?);
            Ok(())
        }
    })
}

/// A session that is made in the child: offline, for a hop of the parent's is still out, and would be waited for.
fn renders<B: Backend>(handler: &mut InferenceHandler<B, HopProcessor, Pool>) {
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&host().mode(Mode::Offline)));
    let input = ramp(20 * HOP);
    let mut output = input.clone();
    output.chunks_mut(HOP).for_each(|block| assert!(audio.process(&mut [block]).is_ok()));
    assert_same(&output, &delayed(&input, report.latency[0].samples), "in the child");
}

#[test]
fn an_exchange_under_way_is_silent_in_a_child_and_goes_on_in_the_parent() {
    let name = "exchange::an_exchange_under_way_is_silent_in_a_child_and_goes_on_in_the_parent";
    let done = apart(name, LIMIT, || ["unseen", "fading", "inside", "left"].into_iter().for_each(exchange));
    done.inspect(|ended| ended.well());
}

fn exchange(moment: &str) {
    let counts = Counts { alive: Arc::default(), strangers: Arc::default() };
    let gate = Gate::new();
    let (fade, long) = (8 * HOP, Duration::from_secs(600));
    let builder = InferenceHandler::builder(plain(HOP, LONGEST / 2)).backend(counted(&counts, &gate));
    let builder = builder.switch_fade(fade).swappable(true);
    let mut handler = Some(valid(builder.build()));
    let control = handler.as_ref().unwrap().control();
    let Prepared { audio, report, .. } = valid(handler.as_mut().unwrap().prepare(&host()));
    let mut audio = Some(audio);
    let input = ramp(60 * HOP);
    let (before, rest) = input.split_at(4 * HOP);
    let (mut output, late) = send_settled(audio.as_mut().unwrap(), &control, before, &[HOP; 4]);
    assert_eq!(late, 0);
    valid(handler.as_mut().unwrap().swap(0, &EngineSpec::new(counted(&counts, &gate)), long));
    let (part, rest) = rest.split_at(if moment == "unseen" { 0 } else { 4 * HOP });
    let (played, _) = send_settled(audio.as_mut().unwrap(), &control, part, &vec![HOP; part.len() / HOP]);
    output.extend(played);
    let (part, rest) = rest.split_at(if moment == "left" { 20 * HOP } else { 0 });
    let (played, _) = send_settled(audio.as_mut().unwrap(), &control, part, &vec![HOP; part.len() / HOP]);
    output.extend(played);
    let mut inside = [0.0; HOP];
    let (part, rest) = rest.split_at(if moment == "inside" { HOP } else { 0 });
    if moment == "inside" {
        gate.shut();
        inside.copy_from_slice(part);
        assert_eq!(audio.as_mut().unwrap().process(&mut [&mut inside[..]]).fault, None);
        gate.await_waiting(1);
        output.extend(inside);
    }
    for close in [true, false] {
        in_child(|| {
            let (mut handler, mut audio) = (handler.take().unwrap(), audio.take().unwrap());
            gate.open();
            assert_silent(&mut audio);
            let told = handler.control().switching();
            assert_eq!((told.asked, told.given_up), (0, 0), "{moment}");
            valid(handler.await_swaps(long));
            // The handler goes on: with models of the child's own.
            for _ in 0..3 {
                valid(handler.swap(0, &EngineSpec::new(counted(&counts, &gate)), long));
                renders(&mut handler);
            }
            assert_silent(&mut audio);
            match close {
                true => valid(handler.close(long)),
                false => drop(handler),
            }
            drop(audio);
            assert_eq!(
                counts.strangers.load(Ordering::SeqCst),
                0,
                "{moment}: the parent's engines are freed"
            );
        });
    }
    gate.open();
    settle(&control);
    let audio = audio.as_mut().unwrap();
    let (played, late) = send_settled(audio, &control, rest, &vec![HOP; rest.len() / HOP]);
    assert_eq!(late, 0, "{moment}");
    output.extend(played);
    assert_same(&output, &delayed(&input, report.latency[0].samples), "in the parent");
    let mut handler = handler.take().unwrap();
    valid(handler.await_swaps(long));
    assert_eq!(counts.alive.load(Ordering::SeqCst), 1, "{moment}: the old engine is freed");
    valid(handler.close(long));
}

/// Nor is a model of the parent's that no session plays.
#[test]
fn a_model_that_is_exchanged_in_a_child_is_not_freed_there() {
    let name = "exchange::a_model_that_is_exchanged_in_a_child_is_not_freed_there";
    let done = apart(name, LIMIT, || {
        let (counts, gate) = (Counts { alive: Arc::default(), strangers: Arc::default() }, Gate::new());
        let builder = InferenceHandler::builder(plain(HOP, LONGEST / 2)).backend(counted(&counts, &gate));
        let mut handler = Some(valid(builder.swappable(true).build()));
        in_child(|| {
            let mut handler = handler.take().unwrap();
            for _ in 0..3 {
                valid(handler.swap(0, &EngineSpec::new(counted(&counts, &gate)), LIMIT));
                renders(&mut handler);
            }
            assert_eq!(counts.strangers.load(Ordering::SeqCst), 0);
            // The parent's, and the last of the child's; the others are freed.
            assert_eq!(counts.alive.load(Ordering::SeqCst), 2);
        });
    });
    done.inspect(|ended| ended.well());
}
