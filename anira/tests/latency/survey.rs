//! Published formulas and the library's figure, counted against the simulations, as a table.

use std::fmt::Write;

use anira::latency::{Blocks, latency};

use crate::adversary::Adversary;
use crate::ask::{question, rational};
use crate::formula::{self, Case};
use crate::simulation::{Fraction, Session, fixed_blocks};

/// How one formula fares over one set of hosts.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) hosts: &'static str,
    pub(crate) formula: &'static str,
    pub(crate) configurations: usize,
    pub(crate) exact: usize,
    pub(crate) small: usize,
    pub(crate) small_by: i64,
    pub(crate) large: usize,
    pub(crate) large_by: i64,
    /// Hosts for which it gives no figure although there is one.
    pub(crate) refused: usize,
}

type Formula = (&'static str, fn(&Case) -> Option<i64>);

/// The name under which the library's own figure stands.
pub(crate) const OURS: &str = "this library";

const RATIOS: [Fraction; 3] = [(0, 1), (1, 2), (1, 1)];

/// Every formula over every set of hosts that it is for.
pub(crate) fn survey() -> Vec<Row> {
    let fixed: &[Formula] = &[
        ("paper 2024", formula::paper),
        ("v3, formula", formula::closed_form),
        ("v3, as built", formula::closed_form_in_doubles),
        (OURS, ours_for_fixed),
    ];
    let varying: &[Formula] = &[("v3, range", formula::worst_constant_block), (OURS, ours_for_varying)];
    let adaptation: &[Formula] = &[
        ("Letz 2001", formula::largest_remainder),
        ("hop − gcd(block, hop)", formula::hop_less_divisor),
        (OURS, ours_for_fixed),
    ];
    let adaptation_of_any: &[Formula] = &[("hop − 1", formula::hop_less_one), (OURS, ours_for_varying)];
    let mut rows = Vec::new();
    rows.extend(count("fixed, all small", &all_small(1..=16, 16, 1), needed_by_fixed, fixed));
    rows.extend(count("fixed, usual", &usual(), needed_by_fixed, fixed));
    rows.extend(count("fixed, random", &random(2_000), needed_by_fixed, fixed));
    rows.extend(count("fixed, I = 0", &without_inference(1..=64, 64), needed_by_fixed, adaptation));
    rows.extend(count("varying, all small", &all_small(2..=7, 7, 2), needed_by_varying, varying));
    rows.extend(count(
        "varying, I = 0",
        &without_inference(2..=12, 12),
        needed_by_varying,
        adaptation_of_any,
    ));
    rows
}

/// The rows as Markdown.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| hosts | formula | configurations | exact | too small | by at most | too large | by at most | no figure |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let Row { hosts, formula, configurations, exact, small, small_by, large, large_by, refused } = row;
        writeln!(
            text,
            "| {hosts} | {formula} | {configurations} | {exact} | {small} | {small_by} | {large} | {large_by} | {refused} |"
        )
        .unwrap();
    }
    text
}

fn count(hosts: &'static str, cases: &[Case], needed: fn(&Case) -> i64, formulas: &[Formula]) -> Vec<Row> {
    let needs: Vec<i64> = cases.iter().map(needed).collect();
    let row = |&(name, formula): &Formula| {
        let mut row = Row {
            hosts,
            formula: name,
            configurations: cases.len(),
            exact: 0,
            small: 0,
            small_by: 0,
            large: 0,
            large_by: 0,
            refused: 0,
        };
        for (case, &need) in cases.iter().zip(&needs) {
            match formula(case).map(|figure| figure - need) {
                None => row.refused += 1,
                Some(0) => row.exact += 1,
                Some(more @ 1..) => (row.large, row.large_by) = (row.large + 1, row.large_by.max(more)),
                Some(less) => (row.small, row.small_by) = (row.small + 1, row.small_by.max(-less)),
            }
        }
        row
    };
    formulas.iter().map(row).collect()
}

/// Every block and every hop up to `hops`, one and two engines, waits of none, half and all of a block, and every inference
/// time in `1/steps` of a sample that the engines keep up with.
fn all_small(blocks: std::ops::RangeInclusive<i64>, hops: i64, steps: i64) -> Vec<Case> {
    let mut cases = Vec::new();
    for block in blocks {
        for hop in 1..=hops {
            for engines in 1..=2 {
                for ratio in RATIOS {
                    let times = 0..=steps * engines * hop;
                    cases.extend(times.map(|time| Case {
                        block,
                        hop,
                        inference: (time, steps),
                        engines,
                        ratio,
                    }));
                }
            }
        }
    }
    cases
}

/// Sizes that hosts and models have, inferences of a tenth to all of a hop, with a wait and without.
fn usual() -> Vec<Case> {
    let mut cases = Vec::new();
    for block in [16, 32, 64, 96, 128, 192, 256, 441, 480, 512, 768, 960, 1024, 2048] {
        for hop in [64, 128, 150, 256, 480, 512, 960, 1024, 2048] {
            for tenths in 1..=10 {
                for ratio in [(0, 1), (1, 2)] {
                    cases.push(Case { block, hop, inference: (tenths * hop, 10), engines: 1, ratio });
                }
            }
        }
    }
    cases
}

/// Blocks and hops up to 4096, up to four engines, waits in quarters, inferences of any thousandth of what the engines
/// can do, but for all of it.
fn random(count: usize) -> Vec<Case> {
    let mut state = 0x0A11_5EEDu64;
    let mut below = |n: i64| {
        // SplitMix64.
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % n as u64) as i64
    };
    let case = |_| {
        let (block, hop, engines) = (1 + below(4096), 1 + below(4096), 1 + below(4));
        Case { block, hop, engines, inference: (engines * hop * below(1000), 1000), ratio: (below(5), 4) }
    };
    (0..count).map(case).collect()
}

fn without_inference(blocks: std::ops::RangeInclusive<i64>, hops: i64) -> Vec<Case> {
    let none = |block: i64, hop: i64| Case { block, hop, inference: (0, 1), engines: 1, ratio: (0, 1) };
    blocks.flat_map(|block| (1..=hops).map(move |hop| none(block, hop))).collect()
}

fn needed_by_fixed(case: &Case) -> i64 {
    let session = Session {
        hop_in: case.hop,
        hops_out: vec![case.hop],
        inference: case.inference,
        engines: case.engines as usize,
        ratio: case.ratio,
    };
    fixed_blocks(&session, (case.block, 1)).zero_fill[0]
}

fn needed_by_varying(case: &Case) -> i64 {
    let &Case { block, hop, inference, engines, ratio } = case;
    Adversary { min: 1, max: block, hop, inference, engines: engines as usize, ratio }.worst().lag
}

fn ours_for_fixed(case: &Case) -> Option<i64> {
    ours(case, Blocks::Fixed)
}

fn ours_for_varying(case: &Case) -> Option<i64> {
    ours(case, Blocks::Varying { min: rational((1, 1)) })
}

/// The library's figure, where it says that it is exact.
fn ours(case: &Case, blocks: Blocks) -> Option<i64> {
    let query = question((case.block, 1), case.hop, case.hop, case.inference)
        .engines(case.engines as u64)
        .blocking_ratio(rational(case.ratio))
        .blocks(blocks);
    let answer = latency(&query).unwrap();
    answer.exact.then_some(answer.samples as i64)
}
