//! A table for people.

use std::io::Write;

use anira::Result;
use anira_intercept::{Counts, Kind, Series};

use super::count::Measured;

/// A column: its head, and its counts if there are any.
type Column = (&'static str, Option<Counts>);

/// Writes the counts of one model on one engine, and what they mean.
pub(super) fn write(measured: &Measured, out: &mut impl Write) -> Result<()> {
    let Measured { prepared, series } = measured;
    writeln!(out, "{} on {}: {} inferences", series.model, series.engine, series.runs.len())?;
    let columns: [Column; 6] = [
        ("prepared", Some(prepared.mine)),
        ("1st", series.first()),
        ("2nd", series.second()),
        ("steady", series.steady()),
        ("at most", series.steady_most()),
        ("others", Some(series.others())),
    ];
    let some = |kind: &Kind| columns.iter().filter_map(|(_, counts)| *counts).any(|counts| counts[*kind] > 0);
    let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(some).collect();
    write!(out, "  {:<15}", "kind")?;
    for (head, _) in &columns {
        write!(out, "{head:>10}")?;
    }
    writeln!(out)?;
    for kind in kinds {
        write!(out, "  {:<15}", kind.name())?;
        for (_, counts) in &columns {
            let text = counts.map_or("-".to_owned(), |counts| counts[kind].to_string());
            write!(out, "{text:>10}")?;
        }
        writeln!(out)?;
    }
    Ok(writeln!(out, "  {}\n", verdict(series))?)
}

/// Whether an inference after the first is safe.
fn verdict(series: &Series) -> String {
    let names = |kinds: &[Kind]| kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ");
    match series.after_first().as_slice() {
        _ if series.runs.len() < 2 => "One inference: what the next ones do is not known.".to_owned(),
        [] if series.first().is_some_and(|counts| counts.total() == 0) => {
            "No inference does anything of the kind.".to_owned()
        }
        [] => "Nothing of the kind after the first inference.".to_owned(),
        kinds => format!("Not safe in a callback: after the first inference still {}.", names(kinds)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anira_intercept::Counted;

    fn table(mallocs: &[u64], files: u64) -> String {
        let counted = |n: u64, files: u64| {
            let mut numbers = [0; Kind::COUNT];
            (numbers[Kind::Malloc as usize], numbers[Kind::File as usize]) = (n, files);
            Counted { mine: Counts::new(numbers), ..Counted::default() }
        };
        let runs = mallocs.iter().map(|n| counted(*n, 0)).collect();
        let series = Series { engine: "rten".into(), model: "amp.onnx".into(), runs };
        let mut out = Vec::new();
        write(&Measured { prepared: counted(900, files), series }, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_are_first_second_and_later() {
        let text = table(&[70, 60, 5, 5, 50], 3);
        let row = text.lines().find(|line| line.contains("malloc")).unwrap();
        let numbers: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(numbers, ["malloc", "900", "70", "60", "5", "50", "0"]);
        assert!(text.starts_with("amp.onnx on rten: 5 inferences\n"), "{text}");
        assert!(
            text.contains("file") && !text.contains("rwlock"),
            "kinds that nobody did are left out: {text}"
        );
        assert!(text.contains("Not safe in a callback: after the first inference still malloc."), "{text}");
    }

    #[test]
    fn the_verdict_follows_the_counts() {
        assert!(table(&[7, 0, 0], 0).contains("Nothing of the kind after the first inference."));
        assert!(table(&[0, 0, 0], 5).contains("No inference does anything of the kind."));
        let one = table(&[7], 0);
        assert!(one.contains("One inference") && one.contains('-'), "{one}");
    }
}
