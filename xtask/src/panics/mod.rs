//! The machine code of the audio path: no call in it leads to a panic, to the allocator, or out of what is listed.

mod graph;

use std::fs;

use anyhow::{Context, Result, bail};

use self::graph::{Graph, Reached, Step};
use crate::call::Call;
use crate::workspace::Workspace;

/// The crate that holds the audio path alone, and how it is built: as users build, but for landing pads, which only matter once
/// something panics.
const CRATE: &str = "anira-audio-path";
const PROFILE: &str = "audio-path";

/// How the names of its functions begin, and of those in which something is planted.
const ENTRIES: &str = "anira_audio_path::";
const PLANTED: &str = "anira_audio_path::planted::";

/// What no audio thread may reach: how the functions' names begin, and what they are.
const FORBIDDEN: &[(&str, &str)] = &[
    ("core::panicking::", "a panic"),
    ("std::panicking::", "a panic"),
    ("__rustc::rust_begin_unwind", "a panic"),
    ("std::process::abort", "the end of the process"),
    ("__rustc::__rust_alloc", "the allocator"),
    ("__rustc::__rust_dealloc", "the allocator"),
    ("__rustc::__rust_realloc", "the allocator"),
    ("__rust_alloc", "the allocator"),
    ("__rust_dealloc", "the allocator"),
    ("__rust_realloc", "the allocator"),
];

/// What lies behind these is no audio thread's in real time.
const ELSEWHERE: &[(&str, &str)] = &[
    (
        "as anira_traits::scheduler::Submit>::assist",
        "called by rendering alone, which waits and may run the engine itself",
    ),
    (
        "rtrb::arc_ring_buffer::drop_slow",
        "frees the way home of an audio half, once both its ends are gone: the handler's goes last",
    ),
];

/// What the audio path may ask of the system's libraries.
const OUTSIDE: &[(&str, &str)] = &[
    ("clock_gettime", "reads the clock, on common machines without a system call"),
    ("memcpy", "copies"),
    ("memmove", "copies"),
    ("memset", "fills"),
    ("memcmp", "compares"),
    ("bcmp", "compares"),
    ("fmodf", "computes"),
];

/// Builds the crate, reads it, and follows every call.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    Call::new(workspace, "rustc")
        .args(["-p", CRATE, "--lib", "--profile", PROFILE, "--crate-type", "rlib,staticlib"])
        .run()?;
    let path = workspace.target.join(PROFILE).join("libanira_audio_path.a");
    let archive = fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let graph = Graph::read(&archive)?;
    let (planted, entries): (Vec<_>, Vec<_>) =
        functions(&graph).into_iter().partition(|name| name.starts_with(PLANTED));
    if entries.is_empty() || planted.is_empty() {
        bail!("{} holds no functions of {CRATE}: were they renamed?", path.display());
    }
    for name in &planted {
        let reached = reach(&graph, std::slice::from_ref(name));
        if findings(&reached).is_empty() {
            bail!("nothing was found behind `{name}`, where something is planted: this check is blind");
        }
    }
    let reached = reach(&graph, &entries);
    let findings = findings(&reached);
    for finding in &findings {
        println!("{finding}");
    }
    for (name, why) in ELSEWHERE {
        if !reached.stopped.iter().any(|stopped| stopped.ends_with(name)) {
            bail!("`{name}` is not reached ({why}): take it off ELSEWHERE in xtask/src/panics/mod.rs");
        }
    }
    if !findings.is_empty() {
        bail!("{} ways lead out of the audio path, listed above", findings.len());
    }
    let outside: Vec<_> = reached.outside.iter().map(|(name, _)| name.as_str()).collect();
    println!(
        "{} entries of the audio thread reach {} functions: no panic, no allocator; outside: {}. \
         {} planted ways out were found",
        entries.len(),
        reached.functions.len(),
        outside.join(", "),
        planted.len()
    );
    Ok(())
}

/// The crate's functions, but for those inside of others.
fn functions(graph: &Graph) -> Vec<String> {
    let mut functions = graph.functions(ENTRIES);
    functions.retain(|name| {
        let own = name.strip_prefix(PLANTED).or(name.strip_prefix(ENTRIES)).unwrap_or_default();
        !own.contains("::")
    });
    functions
}

fn reach(graph: &Graph, from: &[String]) -> Reached {
    graph.reach(from, |name| {
        if FORBIDDEN.iter().any(|(begin, _)| name.starts_with(begin)) {
            Step::Out
        } else if ELSEWHERE.iter().any(|(end, _)| name.ends_with(end)) {
            Step::Stop
        } else {
            Step::On
        }
    })
}

/// Each way out, with who leads there.
fn findings(reached: &Reached) -> Vec<String> {
    let what =
        |name: &str| FORBIDDEN.iter().find(|(begin, _)| name.starts_with(begin)).map(|(_, what)| *what);
    let out = reached.out.iter().map(|way| {
        let what = way.last().and_then(|name| what(name)).unwrap_or_default();
        format!("{what}: {}", way.join("\n    -> "))
    });
    let unknown = reached.outside.iter().filter(|(name, _)| !OUTSIDE.iter().any(|(known, _)| known == name));
    let unknown =
        unknown.map(|(name, way)| format!("the library function `{name}`: {}", way.join("\n    -> ")));
    out.chain(unknown).collect()
}
