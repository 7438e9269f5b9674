//! What each engine does inside of one inference that a callback must not do, first, second and later; what our backends add.
//!
//! Prints the tables of docs/engine-violations.md; with `--write` it also puts them there, and draws the figure. Of the engines,
//! those that have a counterpart in `tests/alone`:
//!
//! ```sh
//! cargo run -p anira-tests --features onnxruntime,torch,tflite,litert --example violations -- --write
//! ```
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program for people at a terminal")]

#[path = "../alone/mod.rs"]
mod alone;

use std::process::Command;

use alone::{BLOCK, Case, Way, from_text, to_text};
use anira_intercept::{Counts, Kind, Series, svg};
use anira_tests::here;
use anira_tests::zoo::built_in;

const INFERENCES: usize = 50;
/// Engines that are run by their own interface here.
const ALONE: [&str; 5] = ["rten", "onnxruntime", "torch", "tflite", "litert"];
const BEGIN: &str = "<!-- from here on made by tests/examples/violations.rs -->\n";
const END: &str = "<!-- up to here -->\n";

/// A network of ours, the published one, and what was published of it, by engine.
type Network = (&'static str, &'static str, [(&'static str, &'static str); 3]);

/// The networks, ours and the published ones that they are like, and calls of `malloc` that were read from the published bars:
/// first, second, later. Per cent may be missing.
const MODELS: [Network; 3] = [
    (
        "amp-hybrid-11k",
        "HNN-11k",
        [
            ("tflite", "41, 65, 65"),
            ("onnxruntime", "152, 104, 104"),
            ("torch", "268,000, 20,000, some hundred to 1,000"),
        ],
    ),
    (
        "amp-tcn-29k",
        "CNN-29k",
        [("tflite", "6, 2, 2"), ("onnxruntime", "126, 77, 77"), ("torch", "39,600, as many, 1,000")],
    ),
    (
        "amp-lstm-2k",
        "RNN-2k",
        [("tflite", "98,000 always"), ("onnxruntime", "2,130 always"), ("torch", "61,000, 72,000, 2,300")],
    ),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [one, engine, model, way] = &arguments[..]
        && one == "one"
    {
        let way = Way::ALL.into_iter().find(|own| own.name() == way).unwrap();
        print!("\n{}", to_text(&Case::named(engine, model).unwrap().count(way, INFERENCES).unwrap()));
        return;
    }
    let engines: Vec<_> = built_in().into_iter().filter(|engine| ALONE.contains(engine)).collect();
    let cases =
        || MODELS.into_iter().flat_map(|(model, ..)| engines.iter().map(move |engine| (*engine, model)));
    let of = |way: Way| cases().map(|(engine, model)| series(engine, model, way)).collect::<Vec<_>>();
    let (alone, through) = (of(Way::Alone), of(Way::Through));
    let text = format!("{}{}{}", beside(&alone), full(&alone), added(&alone, &through));
    print!("{text}");
    if arguments == ["--write"] {
        let docs = here().join("../docs");
        let page = std::fs::read_to_string(docs.join("engine-violations.md")).unwrap();
        let (before, rest) = page.split_once(BEGIN).unwrap();
        let (_, after) = rest.split_once(END).unwrap();
        std::fs::write(docs.join("engine-violations.md"), format!("{before}{BEGIN}{text}{END}{after}"))
            .unwrap();
        std::fs::write(docs.join("figures/engine-violations.svg"), svg(&alone).unwrap()).unwrap();
    }
}

/// In a process of its own: libraries do things once per process.
fn series(engine: &str, model: &str, way: Way) -> Series {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let done = command.args(["one", engine, model, way.name()]).output().unwrap();
    assert!(done.status.success(), "{engine} {model}: {}", String::from_utf8_lossy(&done.stderr));
    let runs = from_text(&String::from_utf8_lossy(&done.stdout));
    assert_eq!(runs.len(), INFERENCES);
    Series { engine: engine.into(), model: model.into(), runs }
}

fn passes(series: &Series) -> [(&'static str, Counts); 3] {
    let known = |counts: Option<Counts>| counts.unwrap_or_default();
    [("1st", known(series.first())), ("2nd", known(series.second())), ("steady", known(series.steady()))]
}

/// A number with its thousands apart.
fn number(n: u64) -> String {
    match n {
        0..1_000 => n.to_string(),
        _ => format!("{},{:03}", number(n / 1_000), n % 1_000),
    }
}

/// The published figures and ours.
fn beside(all: &[Series]) -> String {
    let mut text = format!(
        "\n**Calls of `malloc` per inference of {BLOCK} samples**, first, second, later (the median of {} more), and whether anything at \
         all is left after the first:\n\n\
         | published | network | engine | published `malloc` | `malloc` here | left after the first |\n|---|---|---|---|---|---|\n",
        INFERENCES - Series::UNSTEADY
    );
    for one in all {
        let (_, name, published) = MODELS.into_iter().find(|(model, ..)| *model == one.model).unwrap();
        let there =
            published.into_iter().find(|(engine, _)| *engine == one.engine).map_or("not measured", |p| p.1);
        let here = passes(one).map(|(_, counts)| number(counts[Kind::Malloc])).join(", ");
        let left: Vec<_> = one.after_first().into_iter().map(Kind::name).collect();
        let left = if left.is_empty() { "nothing".to_owned() } else { left.join(", ") };
        text += &format!("| {name} | {} | {} | {there} | {here} | {left} |\n", one.model, one.engine);
    }
    text
}

/// Every kind.
fn full(all: &[Series]) -> String {
    let mut text = String::new();
    let heads = Kind::ALL.map(Kind::name).join(" | ");
    for (model, ..) in MODELS {
        text += &format!(
            "\n**{model}**, every kind:\n\n| engine | inference | {heads} |\n|---|---|{}\n",
            "---:|".repeat(Kind::COUNT)
        );
        for one in all.iter().filter(|one| one.model == model) {
            for (pass, counts) in passes(one) {
                let cells = counts.iter().map(|(_, n)| if n == 0 { String::new() } else { number(n) });
                let cells = cells.collect::<Vec<_>>().join(" | ");
                text += &format!("| {} | {pass} | {cells} |\n", one.engine);
            }
        }
    }
    text
}

/// The steady state without a backend and with it.
fn added(alone: &[Series], through: &[Series]) -> String {
    let mut text = "\n**Steady state by the engine's own interface, and through our backend**; kinds that neither does are left out:\n\n\
                    | network | engine | alone | through | added |\n|---|---|---|---|---|\n"
        .to_owned();
    for (alone, through) in alone.iter().zip(through) {
        let (a, t) = (alone.steady().unwrap(), through.steady().unwrap());
        let list = |counts: Counts| {
            let some = Kind::ALL.into_iter().filter(|kind| a[*kind] + t[*kind] > 0);
            let some = some.map(|kind| format!("{} {}", number(counts[kind]), kind.name()));
            some.collect::<Vec<_>>().join(", ")
        };
        let more = Kind::ALL.into_iter().filter(|kind| t[*kind] != a[*kind]);
        let more = more.map(|kind| format!("{:+} {}", t[kind] as i64 - a[kind] as i64, kind.name()));
        let more = more.collect::<Vec<_>>().join(", ");
        let more = if more.is_empty() { "nothing" } else { &more };
        text += &format!("| {} | {} | {} | {} | {more} |\n", alone.model, alone.engine, list(a), list(t));
    }
    text + "\n"
}
