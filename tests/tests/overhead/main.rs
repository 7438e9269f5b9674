//! What a backend does on top of its engine: nothing that real-time code must not do.
//!
//! Each engine runs models by its own interface and through its backend, each time in a process of its own, for libraries do things
//! once per process; what both do in the steady state is compared, kind by kind.
#![cfg(all(target_os = "linux", target_env = "gnu"))]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test; it prints for the process that started it"
)]

#[path = "../../alone/mod.rs"]
mod alone;
mod custom;

use std::process::Command;

use alone::{Case, Way, from_text, to_text};
use anira_intercept::{Counted, Counts, Kind, Series};
use anira_tests::zoo::built_in;

/// What the process that is started is to count.
const JOB: &str = "ANIRA_COUNT";
const INFERENCES: usize = 12;

/// Not a test of its own: what the others run in processes of their own.
#[test]
fn counts_in_a_process_of_its_own() {
    let Ok(job) = std::env::var(JOB) else { return };
    let [engine, model, way] = job.split(' ').collect::<Vec<_>>().try_into().unwrap();
    let way = Way::ALL.into_iter().find(|own| own.name() == way).unwrap();
    let counted = Case::named(engine, model).unwrap().count(way, INFERENCES).unwrap();
    print!("\n{}", to_text(&counted));
}

fn counted(engine: &str, model: &str, way: Way) -> Vec<Counted> {
    let job = format!("{engine} {model} {}", way.name());
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["counts_in_a_process_of_its_own", "--exact", "--nocapture"]).env(JOB, &job);
    let done = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{job}: {out}{err}");
    let counted = from_text(&out);
    assert_eq!(counted.len(), INFERENCES, "{job}: {out}");
    counted
}

/// The steady state of an engine without its backend and with it.
fn both(engine: &str, model: &str) -> [Counts; 2] {
    [Way::Alone, Way::Through].map(|way| {
        let runs = counted(engine, model, way);
        Series { runs, ..Series::default() }.steady().unwrap()
    })
}

fn adds_nothing(engine: &str, models: &[&str]) {
    if !built_in().contains(&engine) {
        return;
    }
    for model in models {
        let [alone, through] = both(engine, model);
        // The C library asks the kernel for memory and gives it back as it sees fit: system calls come and go.
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Syscall) {
            assert!(
                through[kind] <= alone[kind],
                "{model} on {engine}: {} {} through the backend, {} without",
                through[kind],
                kind.name(),
                alone[kind]
            );
        }
    }
}

const MODELS: [&str; 3] = ["amp-tcn-1k", "amp-lstm-2k", "gain"];

#[test]
fn rten() {
    adds_nothing("rten", &MODELS);
    // And the engine does something at all, or nothing would be shown.
    let [alone, _] = both("rten", "amp-tcn-1k");
    assert!(alone[Kind::Malloc] > 10 && alone[Kind::Free] > 10, "{alone:?}");
}

#[test]
fn onnxruntime() {
    adds_nothing("onnxruntime", &MODELS);
}

#[test]
fn torch() {
    adds_nothing("torch", &["amp-tcn-1k", "gain"]);
    if built_in().contains(&"torch") {
        // Arguments that are more than tensors belong to one thread, and engines move: a list of them, and each of three, is made anew.
        let [alone, through] = both("torch", "amp-lstm-2k");
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Syscall) {
            let more = if matches!(kind, Kind::Malloc | Kind::Free) { 4 } else { 0 };
            assert!(through[kind] <= alone[kind] + more, "{}: {through:?}, {alone:?}", kind.name());
        }
    }
}

#[test]
fn tflite() {
    adds_nothing("tflite", &MODELS);
}

#[test]
fn litert() {
    adds_nothing("litert", &MODELS);
}
