//! What the operating system says of itself: cores, limits, kernel.

use serde::Serialize;
use serde_json::{Value, json};

/// What this process may ask for. A number, `"unlimited"`, or null where the system does not say.
#[derive(Debug, Serialize)]
pub(super) struct Limits {
    /// The highest real-time priority (`RLIMIT_RTPRIO`); 0 for none. Root and CAP_SYS_NICE stand above it.
    realtime_priority: Value,
    /// Microseconds that a real-time thread may compute without a break before the process is ended (`RLIMIT_RTTIME`).
    realtime_us: Value,
    /// Bytes of memory that may be kept from being swapped out (`RLIMIT_MEMLOCK`).
    memory_lock_bytes: Value,
}

/// What the system is like, as far as it says so.
#[derive(Debug, Serialize)]
pub(super) struct Machine {
    /// The cores that this process may run on, as the system writes them: `0-3,6`.
    allowed_cores: Option<String>,
    /// Cores that the kernel keeps free of other work (`isolcpus`).
    isolated_cores: Option<String>,
    /// How the first core chooses its clock.
    governor: Option<String>,
    /// Whether the kernel is one with full preemption.
    realtime_kernel: bool,
    /// Microseconds of each second's period that real-time threads may take in all; -1: all.
    realtime_share_us: Option<i64>,
}

/// Whether a worker can be pinned to a core.
#[derive(Debug, Default, Serialize)]
pub(super) struct Affinity {
    /// The core that a worker asked for.
    pub(super) requested: usize,
    /// The core that it got; null where it was refused.
    pub(super) granted: Option<usize>,
    pub(super) refusal: Option<String>,
}

impl Limits {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) fn read() -> Self {
        use rustix::process::{Resource, getrlimit};
        let limit = |resource| getrlimit(resource).current.map_or(json!("unlimited"), |limit| json!(limit));
        Self {
            realtime_priority: limit(Resource::Rtprio),
            realtime_us: limit(Resource::Rttime),
            memory_lock_bytes: limit(Resource::Memlock),
        }
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(super) fn read() -> Self {
        Self { realtime_priority: Value::Null, realtime_us: Value::Null, memory_lock_bytes: Value::Null }
    }

    pub(super) fn realtime_text(&self) -> String {
        let priority = match &self.realtime_priority {
            Value::Null => return "not known on this system".to_owned(),
            limit if *limit == 0 => "no real-time priority without CAP_SYS_NICE".to_owned(),
            limit => format!("priority {}", plain(limit)),
        };
        match &self.realtime_us {
            Value::Number(micros) => format!("{priority}; {micros} us of computing without a break"),
            _ => priority,
        }
    }

    pub(super) fn memory_text(&self) -> String {
        match self.memory_lock_bytes.as_u64() {
            Some(bytes) => format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
            None => plain(&self.memory_lock_bytes),
        }
    }
}

fn plain(limit: &Value) -> String {
    match limit {
        Value::Null => "not known on this system".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl Machine {
    pub(super) fn read() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        let share = word("/proc/sys/kernel/sched_rt_runtime_us").and_then(|text| text.parse().ok());
        Self {
            allowed_cores: allowed.map(|list| list.trim().to_owned()),
            isolated_cores: word("/sys/devices/system/cpu/isolated"),
            governor: word("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            realtime_kernel: word("/sys/kernel/realtime").as_deref() == Some("1"),
            realtime_share_us: share,
        }
    }

    /// Which cores, in brackets.
    pub(super) fn cores_text(&self) -> String {
        let isolated = self.isolated_cores.as_ref().map(|list| format!("isolated: {list}"));
        let allowed = self.allowed_cores.as_ref().map(|list| format!("allowed: {list}"));
        let parts: Vec<String> = allowed.into_iter().chain(isolated).collect();
        if parts.is_empty() { String::new() } else { format!(" ({})", parts.join("; ")) }
    }

    pub(super) fn kernel_text(&self) -> String {
        let kernel = if self.realtime_kernel { "real-time (PREEMPT_RT)" } else { "not a real-time one" };
        match &self.governor {
            Some(governor) => format!("{kernel}; clock governor {governor}"),
            None => kernel.to_owned(),
        }
    }

    /// What would make times steadier.
    pub(super) fn advice(&self) -> Option<String> {
        let governor = self.governor.as_deref().filter(|governor| *governor != "performance")?;
        Some(format!(
            "clock: the governor `{governor}` lowers the clock between blocks; `cpupower frequency-set -g performance` \
             keeps it up"
        ))
    }
}

impl Affinity {
    pub(super) fn text(&self) -> String {
        match (self.granted, &self.refusal) {
            (Some(core), _) => format!("to core {core}, as asked"),
            (None, Some(refusal)) => format!("refused for core {}: {refusal}", self.requested),
            (None, None) => "unknown: no worker ran".to_owned(),
        }
    }

    pub(super) fn advice(&self, cores: usize) -> Option<String> {
        let refusal = self.refusal.as_ref()?;
        Some(format!(
            "pinning: {refusal}; leave Affinity::Any, or start the program on more cores than these {cores} (taskset, cpuset)"
        ))
    }
}

/// What a file of the system says, if it says anything.
fn word(path: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let text = text.trim();
    (!text.is_empty() && text != "(null)").then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(priority: Value, micros: Value, memory: Value) -> Limits {
        Limits { realtime_priority: priority, realtime_us: micros, memory_lock_bytes: memory }
    }

    #[test]
    fn limits_are_told_in_words() {
        let none = limits(json!(0), json!("unlimited"), json!(8 << 20));
        assert!(none.realtime_text().starts_with("no real-time priority"), "{}", none.realtime_text());
        assert_eq!(none.memory_text(), "8.0 MiB");
        let some = limits(json!(95), json!(200_000), json!("unlimited"));
        assert_eq!(some.realtime_text(), "priority 95; 200000 us of computing without a break");
        assert_eq!(some.memory_text(), "unlimited");
        let unknown = limits(Value::Null, Value::Null, Value::Null);
        assert!(unknown.realtime_text().contains("not known") && unknown.memory_text().contains("not known"));
    }

    #[test]
    fn only_a_governor_that_saves_power_is_a_lack() {
        let with =
            |governor: Option<&str>| Machine { governor: governor.map(str::to_owned), ..Machine::read() };
        assert_eq!(with(None).advice(), None);
        assert_eq!(with(Some("performance")).advice(), None);
        assert!(with(Some("powersave")).advice().is_some_and(|text| text.contains("`powersave`")));
    }

    #[test]
    fn a_refused_core_is_told_with_its_reason() {
        let affinity = Affinity { requested: 3, granted: None, refusal: Some("core 3 was refused".into()) };
        assert!(affinity.text().contains("core 3"));
        assert!(affinity.advice(2).is_some_and(|text| text.contains("core 3 was refused")));
        let granted = Affinity { requested: 3, granted: Some(3), refusal: None };
        assert_eq!((granted.text().as_str(), granted.advice(2)), ("to core 3, as asked", None));
    }
}
