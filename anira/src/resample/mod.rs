//! A model at its own sample rate in a host of another: [`Resampled`].
//!
//! The host's samples are brought to the model's rate, go through a session there, and are brought back. Both ways are one filter
//! at exact places, and the way back begins where it makes the whole delay a whole number of the host's samples.

#![deny(clippy::indexing_slicing, clippy::panic, clippy::unreachable)]

mod ratio;
mod stage;

use std::time::Duration;

use anira_traits::{
    Backend, BlockSize, Error, HostConfig, InputRole, OutputRole, PrePostProcessor, Result, Scheduler,
};

use crate::block::{Sink, Source, StridedMut};
use crate::handler::{Audio, EngineOf, Fault, InferenceHandler, PrepareReport, Prepared, Status};
use crate::latency::Latency;
use ratio::Ratio;
use stage::{Stage, half};

/// The audio thread's half of a session whose model runs at its own rate: blocks of the host's in, blocks of the host's out. See
/// [`InferenceHandler::prepare_resampled`].
///
/// Every method but [`latency`](Self::latency), [`tail`](Self::tail) and [`parameter_index`](Self::parameter_index) is for the audio
/// thread, and keeps what [`Audio`] keeps: wait-free, no allocation. It is dropped on a control thread: its filters are freed there.
pub struct Resampled<B: Backend, P: PrePostProcessor, S: Scheduler<EngineOf<B>>> {
    audio: Audio<B, P, S>,
    /// There is none where the host has the model's rate.
    ways: Option<Ways>,
    max_block: usize,
    latency: u64,
    tail: u64,
}

/// To the model's rate and back.
#[derive(Debug)]
struct Ways {
    /// The host's samples for one of the model's.
    to_host: Ratio,
    there: Stage,
    back: Stage,
    /// A block at the model's rate, channel after channel; what goes in, and in its place what comes out.
    block: Box<[f32]>,
    /// Samples of a channel in it.
    most: usize,
    /// A channel of the host's block.
    made: Box<[f32]>,
}

/// What a session at another rate came out as.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ResampleReport {
    /// The whole latency, in samples of the host: what a host's delay compensation is told. Exactly so late comes the middle of an
    /// impulse that went in, if the model is one that changes nothing.
    pub latency: u64,
    /// Its parts, as those of a [`Latency`](crate::latency::Latency), brought to the host's samples: each sum of the first of them is
    /// rounded down.
    pub adaptation: u64,
    /// For inferences that take time.
    pub inference: u64,
    /// The model's own.
    pub model: u64,
    /// What was declared or aligned.
    pub padding: u64,
    /// What resampling costs, there and back; with the other four it is the latency.
    pub resampling: u64,
    /// How long the output may sound on after the last input, in samples of the host.
    pub tail: u64,
    /// The session, in samples of the model's rate.
    pub session: PrepareReport,
}

impl ResampleReport {
    fn new(latency: u64, tail: u64, to_host: Ratio, session: PrepareReport) -> Self {
        let own = session.latency.first();
        let (mut sum, mut before) = (0, 0);
        let mut share = |part: fn(&Latency) -> u64| {
            sum += own.map_or(0, part);
            let share = to_host.down(sum) - before;
            before += share;
            share
        };
        let (adaptation, inference) = (share(|l| l.adaptation), share(|l| l.inference));
        let (model, padding) = (share(|l| l.model), share(|l| l.padding));
        Self { latency, adaptation, inference, model, padding, resampling: latency - before, tail, session }
    }
}

impl<B: Backend, P: PrePostProcessor, S: Scheduler<EngineOf<B>>> InferenceHandler<B, P, S> {
    /// As [`prepare`](Self::prepare), for a host at another rate than the model's, which the configuration names: the model runs at its
    /// own, and the sound is resampled there and back. A host at the model's rate costs nothing. Control thread; may block.
    ///
    /// The latency is exact: a whole number of the host's samples, the same for all block sizes that were prepared.
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare); [`Config`](crate::ErrorKind::Config) where the configuration names no rate, or has not one input stream
    /// and one output stream of the same hop; [`Host`](crate::ErrorKind::Host) for rates that are too far apart, or whose ratio has too large
    /// numbers.
    pub fn prepare_resampled(&mut self, host: &HostConfig) -> Result<(Resampled<B, P, S>, ResampleReport)> {
        host.validate()?;
        let model = self.config().sample_rate().ok_or_else(|| {
            Error::config(
                "sample_rate",
                "not set",
                "the rate that the model was made for, in its configuration",
            )
        })?;
        check_streams(self)?;
        let max_block = host.block_size().max();
        let to_model = Ratio::of(model, host.sample_rate())?;
        if to_model.num == to_model.den {
            let Prepared { audio, report, .. } = self.prepare(host)?;
            let (latency, tail) = (audio.latency(0).unwrap_or(0), audio.tail(0).unwrap_or(0));
            let resampled = Resampled { audio, ways: None, max_block, latency, tail };
            return Ok((resampled, ResampleReport::new(latency, tail, to_model, report)));
        }
        let (inner, jitter) = at_model(host, model, to_model)?;
        // Whatever is wrong with the ratio is wrong before anything is attached.
        let to_host = to_model.inverse();
        let most = to_model.up(max_block as u64) as usize;
        let before = half(to_model);
        stage::check(to_model)?;
        stage::check(to_host)?;
        let Prepared { audio, report, .. } = self.prepare_with(&inner, jitter)?;
        let (own, own_tail) = (audio.latency(0).unwrap_or(0), audio.tail(0).unwrap_or(0));
        // `docs/living-in-a-host.md` has why.
        let latency = before + to_host.down(own + half(to_host));
        let first = i128::from(own) * i128::from(to_host.num)
            + (i128::from(before) - i128::from(latency)) * i128::from(to_host.den);
        let begin = -(i128::from(before) * i128::from(to_model.num));
        let tail = latency + before + to_host.up(own_tail.saturating_sub(own) + half(to_host));
        let (channels_in, channels_out) = audio.channels(0);
        let ways = Ways {
            to_host,
            there: Stage::new(to_model, begin, channels_in, max_block),
            back: Stage::new(to_host, first, channels_out, most),
            block: vec![0.0; most * channels_in.max(channels_out)].into_boxed_slice(),
            most,
            made: vec![0.0; max_block].into_boxed_slice(),
        };
        let report = ResampleReport::new(latency, tail, to_host, report);
        Ok((Resampled { audio, ways: Some(ways), max_block, latency, tail }, report))
    }
}

/// The host as the model's session sees it, and how much later than its samples say a callback may come.
fn at_model(host: &HostConfig, model: f64, to_model: Ratio) -> Result<(HostConfig, Duration)> {
    let scaled = |samples: usize| to_model.down(samples as u64).max(1) as usize;
    let (min, max) = match host.block_size() {
        BlockSize::Fixed(block) => (block, block),
        BlockSize::Varying { min, max } => (min, max),
    };
    let most = to_model.up(max as u64) as usize;
    let is_fixed = min == max && to_model.up(max as u64) == to_model.down(max as u64);
    let mut inner = HostConfig::fixed(model, most).mode(host.processing_mode());
    if !is_fixed {
        inner = inner.block(BlockSize::Varying { min: scaled(min).min(most), max: most });
    }
    if let Some(channels) = host.channel_count() {
        inner = inner.channels(channels);
    }
    inner.validate().map_err(|error| error.at("at the model's rate"))?;
    // A callback brings samples rounded to whole ones.
    let jitter = if is_fixed { Duration::ZERO } else { Duration::from_nanos((1e9 / model).ceil() as u64) };
    Ok((inner, jitter))
}

/// There is one stream to be resampled, and one to be brought back.
fn check_streams<B: Backend, P: PrePostProcessor, S: Scheduler<EngineOf<B>>>(
    handler: &InferenceHandler<B, P, S>,
) -> Result<()> {
    let inputs = handler.config().inputs().iter().filter_map(|t| match t.role {
        InputRole::Stream { hop, .. } => Some(hop),
        _ => None,
    });
    let outputs = handler.config().outputs().iter().filter_map(|t| match t.role {
        OutputRole::Stream { hop, .. } => Some(hop),
        _ => None,
    });
    let (inputs, outputs): (Vec<_>, Vec<_>) = (inputs.collect(), outputs.collect());
    if inputs.len() == 1 && inputs == outputs {
        return Ok(());
    }
    let value = format!("hops {inputs:?} in and {outputs:?} out");
    let right = "one input stream and one output stream of the same hop, to be resampled";
    Err(Error::config("streams", value, right))
}

impl<B: Backend, P: PrePostProcessor, S: Scheduler<EngineOf<B>>> Resampled<B, P, S> {
    /// Processes a block in place. Any length, also 0; a block longer than was prepared is taken in parts.
    pub fn process<K: Source + Sink + ?Sized>(&mut self, block: &mut K) -> Status {
        if self.ways.is_none() {
            return self.audio.process(block);
        }
        let mut status = Status::default();
        let (frames, mut start) = (Source::frames(block), 0);
        while start < frames {
            let part = (frames - start).min(self.max_block);
            status = status.and(self.take(&*block, start, part)).and(self.give(block, start, part));
            start += part;
        }
        status
    }

    /// Processes a block out of place; `output` gets as many samples as `input` has.
    pub fn process_into<I: Source + ?Sized, O: Sink + ?Sized>(
        &mut self,
        input: &I,
        output: &mut O,
    ) -> Status {
        if self.ways.is_none() {
            return self.audio.process_into(input, output);
        }
        let mut status = Status::default();
        let (frames, mut start) = (input.frames(), 0);
        while start < frames {
            let part = (frames - start).min(self.max_block);
            status = status.and(self.take(input, start, part)).and(self.give(output, start, part));
            start += part;
        }
        status
    }

    /// The input is over: what is still on its way comes out, as if silence came in. Nothing but silence comes after
    /// [`tail`](Self::tail) samples, if what was declared is true. Any length.
    pub fn flush<O: Sink + ?Sized>(&mut self, output: &mut O) -> Status {
        if self.ways.is_none() {
            return self.audio.flush(output);
        }
        let mut status = Status::default();
        let (frames, mut start) = (output.frames(), 0);
        while start < frames {
            let part = (frames - start).min(self.max_block);
            status = status.and(self.take_silence(part)).and(self.give(output, start, part));
            start += part;
        }
        status
    }

    /// Begins anew, as [`Audio::reset`]: the stream after it is that of a session just prepared.
    pub fn reset(&mut self) {
        self.audio.reset();
        if let Some(ways) = &mut self.ways {
            ways.there.reset();
            ways.back.reset();
        }
    }

    /// As [`Audio::set_parameter`].
    pub fn set_parameter(&mut self, index: usize, values: &[f64]) -> Status {
        self.audio.set_parameter(index, values)
    }

    /// As [`Audio::parameter_index`].
    #[must_use]
    pub fn parameter_index(&self, name: &str) -> Option<usize> {
        self.audio.parameter_index(name)
    }

    /// As [`Audio::set_engine`].
    pub fn set_engine(&mut self, engine: usize) -> Status {
        self.audio.set_engine(engine)
    }

    /// As [`Audio::set_bypass`]; the input that is let through was resampled there and back, too.
    pub fn set_bypass(&mut self, bypass: bool) {
        self.audio.set_bypass(bypass);
    }

    /// The whole latency in samples of the host.
    #[must_use]
    pub fn latency(&self) -> u64 {
        self.latency
    }

    /// How long the output may sound on after the last input, in samples of the host.
    #[must_use]
    pub fn tail(&self) -> u64 {
        self.tail
    }

    fn take<I: Source + ?Sized>(&mut self, input: &I, start: usize, frames: usize) -> Status {
        let fits = self.ways.as_ref().is_some_and(|ways| ways.there.channels() == input.channels());
        if !fits {
            // Time goes on.
            return Status::fault(Fault::Channels).and(self.take_silence(frames));
        }
        self.run(frames, |channel, target| input.read(channel, start, target))
    }

    fn take_silence(&mut self, frames: usize) -> Status {
        self.run(frames, |_, target| target.fill(0.0))
    }

    /// Takes `frames` samples of the host's in, and has the session make of them what it can.
    fn run(&mut self, frames: usize, write: impl FnMut(usize, &mut [f32])) -> Status {
        let Some(ways) = &mut self.ways else { return Status::default() };
        ways.there.take(frames, write);
        let ready = ways.there.ready().min(ways.most);
        if ready == 0 {
            return Status::default();
        }
        let (channels, most) = (ways.there.channels(), ways.most);
        for (channel, target) in ways.block.chunks_exact_mut(most.max(1)).take(channels).enumerate() {
            ways.there.make(channel, target.get_mut(..ready).unwrap_or_default());
        }
        ways.there.pass(ready);
        let block = &mut ways.block[..];
        let status = if channels == ways.back.channels() {
            self.audio.process(&mut StridedMut::new(block, channels, ready, most, 1))
        } else {
            let pushed = self.audio.push(0, &StridedMut::new(&mut *block, channels, ready, most, 1));
            let out = &mut StridedMut::new(block, ways.back.channels(), ready, most, 1);
            pushed.and(self.audio.pop(0, out))
        };
        ways.back.take(ready, |channel, target| {
            let made = ways.block.get(channel * most..channel * most + ready).unwrap_or_default();
            target.iter_mut().zip(made).for_each(|(to, from)| *to = *from);
        });
        Status { late_samples: ways.to_host.up(status.late_samples), ..status }
    }

    /// Hands `frames` samples out to `output` from its frame `start` on.
    fn give<O: Sink + ?Sized>(&mut self, output: &mut O, start: usize, frames: usize) -> Status {
        let Some(ways) = &mut self.ways else { return Status::default() };
        let fits = ways.back.channels() == output.channels();
        for channel in 0..output.channels() {
            match ways.made.get_mut(..frames).filter(|_| fits) {
                Some(made) => {
                    ways.back.make(channel, made);
                    output.write(channel, start, made);
                }
                None => output.silence(channel, start, frames),
            }
        }
        ways.back.pass(frames);
        if fits { Status::default() } else { Status::fault(Fault::Channels) }
    }
}

impl<B: Backend, P: PrePostProcessor, S: Scheduler<EngineOf<B>>> std::fmt::Debug for Resampled<B, P, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resampled")
            .field("latency", &self.latency)
            .field("ways", &self.ways)
            .finish_non_exhaustive()
    }
}
