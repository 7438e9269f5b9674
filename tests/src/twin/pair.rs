//! The library and the plain stream side by side: the same operations, the same samples, the same counts.

use anira::prelude::*;
use anira::scheduler::Driver;

use super::plain::{Counts, Plain};
use super::scenario::{How, Op, Scenario};
use crate::valid;

/// Does all of this to a session and to the plain stream, and compares what is heard and counted after each.
///
/// # Panics
/// At the first difference.
pub fn play(scenario: Scenario, how: How, ops: &[Op]) {
    let builder = InferenceHandler::builder(scenario.config()).backend(scenario.backend());
    match how {
        How::InTheCall => compare(scenario, how, ops, builder.scheduler(Offline), None),
        How::Waiting => compare(scenario, how, ops, builder.scheduler(valid(Driven::new(1))), None),
        How::RealTime => {
            let driven = valid(Driven::new(1));
            let driver = driven.driver();
            compare(scenario, how, ops, builder.scheduler(driven), Some(driver));
        }
    }
}

fn compare<B, S>(
    scenario: Scenario,
    how: How,
    ops: &[Op],
    builder: anira::Builder<B, HopProcessor, S>,
    driver: Option<Driver>,
) where
    B: Backend,
    S: Scheduler<anira::EngineOf<B>>,
{
    let mut handler = valid(builder.build());
    let Prepared { audio, report, .. } = valid(handler.prepare(&scenario.host(how)));
    let plain = Plain::new(scenario, how, report.latency[0].samples as usize, report.slots);
    let control = handler.control();
    let mut pair = Pair { scenario, audio, control, plain, driver, taken: 0, given: 0, value: 1 };
    for op in ops {
        pair.apply(op);
        pair.agrees();
    }
}

/// A session and its plain twin.
struct Pair<B: Backend, S: Scheduler<anira::EngineOf<B>>> {
    scenario: Scenario,
    audio: Audio<B, HopProcessor, S>,
    control: Control,
    plain: Plain,
    driver: Option<Driver>,
    taken: usize,
    given: usize,
    /// The next sample's value.
    value: usize,
}

impl<B: Backend, S: Scheduler<anira::EngineOf<B>>> Pair<B, S> {
    /// The next `frames` samples of the host's input; whole numbers, so that no rounding hides or invents anything.
    fn input(&mut self, frames: usize, channels: usize) -> Vec<Vec<f32>> {
        let first = self.value;
        self.value += frames;
        let sample = |c: usize, i: usize| ((first + i) * 7 % 97 + 100 * c) as f32;
        (0..channels).map(|c| (0..frames).map(|i| sample(c, i)).collect()).collect()
    }

    /// How many samples go out when `frames` come in.
    fn share(&mut self, frames: usize) -> usize {
        self.taken += frames;
        let share = self.taken * self.scenario.hop_out / self.scenario.hop_in - self.given;
        self.given += share;
        share
    }

    /// Calls `body` with the parts that the library may take a block in.
    fn parts(&self, frames: usize) -> Vec<(usize, usize)> {
        let max = self.scenario.max_block;
        if frames == 0 {
            return vec![(0, 0)];
        }
        (0..frames).step_by(max).map(|start| (start, max.min(frames - start))).collect()
    }

    fn run(&mut self, hops: usize) {
        for _ in 0..hops {
            if let Some(driver) = &mut self.driver {
                assert_eq!(driver.run_one(), self.plain.run_one(), "a hop to run");
            }
        }
    }

    fn apply(&mut self, op: &Op) {
        let longest = self.scenario.max_block + 1;
        match *op {
            Op::Process(frames) => self.process(frames),
            // Push and pop apart: what is pushed before anything is taken has to keep to what was prepared.
            Op::PushRunPop(frames, runs) => self.push_run_pop(true, frames % longest, runs),
            Op::Silence(frames) => self.push_run_pop(false, frames % longest, 0),
            Op::Run(hops) => self.run(hops),
            Op::WrongChannels(frames) => self.wrong(frames % longest),
            Op::Gain(gain) => {
                valid(self.control.set_parameter("gain", &[f64::from(gain)]));
                self.plain.set_gain(f32::from(gain));
            }
            Op::GainFromAudio(gain) => {
                assert!(self.audio.set_parameter(0, &[f64::from(gain)]).is_ok());
                self.plain.set_gain(f32::from(gain));
            }
            Op::Bypass(on) => {
                self.audio.set_bypass(on);
                self.plain.set_bypass(on);
            }
            Op::Reset => {
                self.audio.reset();
                self.plain.reset();
                (self.taken, self.given) = (0, 0);
            }
        }
    }

    fn process(&mut self, frames: usize) {
        let input = self.input(frames, self.scenario.host_channels());
        if self.scenario.hop_in != self.scenario.hop_out {
            self.process_into(&input, frames);
            return;
        }
        let _ = self.share(frames);
        let mut output = input.clone();
        let status = self.audio.process(&mut output[..]);
        let mut right = vec![Vec::new(); output.len()];
        let mut late = 0;
        for (start, part) in self.parts(frames) {
            self.plain.push(Some(&input), start, part);
            late += append(&mut right, self.plain.pop(part));
        }
        assert_eq!((output, status.late_samples, status.fault), (right, late, None));
    }

    fn process_into(&mut self, input: &[Vec<f32>], taken: usize) {
        let given = self.share(taken);
        let mut output = vec![vec![-1.0; given]; input.len()];
        let status = self.audio.process_into(input, &mut output[..]);
        let mut right = vec![Vec::new(); output.len()];
        let mut late = 0;
        for (start, part) in self.parts(taken) {
            if part > 0 {
                self.plain.push(Some(input), start, part);
            }
            let due = (given * (start + part)).checked_div(taken).unwrap_or(given);
            let done = right[0].len();
            late += append(&mut right, self.plain.pop(due - done));
        }
        assert_eq!((output, status.late_samples, status.fault), (right, late, None));
    }

    /// The callback in halves; without `connected` its input is silence.
    fn push_run_pop(&mut self, connected: bool, frames: usize, runs: usize) {
        let input = connected.then(|| self.input(frames, self.scenario.host_channels()));
        let pushed = match &input {
            Some(input) => self.audio.push(0, &input[..]),
            None => self.audio.push_silence(0, frames),
        };
        assert!(pushed.is_ok());
        for (start, part) in self.parts(frames) {
            self.plain.push(input.as_deref(), start, part);
        }
        self.run(runs);
        let given = self.share(frames);
        let mut output = vec![vec![-1.0; given]; self.scenario.host_channels()];
        let status = self.audio.pop(0, &mut output[..]);
        let mut right = vec![Vec::new(); output.len()];
        let mut late = 0;
        for (_, part) in self.parts(given) {
            late += append(&mut right, self.plain.pop(part));
        }
        assert_eq!((output, status.late_samples, status.fault), (right, late, None));
    }

    fn wrong(&mut self, frames: usize) {
        let wrong = self.scenario.host_channels() + 1;
        let input = self.input(frames, wrong);
        let given = self.share(frames);
        let mut output = vec![vec![-1.0; given]; wrong];
        let pushed = self.audio.push(0, &input[..]);
        let popped = self.audio.pop(0, &mut output[..]);
        assert_eq!((pushed.fault, popped.fault), (Some(Fault::Channels), Some(Fault::Channels)));
        assert_eq!(output, vec![vec![0.0; given]; wrong], "silence");
        for (start, part) in self.parts(frames) {
            self.plain.push(None, start, part);
        }
        for (_, part) in self.parts(given) {
            self.plain.pop_wrong(part);
        }
    }

    fn agrees(&self) {
        let t = self.control.telemetry();
        let counts = Counts {
            submitted: t.submitted,
            done: t.done,
            failed: t.failed,
            dropped: t.dropped,
            late: t.late_samples,
        };
        assert_eq!(counts, self.plain.counts);
    }
}

fn append(to: &mut [Vec<f32>], (block, late): (Vec<Vec<f32>>, u64)) -> u64 {
    to.iter_mut().zip(block).for_each(|(to, block)| to.extend(block));
    late
}
