//! What prepared sessions cost that nobody calls any more.

use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use crate::policy;
use crate::report::{Report, aligned};
use crate::session::{Beat, BypassSession, Cores, Sizes, WORKERS, pool};
use crate::task::{self, Usage};

/// How the pool's monitor is named.
const MONITOR: &str = "anira-monitor";

/// What prepared sessions cost that are no longer called.
///
/// A pool of one worker; its sessions are called for a while and then no more.
///
/// A host that is stopped, a bypassed plugin, a silent track: the sessions stay prepared.
#[derive(Args)]
pub(crate) struct Options {
    /// How many sessions share the pool.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 8])]
    sessions: Vec<usize>,
    /// Idle policies, by name; all unless given.
    #[arg(long, value_delimiter = ',')]
    policy: Vec<String>,
    /// Seconds of callbacks, all sessions in each, before they stop.
    #[arg(long, default_value_t = 10.0)]
    calls: f64,
    /// Seconds after the last callback before anything is counted: until nothing is foretold any more.
    #[arg(long, default_value_t = 1.0)]
    settle: f64,
    /// Seconds that are counted after that.
    #[arg(long, default_value_t = 20.0)]
    seconds: f64,
}

/// One policy with so many sessions.
#[derive(Serialize)]
struct Row {
    policy: &'static str,
    sessions: usize,
    /// Share of one core, while the sessions are called and after.
    called_share: f64,
    idle_share: f64,
    called_switches: f64,
    idle_switches: f64,
    /// What of the idle share is the pool's monitor.
    monitor_share: f64,
    /// The pool's threads once its sessions have ended.
    threads_after: usize,
}

/// All rows.
#[derive(Serialize)]
pub(crate) struct IdleReport {
    rows: Vec<Row>,
}

pub(crate) fn run(options: &Options, cores: Cores) -> anyhow::Result<IdleReport> {
    let policies = policy::named(&options.policy)?;
    let bar = indicatif::ProgressBar::new((policies.len() * options.sessions.len()) as u64);
    bar.set_style(indicatif::ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}")?);
    let mut rows = Vec::new();
    for (policy, idle) in policies {
        for &count in &options.sessions {
            bar.set_message(format!("{policy}, {count} sessions"));
            let (sizes, pool) = (Sizes::even(128, 1), pool(idle, cores)?);
            let sessions: Vec<_> =
                (0..count).map(|_| BypassSession::new(&sizes, pool.clone())).collect::<Result<_, _>>()?;
            let (sessions, called) = called(sessions, sizes, options.calls, cores)?;
            std::thread::sleep(Duration::from_secs_f64(options.settle));
            let (before, monitor) = ((Usage::of(WORKERS), Instant::now()), Usage::of(MONITOR));
            std::thread::sleep(Duration::from_secs_f64(options.seconds));
            let idle = (Usage::of(WORKERS).since(before.0), before.1.elapsed());
            let monitor = (Usage::of(MONITOR).since(monitor), idle.1);
            drop(sessions);
            rows.push(Row {
                policy,
                sessions: count,
                called_share: share(called),
                idle_share: share(idle),
                called_switches: rate(called),
                idle_switches: rate(idle),
                monitor_share: share(monitor),
                threads_after: task::threads(WORKERS),
            });
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok(IdleReport { rows })
}

/// Calls every session at the pace of 48 kHz, and says what the workers used meanwhile.
fn called(
    mut sessions: Vec<BypassSession>,
    sizes: Sizes,
    seconds: f64,
    cores: Cores,
) -> anyhow::Result<(Vec<BypassSession>, (Usage, Duration))> {
    let host = move || {
        let _ = task::become_thread(cores.audio, task::AUDIO);
        let mut block = vec![0.0f32; sizes.block];
        let (before, begin) = (Usage::of(WORKERS), Instant::now());
        let mut beat = Beat::new(sizes.period());
        while begin.elapsed().as_secs_f64() < seconds {
            beat.wait();
            for session in &mut sessions {
                let _ = session.audio.process(&mut [&mut block[..]]);
            }
        }
        (sessions, (Usage::of(WORKERS).since(before), begin.elapsed()))
    };
    let ended = std::thread::scope(|scope| scope.spawn(host).join());
    ended.map_err(|_| anyhow::anyhow!("the audio thread panicked"))
}

fn share((used, time): (Usage, Duration)) -> f64 {
    used.busy.as_secs_f64() / time.as_secs_f64().max(1e-9)
}

fn rate((used, time): (Usage, Duration)) -> f64 {
    used.switches as f64 / time.as_secs_f64().max(1e-9)
}

impl Report for IdleReport {
    fn table(&self) -> String {
        let heading = [
            "policy",
            "sessions",
            "called: core",
            "sleeps/s",
            "idle: core",
            "sleeps/s",
            "monitor",
            "threads after",
        ];
        let mut rows = vec![heading.map(str::to_owned).to_vec()];
        rows.extend(self.rows.iter().map(|row| {
            vec![
                row.policy.to_owned(),
                row.sessions.to_string(),
                format!("{:.2} %", row.called_share * 100.0),
                format!("{:.0}", row.called_switches),
                format!("{:.3} %", row.idle_share * 100.0),
                format!("{:.1}", row.idle_switches),
                format!("{:.3} %", row.monitor_share * 100.0),
                row.threads_after.to_string(),
            ]
        }));
        let words = "\ncore: share of one core that all threads of the pool used; sleeps/s: their voluntary switches; monitor: what\n\
            of the idle share is the thread that watches over the workers; threads after: once the sessions have ended.\n";
        format!("{}{words}", aligned(&rows))
    }
}
