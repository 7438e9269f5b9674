//! Which engine is heard, hop by hop: [`Switcher`], the audio thread's part of switching. And what it shares with others:
//! [`Choice`] with whoever asks for an engine, [`Stage`] with the workers.

#![deny(clippy::indexing_slicing)]

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use anira_scheduler::{Handover, Offer};

use super::mix::{Cue, Mix, Outcome, Way};

/// Failures in a row after which an engine is left for the one before it.
const FAILURES: u32 = 4;

/// Bits of a [`Choice`]'s word that name the engine.
const ENGINE: u64 = 0xff;

/// The engine that is asked for, of all of a handler's, and what came of it. Any thread; wait-free.
#[derive(Debug)]
pub(super) struct Choice {
    engines: usize,
    /// How often somebody asked, and, in the lowest bits, for which engine.
    asked: AtomicU64,
    asks: AtomicU64,
    heard: AtomicU64,
    switched: AtomicU64,
    given_up: AtomicU64,
}

impl Choice {
    pub(super) fn new(engines: usize) -> Self {
        Self {
            engines,
            asked: AtomicU64::new(0),
            asks: AtomicU64::new(0),
            heard: AtomicU64::new(0),
            switched: AtomicU64::new(0),
            given_up: AtomicU64::new(0),
        }
    }

    pub(super) fn engines(&self) -> usize {
        self.engines
    }

    /// Asks for an engine. `false`: there is none of this number. Relaxed, as all of it: words on their own; who asked last wins.
    pub(super) fn ask(&self, engine: usize) -> bool {
        let is_there = engine < self.engines;
        if is_there {
            let count = self.asks.fetch_add(1, Ordering::Relaxed) + 1;
            self.asked.store(count << ENGINE.count_ones() | engine as u64, Ordering::Relaxed);
        }
        is_there
    }

    /// The engine that was asked for last.
    pub(super) fn asked(&self) -> usize {
        (self.asked.load(Ordering::Relaxed) & ENGINE) as usize
    }

    /// The engine that answers the newest hops alone, or is faded away from.
    pub(super) fn heard(&self) -> usize {
        self.heard.load(Ordering::Relaxed) as usize
    }

    pub(super) fn switched(&self) -> u64 {
        self.switched.load(Ordering::Relaxed)
    }

    pub(super) fn given_up(&self) -> u64 {
        self.given_up.load(Ordering::Relaxed)
    }
}

/// What the engines of one session are known for. Relaxed, but for the handover: numbers on their own.
#[derive(Debug)]
pub(super) struct Stage {
    /// Which of its two places an engine is found in.
    pub(super) handover: Handover,
    /// Per place: runs that failed since the last that did not.
    failures: Box<[AtomicU32]>,
    /// Per place: hops that its engine has to hear before it may be heard.
    to_hear: Box<[AtomicU64]>,
}

impl Stage {
    /// Engines that have to hear so many hops first.
    pub(super) fn new(to_hear: impl IntoIterator<Item = u64>) -> Self {
        let to_hear: Box<[_]> = to_hear.into_iter().flat_map(|n| [n, 0]).map(AtomicU64::new).collect();
        let failures = to_hear.iter().map(|_| AtomicU32::new(0)).collect();
        Self { handover: Handover::new(), failures, to_hear }
    }

    /// The engine of a place, which is about to be offered, has to hear so many hops first. Control thread.
    pub(super) fn set_to_hear(&self, place: usize, hops: u64) {
        if let Some(to_hear) = self.to_hear.get(place) {
            to_hear.store(hops, Ordering::Relaxed);
        }
    }

    /// Worker; wait-free.
    pub(super) fn note(&self, place: usize, ok: bool) {
        let Some(failures) = self.failures.get(place) else { return };
        match ok {
            // A load costs less than a store to a line that others read.
            true if failures.load(Ordering::Relaxed) == 0 => {}
            true => failures.store(0, Ordering::Relaxed),
            // Its last four thousand million failures in a row do not matter.
            false => drop(failures.fetch_add(1, Ordering::Relaxed)),
        }
    }

    fn fails(&self, place: usize) -> bool {
        self.failures.get(place).is_some_and(|failures| failures.load(Ordering::Relaxed) >= FAILURES)
    }

    fn forgive(&self, place: usize) {
        if let Some(failures) = self.failures.get(place) {
            failures.store(0, Ordering::Relaxed);
        }
    }

    fn to_hear(&self, place: usize) -> u64 {
        self.to_hear.get(place).map_or(0, |hops| hops.load(Ordering::Relaxed))
    }
}

/// Decides, for every hop that is submitted, who answers it. Audio thread; wait-free.
///
/// An engine that is asked for joins in: it hears the hops that its state needs, unheard; then it is faded in, and the
/// first engine runs no longer. Everything moves on hop by hop, run or not, so it falls on the same samples whatever blocks, workers
/// and clocks do.
#[derive(Debug)]
pub(super) struct Switcher {
    /// The request that was seen last.
    asked: u64,
    wanted: usize,
    offer: Offer,
    first: Cue,
    second: Option<Cue>,
    /// Hops that the second has yet to hear before it is heard.
    left: u64,
    /// Samples of the fade towards the second that are done.
    at: usize,
    /// Who was heard before the first and still knows the stream: until the first has answered once.
    backup: Option<Cue>,
    /// The other engine that was heard before.
    before: Option<usize>,
    /// The place of an engine that failed, and who is heard instead until somebody asks again.
    instead: Option<(usize, Instead)>,
    /// Places that slots may name, as the control side was told.
    played: u64,
    /// Joined before or then, an engine has answered.
    proven: u64,
    joined: u64,
    /// Samples of a fade, and of a hop of output stream 0.
    fade: usize,
    hop: usize,
}

/// Who is heard in the place of an engine that failed.
#[derive(Clone, Copy, Debug)]
enum Instead {
    /// Who was heard before, and still is.
    Same(Cue),
    /// Another engine.
    Other(usize),
}

impl Switcher {
    /// The engine that was asked for last, from the first hop on.
    pub(super) fn new(choice: &Choice, fade: usize, hop: usize) -> Self {
        let wanted = choice.asked();
        choice.heard.store(wanted as u64, Ordering::Relaxed);
        Self {
            asked: choice.asked.load(Ordering::Relaxed),
            wanted,
            offer: Handover::begin(),
            first: Cue { engine: wanted, place: 2 * wanted, joined: 0 },
            second: None,
            left: 0,
            at: 0,
            backup: None,
            before: None,
            instead: None,
            played: 0,
            proven: 0,
            joined: 0,
            fade,
            hop,
        }
    }

    /// Takes note of requests and of failures: to be called before a hop is submitted.
    pub(super) fn settle(&mut self, choice: &Choice, stage: &Stage) {
        let is_new = self.heed(choice, stage);
        if self.second.is_none()
            && stage.fails(self.first.place)
            && let Some(before) = self.before.take()
        {
            self.instead = Some((self.first.place, Instead::Other(before)));
            choice.given_up.fetch_add(1, Ordering::Relaxed);
        }
        let target = self.target();
        match self.second {
            // Once it is heard, a fade is ended, or goes back.
            Some(second) if self.at > 0 || second.place == target.place => {}
            _ if target.place == self.first.place => self.second = None,
            _ => self.join(target, stage),
        }
        if let Some(second) = self.second
            && (self.left, self.fade) == (0, 0)
        {
            self.take_over(second, choice);
        }
        // Before any slot names them.
        let cues = [Some(self.first), self.second, self.backup];
        let played = cues.iter().flatten().fold(0, |sides, cue| sides | 1 << cue.place);
        if played != self.played || is_new {
            self.played = played;
            stage.handover.play(self.offer, played);
        }
    }

    /// Takes note of what was asked for and offered since. Says whether anything was offered.
    fn heed(&mut self, choice: &Choice, stage: &Stage) -> bool {
        let offer = stage.handover.take(self.offer);
        if let Some(offer) = offer {
            (self.offer, self.instead) = (offer, None);
        }
        let asked = choice.asked.load(Ordering::Relaxed);
        if asked != self.asked {
            (self.asked, self.wanted, self.instead) = (asked, (asked & ENGINE) as usize, None);
        }
        offer.is_some()
    }

    /// Who answers the next hop.
    pub(super) fn mix(&self) -> Mix {
        let Self { first, second, at, .. } = *self;
        let way = match second {
            Some(_) if self.left == 0 => Way::Fade { at, up: self.target().place != first.place },
            _ => Way::First,
        };
        Mix { first, second, way, backup: self.backup.filter(|_| second.is_none()) }
    }

    /// A hop is over: it was submitted with the [`mix`](Self::mix) of now, or given up.
    pub(super) fn go_on(&mut self, choice: &Choice) {
        let Some(second) = self.second else { return };
        if self.left > 0 {
            self.left -= 1;
            return;
        }
        if self.target().place != self.first.place {
            self.at = (self.at + self.hop).min(self.fade);
            if self.at == self.fade {
                self.take_over(second, choice);
            }
        } else {
            self.at = self.at.saturating_sub(self.hop);
            if self.at == 0 {
                self.second = None;
            }
        }
    }

    /// What became of a hop that was answered.
    pub(super) fn collected(&mut self, mix: &Mix, outcome: Outcome, choice: &Choice) {
        // Of two the second is the one to be proven.
        let (cue, failed) = match mix.second {
            Some(second) => (second, outcome.second_failed),
            None => (mix.first, outcome.first_failed),
        };
        if !failed {
            self.proven = self.proven.max(cue.joined);
            if self.first.joined == cue.joined {
                self.backup = None;
            }
            return;
        }
        if cue.joined <= self.proven {
            return;
        }
        let given_up = match (self.second, self.backup) {
            (Some(second), _) if second.joined == cue.joined => {
                self.instead = Some((second.place, Instead::Same(self.first)));
                true
            }
            (_, Some(backup)) if self.first.joined == cue.joined => {
                self.instead = Some((self.first.place, Instead::Same(backup)));
                self.first = backup;
                choice.heard.store(backup.engine as u64, Ordering::Relaxed);
                true
            }
            _ => false,
        };
        if given_up {
            (self.second, self.backup, self.before, self.at) = (None, None, None, 0);
            choice.given_up.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A fresh stream: who is wanted is heard from its first sample on.
    pub(super) fn reset(&mut self, choice: &Choice, stage: &Stage) {
        // What is offered is told with the next hop.
        if self.heed(choice, stage) {
            self.played = 0;
        }
        let target = self.target();
        if target.place != self.first.place {
            self.leave(target);
            choice.switched.fetch_add(1, Ordering::Relaxed);
        }
        choice.heard.store(target.engine as u64, Ordering::Relaxed);
        self.first = Cue { joined: 0, ..target };
        (self.second, self.backup, self.left, self.at) = (None, None, 0, 0);
        // Results of before are never collected: whoever joined is proven or gone.
        self.proven = self.joined;
    }

    /// Who ought to be heard.
    fn target(&self) -> Cue {
        let wanted = self.found(self.wanted);
        match self.instead {
            Some((failed, Instead::Same(cue))) if failed == wanted.place => cue,
            Some((failed, Instead::Other(engine))) if failed == wanted.place => self.found(engine),
            _ => wanted,
        }
    }

    /// An engine where it is found now.
    fn found(&self, engine: usize) -> Cue {
        Cue { engine, place: 2 * engine + self.offer.side(engine), joined: 0 }
    }

    /// The first engine is left for this one.
    fn leave(&mut self, next: Cue) {
        if next.engine != self.first.engine {
            self.before = Some(self.first.engine);
        }
    }

    fn join(&mut self, target: Cue, stage: &Stage) {
        self.joined += 1;
        stage.forgive(target.place);
        self.second = Some(Cue { joined: self.joined, ..target });
        (self.left, self.at) = (stage.to_hear(target.place), 0);
    }

    fn take_over(&mut self, second: Cue, choice: &Choice) {
        self.leave(second);
        self.backup = (second.joined > self.proven).then_some(self.first);
        (self.first, self.second, self.at) = (second, None, 0);
        choice.heard.store(second.engine as u64, Ordering::Relaxed);
        choice.switched.fetch_add(1, Ordering::Relaxed);
    }
}
