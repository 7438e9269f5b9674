//! What a measurement gives: a table for people, figures for programs.

use serde::Serialize;

/// The result of a measurement.
pub(crate) trait Report: Serialize {
    /// A table, with the words that it needs.
    fn table(&self) -> String;
}

/// Both forms.
pub(crate) fn of(report: impl Report) -> anyhow::Result<(String, serde_json::Value)> {
    Ok((report.table(), serde_json::to_value(&report)?))
}

/// Rows of cells, the first row a heading, every column as wide as its widest cell, set flush right.
pub(crate) fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |c: usize| rows.iter().filter_map(|row| row.get(c)).map(String::len).max().unwrap_or(0);
    let widths: Vec<_> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:>width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_flush_right() {
        let row = |cells: &[&str]| cells.iter().map(|c| (*c).to_owned()).collect::<Vec<_>>();
        assert_eq!(aligned(&[row(&["a", "long"]), row(&["100", "1"])]), "  a  long\n100     1\n");
    }
}
