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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use anira_backend_custom::{FnBackend, Inputs, Outputs};
    use anira_traits::{DType, Signature, TensorInfo};

    use super::*;
    use crate::prelude::*;

    const HOP: usize = 16;

    /// At 100 Hz a hop is 160 ms, of which 150 are declared: far more than a slot takes on any machine.
    struct Session {
        play: Box<dyn FnMut(u64)>,
        watch: Watch,
        /// Microseconds that a slot takes at least.
        takes: Arc<AtomicU64>,
    }

    fn session(declared: Duration) -> Session {
        let tensor = |name| vec![TensorInfo::new(name, DType::F32, [1, 1, HOP].map(Some).to_vec())];
        let takes = Arc::new(AtomicU64::new(0));
        let of_engine = takes.clone();
        let backend =
            FnBackend::new("slow", Signature { inputs: tensor("x"), outputs: tensor("y") }, move || {
                let takes = of_engine.clone();
                move |_: &Inputs<'_>, _: &mut Outputs<'_>| {
                    match takes.load(Ordering::Relaxed) {
                        0 => {}
                        micros => std::thread::sleep(Duration::from_micros(micros)),
                    }
                    Ok(())
                }
            });
        let config = InferenceConfig::builder().max_inference(declared);
        let config = config.input(InputTensor::stream("x", HOP)).output(OutputTensor::stream("y", HOP));
        let driven = Driven::new(1).unwrap();
        let mut driver = driven.driver();
        let builder = InferenceHandler::builder(config.build().unwrap()).backend(backend).scheduler(driven);
        let mut handler = builder.build().unwrap();
        let Prepared { mut audio, report, .. } = handler.prepare(&HostConfig::fixed(100.0, HOP)).unwrap();
        let watch = Watch::new(handler.control(), &report);
        let play = Box::new(move |hops| {
            let _ = &handler;
            for _ in 0..hops {
                let _ = audio.process(&mut [&mut [0.0f32; HOP][..]]);
                assert!(driver.run_one());
            }
        });
        Session { play, watch, takes }
    }

    const DECLARED: Duration = Duration::from_millis(150);

    #[test]
    fn nothing_is_said_before_enough_was_seen_and_nothing_twice() {
        let Session { mut play, mut watch, .. } = session(DECLARED);
        play(199);
        assert_eq!(watch.look(), []);
        play(1);
        let advice = watch.look();
        let [Advice::InferenceTooLarge { declared, seen, slots: 200 }] = advice[..] else {
            panic!("{advice:?}")
        };
        assert!(declared == DECLARED && seen < DECLARED / 2, "{advice:?}");
        assert_eq!(watch.look(), [], "nothing ran since");
    }

    #[test]
    fn slots_that_are_longer_than_declared_are_counted() {
        let Session { mut play, mut watch, takes } = session(Duration::from_micros(500));
        takes.store(1000, Ordering::Relaxed);
        play(200);
        let advice = watch.look();
        let Some(Advice::InferenceTooSmall { declared, seen, longer: 200, slots: 200 }) = advice.first()
        else {
            panic!("{advice:?}")
        };
        assert!(*declared == Duration::from_micros(500) && *seen >= Duration::from_millis(1), "{advice:?}");
        assert!(
            advice[0].to_string().starts_with("max_inference is 500µs, and 200 of 200 slots took longer")
        );
    }

    #[test]
    fn a_start_that_is_too_late_is_not_the_inferences_fault() {
        let mut late = late_start();
        let advice = late.look();
        let Some(Advice::AllowanceTooSmall { declared: Duration::ZERO, seen, overdue: 1, slots: 200 }) =
            advice.first()
        else {
            panic!("{advice:?}")
        };
        assert!(*seen >= Duration::from_millis(200), "{advice:?}");
    }

    /// A watch over 200 hops, of which one was begun after its time.
    fn late_start() -> Watch {
        let config = InferenceConfig::builder().max_inference(DECLARED);
        let config = config.input(InputTensor::stream("x", HOP)).output(OutputTensor::stream("y", HOP));
        let driven = Driven::new(1).unwrap();
        let mut driver = driven.driver();
        let builder = InferenceHandler::builder(config.build().unwrap()).backend(Bypass).scheduler(driven);
        let mut handler = builder.build().unwrap();
        let Prepared { mut audio, report, .. } = handler.prepare(&HostConfig::fixed(100.0, HOP)).unwrap();
        let watch = Watch::new(handler.control(), &report);
        for hop in 0..200 {
            let _ = audio.process(&mut [&mut [0.0f32; HOP][..]]);
            if hop == 50 {
                std::thread::sleep(Duration::from_millis(200));
            }
            assert!(driver.run_one());
        }
        watch
    }

    #[test]
    fn a_median_that_rises_is_drift() {
        let Session { mut play, mut watch, takes } = session(DECLARED);
        play(200);
        let _ = watch.look();
        play(200);
        takes.store(5000, Ordering::Relaxed);
        let slower = |advice: &[Advice]| advice.iter().any(|a| matches!(a, Advice::Slower { .. }));
        let _ = watch.look();
        play(200);
        let advice = watch.look();
        assert!(slower(&advice), "{advice:?}");
        let Some(Advice::Slower { from, to }) = advice.last() else { panic!("{advice:?}") };
        assert!(*from < *to && *to >= Duration::from_millis(5), "{advice:?}");
    }
}
