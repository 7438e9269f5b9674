//! Calibration: how long slots of a model take on this machine, and what to declare; and whether a session still keeps to it.
//!
//! [`calibrate`] runs a session's slots, as a worker would, until their times are stable, and says what to declare: the worst
//! inference time, the scheduling allowance, engines, hop, and the latency that results in hosts of several blocks. A [`Watch`]
//! compares a session that plays with what was declared for it, and advises. Neither changes a latency.
//!
//! ```
//! use anira::calibration::{Settings, calibrate};
//! use anira::prelude::*;
//!
//! let config = InferenceConfig::builder()
//!     .input(InputTensor::stream("input", 512))
//!     .output(OutputTensor::stream("output", 512))
//!     .build()?;
//! let builder = InferenceHandler::builder(config).backend(Bypass);
//! let found = calibrate(builder, &Settings::default().slots(64, 4096).without_pool(), |_| ())?;
//! assert!(found.slot().total.count >= 64);
//! println!("declare {:?}: {:?}", found.max_inference, found.table.first());
//! # Ok::<(), anira::Error>(())
//! ```

mod measure;
mod pool;
mod settings;
mod stability;
mod table;
mod times;
mod watch;

use std::time::Duration;

use anira_traits::{Backend, PrePostProcessor, Result};

use crate::handler::Builder;
use measure::Probe;

pub use settings::{Progress, Settings};
pub use stability::Unstable;
pub use table::Row;
pub use times::{Figure, Times};
pub use watch::{Advice, Watch};

/// What was measured, and what to make of it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Calibration {
    /// Slots at each hop that was measured: the configured one; of a [range](crate::HopRange) the shortest and the longest.
    pub slots: Vec<SlotTimes>,
    /// From submission to start on an idle pool, of a session without a network; `None` where that was not measured.
    pub wake_up: Option<Times>,
    /// What to declare as `max_inference`: a quarter more than the longest slot that was seen, at the longest hop.
    pub max_inference: Duration,
    /// What to declare as the time at the shortest hop, where the configuration has a [range](crate::HopRange).
    pub shortest_takes: Option<Duration>,
    /// What to declare as `scheduling_allowance`: the longest start that was seen; 0 where that was not measured.
    pub scheduling_allowance: Duration,
    /// The least latency in hosts of these blocks, and with how many engines and which hop.
    pub table: Vec<Row>,
}

/// The times of one lane's slots at one hop.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SlotTimes {
    /// Samples of the reference stream.
    pub hop: usize,
    /// Slots before the times settled, which are not counted below.
    pub warm_up: usize,
    /// Whole slots.
    pub total: Times,
    /// From the processor's first look at the windows until the engine's inputs hold them.
    pub preparation: Times,
    /// The engine.
    pub run: Times,
    /// From the engine's outputs to the hop.
    pub finish: Times,
    /// What is wrong, if the times did not become stable: then the figures say little of the next run.
    pub unstable: Option<Unstable>,
}

impl Calibration {
    /// Whether all times became stable.
    #[must_use]
    pub fn is_stable(&self) -> bool {
        self.slots.iter().all(|slot| slot.unstable.is_none())
    }

    /// The times at the longest hop, which `max_inference` is about.
    #[must_use]
    pub fn slot(&self) -> &SlotTimes {
        // Made by `calibrate` alone, which measures at least one hop.
        &self.slots[self.slots.len() - 1]
    }
}

/// Measures the slots of the session that `builder` describes, whoever its scheduler is, on this thread. Control thread; takes as
/// long as the [settings](Settings) allow. `progress` is told now and then, on this thread.
///
/// Times are those of one lane, one engine, noise as input, at the rate and hop of a session: what else the machine does
/// meanwhile is in them. The largest of N times is no bound on the next: with 95 % confidence fewer than 3 in N are longer.
///
/// # Errors
/// Those of building, preparing and of the engine, which name the slot; [`Config`](crate::ErrorKind::Config) for settings that cannot be.
/// Times that do not become stable are no error: see [`Calibration::is_stable`].
pub fn calibrate<B: Backend, P: PrePostProcessor, S>(
    builder: Builder<B, P, S>,
    settings: &Settings,
    mut progress: impl FnMut(Progress),
) -> Result<Calibration> {
    settings.validate()?;
    let mut probe = Probe::new(builder, settings)?;
    let mut slots = Vec::new();
    let hops = probe.hops();
    for (index, hop) in hops.iter().enumerate() {
        slots.push(
            probe.measure(*hop, |done| {
                progress(Progress { hop: *hop, part: index, parts: hops.len(), done })
            })?,
        );
    }
    let wake_up = pool::wake_up(settings)?;
    let worst = |slot: &SlotTimes| rounded(slot.total.max.nanos.saturating_add(slot.total.max.nanos / 4));
    // From the shortest hop to the longest.
    let max_inference = slots.last().map_or(Duration::ZERO, worst);
    let shortest_takes =
        (slots.len() > 1).then(|| slots.first().map_or(Duration::ZERO, worst).min(max_inference));
    let scheduling_allowance = wake_up.as_ref().map_or(Duration::ZERO, |times| rounded(times.max.nanos));
    let table = table::rows(&probe.facts(max_inference, shortest_takes, scheduling_allowance), settings)?;
    Ok(Calibration { slots, wake_up, max_inference, shortest_takes, scheduling_allowance, table })
}

/// Up to whole hundredths of a millisecond.
fn rounded(nanos: u64) -> Duration {
    Duration::from_nanos(nanos.div_ceil(10_000).saturating_mul(10_000))
}

#[cfg(test)]
mod tests;
