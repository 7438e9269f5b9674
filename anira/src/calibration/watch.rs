//! Whether a session that plays keeps to what was declared: [`Watch`], which advises and changes nothing.

use std::time::Duration;

use anira_scheduler::TelemetrySnapshot;

use crate::handler::{Control, PrepareReport};

/// Slots that a look takes into account, at the least.
const LEAST: u64 = 200;
/// A declared time that is so many times what was seen buys latency for nothing.
const FAR_TOO_LARGE: u64 = 2;
/// A median that rises by a quarter has drifted: heat, a slower clock, other work on the machine.
const DRIFT: f64 = 1.25;

/// What a session's counters suggest. Nothing of it happens by itself: a latency changes only in a prepare.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Advice {
    /// Slots took longer than `max_inference`: declare more, or samples will be late.
    InferenceTooSmall {
        /// The declared time of a slot, all lanes.
        declared: Duration,
        /// The longest that was seen, to an eighth.
        seen: Duration,
        /// Slots that took longer for certain.
        longer: u64,
        /// Slots that were seen.
        slots: u64,
    },
    /// No slot took half of `max_inference`: with less declared there may be less latency.
    InferenceTooLarge {
        /// The declared time of a slot, all lanes.
        declared: Duration,
        /// The longest that was seen, to an eighth.
        seen: Duration,
        /// Slots that were seen.
        slots: u64,
    },
    /// No slot took longer than declared, and some ended too late all the same, for they began too late: declare a larger scheduling
    /// allowance, or let the pool have more threads.
    AllowanceTooSmall {
        /// The declared allowance.
        declared: Duration,
        /// The longest from a submission to its start, to an eighth; slots in front included.
        seen: Duration,
        /// Slots that ended too late.
        overdue: u64,
        /// Slots that were seen.
        slots: u64,
    },
    /// The median rose by a quarter or more since the first look: calibrate again before it is too late.
    Slower {
        /// The median at the first look.
        from: Duration,
        /// The median now.
        to: Duration,
    },
}

impl std::fmt::Display for Advice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::InferenceTooSmall { declared, seen, longer, slots } => write!(
                f,
                "max_inference is {declared:?}, and {longer} of {slots} slots took longer, up to {seen:?}: declare more"
            ),
            Self::InferenceTooLarge { declared, seen, slots } => write!(
                f,
                "max_inference is {declared:?}, and none of {slots} slots took more than {seen:?}: less may do, with less latency"
            ),
            Self::AllowanceTooSmall { declared, seen, overdue, slots } => write!(
                f,
                "scheduling_allowance is {declared:?}, and {overdue} of {slots} slots ended too late for they began up to {seen:?} \
                 after they were submitted: allow more, or let the pool have more threads"
            ),
            Self::Slower { from, to } => {
                write!(f, "the median of inference went from {from:?} to {to:?}: calibrate again")
            }
        }
    }
}

/// Compares a session's counters with what was declared for it, look by look.
///
/// ```
/// # use anira::prelude::*;
/// # use std::time::Duration;
/// # let config = InferenceConfig::builder().input(InputTensor::stream("i", 64)).output(OutputTensor::stream("o", 64))
/// #     .max_inference(Duration::from_millis(1)).build()?;
/// use anira::calibration::Watch;
///
/// let mut handler = InferenceHandler::builder(config).backend(Bypass).build()?;
/// let Prepared { audio, report, .. } = handler.prepare(&HostConfig::fixed(48_000.0, 64))?;
/// let mut watch = Watch::new(handler.control(), &report);
/// // Now and then, on a thread that may allocate:
/// for advice in watch.look() {
///     println!("{advice}");
/// }
/// # drop(audio);
/// # Ok::<(), anira::Error>(())
/// ```
#[derive(Debug)]
pub struct Watch {
    control: Control,
    declared: Duration,
    allowance: Duration,
    before: TelemetrySnapshot,
    /// The median of the first look that there was enough for.
    median: Option<u64>,
}

impl Watch {
    /// Watches the session of this report, from now on. Any thread but the audio thread.
    #[must_use]
    pub fn new(control: Control, report: &PrepareReport) -> Self {
        let before = control.telemetry();
        Self {
            control,
            declared: report.max_inference,
            allowance: report.scheduling_allowance,
            before,
            median: None,
        }
    }

    /// What the slots since the last look suggest; nothing before there are 200 of them, which then go on to be counted. Any thread
    /// but the audio thread; allocates.
    pub fn look(&mut self) -> Vec<Advice> {
        let now = self.control.telemetry();
        let ran = now.inference.since(&self.before.inference);
        let slots = ran.count();
        if slots < LEAST {
            return Vec::new();
        }
        let started = now.wake_up.since(&self.before.wake_up);
        let overdue = now.overdue.saturating_sub(self.before.overdue);
        self.before = now;
        let (declared, seen) = (self.declared, Duration::from_nanos(ran.max));
        let nanos = u64::try_from(declared.as_nanos()).unwrap_or(u64::MAX);
        let longer = ran.above(nanos);
        let mut advice = Vec::new();
        if longer > 0 {
            advice.push(Advice::InferenceTooSmall { declared, seen, longer, slots });
        } else if overdue > 0 {
            let (declared, seen) = (self.allowance, Duration::from_nanos(started.max));
            advice.push(Advice::AllowanceTooSmall { declared, seen, overdue, slots });
        } else if ran.max.saturating_mul(FAR_TOO_LARGE) < nanos {
            advice.push(Advice::InferenceTooLarge { declared, seen, slots });
        }
        let median = ran.percentile(0.5);
        let first = *self.median.get_or_insert(median);
        if median as f64 > first as f64 * DRIFT {
            advice
                .push(Advice::Slower { from: Duration::from_nanos(first), to: Duration::from_nanos(median) });
        }
        advice
    }
}
