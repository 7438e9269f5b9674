//! From a host's numbers to a running session: sizes, memory, engines, attachment.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anira_scheduler::ring::{Producer, StreamShape};
use anira_scheduler::{Doorbell, clock};
use anira_traits::{
    Attachment, Backend, BlockSize, Error, ErrorKind, HostConfig, Mode, PrePostProcessor, Result, Scheduler,
    SessionPlan, StreamPlan, Terms, Timing as SchedulerTiming,
};

use super::audio::Audio;
use super::bypass::Bypass;
use super::crew::{Crew, Layout, Parameters};
use super::ensemble::Ensemble;
use super::job::Job;
use super::late::{Late, StandIn};
use super::member::{Member, Planned};
use super::mix::{Mix, Outcome};
use super::output::Output;
use super::pace::Pace;
use super::parameter::Values;
use super::patience::Patience;
use super::payload::{Answer, Payload, Planar};
use super::report::{PrepareReport, Prepared};
use super::rest::Rest;
use super::running::{Closed, Running};
use super::stream::{Input, Streams, Timing};
use super::swap::{Places, Troupe};
use super::switcher::{Stage, Switcher};
use super::{EngineOf, InferenceHandler};
use crate::latency::{Latency, LatencyQuery, Rational, StreamHops, latencies_of};

/// The numbers of one session, before anything is allocated.
pub(super) struct Sizes {
    plan: SessionPlan,
    latency: Vec<Latency>,
    slots: usize,
    max_inference: Duration,
    allowance: Duration,
}

impl Sizes {
    pub(super) fn latency(self) -> Vec<Latency> {
        self.latency
    }
}

impl<B: Backend, P: PrePostProcessor, S: Scheduler<EngineOf<B>>> InferenceHandler<B, P, S> {
    /// What a host of these numbers would get. Changes nothing.
    pub(super) fn sizes(&self, host: &HostConfig) -> Result<Sizes> {
        self.sizes_at(host, None)
    }

    /// The same at another hop of the configuration's range.
    pub(super) fn sizes_at(&self, host: &HostConfig, hop: Option<usize>) -> Result<Sizes> {
        host.validate()?;
        if !S::REALTIME && host.processing_mode() == Mode::Realtime {
            let right = "offline: this scheduler runs any engine inside the call";
            return Err(Error::config("mode", "real time", right).of_kind(ErrorKind::Host));
        }
        self.check_rate(host.sample_rate())?;
        let mut plan = self.plan();
        let mut planned = self.planned.clone();
        if let Some(hop) = hop {
            rescale(&mut plan, hop);
            planned.iter_mut().for_each(|engine| engine.time = self.config.max_inference_at(hop));
        }
        plan.sample_rate = host.sample_rate();
        plan.engines = self.config.engines();
        plan.lanes = lanes(&plan, host.channel_count())?;
        let max_inference = self.slot_time(host, plan.lanes, &planned)?;
        let (latency, allowance) = self.allowed(host, &plan, max_inference)?;
        let slots = latency.iter().map(|l| l.slots).max().unwrap_or(1) as usize + plan.engines;
        let latency = latency.into_iter().take(plan.outputs.len()).collect();
        Ok(Sizes { plan, latency, slots, max_inference, allowance })
    }

    /// The latency of each output stream, or of one that there is not, for a session without: it needs slots.
    pub(super) fn latencies(
        &self,
        host: &HostConfig,
        plan: &SessionPlan,
        max_inference: Duration,
        allowance: Duration,
    ) -> Result<Vec<Latency>> {
        let hop_in = plan.inputs.first().or(plan.outputs.first()).map_or(1, |s| s.hop);
        let workers = match self.scheduler.timing() {
            SchedulerTiming::Beside { workers } => workers,
            _ => 1,
        };
        let query = LatencyQuery::for_host(host, hop_in as u64, hop_in as u64, max_inference)?
            .engines(plan.engines.min(workers) as u64)
            // Where no time is waited for, none is lost either.
            .scheduling_allowance(if max_inference.is_zero() { allowance } else { allowance + self.jitter })
            .blocking_ratio(Rational::new(i128::from(self.config.blocking_ppm()), 1_000_000)?)
            .align(self.config.align_outputs());
        let streams: Vec<StreamHops> = match plan.outputs.as_slice() {
            [] => vec![StreamHops::new(hop_in as u64)],
            outputs => outputs
                .iter()
                .map(|o| StreamHops {
                    hop_out: o.hop as u64,
                    model_latency: o.latency,
                    declared_latency: o.declared_latency,
                })
                .collect(),
        };
        let name = |index: usize| plan.outputs.get(index).map_or("", |o| &o.name);
        latencies_of(&query, &streams, |index| format!("output `{}`", name(index)))
    }

    /// The streams, as all engines together need them.
    pub(crate) fn plan(&self) -> SessionPlan {
        let first = self.first();
        let mut plan = SessionPlan::new(first.binding.inputs.clone(), first.outputs.clone());
        for (input, context) in plan.inputs.iter_mut().zip(&self.alignment.contexts) {
            input.context = *context;
        }
        for (index, (output, latency)) in plan.outputs.iter_mut().zip(&self.alignment.latencies).enumerate() {
            let decay = |m: &Member<B>| m.outputs.get(index).map_or(0, |o| o.decay);
            (output.latency, output.decay) = (*latency, self.members.iter().map(decay).max().unwrap_or(0));
        }
        plan
    }

    fn check_rate(&self, host: f64) -> Result<()> {
        match self.config.sample_rate() {
            Some(model) if (model - host).abs() > 1e-3 => {
                let right = format!("{model} Hz: the model was made for that rate");
                Err(Error::config("sample_rate", format_args!("{host} Hz"), right).of_kind(ErrorKind::Host))
            }
            _ => Ok(()),
        }
    }

    /// The worst time of one slot: all lanes, one after the other, of the two engines that may run in it.
    fn slot_time(&self, host: &HostConfig, lanes: usize, planned: &[Planned]) -> Result<Duration> {
        if self.scheduler.timing() == SchedulerTiming::InCallback {
            return Ok(Duration::ZERO);
        }
        let offline = host.processing_mode() == Mode::Offline;
        let named = |(index, planned): (usize, &Planned)| {
            planned.time(offline).map_err(|e| if index > 0 { e.at(format!("engine {index}")) } else { e })
        };
        let mut times: Vec<_> = planned.iter().enumerate().map(named).collect::<Result<_>>()?;
        if self.swappable {
            // One and what it is exchanged for.
            times.extend_from_within(..);
        }
        times.sort_unstable();
        let most = if self.has_pairs() { 2 } else { 1 };
        let time: Duration = times.iter().rev().take(most).sum();
        Ok(time * u32::try_from(lanes).unwrap_or(u32::MAX))
    }

    /// Whether two engines ever run in one slot.
    pub(super) fn has_pairs(&self) -> bool {
        self.switch_fade > 0 || self.planned.iter().any(|planned| planned.lead_in > 0)
    }

    /// Allocates everything and attaches the session.
    pub(super) fn start(&mut self, host: &HostConfig, sizes: Sizes) -> Result<Prepared<B, P, S>> {
        clock::start();
        let Sizes { plan, latency, slots, max_inference, allowance } = sizes;
        let max_block = host.block_size().max();
        let catch_up = if self.remembers() { self.config.max_catch_up() } else { 0 };
        // What may wait although it is late must not take the place of what is in time.
        let slots = slots + catch_up;
        let contexts = self.fallback.as_ref().map(|f| f.contexts()).unwrap_or_default();
        let histories = histories(&plan, slots, max_block, &latency, &contexts);
        check_memory(&histories, &plan, slots, &latency)?;
        let values: Vec<Vec<f64>> = self.shared.parameters.iter().map(|p| p.current()).collect();
        let parameters: Box<Parameters> = values.iter().map(|v| v.clone().into_boxed_slice()).collect();
        let answer = Answer {
            hops: (0..plan.outputs.len()).map(|s| self.hop_buffer(&plan, s)).collect(),
            readings: self
                .first()
                .binding
                .readings
                .iter()
                .map(|r| vec![0.0; r.len].into_boxed_slice())
                .collect(),
        };
        let stage = Arc::new(Stage::new(self.members.iter().map(Member::lead_in)));
        let (places, emit) = self.places(&plan, &parameters, &answer)?;
        let hops: Box<[usize]> = plan.outputs.iter().map(|o| o.hop).collect();
        let ensemble = |places: &Places<B, P>| {
            let places = places.clone().into_boxed_slice();
            Ensemble::new(places, stage.clone(), answer.clone(), self.switch_fade, hops.clone())
        };
        let mut ensembles: Vec<_> = places.iter().map(ensemble).collect();
        let (recording, recorder) =
            self.recording(host, &plan, &latency, (max_inference, allowance), &mut ensembles);
        let troupe = Troupe::new(plan.clone(), answer.clone(), stage.clone(), places);
        let rest = self.config.skip_silence().then(|| Rest::new(&histories, &parameters, &answer.hops));
        let (mix, outcome) = (Mix::default(), Outcome::default());
        let payload = Payload { parameters, mix, still: false, outcome, answer };
        let own: Vec<_> = self.members.iter().map(|m| m.plan(&plan)).collect();
        let outputs = outputs(&plan, &own, slots, max_block, &latency);
        let late = self.late(&plan, &outputs, &values)?;
        let producer = Producer::new(&histories, vec![payload; slots], ensembles);
        let closed = Closed::default();
        // Fades are measured in samples of output stream 0.
        let fade_hop = plan.outputs.first().map_or(reference(&plan), |s| s.hop);
        let may_wait = self.config.blocking_ppm() > 0 && host.processing_mode() == Mode::Realtime;
        let bell = may_wait.then(Arc::<Doorbell>::default);
        let ring = producer.ring().clone();
        let work = Arc::new(Job::new(ring.clone(), self.shared.clone(), closed.clone(), bell.clone()));
        let (submit, attachment) =
            self.scheduler.attach(work, self.terms(host, &plan, max_inference, &latency))?;
        let bytes = bytes(&histories, &plan, slots, &latency) as usize;
        let streams = Streams {
            producer,
            submit,
            emit,
            inputs: plan
                .inputs
                .iter()
                .map(|s| Input { channels: s.channels * plan.lanes, hop: s.hop })
                .collect(),
            outputs,
            parameters: values.into_iter().map(Values::new).collect(),
            shared: self.shared.clone(),
            closed: closed.clone(),
            late,
            rest,
            bypass: bypass(&plan),
            switcher: Switcher::new(&self.shared.choice, self.switch_fade, fade_hop),
            stage,
            timing: self.stream_timing(host, &plan, catch_up),
            bell: bell.clone(),
            behind: false,
            pace: Pace::new(catch_up as u64 + 1, memory(host, &plan, max_inference)),
            dropping: false,
            reference: 0,
            last_block: 0,
            patience: Patience::new(f64::from(self.config.blocking_ppm()) / 1e6, 1e9 / host.sample_rate()),
            recorder,
        };
        let (home, owner) = rtrb::RingBuffer::new(1);
        let report = PrepareReport {
            latency,
            tail: streams.outputs.iter().map(|o| o.tail).collect(),
            slots,
            hop: reference(&plan),
            hop_choice: None,
            lanes: plan.lanes,
            engines: plan.engines,
            max_inference,
            scheduling_allowance: allowance,
            bytes,
            admission: attachment.admission(),
        };
        let audio = Audio::new(Box::new(streams), home);
        self.running.push(Running::new(attachment, ring, closed, bell, owner, troupe));
        Ok(Prepared { audio, report, recording })
    }

    /// Two places for every engine, of which the first is taken; for each engine at once.
    #[allow(clippy::type_complexity, reason = "two halves of one split")]
    fn places(
        &self,
        plan: &SessionPlan,
        parameters: &Parameters,
        answer: &Answer,
    ) -> Result<(Vec<Places<B, P>>, P::Emit)> {
        let mut first = None;
        let mut places: Vec<Places<B, P>> = vec![Vec::new(); plan.engines];
        for (index, member) in self.members.iter().enumerate() {
            let named = |e: Error| if index > 0 { e.at(format!("engine {index}")) } else { e };
            let (crews, emit) = self.crews(member, plan, parameters, answer).map_err(named)?;
            first = first.or(Some(emit));
            for (places, crew) in places.iter_mut().zip(crews) {
                places.extend([Arc::new(Mutex::new(Some(crew))), Arc::default()]);
            }
        }
        let emit = first.ok_or(Error::new(ErrorKind::Internal, "a session without engines"))?;
        Ok((places, emit))
    }

    /// A model's crews, one for each engine at once.
    #[allow(clippy::type_complexity, reason = "two halves of one split")]
    pub(super) fn crews(
        &self,
        member: &Member<B>,
        plan: &SessionPlan,
        parameters: &Parameters,
        answer: &Answer,
    ) -> Result<(Vec<Crew<EngineOf<B>, P::Worker>>, P::Emit)> {
        let own = member.plan(plan);
        let (parts, emit) = self.processor.split(&own)?;
        if parts.len() != plan.engines * plan.lanes {
            let right = format!("{} engines of {} lanes each need their own", plan.engines, plan.lanes);
            return Err(Error::config("processor parts", parts.len(), right));
        }
        for (stream, hops) in answer.hops.iter().enumerate() {
            let len = self.processor.hop_len(&own, stream);
            if len != hops.len() {
                let right = format!("{}, as for the session's first engine", hops.len());
                return Err(Error::config("processor hop_len", len, right));
            }
        }
        let first = self.first();
        let layout = Layout::new(member.binding.clone(), &own, member.config.pre_roll(), member.is_closed)
            .among(member.parameters_in(first), member.readings_in(first), self.alignment.cuts(member)?);
        let layout = Arc::new(layout);
        let mut parts = parts.into_iter();
        let mut crews = Vec::with_capacity(plan.engines);
        for _ in 0..plan.engines {
            let engines = member.engines(plan.lanes)?;
            let parts = parts.by_ref().take(plan.lanes).collect();
            let mut crew = Crew::new(engines, parts, layout.clone())?;
            crew.make_ready(member.config.warm_up(), parameters, answer)?;
            crews.push(crew);
        }
        Ok((crews, emit))
    }

    /// Whether anything goes on from hop to hop: then a hop whose time has passed may still be worth running.
    pub(crate) fn remembers(&self) -> bool {
        self.members.iter().any(Member::remembers)
    }

    /// What hands the streams out, and what is heard where they are late.
    fn late(&self, plan: &SessionPlan, outputs: &[Output], values: &[Vec<f64>]) -> Result<Late> {
        let paired = paired(&plan.inputs, &plan.outputs);
        let stand_in = match (&self.fallback, &self.late_function) {
            (Some(fallback), _) => {
                let names = self.shared.parameters.iter().map(|p| p.name.as_str());
                let parameters: Vec<_> = names.zip(values.iter().map(Vec::as_slice)).collect();
                StandIn::Fallback(fallback.make(plan, &parameters)?)
            }
            (None, Some(maker)) => StandIn::function(maker, &paired),
            (None, None) => StandIn::of(self.config.late_policy(), &paired, outputs),
        };
        Ok(Late::new(stand_in, self.config.late_fade(), outputs.iter().map(|o| o.channels)))
    }

    fn hop_buffer(&self, plan: &SessionPlan, stream: usize) -> Planar {
        let channels = plan.outputs.get(stream).map_or(0, |s| s.channels) * plan.lanes;
        Planar::new(channels, self.processor.hop_len(plan, stream))
    }

    pub(super) fn terms(
        &self,
        host: &HostConfig,
        plan: &SessionPlan,
        max_inference: Duration,
        latency: &[Latency],
    ) -> Terms {
        let hop = plan.inputs.first().or(plan.outputs.first()).map_or(1, |s| s.hop);
        let mut terms = Terms::new(&self.name, Duration::from_secs_f64(hop as f64 / host.sample_rate()));
        terms.burst = host.block_size().max().div_ceil(hop);
        let zero_fill = latency.iter().map(Latency::zero_fill).min().unwrap_or(0);
        let hop_out = plan.outputs.first().map_or(hop, |s| s.hop);
        let samples = deadline(host.block_size(), hop, zero_fill as usize * hop / hop_out);
        terms.deadline = Duration::from_secs_f64(samples as f64 / host.sample_rate());
        terms.max_inference = max_inference;
        terms.engines = plan.engines;
        terms.priority = self.config.priority();
        terms
    }

    fn stream_timing(&self, host: &HostConfig, plan: &SessionPlan, catch_up: usize) -> Timing {
        let block = host.block_size().max();
        let hop_in = plan.inputs.first().or(plan.outputs.first()).map_or(1, |s| s.hop);
        let hop_out = plan.outputs.first().map_or(hop_in, |s| s.hop);
        Timing {
            mode: host.processing_mode(),
            max_block: block,
            block_out: (block * hop_out).div_ceil(hop_in) as u64,
            fixed: matches!(host.block_size(), BlockSize::Fixed(_))
                && (block * hop_out).is_multiple_of(hop_in),
            nanos_per_sample: 1e9 / host.sample_rate() * hop_in as f64 / hop_out as f64,
            nanos_per_input: 1e9 / host.sample_rate(),
            ends_in_call: host.processing_mode() == Mode::Offline
                || self.scheduler.timing() == SchedulerTiming::InCallback,
            max_catch_up: catch_up as u64,
        }
    }
}

/// Samples of a hop of the reference stream.
fn reference(plan: &SessionPlan) -> usize {
    plan.inputs.first().or(plan.outputs.first()).map_or(1, |s| s.hop)
}

/// All streams at another hop of the reference stream.
fn rescale(plan: &mut SessionPlan, hop: usize) {
    let reference = reference(plan) as u128;
    let streams = plan.inputs.iter_mut().chain(&mut plan.outputs);
    streams.for_each(|s| s.hop = (s.hop as u128 * hop as u128 / reference) as usize);
}

/// The fewest samples between a submission and the callback that needs its output, as the scheduler's admission counts it
/// (`anira_scheduler::schedule`, "What a session promises"), for a zero-fill in samples of the reference stream.
fn deadline(block: BlockSize, hop: usize, zero_fill: usize) -> usize {
    match block {
        // Hop j is complete in callback ceil((j + 1) * hop / block) - 1 and first heard in callback
        // floor((zero_fill + j * hop) / block): the same distance for every hop.
        BlockSize::Fixed(block) if block.is_multiple_of(hop) || hop.is_multiple_of(block) => {
            let (complete, heard) = (hop.div_ceil(block) - 1, zero_fill / block);
            (heard.saturating_sub(complete)) * block
        }
        // Distances differ by up to a callback: what all of them keep.
        BlockSize::Fixed(block) => (zero_fill + 1 + gcd(block, hop)).saturating_sub(hop + block),
        BlockSize::Varying { max, .. } => (zero_fill + 2).saturating_sub(hop + max),
    }
}

/// How many results on time make a stream forget those that were late ([`Pace`]). One; but engines that hardly rest make up for
/// nothing, and where blocks do not divide hops one phase of theirs may be late for ever: a whole round of phases, then.
fn memory(host: &HostConfig, plan: &SessionPlan, max_inference: Duration) -> u64 {
    let hop = plan.inputs.first().or(plan.outputs.first()).map_or(1, |s| s.hop);
    let share = max_inference.as_secs_f64() * host.sample_rate() / (hop * plan.engines.max(1)) as f64;
    match host.block_size() {
        BlockSize::Fixed(block) if share >= HARDLY_RESTS => {
            (block / gcd(block, hop)).clamp(1, LONG_MEMORY) as u64
        }
        _ => 1,
    }
}

/// The share of its time from which on an engine hardly rests: it needs more than 20 hops to make up for one.
const HARDLY_RESTS: f64 = 0.95;

/// Rounds of phases are longer than this only where hardly a sample of each is late.
const LONG_MEMORY: usize = 256;

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a.max(1) } else { gcd(b, a % b) }
}

/// How often the model runs per hop: the host's channels over the model's.
fn lanes(plan: &SessionPlan, channels: Option<usize>) -> Result<usize> {
    let Some(reference) = plan.inputs.first().or(plan.outputs.first()) else { return Ok(1) };
    match channels {
        None => Ok(1),
        Some(n) if n.is_multiple_of(reference.channels) => Ok(n / reference.channels),
        Some(n) => {
            let right = format!("a multiple of the {} channels of `{}`", reference.channels, reference.name);
            Err(Error::config("channels", n, right).of_kind(ErrorKind::Host))
        }
    }
}

/// The input histories: each keeps what slots may read, what the next block brings, and what is heard again: by a bypass, or
/// by what stands in for late samples.
fn histories(
    plan: &SessionPlan,
    slots: usize,
    max_block: usize,
    latency: &[Latency],
    contexts: &[usize],
) -> Vec<StreamShape> {
    let hop_in = plan.inputs.first().map_or(1, |s| s.hop).max(1);
    let shape = |(stream, s): (usize, &StreamPlan)| {
        // What goes out now came in a latency ago; a fallback hears what was in front of it, too.
        let of_output =
            |(o, l): (&StreamPlan, &Latency)| (l.samples as usize).saturating_mul(s.hop).div_ceil(o.hop);
        let ago = plan.outputs.iter().zip(latency).map(of_output).max().unwrap_or(0);
        let heard = contexts.get(stream).copied().unwrap_or(0);
        let block = (max_block * s.hop).div_ceil(hop_in);
        let slots = (slots + plan.engines + 2) * s.hop;
        StreamShape {
            channels: s.channels * plan.lanes,
            hop: s.hop,
            context: s.context,
            capacity: (s.context + slots + block).max(ago.saturating_add(heard + 2 * block + 2 * s.hop)),
        }
    };
    plan.inputs.iter().enumerate().map(shape).collect()
}

/// The output rings: each keeps the hops between the one going out and the newest that can have come in.
fn outputs(
    plan: &SessionPlan,
    own: &[SessionPlan],
    slots: usize,
    max_block: usize,
    latency: &[Latency],
) -> Box<[Output]> {
    let hop_in = plan.inputs.first().or(plan.outputs.first()).map_or(1, |s| s.hop).max(1);
    let ring = |(s, l): (&StreamPlan, &Latency)| {
        let block = (max_block * s.hop).div_ceil(hop_in);
        let hops = (l.zero_fill() as usize + block).div_ceil(s.hop) + slots + 1;
        let output = Output::new(s.channels * plan.lanes, s.hop, l.zero_fill(), l.samples, hops);
        output.with_tail(l.samples + receptive_field(own, s) + s.decay)
    };
    plan.outputs.iter().zip(latency).map(ring).collect()
}

fn bypass(plan: &SessionPlan) -> Bypass {
    let channels = plan.outputs.iter().map(|s| s.channels * plan.lanes).max().unwrap_or(0);
    Bypass::new(paired(&plan.inputs, &plan.outputs), channels)
}

/// The most samples of an output stream that one sample of any input can reach, after itself: an engine may look at any sample of
/// its window for any sample of its hop. `own`: the engines' windows, apart from what they wait for each other, which is latency.
fn receptive_field(own: &[SessionPlan], output: &StreamPlan) -> u64 {
    let of_input = |s: &StreamPlan| ((s.window() - 1) as u64 * output.hop as u64).div_ceil(s.hop as u64);
    own.iter().flat_map(|plan| &plan.inputs).map(of_input).max().unwrap_or(0)
}

/// Per output stream: whether an input stream of the same number, hop and channels exists, which may be heard in its place.
pub(super) fn paired(inputs: &[StreamPlan], outputs: &[StreamPlan]) -> Vec<bool> {
    let has = |s: Option<&StreamPlan>, o: &StreamPlan| {
        s.is_some_and(|s| s.hop == o.hop && s.channels == o.channels)
    };
    outputs.iter().enumerate().map(|(i, o)| has(inputs.get(i), o)).collect()
}

/// The most sample memory that one session may ask for.
const MAX_BYTES: u128 = 4 << 30;

fn check_memory(
    histories: &[StreamShape],
    plan: &SessionPlan,
    slots: usize,
    latency: &[Latency],
) -> Result<()> {
    let bytes = bytes(histories, plan, slots, latency);
    if bytes <= MAX_BYTES {
        return Ok(());
    }
    let right = "at most 4 GiB of sample memory; hops, contexts, channels, a declared latency or the host's block are too large";
    Err(Error::config("memory", format_args!("{bytes} bytes"), right).of_kind(ErrorKind::Host))
}

fn bytes(histories: &[StreamShape], plan: &SessionPlan, slots: usize, latency: &[Latency]) -> u128 {
    let product = |factors: [usize; 3]| factors.iter().map(|f| *f as u128).product::<u128>();
    let input: u128 = histories.iter().map(|h| product([h.channels, h.capacity, 1])).sum();
    let output: u128 =
        plan.outputs.iter().map(|o| product([o.channels * plan.lanes, o.hop, 2 * slots])).sum();
    // What the output rings hold besides: nearly nothing, unless somebody declared a large latency.
    let padding: u128 = plan
        .outputs
        .iter()
        .zip(latency)
        .map(|(o, l)| product([o.channels, plan.lanes, usize::try_from(l.padding).unwrap_or(usize::MAX)]))
        .sum();
    (input + output + padding) * size_of::<f32>() as u128
}
