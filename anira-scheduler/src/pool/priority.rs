//! The scheduling class and the cores of a worker: what was asked, what was granted.

use thread_priority::{ThreadId, ThreadPriority, ThreadPriorityValue};

/// How urgent the operating system should take a pool's workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Priority {
    /// Like any other thread: for rendering.
    #[default]
    Normal,
    /// A real-time class where the system grants one (Linux: `SCHED_FIFO` at this priority, 1 to 99). Keep it below the
    /// audio thread's.
    Realtime(u8),
}

/// Which cores a pool's workers may run on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Affinity {
    /// Any.
    #[default]
    Any,
    /// One core per worker, in turn.
    PerWorker(Vec<usize>),
    /// Every worker on any of these.
    Set(Vec<usize>),
}

/// What the operating system granted a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Granted {
    /// The priority in force.
    pub priority: Priority,
    /// Why it is not what was asked, in the system's words.
    pub refusal: Option<String>,
    /// The core that the worker is pinned to, if it is pinned to one.
    pub core: Option<usize>,
}

impl Priority {
    /// Asks the operating system for it, for this thread, and says what was granted. For a thread of one's own that stands for
    /// an audio thread; a host's audio thread has its priority from the host. Makes system calls.
    #[must_use = "the system may refuse"]
    pub fn apply(self) -> Granted {
        match self {
            Priority::Normal => Granted { priority: self, refusal: None, core: None },
            Priority::Realtime(level) => match set_realtime(level) {
                Ok(()) => Granted { priority: self, refusal: None, core: None },
                Err(refusal) => Granted { priority: Priority::Normal, refusal: Some(refusal), core: None },
            },
        }
    }

    /// The priority of a less urgent band.
    pub(super) fn lowered(self, by: usize) -> Self {
        match self {
            Priority::Normal => self,
            Priority::Realtime(level) => {
                Priority::Realtime(level.saturating_sub(u8::try_from(by).unwrap_or(u8::MAX)).max(1))
            }
        }
    }

    /// The priority of the thread that watches over workers of this one.
    pub(super) fn above(self) -> Self {
        match self {
            Priority::Normal => self,
            Priority::Realtime(level) => Priority::Realtime((level + 1).min(99)),
        }
    }
}

#[cfg(unix)]
fn set_realtime(level: u8) -> Result<(), String> {
    use thread_priority::{
        RealtimeThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy, thread_native_id,
    };
    let value = ThreadPriorityValue::try_from(level).map_err(|e| format!("{e:?}"))?;
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Crossplatform(value), policy).map_err(
        |error| match error {
            // The bare number says nothing to people.
            thread_priority::Error::OS(code) => std::io::Error::from_raw_os_error(code).to_string(),
            other => format!("{other:?}"),
        },
    )
}

#[cfg(not(unix))]
fn set_realtime(level: u8) -> Result<(), String> {
    let value = ThreadPriorityValue::try_from(level).map_err(|e| format!("{e:?}"))?;
    ThreadPriority::Crossplatform(value).set_for_current().map_err(|e| format!("{e:?}"))
}

/// Takes another thread's real-time class away. The thread must not have been joined.
#[cfg(unix)]
pub(super) fn demote(thread: ThreadId) -> bool {
    use thread_priority::{NormalThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy};
    let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Other);
    set_thread_priority_and_policy(thread, ThreadPriority::Min, policy).is_ok()
}

#[cfg(not(unix))]
pub(super) fn demote(_thread: ThreadId) -> bool {
    false
}

impl Affinity {
    /// Applies it to this thread, the worker on `seat`.
    pub(super) fn apply(&self, seat: usize, granted: &mut Granted) {
        let outcome = match self {
            Affinity::Any => return,
            Affinity::PerWorker(cores) => match cores.get(seat % cores.len().max(1)) {
                Some(core) => pin(*core).map(Some),
                None => return,
            },
            Affinity::Set(cores) => confine(cores).map(|()| None),
        };
        match outcome {
            Ok(core) => granted.core = core,
            Err(refusal) => {
                let before = granted.refusal.take().map(|text| format!("{text}; ")).unwrap_or_default();
                granted.refusal = Some(before + &refusal);
            }
        }
    }
}

/// More than any system's mask of cores has bits for would be taken for another core, or for none.
const MOST_CORES: usize = if cfg!(any(target_os = "linux", target_os = "android")) { 1024 } else { 64 };

/// Pins this thread to a core, or says that the core does not exist or was refused.
fn pin(core: usize) -> Result<usize, String> {
    // Not asked first whether it is among the allowed ones: a thread inherits the mask of who started it, and a host's thread
    // that is pinned itself must not decide for us.
    if core < MOST_CORES && core_affinity::set_for_current(core_affinity::CoreId { id: core }) {
        return Ok(core);
    }
    let allowed: Vec<usize> =
        core_affinity::get_core_ids().unwrap_or_default().iter().map(|core| core.id).collect();
    Err(format!("core {core} does not exist or was refused; allowed are {allowed:?}"))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn confine(cores: &[usize]) -> Result<(), String> {
    use rustix::thread::{CpuSet, sched_setaffinity};
    let mut set = CpuSet::new();
    match cores.iter().find(|core| **core >= CpuSet::MAX_CPU) {
        Some(core) => return Err(format!("core {core} does not exist")),
        None => cores.iter().for_each(|core| set.set(*core)),
    }
    sched_setaffinity(None, &set).map_err(|error| format!("cores {cores:?}: {error}"))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn confine(_cores: &[usize]) -> Result<(), String> {
    Err("this system pins a worker to one core only: use Affinity::PerWorker".to_owned())
}

/// Lets this thread's sleeps end on time, where the system would otherwise round them up to save power (Linux: by 50 µs).
pub(super) fn sleep_exactly() {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
    }
}

/// How long a thread of a real-time class may compute without a break before the system ends the process; `None`: for ever.
pub(super) fn realtime_limit() -> Option<std::time::Duration> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Rttime).current?;
        Some(std::time::Duration::from_micros(limit))
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    None
}

/// This thread, for [`demote`].
#[cfg(unix)]
pub(super) fn current() -> ThreadId {
    thread_priority::thread_native_id()
}

/// This thread, for [`demote`].
#[cfg(not(unix))]
pub(super) fn current() -> ThreadId {
    thread_priority::thread_native_id()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_step_down_and_never_leave_the_class() {
        assert_eq!(Priority::Realtime(40).lowered(2), Priority::Realtime(38));
        assert_eq!(Priority::Realtime(2).lowered(9), Priority::Realtime(1));
        assert_eq!(Priority::Normal.lowered(2), Priority::Normal);
        assert_eq!(
            (Priority::Realtime(99).above(), Priority::Normal.above()),
            (Priority::Realtime(99), Priority::Normal)
        );
    }
}
