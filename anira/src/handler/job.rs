//! What a worker does with a slot: [`Job`] claims it, a [`Crew`] runs it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use anira_scheduler::clock;
use anira_scheduler::ring::{Claim, Input, Parts, Ring};
use anira_traits::{
    Engine, Error, ErrorKind, Head, Hops, Ran, Result, Span, TensorData, Windows, Work, WorkerPart,
};

use super::control::{Shared, panicked};
use super::payload::{Payload, Planar};
use super::running::Closed;
use crate::bind::Binding;

/// A session as its scheduler sees it.
pub struct Job<E, W> {
    ring: Arc<Ring<Payload, Crew<E, W>>>,
    shared: Arc<Shared>,
    closed: Closed,
}

/// One engine and all that goes with it: what one worker uses at a time.
pub struct Crew<E, W> {
    /// One engine for all lanes, or one per lane where engines remember.
    engines: Vec<E>,
    lanes: Vec<Lane<W>>,
    layout: Arc<Layout>,
    generation: u64,
    /// The engine panicked or could not be reset: it is never run again.
    broken: Option<Error>,
}

/// What belongs to one group of channels: a processor's part and the states.
struct Lane<W> {
    part: W,
    states: Vec<State>,
}

/// A state in two copies: `next` is written while a slot runs, and becomes `now` only if the whole slot succeeds.
#[derive(Clone, Debug)]
struct State {
    now: TensorData,
    next: TensorData,
}

/// What all crews of a session share: which tensor is what, and how many channels a lane has.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) binding: Binding,
    pub(super) input_channels: Vec<usize>,
    pub(super) output_channels: Vec<usize>,
}

impl<E: Engine, W: WorkerPart> Job<E, W> {
    pub(super) fn new(ring: Arc<Ring<Payload, Crew<E, W>>>, shared: Arc<Shared>, closed: Closed) -> Self {
        Self { ring, shared, closed }
    }

    fn run(&self, mut claim: Claim<'_, Payload, Crew<E, W>>) -> Ran {
        let started = clock::now();
        let times = claim.times();
        let was_broken = claim.executor().is_some_and(|crew| crew.broken.is_some());
        let outcome = catch_unwind(AssertUnwindSafe(|| run(&mut claim)));
        let mut ran = Ran::Slot;
        let outcome = outcome.unwrap_or_else(|payload| {
            ran = Ran::Panicked;
            let error = panicked(payload.as_ref());
            if let Some(crew) = claim.executor() {
                crew.broken = Some(error.clone());
            }
            Err(error)
        });
        // A crew that broke (a panic, a reset that failed) must not take slots away from those that work. Only once: the last
        // crew of a session goes on to answer that it is broken.
        let withhold = !was_broken && claim.executor().is_some_and(|crew| crew.broken.is_some());
        let telemetry = &self.shared.telemetry;
        telemetry.count_run(outcome.is_ok(), times, started, clock::now());
        claim.finish(outcome.is_ok(), withhold);
        self.shared.telemetry.count_returned();
        if let Err(error) = outcome {
            self.shared.report(error);
        }
        ran
    }
}

impl<E: Engine, W: WorkerPart> Work for Job<E, W> {
    type Engine = E;

    fn head(&self) -> Option<Head> {
        self.ring.head()
    }

    fn run_one(&self, claimed: &mut dyn FnMut()) -> Ran {
        // Callers that run slots themselves, as rendering does, come past every scheduler's own door.
        if self.closed.is_set() {
            return Ran::Nothing;
        }
        match self.ring.claim() {
            Some(claim) => {
                claimed();
                self.run(claim)
            }
            None => Ran::Nothing,
        }
    }
}

fn run<E: Engine, W: WorkerPart>(claim: &mut Claim<'_, Payload, Crew<E, W>>) -> Result<()> {
    let Some(Parts { header, payload, executor, input }) = claim.parts() else {
        return Err(Error::new(ErrorKind::Internal, "a claimed slot without contents"));
    };
    executor.run(header.generation, payload, input)
}

impl<E: Engine, W: WorkerPart> Crew<E, W> {
    /// A crew with its states at their initial values and its constants in place.
    pub(super) fn new(mut engines: Vec<E>, parts: Vec<W>, layout: Arc<Layout>) -> Result<Self> {
        for engine in &mut engines {
            for (tensor, values) in &layout.binding.constants {
                input_of(engine, *tensor)?.copy_from(values.view())?;
            }
        }
        let states = || {
            let state =
                |b: &crate::bind::StateBinding| State { now: b.initial.clone(), next: b.initial.clone() };
            layout.binding.states.iter().map(state).collect()
        };
        let lanes = parts.into_iter().map(|part| Lane { part, states: states() }).collect();
        Ok(Self { engines, lanes, layout, generation: 0, broken: None })
    }

    /// Runs every engine on silence, `times` times, then forgets it. Control thread.
    pub(super) fn warm_up(&mut self, times: u32, parameters: &[Vec<f64>]) -> Result<()> {
        if times == 0 {
            return Ok(());
        }
        let Layout { binding, .. } = &*self.layout;
        for engine in &mut self.engines {
            for (values, parameter) in parameters.iter().zip(&binding.parameters) {
                write_numbers(engine, parameter.tensor, values)?;
            }
            for state in &binding.states {
                input_of(engine, state.input)?.copy_from(state.initial.view())?;
            }
            (0..times).try_for_each(|_| engine.run())?;
        }
        self.forget()
    }

    /// Back to the initial state.
    fn forget(&mut self) -> Result<()> {
        for lane in &mut self.lanes {
            lane.part.reset();
            for (state, binding) in lane.states.iter_mut().zip(&self.layout.binding.states) {
                state.now.view_mut().copy_from(binding.initial.view())?;
            }
        }
        for engine in &mut self.engines {
            if let Err(error) = engine.reset() {
                self.broken = Some(error.clone());
                return Err(error);
            }
        }
        Ok(())
    }

    fn run<T, X>(&mut self, generation: u64, payload: &mut Payload, input: Input<'_, T, X>) -> Result<()> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        if self.generation != generation {
            self.forget()?;
            self.generation = generation;
        }
        let last = self.lanes.len().saturating_sub(1);
        let mut input = Some(input);
        for index in 0..self.lanes.len() {
            let release = if index == last { input.take() } else { None };
            let windows = release.as_ref().or(input.as_ref());
            let Some(windows) = windows else { break };
            self.fill(index, payload, windows)?;
            // The last lane has read its windows: the audio thread may have the memory back while the engine runs.
            if let Some(input) = release {
                input.release();
            }
            self.infer(index, payload)?;
        }
        if payload.hops.iter().any(|hop| !is_finite(hop.samples())) {
            return Err(Error::new(ErrorKind::NonFinite, "an output holds NaN or infinity"));
        }
        // All lanes succeeded: only now is anything remembered.
        let states = self.lanes.iter_mut().flat_map(|lane| &mut lane.states);
        states.for_each(|state| std::mem::swap(&mut state.now, &mut state.next));
        Ok(())
    }

    fn fill(&mut self, index: usize, payload: &Payload, windows: &impl Windows) -> Result<()> {
        let Self { engines, lanes, layout, .. } = self;
        let (engine, lane) = (engine_of(engines, index)?, lane_of(lanes, index)?);
        for (values, parameter) in payload.parameters.iter().zip(&layout.binding.parameters) {
            write_numbers(engine, parameter.tensor, values)?;
        }
        for (state, binding) in lane.states.iter().zip(&layout.binding.states) {
            input_of(engine, binding.input)?.copy_from(state.now.view())?;
        }
        lane.part.prepare(&LaneWindows { windows, channels: &layout.input_channels, lane: index }, engine)
    }

    fn infer(&mut self, index: usize, payload: &mut Payload) -> Result<()> {
        let Self { engines, lanes, layout, .. } = self;
        let (engine, lane) = (engine_of(engines, index)?, lane_of(lanes, index)?);
        engine.run()?;
        let mut hops = LaneHops { hops: &mut payload.hops, channels: &layout.output_channels, lane: index };
        lane.part.finish(&*engine, &mut hops)?;
        for (state, binding) in lane.states.iter_mut().zip(&layout.binding.states) {
            let value = engine.output(binding.output).ok_or(Error::new(ErrorKind::Engine, NO_TENSOR))?;
            if !value.is_finite() {
                return Err(Error::new(ErrorKind::NonFinite, "a state holds NaN or infinity"));
            }
            state.next.view_mut().copy_from(value)?;
        }
        if index == 0 {
            for (values, reading) in payload.readings.iter_mut().zip(&layout.binding.readings) {
                let tensor = engine.output(reading.tensor).ok_or(Error::new(ErrorKind::Engine, NO_TENSOR))?;
                let numbers = (0..).map_while(|i| tensor.number(i));
                values.iter_mut().zip(numbers).for_each(|(value, number)| *value = number);
            }
        }
        Ok(())
    }
}

const NO_TENSOR: &str = "the engine lacks a tensor of its model's signature";

fn engine_of<E>(engines: &mut [E], lane: usize) -> Result<&mut E> {
    let index = lane.min(engines.len().saturating_sub(1));
    engines.get_mut(index).ok_or(Error::new(ErrorKind::Internal, "a crew without an engine"))
}

fn lane_of<W>(lanes: &mut [Lane<W>], lane: usize) -> Result<&mut Lane<W>> {
    lanes.get_mut(lane).ok_or(Error::new(ErrorKind::Internal, "a crew without a lane"))
}

fn input_of<E: Engine>(engine: &mut E, tensor: usize) -> Result<anira_traits::TensorViewMut<'_>> {
    engine.input(tensor).ok_or(Error::new(ErrorKind::Engine, NO_TENSOR))
}

fn write_numbers<E: Engine>(engine: &mut E, tensor: usize, values: &[f64]) -> Result<()> {
    let mut view = input_of(engine, tensor)?;
    values.iter().enumerate().for_each(|(i, value)| view.set_number(i, *value));
    Ok(())
}

fn is_finite(samples: &[f32]) -> bool {
    anira_traits::TensorView::F32(samples).is_finite()
}

/// The windows of one lane: its own channels, counted from 0.
struct LaneWindows<'a, I> {
    windows: &'a I,
    channels: &'a [usize],
    lane: usize,
}

impl<I: Windows> Windows for LaneWindows<'_, I> {
    fn span(&self, stream: usize, channel: usize) -> Span<'_> {
        match self.channels.get(stream) {
            Some(channels) if channel < *channels => {
                self.windows.span(stream, self.lane * channels + channel)
            }
            _ => Span::default(),
        }
    }
}

/// The hops of one lane: its own channels, counted from 0.
struct LaneHops<'a> {
    hops: &'a mut [Planar],
    channels: &'a [usize],
    lane: usize,
}

impl Hops for LaneHops<'_> {
    fn channel(&mut self, stream: usize, channel: usize) -> &mut [f32] {
        let channels = self.channels.get(stream).copied().unwrap_or(0);
        if channel >= channels {
            return &mut [];
        }
        let hop = self.hops.get_mut(stream).and_then(|hop| hop.channel_mut(self.lane * channels + channel));
        hop.unwrap_or_default()
    }
}

impl<E, W> std::fmt::Debug for Job<E, W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job").field("ring", &self.ring).finish_non_exhaustive()
    }
}

impl<E, W> std::fmt::Debug for Crew<E, W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (engines, lanes) = (self.engines.len(), self.lanes.len());
        f.debug_struct("Crew").field("engines", &engines).field("lanes", &lanes).finish_non_exhaustive()
    }
}
