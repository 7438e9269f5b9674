//! Exchanging a model while sound runs: the control side. [`Troupe`] is what it keeps of a session's engines.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use anira_traits::{
    Backend, DType, Error, ErrorKind, Model, PrePostProcessor, Result, Scheduler, SessionPlan, Signature,
};

use super::crew::{Crew, Parameters};
use super::engine_spec::EngineSpec;
use super::ensemble::Place;
use super::member::{Member, Planned};
use super::mix::MAX_ENGINES;
use super::payload::Answer;
use super::running::{RingOf, Running};
use super::switcher::Stage;
use super::{EngineOf, InferenceHandler, running};
use crate::bind::Binding;

/// The places of one engine at once, two for every engine of the session.
pub(super) type Places<B, P> = Vec<Place<EngineOf<B>, <P as PrePostProcessor>::Worker>>;

type Crews<B, P> = Vec<Crew<EngineOf<B>, <P as PrePostProcessor>::Worker>>;

/// Between looks at what the audio thread does.
const LOOK: Duration = Duration::from_micros(200);

/// The engines of one session, as its owner has them.
pub(super) struct Troupe<B: Backend, P: PrePostProcessor> {
    plan: SessionPlan,
    answer: Answer,
    stage: Arc<Stage>,
    places: Vec<Places<B, P>>,
    /// Engines that were offered since the audio thread last took an offer, as bits.
    fresh: u32,
    /// Slots that had been published when an engine's old side was first seen to be left.
    left: [Option<u64>; MAX_ENGINES],
}

/// Where the next crews of an engine may stand.
#[derive(Clone, Copy)]
struct Room {
    side: usize,
    /// Whether crews stand there that were offered, unseen, until now.
    taken_back: bool,
}

impl<B: Backend, P: PrePostProcessor> Troupe<B, P> {
    pub(super) fn new(
        plan: SessionPlan,
        answer: Answer,
        stage: Arc<Stage>,
        places: Vec<Places<B, P>>,
    ) -> Self {
        Self { plan, answer, stage, places, fresh: 0, left: [None; MAX_ENGINES] }
    }

    /// Finds the side of an engine that no slot names; none yet if the audio thread has not left it.
    fn make_room(&mut self, engine: usize, ring: &RingOf<B, P>) -> Option<Room> {
        let handover = &self.stage.handover;
        let offered = handover.side(engine);
        if self.fresh & 1 << engine != 0 && handover.take_back(engine) {
            // Nobody has seen it: it is exchanged for the next one.
            self.fresh &= !(1 << engine);
            return Some(Room { side: offered, taken_back: true });
        }
        if handover.is_taken() {
            self.fresh = 0;
        }
        // Where the audio thread went on with the old one it does not want the new one any more.
        let side = if handover.is_refused(engine) { offered } else { 1 - offered };
        (side == offered || handover.is_free(engine, side)).then_some(())?;
        // No slot will name it; now those that may have done so.
        self.clear_after_use(engine, side, ring).then_some(Room { side, taken_back: false })
    }

    /// Frees what stands in a place that no slot will name any more. `false`: a worker may still be in it.
    fn clear_after_use(&mut self, engine: usize, side: usize, ring: &RingOf<B, P>) -> bool {
        if self.is_empty(engine, side) {
            return true;
        }
        let Some(left) = self.left.get_mut(engine) else { return false };
        // Those of now, not of every look: more are published all the time.
        let published = *left.get_or_insert_with(|| ring.published());
        if ring.is_busy_before(published) {
            return false;
        }
        *left = None;
        self.clear(engine, side);
        true
    }

    fn is_empty(&self, engine: usize, side: usize) -> bool {
        let place = |places: &Places<B, P>| {
            let place = places.get(2 * engine + side)?;
            Some(place.try_lock().is_ok_and(|there| there.is_none()))
        };
        self.places.iter().all(|places| place(places).unwrap_or(true))
    }

    /// Frees what stands in a place that nobody plays.
    fn clear(&self, engine: usize, side: usize) {
        for places in &self.places {
            let old = places
                .get(2 * engine + side)
                .and_then(|place| place.lock().unwrap_or_else(PoisonError::into_inner).take());
            // Outside of the lock: an engine may take its time.
            drop(old);
        }
    }

    /// Puts crews in an engine's place on this side, and offers them.
    fn offer(&mut self, engine: usize, side: usize, crews: Crews<B, P>, to_hear: u64) {
        self.clear(engine, side);
        let place = 2 * engine + side;
        for (places, crew) in self.places.iter().zip(crews) {
            if let Some(place) = places.get(place) {
                *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(crew);
            }
        }
        self.stage.set_to_hear(place, to_hear);
        if let Some(left) = self.left.get_mut(engine) {
            *left = None;
        }
        self.offer_again(engine, side);
    }

    /// Offers the crews that stand on this side.
    fn offer_again(&mut self, engine: usize, side: usize) {
        let handover = &self.stage.handover;
        if handover.is_taken() {
            self.fresh = 0;
        }
        handover.offer(engine, side);
        self.fresh |= 1 << engine;
    }
}

impl<B: Backend, P: PrePostProcessor, S: Scheduler<EngineOf<B>>> InferenceHandler<B, P, S> {
    /// Exchanges the model of an engine for another of the same interface while sound runs: it is loaded and warmed up here, handed
    /// over at the next hop, and cross-faded in as [`Audio::set_engine`](crate::Audio::set_engine) does; sessions that are prepared
    /// later begin with it. The latency stays. If it fails before it was heard, the old one goes on. The old engines are freed by a
    /// later swap, by [`await_swaps`](Self::await_swaps), or with their session, never on the audio thread.
    ///
    /// The interface is the streams of the session (names, hops, channels; contexts up to the longest), its parameters and readings
    /// (names, lengths, types), latencies and times up to what was counted on. States may differ. `spec` without a configuration
    /// stands for that of the model before. For handlers that were [built for it](crate::Builder::swappable).
    ///
    /// Control thread; blocks while it loads, and up to `timeout` for an exchange of the same engine that is not over: an audio thread
    /// that has not yet seen the last one is not waited for, but one that fades is.
    ///
    /// # Errors
    /// Those of [`build`](crate::Builder::build), said of `engine <number>`; [`ErrorKind::Config`], [`ErrorKind::Shape`] and
    /// [`ErrorKind::DType`] where the interface differs, naming tensor, field, and both sides; [`ErrorKind::Timeout`]. Nothing has
    /// changed then, and the sound goes on.
    pub fn swap(&mut self, engine: usize, spec: &EngineSpec<B>, timeout: Duration) -> Result<()> {
        if !self.swappable {
            let right = "true, at the builder: two engines at once have to be counted on";
            return Err(Error::config("swappable", false, right));
        }
        let Some(old) = self.members.get(engine) else {
            let right = format!("from 0 to {}, as the handler was built", self.members.len() - 1);
            return Err(Error::config("engine", engine, right));
        };
        let at = |e: Error| e.at(format!("engine {engine}"));
        let new = Member::load(spec, &old.config, self.processor.is_stateful()).map_err(at)?;
        self.check_swap(&new, old, engine).map_err(at)?;
        self.reclaim();
        let start = Instant::now();
        let mut crews = Vec::new();
        for running in self.running.iter().filter(|running| !running.is_inherited()) {
            let Troupe { plan, answer, .. } = &running.troupe;
            let values = self.shared.parameters.iter().map(|p| p.current().into_boxed_slice());
            let parameters: Box<Parameters> = values.collect();
            crews.push(self.crews(&new, plan, &parameters, answer).map_err(at)?.0);
        }
        // All of them have room before any of them changes.
        let mut rooms = Vec::new();
        for running in self.running.iter_mut().filter(|running| !running.is_inherited()) {
            let room = loop {
                match make_room(running, engine) {
                    Some(room) => break Some(room),
                    None if running.is_over() => break None,
                    None => {}
                }
                if start.elapsed() >= timeout {
                    self.restore(engine, &rooms);
                    let text = "the last exchange of this engine is not over: the audio thread fades, or has stopped within a fade";
                    return Err(at(Error::new(ErrorKind::Timeout, text)));
                }
                std::thread::sleep(LOOK);
            };
            rooms.push(room);
        }
        let to_hear = new.lead_in();
        let playing = self.running.iter_mut().filter(|running| !running.is_inherited());
        for ((running, crews), room) in playing.zip(crews).zip(rooms) {
            if let Some(room) = room {
                running.troupe.offer(engine, room.side, crews, to_hear);
            }
        }
        std::mem::replace(&mut self.members[engine], new).bury();
        Ok(())
    }

    /// Offers again what was taken back to make room.
    fn restore(&mut self, engine: usize, rooms: &[Option<Room>]) {
        let playing = self.running.iter_mut().filter(|running| !running.is_inherited());
        for (running, room) in playing.zip(rooms) {
            if let Some(Room { side, taken_back: true }) = *room {
                running.troupe.offer_again(engine, side);
            }
        }
    }

    /// Waits until the audio threads have left what was [exchanged](Self::swap), and frees it. Control thread; waits up to `timeout`,
    /// and no longer than anything can change.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`]: an audio thread has not seen an exchange yet, or still fades. [`ErrorKind::Engine`], as soon as it is
    /// known: the new engine failed before it was heard, and the one before plays on, until somebody asks for that engine again
    /// ([`Control::switching`](crate::Control::switching) counts it, [`Control::last_error`](crate::Control::last_error) says why).
    pub fn await_swaps(&mut self, timeout: Duration) -> Result<()> {
        running::sweep();
        let (start, mut refused) = (Instant::now(), None);
        for running in &mut self.running {
            for engine in 0..self.members.len() {
                while !running.is_over() && !running.is_inherited() && !is_settled(running, engine) {
                    if running.troupe.stage.handover.is_refused(engine) {
                        refused = Some(engine);
                        break;
                    }
                    if start.elapsed() >= timeout {
                        let text =
                            "an exchange is not over: the audio thread has not seen it, or still fades";
                        return Err(Error::new(ErrorKind::Timeout, text).at(format!("engine {engine}")));
                    }
                    std::thread::sleep(LOOK);
                }
            }
        }
        self.reclaim();
        let Some(engine) = refused else { return Ok(()) };
        let text = "the new engine failed before it was heard; the one before plays on";
        Err(Error::new(ErrorKind::Engine, text).at(format!("engine {engine}")))
    }

    /// Whether a model can be heard in the place of another without anybody noticing but by its sound.
    fn check_swap(&self, new: &Member<B>, old: &Member<B>, engine: usize) -> Result<()> {
        new.check_among(self.first())?;
        same_names(&new.binding, &old.binding)?;
        same_types(new, old)?;
        self.alignment.cuts(new)?;
        let (planned, now) = (self.planned.get(engine).copied(), Planned::of(new));
        if let (Some(Planned { time: Some(most), .. }), Some(time)) = (planned, now.time)
            && time > most
        {
            let right = format!("at most {most:?}, which the session counts on");
            return Err(Error::config("max_inference", format_args!("{time:?}"), right));
        }
        if now.lead_in > 0 && !self.has_pairs() {
            let right = "0: sessions were built for engines that never run side by side";
            return Err(Error::config("lead_in", now.lead_in, right));
        }
        new.check_silence(&self.config)?;
        if new.remembers() && self.config.engines() > 1 {
            let right = "1: the model or its processor remembers from hop to hop";
            return Err(Error::config("engines", self.config.engines(), right));
        }
        Ok(())
    }
}

fn make_room<B: Backend, P: PrePostProcessor, S: Scheduler<EngineOf<B>>>(
    running: &mut Running<B, P, S>,
    engine: usize,
) -> Option<Room> {
    let ring = running.ring();
    running.troupe.make_room(engine, &ring)
}

/// Whether nothing of an exchange is left; frees what it left behind.
fn is_settled<B: Backend, P: PrePostProcessor, S: Scheduler<EngineOf<B>>>(
    running: &mut Running<B, P, S>,
    engine: usize,
) -> bool {
    let ring = running.ring();
    let handover = &running.troupe.stage.handover;
    let spare = 1 - handover.side(engine);
    handover.is_free(engine, spare) && running.troupe.clear_after_use(engine, spare, &ring)
}

/// Parameters by the same names, as long as before; readings, which `check_among` has seen to.
fn same_names(new: &Binding, old: &Binding) -> Result<()> {
    let missing = |what: &str, name: &str, of: &str| {
        Err(Error::config("name", format_args!("`{name}`, {of}"), "the same in both").at(what.to_owned()))
    };
    for own in &old.parameters {
        if !new.parameters.iter().any(|p| p.name == own.name) {
            return missing("parameter", &own.name, "only in the model before");
        }
    }
    for own in &new.parameters {
        if !old.parameters.iter().any(|p| p.name == own.name) {
            return missing("parameter", &own.name, "only in the new model");
        }
    }
    Ok(())
}

/// The element types of what the user sees.
fn same_types<B: Backend>(new: &Member<B>, old: &Member<B>) -> Result<()> {
    let input = |signature: &Signature, tensor: usize| signature.inputs.get(tensor).map(|t| t.dtype);
    let output = |signature: &Signature, tensor: usize| signature.outputs.get(tensor).map(|t| t.dtype);
    let (new_is, old_is) = (new.model.signature(), old.model.signature());
    for own in &new.binding.parameters {
        let before = old.binding.parameters.iter().find(|p| p.name == own.name);
        let before = before.and_then(|p| input(old_is, p.tensor));
        same_type("input", &own.name, input(new_is, own.tensor), before)?;
    }
    for own in &new.binding.readings {
        let before = old.binding.readings.iter().find(|r| r.name == own.name);
        if let Some(before) = before {
            let before = output(old_is, before.tensor);
            same_type("output", &own.name, output(new_is, own.tensor), before)?;
        }
    }
    Ok(())
}

fn same_type(what: &str, name: &str, new: Option<DType>, old: Option<DType>) -> Result<()> {
    match (new, old) {
        (Some(new), Some(old)) if new != old => {
            let error = Error::new(ErrorKind::DType, format!("is {new}; {old}, as in the model before"));
            Err(error.at(format!("{what} `{name}`")))
        }
        _ => Ok(()),
    }
}

impl<B: Backend, P: PrePostProcessor> std::fmt::Debug for Troupe<B, P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Troupe").field("stage", &self.stage).finish_non_exhaustive()
    }
}
