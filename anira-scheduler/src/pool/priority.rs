//! The scheduling class and the cores of a worker: what was asked, what was granted.

use thread_priority::{ThreadPriority, ThreadPriorityValue};

/// How urgent the operating system should take a pool's workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Priority {
    /// Like any other thread: for rendering.
    #[default]
    Normal,
    /// A real-time class where the system grants one (Linux: `SCHED_FIFO` at this priority, 1 to 99). Keep it below the
    /// audio thread's.
    Realtime(u8),
}

/// What the operating system granted a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Granted {
    /// The priority in force.
    pub priority: Priority,
    /// Why it is not what was asked, in the system's words.
    pub refusal: Option<String>,
    /// The core that the worker is pinned to.
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
}

#[cfg(unix)]
fn set_realtime(level: u8) -> Result<(), String> {
    use thread_priority::{
        RealtimeThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy, thread_native_id,
    };
    let value = ThreadPriorityValue::try_from(level).map_err(|e| format!("{e:?}"))?;
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Crossplatform(value), policy)
        .map_err(|e| format!("{e:?}"))
}

#[cfg(not(unix))]
fn set_realtime(level: u8) -> Result<(), String> {
    let value = ThreadPriorityValue::try_from(level).map_err(|e| format!("{e:?}"))?;
    ThreadPriority::Crossplatform(value).set_for_current().map_err(|e| format!("{e:?}"))
}

/// Pins this thread to a core, or says that the core does not exist or was refused.
pub(super) fn pin(core: usize) -> Result<usize, String> {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    match cores.iter().find(|id| id.id == core) {
        Some(id) if core_affinity::set_for_current(*id) => Ok(core),
        Some(_) => Err(format!("core {core} was refused")),
        None => Err(format!("core {core} does not exist or is not allowed; there are {}", cores.len())),
    }
}
