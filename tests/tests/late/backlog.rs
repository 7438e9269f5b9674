//! What is not run any more after a stall, and how soon the stream is back on time: in virtual time, by a worker of the test's.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use anira::prelude::*;
use anira::scheduler::Driver;
use anira::traits::InferenceConfigBuilder;
use anira_tests::{Gate, backend, eventually, mono, signature, valid};

use crate::{HOP, RATE, Stage, noise, script, settings, truth};

/// A worker on a thread of its own, whose inferences begin and end when the test says so.
struct Worker {
    gate: Arc<Gate>,
    begin: Sender<()>,
    ended: Receiver<bool>,
    busy: bool,
}

impl Worker {
    fn new(gate: &Arc<Gate>, mut driver: Driver) -> Self {
        let ((begin, begun), (end, ended)) = (channel(), channel());
        std::thread::spawn(move || while begun.recv().is_ok() && end.send(driver.run_one()).is_ok() {});
        Self { gate: gate.clone(), begin, ended, busy: false }
    }

    /// Takes a hop, if one waits; it is then under way.
    fn begin(&mut self) {
        let before = self.gate.arrivals();
        self.gate.shut();
        assert!(self.begin.send(()).is_ok());
        let nothing = std::cell::Cell::new(false);
        eventually("a hop begins, or none is there", || {
            nothing.set(nothing.get() || self.ended.try_recv().is_ok());
            nothing.get() || self.gate.arrivals() > before
        });
        self.busy = !nothing.get();
    }

    fn end(&mut self) {
        self.gate.open();
        assert_eq!(self.ended.recv(), Ok(true));
        self.busy = false;
    }
}

/// A period of the host, of a hop's length, in units of virtual time; and what an inference takes.
const PERIOD: u64 = 1000;
const INFERENCE: u64 = 900;
/// 20 ms.
const STALL: u64 = 15 * PERIOD;

/// Which blocks are whole if the worker stalls for so long in hop 40.
fn stall<B: Backend>(
    config: InferenceConfigBuilder,
    model: B,
    gate: &Arc<Gate>,
    time: u64,
) -> (Vec<bool>, Stage<B>) {
    let config = valid(config.late_fade(0).build());
    let mut stage =
        Stage::new(InferenceHandler::builder(config).backend(model), &HostConfig::fixed(RATE, HOP));
    assert_eq!(stage.latency, HOP);
    let mut worker = Worker::new(gate, std::mem::replace(&mut stage.driver, valid(Driven::new(1)).driver()));
    let mut heard = Vec::new();
    let (mut free_at, mut stalls) = (0, 1);
    for block in 0..200u64 {
        // What ends before this callback is there, and the next begins at once.
        while worker.busy && free_at <= block * PERIOD {
            worker.end();
            worker.begin();
            free_at += INFERENCE;
        }
        let mut samples = [1.0f32; HOP];
        let status = stage.audio.process(&mut [&mut samples[..]]);
        assert!(status.late_samples == 0 || status.late_samples == HOP as u64);
        assert!(block == 0 || (samples == [1.0; HOP]) == (status.late_samples == 0), "block {block}");
        heard.push(status.late_samples == 0);
        if !worker.busy {
            worker.begin();
            free_at = block * PERIOD + INFERENCE;
        }
        if block >= 40 && stalls > 0 {
            (free_at, stalls) = (free_at + time, 0);
        }
    }
    if worker.busy {
        worker.end();
    }
    (heard, stage)
}

fn gated(gate: &Arc<Gate>) -> impl Backend {
    let gate = gate.clone();
    mono(HOP, move |x, y| {
        gate.pass();
        y.copy_from_slice(x);
        Ok(())
    })
}

/// The same with a state, which says how many hops were run; it is not heard.
fn gated_with_state(gate: &Arc<Gate>) -> (InferenceConfigBuilder, impl Backend) {
    let (gate, shape) = (gate.clone(), [1, 1, HOP]);
    let tensors = signature(&[("input", &shape), ("z_in", &[1])], &[("output", &shape), ("z_out", &[1])]);
    let model = backend(tensors, move |x, y| {
        gate.pass();
        y.f32(0)?.copy_from_slice(x.f32(0)?);
        y.f32(1)?[0] = x.f32(1)?[0] + 1.0;
        Ok(())
    });
    (settings(HOP).input(InputTensor::state("z_in", "z_out")), model)
}

/// Half of what came in, of a model with a state that is not heard.
pub(crate) fn half_with_state() -> (InferenceConfigBuilder, impl Backend) {
    let shape = [1, 1, HOP];
    let tensors = signature(&[("input", &shape), ("z_in", &[1])], &[("output", &shape), ("z_out", &[1])]);
    let model = backend(tensors, |x, y| {
        y.f32(0)?.iter_mut().zip(x.f32(0)?).for_each(|(y, x)| *y = 0.5 * x);
        Ok(())
    });
    (settings(HOP).input(InputTensor::state("z_in", "z_out")), model)
}

/// Callbacks that lacked something: the first, the last, and how many.
fn late(heard: &[bool]) -> (usize, usize, usize) {
    let late: Vec<usize> = (0..heard.len()).filter(|&block| !heard[block]).collect();
    (late[0], late[late.len() - 1], late.len())
}

/// A worker whose next inference begins late by nearly a period gains a tenth with every hop: nine are late, and then none. No
/// more than those come after the stall, however long it was.
#[track_caller]
fn costs_a_handful_of_hops(heard: &[bool], stage: &Stage<impl Backend>, time: u64, what: &str) {
    let (first, last, count) = late(heard);
    assert_eq!((first, count), (41, last - first + 1), "{what}: one episode");
    assert!(count as u64 <= time.div_ceil(PERIOD) + 9, "{what}: {first} to {last}");
    if time.is_multiple_of(PERIOD) && time >= STALL {
        // The next inference begins as it did before.
        assert!(count as u64 <= time / PERIOD + 1, "{what}: {first} to {last}");
    }
    let told = stage.telemetry();
    assert_eq!(told.late_blocks, count as u64, "{what}");
    assert!(told.dropped + 1 >= time / PERIOD, "{what}: what could not be heard any more was not run");
    assert_eq!(told.submitted - told.done - told.dropped, 0, "{what}");
}

#[test]
fn a_stall_costs_its_own_time_and_a_handful_of_hops_without_state() {
    for time in (1..20).map(|n| n * PERIOD).chain((0..10).map(|n| STALL + n * 100)).chain([40 * PERIOD]) {
        let gate = Gate::new();
        let (heard, stage) = stall(settings(HOP), gated(&gate), &gate, time);
        costs_a_handful_of_hops(&heard, &stage, time, &format!("{time}"));
    }
}

#[test]
fn a_stall_of_20_ms_costs_its_own_time_and_a_handful_of_hops_with_state() {
    for max_catch_up in [0, 1, 4, 10] {
        for time in (0..10).map(|n| STALL + n * 100).chain([2 * STALL, 40 * PERIOD]) {
            let gate = Gate::new();
            let (config, model) = gated_with_state(&gate);
            let (heard, stage) = stall(config.max_catch_up(max_catch_up), model, &gate, time);
            costs_a_handful_of_hops(&heard, &stage, time, &format!("{max_catch_up} {time}"));
        }
    }
}

#[test]
fn of_a_backlog_that_may_wait_one_hop_in_so_many_is_given_up() {
    // All of the stall may wait. A worker that is busy for nine tenths would gain one hop in nine: 144 would be late. It gains
    // one more with every 22nd result.
    let gate = Gate::new();
    let (config, model) = gated_with_state(&gate);
    let (heard, stage) = stall(config.max_catch_up(20), model, &gate, STALL);
    let (first, last, count) = late(&heard);
    assert_eq!((first, count), (41, last - first + 1));
    let dropped = stage.telemetry().dropped;
    assert!(
        (100..144).contains(&count) && dropped == (count as u64 - STALL / PERIOD) / 22,
        "{first} to {last}, {dropped} dropped"
    );
}

#[test]
fn a_model_with_state_hears_what_may_wait() {
    // As many hops as may wait are run although they are late; one more, and all that are late are dropped.
    for max_catch_up in [0usize, 1, 4, 10] {
        for missed in 1..14 {
            let gate = Gate::new();
            let (config, model) = gated_with_state(&gate);
            let config = valid(config.max_catch_up(max_catch_up).late_fade(0).build());
            let mut stage =
                Stage::new(InferenceHandler::builder(config).backend(model), &HostConfig::fixed(RATE, HOP));
            let idle = 10 * HOP..(10 + missed) * HOP;
            let _ = stage.play(&[noise(40 * HOP, 1)], &script(&[HOP], 40 * HOP, &[idle]));
            let told = stage.telemetry();
            assert_eq!(told.late_blocks, missed as u64, "{max_catch_up} {missed}");
            let dropped = if missed > max_catch_up { missed as u64 } else { 0 };
            assert_eq!(told.dropped, dropped, "{max_catch_up} {missed}");
            assert_eq!(told.done, 40 - dropped, "{max_catch_up} {missed}");
        }
    }
}

#[test]
fn a_model_without_state_hears_nothing_that_is_late() {
    for missed in 1..14 {
        let config = valid(settings(HOP).max_catch_up(4).build());
        let gate = Gate::new();
        let mut stage = Stage::new(
            InferenceHandler::builder(config).backend(gated(&gate)),
            &HostConfig::fixed(RATE, HOP),
        );
        let script = script(&[HOP], 40 * HOP, &[10 * HOP..(10 + missed) * HOP]);
        let _ = stage.play(&[noise(40 * HOP, 1)], &script);
        let truth = truth(stage.zero_fill, HOP, &script);
        truth.is_told_by(&stage.telemetry(), missed);
        assert_eq!(truth.dropped, missed as u64);
    }
}
