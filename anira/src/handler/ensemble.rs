//! What one worker uses at a time: [`Ensemble`], the engines of a session that it may have to play.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, TryLockError};

use anira_traits::{Engine, Error, ErrorKind, Result, Span, Windows, WorkerPart};

use super::control::panicked;
use super::crew::{Crew, Parameters, Start};
use super::mix::{Cue, Fade, MAX_ENGINES, Mix, Outcome, Way};
use super::payload::{Answer, Payload};
use super::switcher::Stage;
use crate::trace::recorder::WorkerEnd;

/// Where a crew stands. Locked by the worker whose turn it is, and by a control thread only while no slot names the place: nobody
/// ever waits.
pub(super) type Place<E, W> = Arc<Mutex<Option<Crew<E, W>>>>;

/// One crew for every engine of a session, and what mixes them: what one worker uses at a time.
pub struct Ensemble<E, W> {
    places: Box<[Place<E, W>]>,
    stage: Arc<Stage>,
    /// What the second of two engines answers.
    other: Answer,
    /// Samples of a fade, of output stream 0; samples of a hop of each output stream.
    fade: usize,
    hops: Box<[usize]>,
    /// Places whose crew is broken, as bits.
    broken: u32,
    /// Where its runs are recorded, if they are.
    pub(super) recorder: Option<WorkerEnd>,
}

/// What a run came to.
#[derive(Debug)]
pub(super) struct Played {
    /// Whether there is an answer.
    pub(super) ok: bool,
    /// What went wrong, also where there is an answer all the same.
    pub(super) error: Option<Error>,
    /// An engine panicked.
    pub(super) panicked: bool,
    /// A crew broke that was not broken before.
    pub(super) broke: bool,
}

impl<E: Engine, W: WorkerPart> Ensemble<E, W> {
    /// These crews, place by place. `answer` is one of a slot.
    pub(super) fn new(
        places: Box<[Place<E, W>]>,
        stage: Arc<Stage>,
        answer: Answer,
        fade: usize,
        hops: Box<[usize]>,
    ) -> Self {
        Self { places, stage, other: answer, fade, hops, broken: 0, recorder: None }
    }

    /// Has a slot of this generation answered as its mix says; `release` is called as soon as the windows were read. Worker.
    pub(super) fn run<I: Windows>(
        &mut self,
        generation: u64,
        payload: &mut Payload,
        windows: I,
        release: impl FnOnce(I),
    ) -> Played {
        let Payload { parameters, mix, still, outcome, answer } = payload;
        let (mix, still) = (*mix, *still);
        *outcome = Outcome::default();
        let before = self.broken;
        let mut played = Played { ok: true, error: None, panicked: false, broke: false };
        let start = |cue: Cue| (cue, Start { generation, joined: cue.joined });
        match (mix.second, mix.backup) {
            (Some(second), _) => {
                let first = self.play(start(mix.first), parameters, answer, Lent(&windows), drop);
                // Apart: it is not this thread's alone to borrow while the crews play.
                let mut other = std::mem::take(&mut self.other);
                let second = self.play(start(second), parameters, &mut other, windows, release);
                (outcome.first_failed, outcome.second_failed) = (first.is_err(), second.is_err());
                let first_is_gone = self.is_broken(mix.first.place);
                played.ok = self.combine(&mix, *outcome, first_is_gone, answer, &mut other);
                self.other = other;
                played.note(first);
                played.note(second);
            }
            (None, Some(backup)) => {
                let first = self.play(start(mix.first), parameters, answer, Lent(&windows), drop);
                outcome.first_failed = first.is_err();
                played.note(first);
                if outcome.first_failed {
                    let backup = self.play(start(backup), parameters, answer, windows, release);
                    played.ok = backup.is_ok();
                    played.note(backup);
                }
            }
            (None, None) => {
                let first = self.play(start(mix.first), parameters, answer, windows, release);
                outcome.first_failed = first.is_err();
                outcome.at_rest = still && first.is_ok() && self.is_at_rest(mix.first.place);
                played.ok = first.is_ok();
                played.note(first);
            }
        }
        played.broke = self.broken & !before != 0;
        // What panicked once goes on to say so.
        played.panicked &= played.broke;
        played
    }

    fn play<I: Windows>(
        &mut self,
        (cue, start): (Cue, Start),
        parameters: &Parameters,
        answer: &mut Answer,
        windows: I,
        release: impl FnOnce(I),
    ) -> Result<()> {
        let Some(place) = self.places.get(cue.place) else { return Err(nobody()) };
        let mut there = match place.try_lock() {
            Ok(there) => there,
            Err(TryLockError::Poisoned(there)) => there.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(nobody()),
        };
        let Some(crew) = there.as_mut() else { return Err(nobody()) };
        let run = || crew.run(start, parameters, answer, windows, release);
        let result = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|payload| {
            let error = panicked(payload.as_ref());
            crew.retire(error.clone());
            Err(error)
        });
        if crew.is_broken() {
            self.broken |= 1 << cue.place;
        } else {
            self.broken &= !(1 << cue.place);
        }
        self.stage.note(cue.place, result.is_ok());
        // With one engine, which has two places, everybody knows which.
        let name = || ENGINES.get(cue.engine).copied().unwrap_or("engine");
        if self.places.len() > 2 { result.map_err(|error| error.at(name())) } else { result }
    }

    fn is_at_rest(&self, place: usize) -> bool {
        let place = self.places.get(place).and_then(|place| place.try_lock().ok());
        place.is_some_and(|there| there.as_ref().is_some_and(Crew::is_at_rest))
    }

    fn is_broken(&self, place: usize) -> bool {
        self.broken & 1 << place != 0
    }

    /// Leaves in `first` what is heard of the two. `false`: nothing is.
    fn combine(
        &self,
        mix: &Mix,
        outcome: Outcome,
        first_is_gone: bool,
        first: &mut Answer,
        second: &mut Answer,
    ) -> bool {
        match (outcome.first_failed, outcome.second_failed, mix.way) {
            (false, true, _) | (false, false, Way::First) => true,
            (false, false, Way::Fade { at, up }) => {
                let reference = self.hops.first().copied().unwrap_or(1);
                let streams = first.hops.iter_mut().zip(&second.hops).zip(&self.hops);
                for ((first, second), hop) in streams {
                    // Hops that overlap are longer, and fade by where their samples lie in time.
                    let fade = Fade::new(self.fade, at, up, *hop, reference);
                    first.channels_mut().zip(second.channels()).for_each(|(a, b)| fade.mix(a, b));
                }
                if up {
                    std::mem::swap(&mut first.readings, &mut second.readings);
                }
                true
            }
            // Who does not know the stream yet is heard only where the other one will never answer again.
            (true, false, Way::Fade { .. }) => swap(first, second),
            (true, false, Way::First) => first_is_gone && swap(first, second),
            (true, true, _) => false,
        }
    }
}

fn swap(first: &mut Answer, second: &mut Answer) -> bool {
    std::mem::swap(first, second);
    true
}

impl Played {
    pub(super) fn failed(error: Error) -> Self {
        Self { ok: false, error: Some(error), panicked: false, broke: false }
    }

    fn note(&mut self, result: Result<()>) {
        if let Err(error) = result {
            self.panicked |= error.kind() == ErrorKind::Panicked;
            self.error = Some(error);
        }
    }
}

fn nobody() -> Error {
    Error::new(ErrorKind::Internal, "a slot names an engine that is not there")
}

/// Static, so that a failure in a callback allocates nothing.
const ENGINES: [&str; MAX_ENGINES] =
    ["engine 0", "engine 1", "engine 2", "engine 3", "engine 4", "engine 5", "engine 6", "engine 7"];

/// Windows that another engine reads after this one.
struct Lent<'a, I>(&'a I);

impl<I: Windows> Windows for Lent<'_, I> {
    fn span(&self, stream: usize, channel: usize) -> Span<'_> {
        self.0.span(stream, channel)
    }
}

impl<E, W> std::fmt::Debug for Ensemble<E, W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ensemble").field("places", &self.places.len()).finish_non_exhaustive()
    }
}
