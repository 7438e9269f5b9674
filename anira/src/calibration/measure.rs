//! A session whose slots are run and timed on this thread: [`Probe`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anira_scheduler::{Driven, Driver};
use anira_traits::{
    Backend, Engine, Error, ErrorKind, Hops, HostConfig, InferenceConfig, PrePostProcessor, Result,
    SessionPlan, Windows, WorkerPart,
};

use super::SlotTimes;
use super::settings::Settings;
use super::stability::Judge;
use super::table::Facts;
use super::times::{Times, numbers};
use crate::handler::{Audio, Builder, InferenceHandler, Prepared};

/// Any time above 0: then there is a hop of latency, and no hop is given up before it is run.
const SOME_TIME: Duration = Duration::from_nanos(100);

/// A session whose slots are run on the thread that calibrates.
pub(super) struct Probe<'s, B: Backend, P: PrePostProcessor> {
    handler: InferenceHandler<B, Timed<P>, Driven>,
    driver: Driver,
    marks: Arc<Marks>,
    settings: &'s Settings,
    config: InferenceConfig,
}

impl<'s, B: Backend, P: PrePostProcessor> Probe<'s, B, P> {
    pub(super) fn new<S>(builder: Builder<B, P, S>, settings: &'s Settings) -> Result<Self> {
        let scheduler = Driven::new(1)?;
        let driver = scheduler.driver();
        let marks = Arc::new(Marks::new(settings.clock.clone()));
        let of_processor = marks.clone();
        let mut declared = None;
        let handler = builder
            .reconfigured(|config| {
                declared = Some(config.clone());
                config.with_max_inference(SOME_TIME)
            })
            .with(move |processor, _| (Timed { processor, marks: of_processor }, scheduler))
            .build()?;
        let config = declared.unwrap_or_else(|| handler.config().clone());
        Ok(Self { handler, driver, marks, settings, config })
    }

    /// The hops to measure: the configured one, or both ends of the range.
    pub(super) fn hops(&self) -> Vec<usize> {
        let Some(range) = self.config.hop_range() else { return vec![self.config.hop()] };
        let mut ends: Vec<usize> = range.hops().take(1).chain(range.hops().last()).collect();
        ends.dedup();
        ends
    }

    /// Runs slots at this hop until their times are stable, or the settings' limits are reached.
    pub(super) fn measure(&mut self, hop: usize, mut progress: impl FnMut(f64)) -> Result<SlotTimes> {
        let host = HostConfig::fixed(self.settings.sample_rate, hop);
        let Prepared { mut audio, .. } = match self.config.hop_range() {
            Some(_) => self.handler.prepare_at(&host, hop, SOME_TIME)?,
            None => self.handler.prepare(&host)?,
        };
        let mut sound = Sound::new(&self.handler.plan());
        let mut judge = Judge::new(self.settings.least);
        let (mut total, mut phases) = (Vec::new(), [const { Vec::new() }; 3]);
        let limit = u64::try_from(self.settings.limit.as_nanos()).unwrap_or(u64::MAX);
        let began = self.marks.now();
        for slot in 0..self.settings.most {
            let time = self
                .slot(&mut audio, &mut sound)
                .map_err(|e| e.at(format!("slot {slot} at a hop of {hop}")))?;
            total.push(time);
            phases
                .iter_mut()
                .zip(&self.marks.phases)
                .for_each(|(all, one)| all.push(one.swap(0, Ordering::Relaxed)));
            let took = self.marks.now().saturating_sub(began);
            if judge.take(time) || took > limit {
                break;
            }
            if slot.is_multiple_of(16) {
                let by_time = took as f64 / limit.max(1) as f64;
                progress(by_time.max(slot as f64 / self.settings.most as f64).min(1.0));
            }
        }
        let (warm_up, unstable) = judge.verdict();
        let times = |all: &[u64]| Times::of(all.get(warm_up..).unwrap_or_default());
        let [preparation, run, finish] = [0, 1, 2].map(|i| times(&phases[i]));
        Ok(SlotTimes { hop, warm_up, total: times(&total), preparation, run, finish, unstable })
    }

    /// Submits a hop and runs it. Nanoseconds of the slot alone.
    fn slot(&mut self, audio: &mut Audio<B, Timed<P>, Driven>, sound: &mut Sound) -> Result<u64> {
        sound.take_in(audio);
        let began = self.marks.now();
        let ran = self.driver.run_one();
        let time = self.marks.now().saturating_sub(began);
        if let Some(error) = self.handler.control().last_error() {
            return Err(error);
        }
        if !ran {
            return Err(Error::new(ErrorKind::Internal, "a whole hop did not become a slot"));
        }
        sound.hand_out(audio);
        Ok(time)
    }

    /// What a table is computed from.
    pub(super) fn facts(
        &self,
        max_inference: Duration,
        shortest_takes: Option<Duration>,
        scheduling_allowance: Duration,
    ) -> Facts {
        Facts {
            plan: self.handler.plan(),
            config: self.config.clone(),
            max_inference,
            shortest_takes,
            scheduling_allowance,
            max_engines: if self.handler.remembers() { 1 } else { self.settings.max_engines },
        }
    }
}

/// A hop of noise for every input, and room for a hop of every output.
struct Sound {
    inputs: Vec<Vec<Vec<f32>>>,
    outputs: Vec<Vec<Vec<f32>>>,
}

impl Sound {
    fn new(plan: &SessionPlan) -> Self {
        let mut random = numbers(1);
        let mut noise = |_| (random() >> 40) as f32 / (1 << 23) as f32 * 0.2 - 0.2;
        let inputs = plan.inputs.iter().map(|s| vec![vec![0.0; s.hop]; s.channels]);
        let mut inputs: Vec<Vec<Vec<f32>>> = inputs.collect();
        inputs.iter_mut().flatten().flatten().for_each(|sample| *sample = noise(()));
        let outputs = plan.outputs.iter().map(|s| vec![vec![0.0; s.hop]; s.channels]).collect();
        Self { inputs, outputs }
    }

    fn take_in<B: Backend, P: PrePostProcessor>(&mut self, audio: &mut Audio<B, P, Driven>) {
        for (stream, block) in self.inputs.iter().enumerate() {
            let block: Vec<&[f32]> = block.iter().map(Vec::as_slice).collect();
            let _ = audio.push(stream, &block[..]);
        }
        if self.inputs.is_empty() {
            self.pop(audio, 0);
        }
    }

    fn hand_out<B: Backend, P: PrePostProcessor>(&mut self, audio: &mut Audio<B, P, Driven>) {
        // The clock of a session without inputs has ticked already.
        let first = usize::from(self.inputs.is_empty());
        (first..self.outputs.len()).for_each(|stream| self.pop(audio, stream));
    }

    fn pop<B: Backend, P: PrePostProcessor>(&mut self, audio: &mut Audio<B, P, Driven>, stream: usize) {
        let Some(block) = self.outputs.get_mut(stream) else { return };
        let mut block: Vec<&mut [f32]> = block.iter_mut().map(Vec::as_mut_slice).collect();
        // The first hop is the latency, and nobody listens.
        let _ = audio.pop(stream, &mut block[..]);
    }
}

/// How long the phases of the last slot took.
struct Marks {
    clock: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// Preparation, run, finish.
    phases: [AtomicU64; 3],
}

impl Marks {
    fn new(clock: Arc<dyn Fn() -> u64 + Send + Sync>) -> Self {
        Self { clock, phases: Default::default() }
    }

    fn now(&self) -> u64 {
        (self.clock)()
    }

    fn add(&self, phase: usize, from: u64, to: u64) {
        if let Some(sum) = self.phases.get(phase) {
            sum.fetch_add(to.saturating_sub(from), Ordering::Relaxed);
        }
    }
}

/// A processor whose worker parts say when they begin and end.
pub(super) struct Timed<P> {
    processor: P,
    marks: Arc<Marks>,
}

pub(super) struct TimedWorker<W> {
    part: W,
    marks: Arc<Marks>,
    prepared: u64,
}

impl<P: PrePostProcessor> PrePostProcessor for Timed<P> {
    type Worker = TimedWorker<P::Worker>;
    type Emit = P::Emit;

    fn split(&self, plan: &SessionPlan) -> Result<(Vec<Self::Worker>, P::Emit)> {
        let (parts, emit) = self.processor.split(plan)?;
        let timed = |part| TimedWorker { part, marks: self.marks.clone(), prepared: 0 };
        Ok((parts.into_iter().map(timed).collect(), emit))
    }

    fn hop_len(&self, plan: &SessionPlan, stream: usize) -> usize {
        self.processor.hop_len(plan, stream)
    }

    fn is_stateful(&self) -> bool {
        self.processor.is_stateful()
    }
}

impl<W: WorkerPart> WorkerPart for TimedWorker<W> {
    fn prepare<E: Engine>(&mut self, windows: &impl Windows, engine: &mut E) -> Result<()> {
        let began = self.marks.now();
        let prepared = self.part.prepare(windows, engine);
        self.prepared = self.marks.now();
        self.marks.add(0, began, self.prepared);
        prepared
    }

    fn finish<E: Engine>(&mut self, engine: &E, hops: &mut impl Hops) -> Result<()> {
        let began = self.marks.now();
        self.marks.add(1, self.prepared, began);
        let finished = self.part.finish(engine, hops);
        self.marks.add(2, began, self.marks.now());
        finished
    }

    fn reset(&mut self) {
        self.part.reset();
    }
}
