//! The cost of one callback, beside two memory copies of its size.

use std::hint::black_box;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use crate::machine::{self, Ticks};
use crate::policy;
use crate::reference::{Lines, Reference};
use crate::report::{Report, aligned};
use crate::samples::{Samples, Summary};
use crate::session::{Beat, BypassSession, Cores, Sizes, pool};
use crate::task;
use anira::scheduler::IdlePolicy;

/// The host's block and channels, and a model that is deep in the past.
const DEEP: Sizes = Sizes { block: 128, hop: 2_048, context: 15_380 - 2_048, channels: 1 };

/// Callbacks at the begin of a turn that are not counted, back to back: they find the caches as the turn before left them, which
/// is what the paced way measures.
const RUN_UP: usize = 20;

/// Rounds in which session and reference take turns.
const ROUNDS: usize = 10;

/// The cost of one callback, beside two memory copies of its size.
///
/// `Audio::process` in place, for an engine that only copies.
///
/// Two ways: back to back, each callback after the worker has handed the last hop back (so that what the callback touches
/// was last written by the other core); and at the pace of 48 kHz, where the core has slept in between. Beside it, in
/// turns: the same number of samples copied into and out of lines that the other core wrote last (cold), the same
/// with a fence after (published), and with nobody else writing (warm). The cost of taking the time is measured in the same turns and
/// subtracted from everything.
#[derive(Args)]
pub(crate) struct Options {
    /// Host blocks; the model's hop is the same.
    #[arg(long, value_delimiter = ',', default_values_t = [32, 64, 128, 256, 512, 1024])]
    block: Vec<usize>,
    /// Channels of the host and of the model.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2])]
    channels: Vec<usize>,
    /// Leave out blocks of 128 into a model with a hop of 2,048 and 13,332 samples of context.
    #[arg(long)]
    no_deep: bool,
    /// Callbacks per case, back to back.
    #[arg(long, default_value_t = 50_000)]
    callbacks: usize,
    /// Seconds per case at the pace of 48 kHz; 0 leaves it out.
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
}

/// One way of calling.
#[derive(Serialize)]
struct Figures {
    process: Summary,
    cold: Summary,
    published: Summary,
    warm: Summary,
    /// Taking the time twice; what was subtracted from the others.
    timer: u64,
    late_samples: u64,
    /// Ticks that the hypervisor took, over all cores.
    steal_ticks: u64,
    /// Timer interrupts on the audio thread's core.
    timer_interrupts: u64,
    /// Callbacks that took more than ten times their median.
    outliers: usize,
}

#[derive(Serialize)]
struct Case {
    sizes: Sizes,
    unpaced: Option<Figures>,
    paced: Option<Figures>,
}

/// All cases.
#[derive(Serialize)]
pub(crate) struct AudioReport {
    cases: Vec<Case>,
}

pub(crate) fn run(options: &Options, cores: Cores) -> anyhow::Result<AudioReport> {
    let even = |&channels: &usize| options.block.iter().map(move |&block| Sizes::even(block, channels));
    let mut sizes: Vec<_> = options.channels.iter().flat_map(even).collect();
    sizes.extend((!options.no_deep).then_some(DEEP));
    let bar = indicatif::ProgressBar::new(sizes.len() as u64);
    bar.set_style(indicatif::ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}")?);
    let mut cases = Vec::new();
    for sizes in sizes {
        bar.set_message(format!("block {}, {} channels", sizes.block, sizes.channels));
        let paced = Duration::from_secs_f64(options.seconds);
        let unpaced = (options.callbacks > 0).then(|| {
            let turns = Turns { callbacks: options.callbacks / ROUNDS, paced: false };
            measure(sizes, turns, policy::eager(), cores)
        });
        let paced = (options.seconds > 0.0).then(|| {
            let callbacks = (paced.as_secs_f64() / sizes.period().as_secs_f64() / 2.0) as usize / ROUNDS;
            let turns = Turns { callbacks: callbacks.max(1), paced: true };
            measure(sizes, turns, IdlePolicy::default(), cores)
        });
        cases.push(Case { sizes, unpaced: unpaced.transpose()?, paced: paced.transpose()? });
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(AudioReport { cases })
}

/// How long a turn is.
#[derive(Clone, Copy)]
struct Turns {
    callbacks: usize,
    paced: bool,
}

/// Everything that the turns of one case have in common.
struct Bench {
    session: BypassSession,
    reference: Reference,
    blocks: Vec<Vec<f32>>,
    sizes: Sizes,
    turns: Turns,
    late: u64,
    clock: u64,
}

fn measure(sizes: Sizes, turns: Turns, idle: IdlePolicy, cores: Cores) -> anyhow::Result<Figures> {
    let mut bench = Bench {
        session: BypassSession::new(&sizes, pool(idle, cores)?)?,
        reference: Reference::new(sizes.block * sizes.channels, cores)?,
        blocks: vec![vec![0.0; sizes.block]; sizes.channels],
        sizes,
        turns,
        late: 0,
        clock: 0,
    };
    // Made here, not there: a worker inherits the core that its maker is bound to.
    let thread = || {
        let _ = task::become_thread(cores.audio, task::AUDIO);
        bench.all_turns(cores)
    };
    let figures = std::thread::scope(|scope| scope.spawn(thread).join());
    figures.map_err(|_| anyhow::anyhow!("the audio thread panicked"))
}

impl Bench {
    fn all_turns(&mut self, cores: Cores) -> Figures {
        let turns = self.turns;
        let room = || Samples::with_capacity(turns.callbacks * ROUNDS);
        let (mut process, mut cold, mut published) = (room(), room(), room());
        let (mut warm, mut timer) = (room(), room());
        let (mut interrupts, mut before) = (0, Ticks::default());
        // The round before the first is not counted.
        for round in 0..=ROUNDS {
            if round == 1 {
                process = room();
                self.late = 0;
                (interrupts, before) = (machine::timer_interrupts(cores.audio), Ticks::now());
            }
            self.session_turn(&mut process);
            self.cold_turn(&mut cold, |lines, blocks| lines.copy(blocks));
            self.cold_turn(&mut published, |lines, blocks| lines.publish(blocks));
            self.warm_turn(&mut warm, &mut timer);
        }
        let timer = timer.summary(0).p50;
        let process_summary = process.summary(timer);
        Figures {
            process: process_summary,
            outliers: process.above(10 * (process_summary.p50 + timer)),
            cold: cold.summary(timer),
            published: published.summary(timer),
            warm: warm.summary(timer),
            timer,
            late_samples: self.late,
            steal_ticks: Ticks::now().steal - before.steal,
            timer_interrupts: machine::timer_interrupts(cores.audio) - interrupts,
        }
    }

    /// A host's work: new samples in the block, which is then in this core's cache.
    fn play(&mut self) {
        for block in &mut self.blocks {
            for sample in block {
                *sample = (self.clock & 0xFFFF) as f32;
                self.clock += 1;
            }
        }
    }

    fn session_turn(&mut self, samples: &mut Samples) {
        let mut beat = Beat::new(self.sizes.period());
        for n in 0..self.turns.callbacks {
            self.play();
            if self.turns.paced {
                beat.wait();
            } else {
                self.session.settle();
            }
            // The clock's own page is in the cache, as it is for a host that has just looked at it.
            black_box(Instant::now());
            let begin = Instant::now();
            let status = self.session.audio.process(black_box(&mut self.blocks[..]));
            let nanos = nanos(begin);
            if self.turns.paced || n >= RUN_UP {
                samples.push(nanos);
            }
            self.late += status.late_samples;
        }
        breathe();
    }

    fn cold_turn(&mut self, samples: &mut Samples, copy: impl Fn(&mut Lines<'_>, &mut [Vec<f32>])) {
        let mut beat = Beat::new(self.sizes.period());
        let callbacks =
            if self.turns.paced { self.turns.callbacks.div_ceil(2) } else { self.turns.callbacks };
        for _ in 0..callbacks {
            self.play();
            self.reference.ask();
            if self.turns.paced {
                beat.wait();
            }
            while !self.reference.is_cold() {
                std::hint::spin_loop();
            }
            let mut lines = self.reference.lines();
            black_box(Instant::now());
            let begin = Instant::now();
            copy(black_box(&mut lines), black_box(&mut self.blocks));
            samples.push(nanos(begin));
        }
        breathe();
    }

    fn warm_turn(&mut self, samples: &mut Samples, timer: &mut Samples) {
        for _ in 0..self.turns.callbacks {
            self.play();
            let mut lines = self.reference.lines();
            black_box(Instant::now());
            let begin = Instant::now();
            lines.copy(black_box(&mut self.blocks));
            samples.push(nanos(begin));
            black_box(Instant::now());
            let begin = Instant::now();
            timer.push(nanos(begin));
        }
        breathe();
    }
}

fn nanos(begin: Instant) -> u64 {
    begin.elapsed().as_nanos() as u64
}

/// A real-time thread that never sleeps is stopped by the system for its own reasons.
fn breathe() {
    std::thread::sleep(Duration::from_millis(5));
}

impl Figures {
    fn row(&self, sizes: &Sizes, how: &str) -> Vec<String> {
        let p = self.process;
        let ratio = |a: u64, b: u64| format!("{:.1}", a as f64 / b.max(1) as f64);
        let deep = if sizes.hop == sizes.block { "" } else { "*" };
        vec![
            format!("{}{deep}", sizes.block),
            sizes.channels.to_string(),
            how.to_owned(),
            p.p50.to_string(),
            p.p99.to_string(),
            p.p999.to_string(),
            p.max.to_string(),
            ratio(p.p999, p.p50),
            self.cold.p50.to_string(),
            self.published.p50.to_string(),
            self.warm.p50.to_string(),
            ratio(p.p50, self.cold.p50),
            (p.p50 as i64 - self.cold.p50 as i64).to_string(),
            (p.p50 as i64 - self.published.p50 as i64).to_string(),
            self.late_samples.to_string(),
            self.outliers.to_string(),
            self.timer_interrupts.to_string(),
            self.steal_ticks.to_string(),
            self.timer.to_string(),
        ]
    }
}

impl Report for AudioReport {
    fn table(&self) -> String {
        let heading = [
            "block",
            "ch",
            "",
            "p50",
            "p99",
            "p99.9",
            "max",
            "p99.9/p50",
            "cold",
            "publ.",
            "warm",
            "p50/cold",
            "-cold",
            "-publ.",
            "late",
            "outl.",
            "timer irq",
            "steal",
            "clock",
        ];
        let mut rows = vec![heading.map(str::to_owned).to_vec()];
        for case in &self.cases {
            rows.extend(case.unpaced.iter().map(|f| f.row(&case.sizes, "unpaced")));
            rows.extend(case.paced.iter().map(|f| f.row(&case.sizes, "paced")));
        }
        let words = "\nNanoseconds, less the clock. cold, publ., warm: two copies of the block, p50 (published: with a fence after).\n\
            outl.: callbacks above ten medians; late: samples; steal: ticks of all cores. *: hop 2048, context 13332.\n";
        format!("{}{words}", aligned(&rows))
    }
}
