//! Threads of this process as the system sees them: where they run, how urgent they are, what they used.

use std::fs;
use std::time::Duration;

use anira::scheduler::Priority;

/// The priority that the audio thread asks for.
pub(crate) const AUDIO: Priority = Priority::Realtime(60);

/// The priority that workers, and what stands for them, ask for.
pub(crate) const WORKER: Priority = Priority::Realtime(50);

/// Pins this thread and makes it as urgent as the system allows. Returns the system's refusals, if any.
pub(crate) fn become_thread(core: usize, priority: Priority) -> Option<String> {
    let pinned = core_affinity::set_for_current(core_affinity::CoreId { id: core });
    let refusal = priority.apply().refusal;
    if pinned { refusal } else { Some(format!("core {core} was refused")) }
}

/// What threads have used since they began.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// Time on a core.
    pub(crate) busy: Duration,
    /// How often they went to sleep of themselves.
    pub(crate) switches: u64,
}

/// This process's threads whose names begin with `prefix`; 0 where the system does not tell.
pub(crate) fn threads(prefix: &str) -> usize {
    let named = |task: &fs::DirEntry| {
        fs::read_to_string(task.path().join("comm")).is_ok_and(|name| is_named(&name, prefix))
    };
    fs::read_dir("/proc/self/task").map_or(0, |tasks| tasks.flatten().filter(named).count())
}

/// Threads without a name of their own bear the program's, which begins as workers' names do: among them the audio thread.
fn is_named(name: &str, prefix: &str) -> bool {
    name.starts_with(prefix) && name.trim_end() != env!("CARGO_PKG_NAME")
}

impl Usage {
    /// The sum over this process's threads whose names begin with `prefix`; zero where the system does not tell.
    pub(crate) fn of(prefix: &str) -> Usage {
        let mut sum = Usage::default();
        let Ok(tasks) = fs::read_dir("/proc/self/task") else { return sum };
        for task in tasks.flatten() {
            let read = |name| fs::read_to_string(task.path().join(name)).unwrap_or_default();
            if !is_named(&read("comm"), prefix) {
                continue;
            }
            let nanos = read("schedstat").split_whitespace().next().and_then(|n| n.parse().ok());
            sum.busy += Duration::from_nanos(nanos.unwrap_or(0));
            let status = read("status");
            let voluntary = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            sum.switches += voluntary.and_then(|n| n.trim().parse::<u64>().ok()).unwrap_or(0);
        }
        sum
    }

    /// What was used since `earlier`.
    pub(crate) fn since(self, earlier: Usage) -> Usage {
        Usage {
            busy: self.busy.saturating_sub(earlier.busy),
            switches: self.switches.saturating_sub(earlier.switches),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_own_threads_are_no_workers() {
        assert!(is_named("anira-worker-0\n", "anira-") && is_named("anira-monitor\n", "anira-monitor"));
        assert!(!is_named("anira-bench\n", "anira-") && !is_named("reference\n", "anira-"));
    }
}
