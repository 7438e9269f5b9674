//! [`Crew`]: one engine and all that goes with it, which one worker uses at a time.

use std::sync::Arc;

use anira_traits::{
    Engine, Error, ErrorKind, Hops, InternalState, Model, Result, SessionPlan, Span, StreamPlan, TensorData,
    Windows, WorkerPart,
};

use super::payload::{Payload, Planar};
use crate::bind::Binding;

/// One engine and all that goes with it: what one worker uses at a time.
pub struct Crew<E, W> {
    /// One engine for all lanes, or one per lane where engines remember.
    engines: Vec<E>,
    lanes: Vec<Lane<W>>,
    layout: Arc<Layout>,
    /// The states with which a stream begins.
    initial: Vec<TensorData>,
    generation: u64,
    /// Where inferences before a stream leave what nobody hears; kept where they are run again at a reset.
    unheard: Option<Payload>,
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
    /// Samples of a window of each input stream, and silence as long as the longest.
    pub(super) windows: Vec<usize>,
    pub(super) silence: Vec<f32>,
    /// Inferences on silence before a stream begins.
    pub(super) pre_roll: usize,
    /// Whether engine or processor remember what cannot be copied: then a reset runs the pre-roll again.
    pub(super) remembers: bool,
}

impl Layout {
    /// The layout of a session: how its tensors and channels lie, and what it hears before it begins.
    pub(super) fn new(binding: Binding, plan: &SessionPlan, pre_roll: usize, remembers: bool) -> Self {
        let windows: Vec<usize> = plan.inputs.iter().map(StreamPlan::window).collect();
        let hop = plan.inputs.first().map_or(usize::MAX, |s| s.hop);
        Self {
            binding,
            input_channels: plan.inputs.iter().map(|s| s.channels).collect(),
            output_channels: plan.outputs.iter().map(|s| s.channels).collect(),
            silence: vec![0.0; if pre_roll > 0 { windows.iter().copied().max().unwrap_or(0) } else { 0 }],
            windows,
            pre_roll: pre_roll.div_ceil(hop),
            remembers,
        }
    }
}

/// As many engines as a crew of this model has: one per lane if they remember, else one for all lanes.
pub(super) fn engines<M: Model>(
    model: &M,
    binding: &Binding,
    lanes: usize,
    spare: &mut Vec<M::Engine>,
) -> Result<Vec<M::Engine>> {
    let count = if model.internal_state() == InternalState::Inside { lanes } else { 1 };
    (0..count).map(|_| spare.pop().map_or_else(|| model.engine(&binding.request), Ok)).collect()
}

impl<E: Engine, W: WorkerPart> Crew<E, W> {
    /// A crew with its states at their initial values and its constants in place.
    pub(super) fn new(mut engines: Vec<E>, parts: Vec<W>, layout: Arc<Layout>) -> Result<Self> {
        for engine in &mut engines {
            for (tensor, values) in &layout.binding.constants {
                input_of(engine, *tensor)?.copy_from(values.view())?;
            }
        }
        let initial: Vec<TensorData> = layout.binding.states.iter().map(|b| b.initial.clone()).collect();
        let states = || initial.iter().map(|s| State { now: s.clone(), next: s.clone() }).collect();
        let lanes = parts.into_iter().map(|part| Lane { part, states: states() }).collect();
        Ok(Self { engines, lanes, layout, initial, generation: 0, unheard: None, broken: None })
    }

    /// Runs every engine on silence, `times` times, then forgets it, and hears the silence before the stream. `payload` is one
    /// of a slot. Control thread.
    pub(super) fn make_ready(
        &mut self,
        times: u32,
        parameters: &[Vec<f64>],
        payload: &Payload,
    ) -> Result<()> {
        let layout = self.layout.clone();
        let binding = &layout.binding;
        for engine in self.engines.iter_mut().filter(|_| times > 0) {
            for (values, parameter) in parameters.iter().zip(&binding.parameters) {
                write_numbers(engine, parameter.tensor, values)?;
            }
            for state in &binding.states {
                input_of(engine, state.input)?.copy_from(state.initial.view())?;
            }
            (0..times).try_for_each(|_| engine.run())?;
        }
        if times > 0 {
            self.clear()?;
        }
        if layout.pre_roll == 0 || !layout.remembers && binding.states.is_empty() {
            return Ok(());
        }
        let mut unheard = payload.clone();
        // Whatever they are set to now: a stream begins the same after every reset.
        for (values, parameter) in unheard.parameters.iter_mut().zip(&binding.parameters) {
            values.iter_mut().zip(&parameter.default).for_each(|(value, default)| *value = *default);
        }
        self.unheard = Some(unheard);
        self.pre_roll()?;
        if !layout.remembers {
            self.unheard = None;
            if let Some(lane) = self.lanes.first() {
                self.initial = lane.states.iter().map(|state| state.now.clone()).collect();
            }
        }
        Ok(())
    }

    /// Back to what it was when it was ready.
    fn forget(&mut self) -> Result<()> {
        self.clear()?;
        self.pre_roll()
    }

    fn clear(&mut self) -> Result<()> {
        for lane in &mut self.lanes {
            lane.part.reset();
            for (state, initial) in lane.states.iter_mut().zip(&self.initial) {
                state.now.view_mut().copy_from(initial.view())?;
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

    /// Hears the silence before a stream, where that has to be done anew.
    fn pre_roll(&mut self) -> Result<()> {
        let Some(mut unheard) = self.unheard.take() else { return Ok(()) };
        let layout = self.layout.clone();
        let silence = Silence(&layout);
        let outcome = (0..layout.pre_roll).try_for_each(|_| self.infer_all(&mut unheard, silence, |_| ()));
        self.unheard = Some(unheard);
        outcome
    }

    /// Whether it must not run any more: an engine panicked, or could not be reset.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// Lets it never run again.
    pub(super) fn retire(&mut self, error: Error) {
        self.broken = Some(error);
    }

    /// Runs all lanes on `windows`, for a stream of this generation; `release` is called as soon as the windows were read.
    pub(super) fn run<I: Windows>(
        &mut self,
        generation: u64,
        payload: &mut Payload,
        windows: I,
        release: impl FnOnce(I),
    ) -> Result<()> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        if self.generation != generation {
            self.forget()?;
            self.generation = generation;
        }
        self.infer_all(payload, windows, release)
    }

    fn infer_all<I: Windows>(
        &mut self,
        payload: &mut Payload,
        windows: I,
        release: impl FnOnce(I),
    ) -> Result<()> {
        let last = self.lanes.len().saturating_sub(1);
        let mut windows = Some((windows, release));
        for index in 0..self.lanes.len() {
            let Some((of_all, _)) = &windows else { break };
            self.fill(index, payload, of_all)?;
            // The last lane has read its windows: the audio thread may have the memory back while the engine runs.
            if index == last
                && let Some((of_all, release)) = windows.take()
            {
                release(of_all);
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

/// Windows of silence, for any stream.
#[derive(Clone, Copy, Debug)]
struct Silence<'a>(&'a Layout);

impl Windows for Silence<'_> {
    fn span(&self, stream: usize, _channel: usize) -> Span<'_> {
        let window = self.0.windows.get(stream).and_then(|&len| self.0.silence.get(..len));
        window.map_or(Span::default(), Span::from_slice)
    }
}

impl<E, W> std::fmt::Debug for Crew<E, W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (engines, lanes) = (self.engines.len(), self.lanes.len());
        f.debug_struct("Crew").field("engines", &engines).field("lanes", &lanes).finish_non_exhaustive()
    }
}
