//! A host and engines in virtual time: callbacks, inferences and waits are events on a line of whole numbers.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use anira::PrepareReport;
use anira::prelude::*;
use anira::scheduler::Driver;
use anira::traits::InputRole;
use anira::traits::OutputRole;
use anira_tests::valid;

/// What a host sends: stream, channel, sample.
pub(crate) type Signal = fn(usize, usize, u64) -> f32;

/// 1, 2, 3, …, told apart by stream and channel. Exact in float32 up to some hundred thousand samples.
pub(crate) fn ramp(stream: usize, channel: usize, n: u64) -> f32 {
    (n + 1 + 1_000_000 * (stream as u64 + 3 * channel as u64)) as f32
}

/// Impulses at a few places, the first sample among them.
pub(crate) fn impulses(_: usize, _: usize, n: u64) -> f32 {
    [0, 1, 37, 150, 151, 1000].iter().position(|place| *place == n).map_or(0.0, |k| (k + 1) as f32)
}

/// Units of time in a sample: nanoseconds at any whole sample rate and any share of a block are whole numbers of them.
const SAMPLE: u128 = 2_000_000_000;

/// A session of a model that hands samples through (each repeated or left out where hops differ), and the time in which it lives.
pub(crate) struct Virtual<B: Backend> {
    pub(crate) audio: Audio<B, HopProcessor, Driven>,
    pub(crate) control: Control,
    pub(crate) report: PrepareReport,
    pub(crate) signal: Signal,
    /// Whether inferences run before a callback takes its block in, where they are finished by then: else they hold their slots
    /// until the block is in.
    pub(crate) early: bool,
    /// Samples that were silent and should not have been, by the model of this file: output stream 0.
    pub(crate) missed: u64,
    /// The least that was ever left in an output ring at the end of a callback.
    pub(crate) slack: Vec<i64>,
    _handler: InferenceHandler<B, HopProcessor, Driven>,
    driver: Driver,
    rate: u128,
    ppm: u128,
    inputs: Vec<(usize, usize)>,
    outputs: Vec<(usize, usize)>,
    inference: u128,
    now: u128,
    pushed: u64,
    handed: Vec<u64>,
    submitted: u64,
    /// Hops that wait or run, and when they were submitted.
    queue: VecDeque<(u64, u128)>,
    lost: BTreeSet<u64>,
    free: Vec<u128>,
    /// Nothing finishes before.
    stalled: u128,
    /// Results that came late one after the other, and the hop from which on they count.
    late_results: (u64, u64),
    /// Results on time since the last late one, and how many of them make it forgotten.
    on_time_results: (u64, u64),
}

impl<B: Backend> Virtual<B> {
    /// A session on as many virtual engines as the configuration says.
    pub(crate) fn new(config: InferenceConfig, backend: B, host: &HostConfig) -> Self {
        let scheduler = valid(Driven::new(config.engines()));
        let driver = scheduler.driver();
        let (ppm, engines) = (u128::from(config.blocking_ppm()), config.engines());
        let inputs: Vec<_> = config
            .inputs()
            .iter()
            .filter_map(|t| match t.role {
                InputRole::Stream { hop, channels, .. } => Some((hop, channels.unwrap_or(1))),
                _ => None,
            })
            .collect();
        let outputs: Vec<_> = config
            .outputs()
            .iter()
            .filter_map(|t| match t.role {
                OutputRole::Stream { hop, channels, .. } => Some((hop, channels.unwrap_or(1))),
                _ => None,
            })
            .collect();
        let builder = InferenceHandler::builder(config).backend(backend).scheduler(scheduler);
        let mut handler = valid(builder.build());
        let control = handler.control();
        let Prepared { audio, report, .. } = valid(handler.prepare(host));
        let rate = host.sample_rate() as u128;
        assert_eq!(rate as f64, host.sample_rate(), "a whole rate keeps time whole");
        let of_lanes = |list: Vec<(usize, usize)>| list.iter().map(|(h, c)| (*h, c * report.lanes)).collect();
        let mut session = Self {
            signal: ramp,
            early: false,
            missed: 0,
            slack: vec![i64::MAX; outputs.len()],
            rate,
            ppm,
            handed: vec![0; outputs.len()],
            inputs: of_lanes(inputs),
            outputs: of_lanes(outputs),
            inference: 0,
            now: 0,
            pushed: 0,
            submitted: 0,
            queue: VecDeque::new(),
            lost: BTreeSet::new(),
            free: vec![0; engines],
            stalled: 0,
            late_results: (0, 0),
            on_time_results: (0, 1),
            _handler: handler,
            audio,
            control,
            driver,
            report,
        };
        session.inference = session.units(session.report.max_inference);
        session.on_time_results.1 = session.round_of_phases(host);
        session
    }

    /// With engines that hardly rest, late results are remembered until a hop of each phase was on time.
    fn round_of_phases(&self, host: &HostConfig) -> u64 {
        let hop = self.inputs.first().map_or(1, |input| input.0);
        let share = self.report.max_inference.as_secs_f64() * host.sample_rate();
        let BlockSize::Fixed(block) = host.block_size() else { return 1 };
        if share < 0.95 * (hop * self.free.len()) as f64 {
            return 1;
        }
        (1..=256).find(|n| (n * hop).is_multiple_of(block)).unwrap_or(256) as u64
    }

    fn units(&self, time: Duration) -> u128 {
        time.as_nanos() * 2 * self.rate
    }

    /// Inferences take this much longer than declared from now on.
    pub(crate) fn slower_by(&mut self, time: Duration) {
        self.inference = self.units(self.report.max_inference + time);
    }

    /// No inference finishes during the next `samples`; all engines begin again then.
    pub(crate) fn stall(&mut self, samples: u64) {
        self.stalled = self.now + u128::from(samples) * SAMPLE;
    }

    /// Hops that were given up so far, by the model of this file.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.len() as u64
    }

    /// Hops that were complete so far.
    pub(crate) fn submitted(&self) -> u64 {
        self.submitted
    }

    /// Begins anew, the virtual engines too.
    pub(crate) fn reset(&mut self) {
        self.audio.reset();
        assert!(!self.driver.run_one(), "a reset takes back what nobody has begun");
        (self.now, self.pushed, self.submitted, self.stalled) = (0, 0, 0, 0);
        self.late_results = (0, 0);
        self.on_time_results.0 = 0;
        self.handed.fill(0);
        self.free.fill(0);
        self.queue.clear();
        self.lost.clear();
    }

    /// Runs what is finished at `time`.
    fn run_until(&mut self, time: u128) {
        while let Some(&(hop, submitted)) = self.queue.front() {
            let Some(engine) = self.free.iter_mut().min() else { return };
            let finish = submitted.max(*engine).max(self.stalled) + self.inference;
            if finish > time || time < self.stalled {
                return;
            }
            *engine = finish;
            self.queue.pop_front();
            self.note_result(hop);
            assert!(self.driver.run_one(), "a submitted slot that nobody finds");
        }
    }

    /// Hops whose results are in: all before the first that waits.
    fn collected(&self) -> u64 {
        self.queue.front().map_or(self.submitted, |(hop, _)| *hop)
    }

    fn zero_fill(&self, output: usize) -> u64 {
        self.report.latency[output].zero_fill()
    }

    /// What stands at sample `position` of an output, if everything that is finished is heard and nothing else.
    fn right(&self, output: usize, channel: usize, position: u64) -> (f32, bool) {
        let Some(sample) = position.checked_sub(self.zero_fill(output)) else { return (0.0, true) };
        let (from, to) = (self.inputs[output].0 as u64, self.outputs[output].0 as u64);
        let (hop, offset) = (sample / to, sample % to);
        match hop < self.collected() && !self.lost.contains(&hop) {
            true => ((self.signal)(output, channel, hop * from + offset * from / to), true),
            false => (0.0, false),
        }
    }

    /// One callback that brings `block` samples of input stream 0. What comes out is compared, sample by sample and count for
    /// count, with what the virtual engines have finished.
    #[track_caller]
    pub(crate) fn callback(&mut self, block: usize) {
        let before = self.pushed;
        self.pushed += block as u64;
        let wait = u128::from(block as u64) * 2000 * self.ppm;
        if self.early {
            self.run_until(self.now);
        }
        let reference = self.inputs[0].0 as u64;
        let share = |position: u64, hop: usize| position * hop as u64 / reference;
        let blocks: Vec<Vec<Vec<f32>>> = self
            .inputs
            .iter()
            .enumerate()
            .map(|(stream, &(hop, channels))| {
                let range = share(before, hop)..share(self.pushed, hop);
                let channel = |c| range.clone().map(|n| (self.signal)(stream, c, n)).collect();
                (0..channels).map(channel).collect()
            })
            .collect();
        let (streams, at_once) = (self.inputs.len().max(self.outputs.len()), self.early);
        let mut outputs: Vec<Vec<Vec<f32>>> = self
            .outputs
            .iter()
            .zip(&self.handed)
            .map(|(&(hop, channels), &handed)| {
                vec![vec![f32::NAN; (share(self.pushed, hop) - handed) as usize]; channels]
            })
            .collect();
        let mut late = 0;
        if streams == 1 && at_once {
            self.submit();
            let mut slices: Vec<&mut [f32]> = outputs[0].iter_mut().map(Vec::as_mut_slice).collect();
            let status = self.audio.process_into(blocks[0].as_slice(), &mut slices[..]);
            assert_eq!(status.fault, None);
            late = status.late_samples;
        } else {
            for (stream, block) in blocks.iter().enumerate() {
                assert!(self.audio.push(stream, block.as_slice()).is_ok());
            }
            self.submit();
            self.run_until(self.now + wait);
            for (stream, block) in outputs.iter_mut().enumerate() {
                let mut slices: Vec<&mut [f32]> = block.iter_mut().map(Vec::as_mut_slice).collect();
                let status = self.audio.pop(stream, &mut slices[..]);
                assert_eq!(status.fault, None);
                late += if stream == 0 { status.late_samples } else { 0 };
            }
        }
        let mut missed = 0;
        for (stream, channels) in outputs.iter().enumerate() {
            for (c, samples) in channels.iter().enumerate() {
                for (i, &got) in samples.iter().enumerate() {
                    let position = self.handed[stream] + i as u64;
                    let (right, heard) = self.right(stream, c, position);
                    assert!(
                        got == right,
                        "stream {stream} channel {c} sample {position}: {got}, not {right}; {:?}",
                        self.report
                    );
                    missed += u64::from(!heard && stream == 0 && c == 0);
                }
            }
            self.handed[stream] += channels[0].len() as u64;
            let ring =
                self.zero_fill(stream) as i64 + (self.collected() * self.outputs[stream].0 as u64) as i64;
            self.slack[stream] = self.slack[stream].min(ring - self.handed[stream] as i64);
        }
        assert_eq!(late, missed, "late samples are those that are wanting: {:?}", self.report);
        self.missed += missed;
        if missed > 0 {
            self.drop_overdue();
        }
        self.now += u128::from(block as u64) * SAMPLE;
    }

    /// What the library does with hops when a block is in: gives up those whose time has passed, submits what is complete.
    fn submit(&mut self) {
        self.drop_overdue();
        while (self.submitted + 1) * self.inputs[0].0 as u64 <= self.pushed {
            if self.late_results.0 > 1 {
                // One hop less for the engines; what was submitted before may still come late.
                self.late_results = (0, self.submitted + 1);
                self.on_time_results.0 = 0;
                self.lost.insert(self.submitted);
            } else {
                self.queue.push_back((self.submitted, self.now));
            }
            self.submitted += 1;
        }
    }

    /// Hops of an output that have gone out whole.
    fn past(&self, output: usize) -> u64 {
        self.handed[output].saturating_sub(self.zero_fill(output)) / self.outputs[output].0 as u64
    }

    /// Gives up what no output can use any more. None of these models remembers.
    fn drop_overdue(&mut self) {
        let past = (0..self.outputs.len()).map(|output| self.past(output)).min().unwrap_or(0);
        while let Some(&(hop, _)) = self.queue.front()
            && hop < past
        {
            self.lost.insert(hop);
            self.queue.pop_front();
        }
    }

    /// More than one result that comes after its first sample was due, and is not forgotten, costs the next hop.
    fn note_result(&mut self, hop: u64) {
        let due = self.zero_fill(0) + hop * self.outputs[0].0 as u64;
        let (late, from) = self.late_results;
        if hop >= from {
            self.on_time_results.0 = if self.handed[0] > due { 0 } else { self.on_time_results.0 + 1 };
            let (on_time, memory) = self.on_time_results;
            self.late_results.0 = match on_time {
                0 => late + 1,
                _ if on_time >= memory => 0,
                _ => late,
            };
        }
    }

    /// These callbacks, none of them late.
    #[track_caller]
    pub(crate) fn on_time(&mut self, blocks: impl IntoIterator<Item = usize>) {
        let before = self.missed;
        for block in blocks {
            self.callback(block);
        }
        assert_eq!(
            self.missed, before,
            "late although the engines took what was declared: {:?}",
            self.report
        );
    }
}
