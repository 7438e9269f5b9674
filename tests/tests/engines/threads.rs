//! The process's threads and libraries, as Linux tells them.

/// The names of all threads, sorted; none where the system does not tell.
pub(crate) fn names() -> Vec<String> {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return Vec::new() };
    // One that ends meanwhile has no name any more.
    let name = |task: std::io::Result<std::fs::DirEntry>| {
        std::fs::read_to_string(task.ok()?.path().join("comm")).ok()
    };
    let mut names: Vec<_> = tasks.filter_map(name).map(|name| name.trim().to_owned()).collect();
    names.sort();
    names
}

/// The engines' libraries that this program is linked with.
pub(crate) fn libraries() -> Vec<String> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let paths = maps.lines().filter_map(|line| line.find('/').map(|at| line[at..].to_owned()));
    let ours = ["libtorch_cpu", "libtensorflowlite_c", "libLiteRt"];
    let mut libraries: Vec<_> = paths.filter(|path| ours.iter().any(|name| path.contains(name))).collect();
    libraries.dedup();
    libraries
}
