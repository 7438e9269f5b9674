//! Published formulas against the simulations: what `docs/latency.md` says of them is counted here.

use crate::formula::{self, Case};
use crate::survey::{OURS, survey, table};

#[test]
fn the_table_of_the_document_is_what_is_counted() {
    let rows = survey();
    let document =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/latency.md")).unwrap();
    let table = table(&rows);
    assert!(document.contains(&table), "docs/latency.md should have:\n{table}");

    // What must hold for ever, whatever the document says.
    for row in &rows {
        assert_eq!(row.exact + row.small + row.large + row.refused, row.configurations, "{row:?}");
        let always_exact = [OURS, "Letz 2001", "hop − gcd(block, hop)", "hop − 1"].contains(&row.formula);
        assert!(!always_exact || row.exact == row.configurations, "{row:?}");
        // The closed form is right wherever it answers.
        assert!(row.formula != "v3, formula" || row.small + row.large == 0, "{row:?}");
    }
    let total: usize = rows.iter().filter(|row| row.formula == OURS).map(|row| row.configurations).sum();
    assert!(total > 30_000, "{total}");
}

/// A session at `rate` whose inference takes `hundredths` of a millisecond.
fn case(block: i64, hop: i64, hundredths: i64, rate: i64, engines: i64, ratio: (i64, i64)) -> Case {
    Case { block, hop, inference: (hundredths * rate, 100_000), engines, ratio }
}

/// Figures that were told of these formulas elsewhere: the readings of them here are the same.
#[test]
fn the_formulas_are_read_as_others_read_them() {
    for (case, figure) in [
        (case(480, 512, 500, 48_000, 1, (0, 1)), 960),
        (case(480, 64, 80, 48_000, 1, (0, 1)), 512),
        (case(96, 64, 80, 48_000, 1, (0, 1)), 128),
        (case(441, 150, 200, 44_100, 2, (1, 2)), 147),
        (case(1000, 256, 520, 48_000, 1, (0, 1)), 1248),
    ] {
        assert_eq!(formula::closed_form(&case), Some(figure), "{case:?}");
        assert_eq!(formula::closed_form_in_doubles(&case), Some(figure), "{case:?}");
    }
    // Sizes whose ratio is no short fraction: doubles lose samples.
    for (case, doubles, exact) in [
        (case(4017, 1024, 1871, 22_050, 4, (3, 4)), 1020, 1023),
        (case(2048, 1151, 1322, 48_000, 4, (1, 4)), 3196, 3198),
    ] {
        assert_eq!(formula::closed_form_in_doubles(&case), Some(doubles), "{case:?}");
        assert_eq!(formula::closed_form(&case), Some(exact), "{case:?}");
    }
    let queueing = case(1000, 256, 520, 48_000, 1, (0, 1));
    assert_eq!(formula::paper(&queueing), Some(248 + 1000));
    let busy = case(512, 480, 1000, 48_000, 1, (0, 1));
    assert_eq!(formula::closed_form(&busy), None);
    let varying = case(512, 512, 300, 48_000, 1, (0, 1));
    assert_eq!(formula::worst_constant_block(&varying), Some(1023), "needed: 1166");
}
