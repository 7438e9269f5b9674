//! All counts, one by one: JSON and comma-separated values.

use std::io::Write;

use anira::{Error, ErrorKind, Result};
use anira_intercept::{Counted, Kind};
use serde::Serialize;

use super::count::Measured;

/// A count: a line of the documents.
#[derive(Debug, Serialize)]
struct Line<'a> {
    engine: &'a str,
    model: &'a str,
    /// From 1; 0 is loading and making.
    iteration: usize,
    kind: &'static str,
    /// By the thread that ran the inference.
    count: u64,
    /// By all other threads meanwhile.
    others: u64,
}

fn lines<'a>(all: &'a [Measured], with_preparation: bool) -> impl Iterator<Item = Line<'a>> {
    all.iter().flat_map(move |Measured { prepared, series }| {
        let prepared = with_preparation.then_some((0, prepared));
        let runs = prepared.into_iter().chain(series.runs.iter().enumerate().map(|(i, run)| (i + 1, run)));
        runs.flat_map(move |(iteration, Counted { mine, others })| {
            Kind::ALL.into_iter().map(move |kind| Line {
                engine: &series.engine,
                model: &series.model,
                iteration,
                kind: kind.name(),
                count: mine[kind],
                others: others[kind],
            })
        })
    })
}

/// One document: a list.
pub(super) fn json(all: &[Measured], with_preparation: bool, out: &mut impl Write) -> Result<()> {
    let lines: Vec<_> = lines(all, with_preparation).collect();
    let text = serde_json::to_string_pretty(&lines);
    let text = text.map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
    Ok(writeln!(out, "{text}")?)
}

/// A line of heads and one per count.
pub(super) fn csv(all: &[Measured], with_preparation: bool, out: &mut impl Write) -> Result<()> {
    writeln!(out, "engine,model,iteration,kind,count,others")?;
    for Line { engine, model, iteration, kind, count, others } in lines(all, with_preparation) {
        writeln!(out, "{engine},{},{iteration},{kind},{count},{others}", quoted(model))?;
    }
    Ok(())
}

/// A path may hold what separates values.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anira_intercept::{Counts, Series};

    fn measured() -> Vec<Measured> {
        let counted = |n: u64| Counted {
            mine: Counts::new(std::array::from_fn(|i| n + i as u64)),
            others: Counts::new([n; Kind::COUNT]),
        };
        let runs = vec![counted(100), counted(200)];
        let series = Series { engine: "rten".into(), model: "a, \"b\".onnx".into(), runs };
        vec![Measured { prepared: counted(5), series }]
    }

    #[test]
    fn every_kind_of_every_iteration_is_listed() {
        let mut out = Vec::new();
        json(&measured(), false, &mut out).unwrap();
        let list: Vec<serde_json::Value> = serde_json::from_slice(&out).unwrap();
        assert_eq!(list.len(), 2 * Kind::COUNT);
        let first = serde_json::json!({
            "engine": "rten", "model": "a, \"b\".onnx", "iteration": 1, "kind": "malloc", "count": 100, "others": 100
        });
        assert_eq!(list[0], first);
        assert_eq!((&list[21]["kind"], &list[21]["count"]), (&"syscall".into(), &210.into()));
        let mut out = Vec::new();
        json(&measured(), true, &mut out).unwrap();
        let list: Vec<serde_json::Value> = serde_json::from_slice(&out).unwrap();
        assert_eq!((&list[0]["iteration"], &list[0]["count"], list.len()), (&0.into(), &5.into(), 33));
    }

    #[test]
    fn values_are_separated_by_commas_alone() {
        let mut out = Vec::new();
        csv(&measured(), false, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "engine,model,iteration,kind,count,others");
        assert_eq!(lines[1], "rten,\"a, \"\"b\"\".onnx\",1,malloc,100,100");
        assert_eq!(lines.len(), 1 + 2 * Kind::COUNT);
        assert_eq!(quoted("plain"), "plain");
    }
}
