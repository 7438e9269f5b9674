//! The process's threads and libraries, as Linux tells them. Elsewhere there are none to see.

/// How many threads there may be while all play, and are.
pub(crate) struct Census {
    workers: usize,
    before: Count,
}

/// Threads by whose they are. A thread that an engine starts has its starter's name, so it is one too many there.
#[derive(Debug, Default)]
struct Count {
    /// The pools' workers and monitors.
    pools: usize,
    /// Those that rten runs on, in a worker's place or a calling thread's, and its sleeping global pool.
    rten: usize,
    /// The test's own, by name.
    hosts: Vec<String>,
    /// The rest: the test program, the thread of the test.
    others: usize,
}

/// The monitor of the test's pool and of the shared one.
const MONITORS: usize = 2;
/// Who calls rten's engines outside of a worker: the test's thread, the visitor, a host that renders offline.
const CALLERS: usize = 3;

impl Census {
    /// Taken while these workers have sessions, and no host plays. The pools have this many workers at most.
    pub(crate) fn new(workers: usize) -> Self {
        Self { workers, before: Count::now() }
    }

    /// Fails if there are more threads than sessions and hosts account for, and stay. (One that has just been started bears its
    /// starter's name for a moment. `replaced` workers that a busy machine kept for far too long are on their way out, each
    /// with a successor.)
    pub(crate) fn take(&self, replaced: impl Fn() -> u64) {
        let mut seen = Count::now();
        for _ in 0..100 {
            if !self.exceeded(&seen, replaced() as usize) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
            seen = Count::now();
        }
        let (before, workers, replaced) = (&self.before, self.workers, replaced());
        panic!("threads of nobody: {seen:?}, before {before:?}, {workers} workers, {replaced} replaced");
    }

    fn exceeded(&self, now: &Count, replaced: usize) -> bool {
        let workers = self.workers + replaced;
        now.pools > workers + MONITORS
            || now.rten > self.before.rten + workers + CALLERS
            || now.others > self.before.others
            || now.hosts.windows(2).any(|pair| pair[0] == pair[1])
    }

    /// Whether the pools' threads and the hosts have ended, and what they had of rten's.
    pub(crate) fn is_over(&self) -> bool {
        let now = Count::now();
        now.pools == 0
            && now.hosts.is_empty()
            && now.rten <= self.before.rten
            && now.others <= self.before.others
    }
}

impl Count {
    fn now() -> Self {
        let mut count = Self::default();
        for name in names() {
            match name {
                name if name.starts_with("anira-") => count.pools += 1,
                name if name.starts_with("rten-") => count.rten += 1,
                name if name.starts_with("host-") || name == "visitor" => count.hosts.push(name),
                // The other tests of this program wait for processes meanwhile.
                name if name.starts_with("no_") => {}
                _ => count.others += 1,
            }
        }
        count.hosts.sort();
        count
    }
}

/// The names of all threads.
fn names() -> Vec<String> {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return Vec::new() };
    // One that ends meanwhile has no name any more.
    let name = |task: std::io::Result<std::fs::DirEntry>| {
        std::fs::read_to_string(task.ok()?.path().join("comm")).ok()
    };
    tasks.filter_map(name).map(|name| name.trim().to_owned()).collect()
}

/// The engines' libraries that this program is linked with.
#[cfg(target_os = "linux")]
pub(crate) fn libraries() -> Vec<String> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let paths = maps.lines().filter_map(|line| line.find('/').map(|at| line[at..].to_owned()));
    let ours = ["libtorch_cpu", "libtensorflowlite_c", "libLiteRt"];
    let mut libraries: Vec<_> = paths.filter(|path| ours.iter().any(|name| path.contains(name))).collect();
    libraries.dedup();
    libraries
}
