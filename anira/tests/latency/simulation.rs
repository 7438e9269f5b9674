//! The definition in `docs/latency.md`, played event by event on integers. Shares nothing with the library.

use std::collections::VecDeque;

/// A fraction as (numerator, denominator).
pub(crate) type Fraction = (i64, i64);

/// A session, in samples of its reference input stream.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) hop_in: i64,
    pub(crate) hops_out: Vec<i64>,
    pub(crate) inference: Fraction,
    pub(crate) engines: usize,
    pub(crate) ratio: Fraction,
}

/// What the callbacks so far have needed at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Need {
    /// Samples handed out and not collected, per output.
    pub(crate) zero_fill: Vec<i64>,
    /// Inferences submitted and not collected, before a callback collects.
    pub(crate) slots: i64,
    /// Samples pushed that a hop not yet collected may still want.
    pub(crate) input: i64,
    /// Samples that a callback finds in the ring of an output beyond its zero-fill, before it hands out.
    pub(crate) surplus: Vec<i64>,
}

/// A session in the middle of its callbacks. Times and positions count `unit`ths of a sample.
#[derive(Debug)]
pub(crate) struct Simulation {
    session: Session,
    unit: i64,
    now: i64,
    pushed: i64,
    submitted: i64,
    collected: i64,
    /// When the inferences that are not collected finish, in order.
    finishes: VecDeque<i64>,
    /// When each engine is free.
    free: Vec<i64>,
    pub(crate) need: Need,
}

impl Simulation {
    /// Blocks will be given in `1/block_unit` of a sample.
    pub(crate) fn new(session: Session, block_unit: i64) -> Self {
        let outputs = session.hops_out.len();
        Self {
            unit: block_unit * session.inference.1 * session.ratio.1,
            now: 0,
            pushed: 0,
            submitted: 0,
            collected: 0,
            finishes: VecDeque::new(),
            free: vec![0; session.engines],
            need: Need { zero_fill: vec![0; outputs], slots: 0, input: 0, surplus: vec![0; outputs] },
            session,
        }
    }

    /// One callback that brings `block` units of `1/block_unit`; the next one comes when they have been played.
    pub(crate) fn callback(&mut self, block: i64) {
        self.split_callback(&[block]);
    }

    /// One callback that comes `late` units of `1/block_unit` after the samples before it have been played.
    pub(crate) fn late_callback(&mut self, block: i64, late: i64) {
        self.now = self.pushed + late * self.session.inference.1 * self.session.ratio.1;
        self.push(block);
        self.now = self.pushed;
    }

    /// Several callbacks at the same time, the next one when all of them have been played.
    pub(crate) fn split_callback(&mut self, blocks: &[i64]) {
        blocks.iter().for_each(|&block| self.push(block));
        self.now = self.pushed;
    }

    fn push(&mut self, block: i64) {
        let Session { hop_in, ref hops_out, inference, ratio, .. } = self.session;
        let block = block * inference.1 * ratio.1;
        let takes = inference.0 * (self.unit / inference.1);
        let wait = ratio.0 * (block / ratio.1);
        let before = self.pushed;
        let pushed = self.pushed + block;
        while (self.submitted + 1) * hop_in * self.unit <= pushed {
            let engine = self.free.iter_mut().min().unwrap();
            *engine = (*engine).max(self.now) + takes;
            self.finishes.push_back(*engine);
            self.submitted += 1;
        }
        self.need.slots = self.need.slots.max(self.submitted - self.collected);
        self.need.input = self.need.input.max(pushed / self.unit - self.collected * hop_in);
        while self.finishes.front().is_some_and(|&finish| finish <= self.now + wait) {
            self.finishes.pop_front();
            self.collected += 1;
        }
        for (output, &hop_out) in hops_out.iter().enumerate() {
            let handed_out = |position: i64| position * hop_out / (hop_in * self.unit);
            let lag = handed_out(pushed) - self.collected * hop_out;
            self.need.zero_fill[output] = self.need.zero_fill[output].max(lag);
            let surplus = self.collected * hop_out - handed_out(before);
            self.need.surplus[output] = self.need.surplus[output].max(surplus);
        }
        self.pushed = pushed;
    }

    /// All that the future depends on, if the callbacks to come are known: relative to now.
    fn state(&self) -> (i64, Vec<i64>, Vec<i64>) {
        let relative = |finish: &i64| (finish - self.now).max(0);
        let mut free: Vec<i64> = self.free.iter().map(relative).collect();
        free.sort_unstable();
        (self.submitted - self.collected, self.finishes.iter().map(relative).collect(), free)
    }
}

/// How many samples are wanting of output 0 over so many callbacks of `block` samples, if its ring begins with `zeros`: the ring is
/// filled and emptied, and nothing is counted ahead.
pub(crate) fn wanting(session: &Session, block: i64, zeros: i64, callbacks: i64) -> i64 {
    let mut simulation = Simulation::new(session.clone(), 1);
    let (hop_in, hop_out) = (session.hop_in, session.hops_out[0]);
    let (mut ring, mut collected, mut wanting) = (zeros, 0, 0);
    for k in 0..callbacks {
        simulation.callback(block);
        ring += (simulation.collected - collected) * hop_out;
        collected = simulation.collected;
        ring -= (k + 1) * block * hop_out / hop_in - k * block * hop_out / hop_in;
        wanting += (-ring).max(0);
        ring = ring.max(0);
    }
    wanting
}

/// What a host needs whose every callback brings `block` samples, for ever: callbacks are played until a whole period
/// leaves everything as it found it.
pub(crate) fn fixed_blocks(session: &Session, block: Fraction) -> Need {
    let mut simulation = Simulation::new(session.clone(), block.1);
    let whole = session.hop_in * block.1;
    let period = whole / gcd(block.0, whole);
    let mut before = simulation.state();
    for _ in 0..10_000 {
        for _ in 0..period {
            simulation.callback(block.0);
        }
        let after = simulation.state();
        if after == before {
            return simulation.need;
        }
        before = after;
    }
    panic!("no steady state: {session:?} {block:?}");
}

pub(crate) fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
