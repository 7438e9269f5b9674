//! docs/engines.md names every engine and every model, and what its tables say is within the bounds of `golden.rs`.

use anira_tests::zoo::{ENGINES, ZOO};

/// The tables whose first column is headed `model`: a row of cells for each model.
fn tables(page: &str) -> Vec<Vec<Vec<&str>>> {
    let mut tables: Vec<Vec<Vec<&str>>> = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        let row: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        if line.starts_with("| model |") {
            tables.push(Vec::new());
            inside = true;
        }
        inside &= line.starts_with('|');
        if let (true, Some(table)) = (inside && !line.starts_with("|---"), tables.last_mut()) {
            table.push(row);
        }
    }
    tables
}

#[test]
fn the_tables_are_complete_and_within_the_bounds() {
    let page = include_str!("../../docs/engines.md");
    let tables = tables(page);
    assert_eq!(tables.len(), 3, "distances, times, allocations");
    let engines = ENGINES.map(|(name, _)| name);
    for table in &tables {
        assert_eq!(table[0][1..], engines);
        let models: Vec<_> = table[1..].iter().map(|row| row[0]).collect();
        assert_eq!(models, ZOO.map(|golden| golden.name));
        assert!(table.iter().all(|row| row.len() == 1 + ENGINES.len() && !row.contains(&"")), "{table:?}");
    }
    for row in &tables[0][1..] {
        for (engine, cell) in engines.iter().zip(&row[1..]) {
            let (distance, bits) = cell.split_once(' ').unwrap_or((cell, ""));
            let bound = if *engine == "torch" { 4e-6 } else { 1e-5 };
            let near = distance.parse::<f32>().is_ok_and(|distance| distance <= bound);
            assert!(near && bits == "=", "{} on {engine}: {cell}", row[0]);
        }
    }
    for row in &tables[1][1..] {
        let fastest = row[1..].iter().filter(|cell| cell.ends_with(" 1.0×")).count();
        assert!(fastest >= 1, "{row:?}: a fastest engine in each row");
    }
}

#[test]
fn every_engine_and_every_readme_is_on_the_page() {
    let page = include_str!("../../docs/engines.md");
    let head = page.lines().find(|line| line.starts_with("| | ")).unwrap_or_default();
    for (name, _) in ENGINES {
        assert!(head.contains(&format!("[{name}](")), "{name}");
    }
    let width = head.matches('|').count();
    let rows = page.lines().skip_while(|line| *line != head).take_while(|line| line.starts_with('|'));
    assert!(rows.clone().count() > 15 && rows.clone().all(|row| row.matches('|').count() == width));
}
