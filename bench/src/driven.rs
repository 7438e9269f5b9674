//! Who runs the slots: the library's pool, the host's threads while the callback waits, or a thread of the user's.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Thread;
use std::time::{Duration, Instant};

use anira::prelude::{
    Audio, Backend, Control, Driven, FnBackend, HopProcessor, InferenceConfig, InferenceHandler, InputTensor,
    Inputs, OutputTensor, Outputs, Prepared, Scheduler,
};
use anira::scheduler::IdlePolicy;
use anira::traits::{Signature, TensorInfo};
use anira::{EngineOf, HostConfig};
use clap::Args;
use serde::Serialize;

use crate::exec::Exec;
use crate::report::{Report, aligned};
use crate::samples::{Samples, Summary};
use crate::session::{Beat, Cores, RATE, WORKERS, pool};
use crate::task::{self, Usage};

/// The library's pool, a host's thread pool while the callback waits, and threads of the user's, beside each other.
///
/// One callback serves all sessions. `alone`: the callback runs the slots itself; `exec`: it asks the host for its threads, as CLAP's
/// `thread_pool` has it, takes part and waits; `polled`: a thread of the user's looks every 100 us; `woken`: the callback wakes it;
/// `pool`: the library's own. The first two add no latency for inference, and the callback lasts as long as the inferences do.
#[derive(Args)]
pub(crate) struct Options {
    /// The host's block; the models' hop is the same.
    #[arg(long, default_value_t = 256)]
    block: usize,
    /// Sessions that one callback serves.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 4, 8])]
    sessions: Vec<usize>,
    /// What all inferences of a callback take together, in percent of the block's time.
    #[arg(long, value_delimiter = ',', default_values_t = [20, 60])]
    load: Vec<usize>,
    /// Every so many inferences one takes `--spike` times as long; 0: none.
    #[arg(long, default_value_t = 200)]
    spike_every: usize,
    /// How many times as long.
    #[arg(long, default_value_t = 8)]
    spike: u32,
    /// Seconds that are counted per case.
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
}

/// Who runs the slots.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Way {
    Pool,
    Alone,
    Exec,
    Polled,
    Woken,
}

/// One way with so many sessions at this load.
#[derive(Serialize)]
struct Row {
    way: Way,
    sessions: usize,
    load: usize,
    latency: u64,
    callback: Summary,
    /// Callbacks that took longer than their block: what the whole host hears.
    overruns: usize,
    /// The share of samples that were late: what one session's listener hears.
    late: f64,
    /// The share of a core that all threads used, the audio thread included.
    core: f64,
}

/// All rows.
#[derive(Serialize)]
pub(crate) struct DrivenReport {
    block: usize,
    rows: Vec<Row>,
}

const WAYS: [Way; 5] = [Way::Pool, Way::Alone, Way::Exec, Way::Polled, Way::Woken];

pub(crate) fn run(options: &Options, cores: Cores) -> anyhow::Result<DrivenReport> {
    let cases: Vec<_> = options
        .load
        .iter()
        .flat_map(|load| options.sessions.iter().flat_map(move |n| WAYS.map(|way| (way, *n, *load))))
        .collect();
    let bar = indicatif::ProgressBar::new(cases.len() as u64);
    let mut rows = Vec::new();
    for (way, sessions, load) in cases {
        let case = Case { way, sessions, load, options, cores };
        rows.push(match way {
            Way::Pool => case.turn(case.backends(), pool(IdlePolicy::default(), cores)?, None)?,
            _ => {
                let driven = Driven::new(1)?;
                case.turn(case.backends(), driven.clone(), Some(driven))?
            }
        });
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(DrivenReport { block: options.block, rows })
}

/// A session of any scheduler.
struct Session<B: Backend, S: Scheduler<EngineOf<B>>> {
    audio: Audio<B, HopProcessor, S>,
    control: Control,
    latency: u64,
    _handler: InferenceHandler<B, HopProcessor, S>,
}

struct Case<'o> {
    way: Way,
    sessions: usize,
    load: usize,
    options: &'o Options,
    cores: Cores,
}

impl Case<'_> {
    fn period(&self) -> Duration {
        Duration::from_secs_f64(self.options.block as f64 / RATE)
    }

    /// What one inference takes.
    fn inference(&self) -> Duration {
        self.period().mul_f64(self.load as f64 / 100.0 / self.sessions as f64)
    }

    /// One per session; their spikes come at different times.
    fn backends(&self) -> impl Iterator<Item = impl Backend + use<>> {
        let apart = self.options.spike_every / self.sessions.max(1);
        (0..self.sessions).map(move |n| self.backend(n * apart))
    }

    /// An engine that computes for that long, and now and then for longer.
    fn backend(&self, first: usize) -> impl Backend + use<> {
        let shape = [1, 1, self.options.block];
        let signature = Signature {
            inputs: vec![TensorInfo::f32("input", &shape)],
            outputs: vec![TensorInfo::f32("output", &shape)],
        };
        let (time, every, spike) = (self.inference(), self.options.spike_every, self.options.spike);
        FnBackend::new("busy", signature, move || {
            let mut runs = first;
            move |inputs: &Inputs<'_>, outputs: &mut Outputs<'_>| {
                let start = Instant::now();
                runs += 1;
                let time = if every > 0 && runs.is_multiple_of(every) { time * spike } else { time };
                outputs.f32(0)?.copy_from_slice(inputs.f32(0)?);
                while start.elapsed() < time {
                    std::hint::spin_loop();
                }
                Ok(())
            }
        })
    }

    fn session<B: Backend, S: Scheduler<EngineOf<B>>>(
        &self,
        backend: B,
        scheduler: S,
    ) -> anira::Result<Session<B, S>> {
        // What ends inside of the callback needs no latency; what ends beside it is declared without the spikes.
        let inside = matches!(self.way, Way::Alone | Way::Exec);
        let declared = if inside { Duration::ZERO } else { self.inference().mul_f64(1.1) };
        let config = InferenceConfig::builder()
            .input(InputTensor::stream("input", self.options.block))
            .output(OutputTensor::stream("output", self.options.block))
            .max_inference(declared)
            .build()?;
        let mut handler = InferenceHandler::builder(config).backend(backend).scheduler(scheduler).build()?;
        let control = handler.control();
        let Prepared { audio, report, .. } = handler.prepare(&HostConfig::fixed(RATE, self.options.block))?;
        Ok(Session { audio, control, latency: report.latency[0].samples, _handler: handler })
    }

    /// One case from its first callback to its last.
    fn turn<B: Backend, S: Scheduler<EngineOf<B>> + Clone>(
        &self,
        backends: impl Iterator<Item = B>,
        scheduler: S,
        driven: Option<Driven>,
    ) -> anyhow::Result<Row> {
        let sessions = backends.map(|backend| self.session(backend, scheduler.clone()));
        let mut sessions = sessions.collect::<anira::Result<Vec<_>>>()?;
        let latency = sessions.first().map_or(0, |session| session.latency);
        let (exec, over) = (Exec::default(), AtomicBool::new(false));
        let drive = |sessions: &mut Vec<_>| {
            std::thread::scope(|scope| {
                let mut helpers: Vec<Thread> = Vec::new();
                if let Some(driven) = &driven {
                    let mut driver = driven.driver();
                    let helper = std::thread::Builder::new().name(format!("{WORKERS}helper"));
                    let (exec, over, way, cores) = (&exec, &over, self.way, self.cores);
                    let body = move || match way {
                        Way::Exec => exec.help(cores, || while driver.run_one() {}),
                        _ => help(way, cores, over, || driver.run_one()),
                    };
                    if way != Way::Alone {
                        helpers.push(helper.spawn_scoped(scope, body)?.thread().clone());
                    }
                }
                let mut own = driven.as_ref().map(Driven::driver);
                let between = || match (self.way, &mut own) {
                    (Way::Alone, Some(own)) => while own.run_one() {},
                    (Way::Exec, Some(own)) => {
                        // Each task runs one slot, whichever is most urgent: there are as many as sessions.
                        exec.request(self.sessions, &helpers, || {
                            own.run_one();
                        });
                    }
                    (Way::Woken, _) => helpers.iter().for_each(Thread::unpark),
                    _ => {}
                };
                // In a scope of its own: it borrows what is made in here.
                let ended = std::thread::scope(|host| host.spawn(|| self.host(sessions, between)).join());
                over.store(true, Ordering::Release);
                exec.end(&helpers);
                ended.map_err(|_| anyhow::anyhow!("the audio thread panicked"))
            })
        };
        let (callback, used, time) = drive(&mut sessions)?;
        let late: u64 = sessions.iter().map(|session| session.control.telemetry().late_samples).sum();
        let samples = callback.summary(0).count * self.options.block * self.sessions;
        Ok(Row {
            way: self.way,
            sessions: self.sessions,
            load: self.load,
            latency,
            callback: callback.summary(0),
            overruns: callback.above(self.period().as_nanos() as u64),
            late: late as f64 / samples.max(1) as f64,
            core: used.busy.as_secs_f64() / time.as_secs_f64().max(1e-9),
        })
    }

    /// The host's audio thread: all sessions take their block in, slots are run by whoever does, all sessions hand a block out.
    fn host<B: Backend, S: Scheduler<EngineOf<B>>>(
        &self,
        sessions: &mut [Session<B, S>],
        mut between: impl FnMut(),
    ) -> (Samples, Usage, Duration) {
        let _ = task::become_thread(self.cores.audio, task::AUDIO);
        let count = (self.options.seconds / self.period().as_secs_f64()).ceil() as usize;
        let (mut block, mut times) = (vec![0.1f32; self.options.block], Samples::with_capacity(count));
        let mut beat = Beat::new(self.period());
        let (used, begin) = (Usage::of(WORKERS), Instant::now());
        for _ in 0..count {
            beat.wait();
            let called = Instant::now();
            for session in &mut *sessions {
                let _ = session.audio.push(0, &[&block[..]]);
            }
            between();
            for session in &mut *sessions {
                let _ = session.audio.pop(0, &mut [&mut block[..]]);
            }
            times.push(called.elapsed().as_nanos() as u64);
        }
        (times, Usage::of(WORKERS).since(used), begin.elapsed())
    }
}

/// What a thread of the user's does that is not a host's.
fn help(way: Way, cores: Cores, over: &AtomicBool, mut run_one: impl FnMut() -> bool) {
    let _ = task::become_thread(cores.worker, task::WORKER);
    while !over.load(Ordering::Acquire) {
        while run_one() {}
        match way {
            Way::Polled => std::thread::sleep(Duration::from_micros(100)),
            // Looks once more after each wake-up, which is not lost if it comes before.
            _ => std::thread::park(),
        }
    }
}

impl Report for DrivenReport {
    fn table(&self) -> String {
        let heading =
            ["load", "sessions", "way", "latency", "callback p50", "p99", "max", "overruns", "late", "core"];
        let mut rows = vec![heading.map(str::to_owned).to_vec()];
        rows.extend(self.rows.iter().map(|row| {
            let way = match row.way {
                Way::Pool => "pool",
                Way::Alone => "alone",
                Way::Exec => "exec",
                Way::Polled => "polled",
                Way::Woken => "woken",
            };
            let micros = |nanos: u64| format!("{:.0}", nanos as f64 / 1e3);
            let c = row.callback;
            vec![
                format!("{} %", row.load),
                row.sessions.to_string(),
                way.to_owned(),
                row.latency.to_string(),
                micros(c.p50),
                micros(c.p99),
                micros(c.max),
                format!("{} of {}", row.overruns, c.count),
                format!("{:.2} %", row.late * 100.0),
                format!("{:.1} %", row.core * 100.0),
            ]
        }));
        let words = format!(
            "\nBlocks of {} at 48 kHz. load: all inferences of a callback, of its block's time. Latency in samples; callbacks in\n\
             microseconds, all sessions together. overruns: callbacks longer than their block; late: samples that were replaced;\n\
             core: share of one core that all threads used, the audio thread among them.\n",
            self.block
        );
        format!("{}{words}", aligned(&rows))
    }
}
