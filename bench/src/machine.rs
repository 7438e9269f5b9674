//! What was measured on, and what else was going on there.

use std::fmt;
use std::fs;
use std::time::Duration;

use serde::Serialize;

use crate::session::Cores;
use crate::task;

/// The machine, and whether it gave a measurement what it needs.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    processor: String,
    cores: usize,
    system: String,
    governor: String,
    hypervisor: bool,
    /// What the system refused to the audio thread; `None` if it has its core and its real-time priority.
    refusal: Option<String>,
    /// Share of the cores that others used in the 200 ms before the measurement.
    other_load: f64,
}

/// What the cores did, in ticks of the system.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ticks {
    busy: u64,
    all: u64,
    /// Time that the hypervisor gave to others.
    pub(crate) steal: u64,
}

impl Ticks {
    /// Since the machine started; zeros where the system does not tell.
    pub(crate) fn now() -> Ticks {
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        let first = stat.lines().next().unwrap_or_default();
        let fields: Vec<u64> = first.split_whitespace().skip(1).filter_map(|n| n.parse().ok()).collect();
        let field = |i: usize| fields.get(i).copied().unwrap_or(0);
        let all: u64 = fields.iter().take(8).sum();
        Ticks { busy: all - field(3) - field(4), all, steal: field(7) }
    }
}

/// Timer interrupts that a core has taken since the machine started.
pub(crate) fn timer_interrupts(core: usize) -> u64 {
    let table = fs::read_to_string("/proc/interrupts").unwrap_or_default();
    let line = table.lines().find_map(|line| line.trim_start().strip_prefix("LOC:"));
    line.and_then(|l| l.split_whitespace().nth(core)).and_then(|n| n.parse().ok()).unwrap_or(0)
}

impl Machine {
    /// Looks, and tries what the audio thread will ask for.
    pub(crate) fn describe(cores: Cores) -> anyhow::Result<Self> {
        let before = Ticks::now();
        std::thread::sleep(Duration::from_millis(200));
        let after = Ticks::now();
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpuinfo.lines().find(|line| line.starts_with("model name"));
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let governor = format!("/sys/devices/system/cpu/cpu{}/cpufreq/scaling_governor", cores.audio);
        let probe =
            std::thread::Builder::new().spawn(move || task::become_thread(cores.audio, task::AUDIO))?;
        Ok(Self {
            processor: model.and_then(|l| l.split(": ").nth(1)).unwrap_or("unknown").to_owned(),
            cores: std::thread::available_parallelism().map_or(0, |n| n.get()),
            system: format!("{} {}", std::env::consts::OS, release.trim()),
            governor: fs::read_to_string(governor).map_or("not told".into(), |g| g.trim().to_owned()),
            hypervisor: cpuinfo.lines().any(|l| l.starts_with("flags") && l.contains(" hypervisor")),
            refusal: probe.join().unwrap_or(Some("the thread ended early".into())),
            other_load: (after.busy - before.busy) as f64 / (after.all - before.all).max(1) as f64,
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let virtual_ = if self.hypervisor { ", virtual" } else { "" };
        writeln!(f, "{}, {} cores{virtual_}, {}", self.processor, self.cores, self.system)?;
        let priority = match &self.refusal {
            None => format!("granted ({:?})", task::AUDIO),
            Some(refusal) => format!("refused: {refusal}"),
        };
        writeln!(f, "governor {}; real-time priority {priority}", self.governor)?;
        writeln!(f, "other load before the measurement: {:.0} % of all cores\n", self.other_load * 100.0)
    }
}
