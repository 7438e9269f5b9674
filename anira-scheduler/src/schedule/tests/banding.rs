//! Which band serves whom.

use std::time::Instant;

use proptest::prelude::*;

use super::super::*;
use super::*;

#[test]
fn sessions_that_do_not_hurt_one_another_share_a_band() {
    let terms = [session(1333, 100), session(1333, 150), session(2667, 300), session(1333, 100)];
    assert_eq!(assign(&terms, 4), [0; 4]);
}

#[test]
fn a_long_inference_gets_a_band_below() {
    let mut terms = vec![session(1333, 100); 8];
    terms.push(session(42_667, 8000));
    assert_eq!(assign(&terms, 2), [0, 0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(assign(&terms, 1), [0; 9], "one band is all there is");
}

#[test]
fn others_demand_eats_slack_too() {
    // Alone it has 1233 us of slack, half of which is enough for 500; with two others of its kind 1033, with four 833.
    let others = |count| {
        let mut terms = vec![session(1333, 100); count];
        terms.push(session(5000, 500));
        assign(&terms, 2).last().copied()
    };
    assert_eq!((others(1), others(3), others(5)), (Some(0), Some(0), Some(1)));
}

#[test]
fn the_least_slack_of_a_band_counts() {
    // The first has 433 us of slack; the second, which joins it, has 625, and half of that would be enough for the third.
    let terms = [session(1333, 900), session(5000, 100), session(10_000, 300)];
    assert_eq!(assign(&terms, 3), [0, 0, 1]);
}

#[test]
fn three_deadline_classes_get_three_bands_or_part_where_it_hurts_most() {
    let terms = [session(1333, 300), session(10_667, 4000), session(42_667, 12_000)];
    assert_eq!(assign(&terms, 3), [0, 1, 2]);
    // 4 ms hurt a deadline of 1.3 ms more than 12 ms hurt one of 10.7 ms.
    assert_eq!(assign(&terms, 2), [0, 1, 1]);
}

#[test]
fn priority_outranks_deadline() {
    let terms = [session(1333, 100), with_priority(session(42_667, 8000), 5), session(2667, 100)];
    let bands = assign(&terms, 3);
    assert!(bands[1] <= bands[0] && bands[0] <= bands[2], "{bands:?}");
}

fn any_terms() -> impl Strategy<Value = Terms> {
    let numbers = (0..100_000_u64, 0..100_000_u64, 0..50_000_u64, 0..9_usize, 0..4_usize, -1..2_i32);
    numbers.prop_map(|(period, deadline, cost, burst, engines, priority)| {
        let mut terms = with_priority(with_deadline(session(period, cost), deadline), priority);
        (terms.burst, terms.engines) = (burst, engines);
        terms
    })
}

proptest! {
    #[test]
    fn bands_follow_priority_then_deadline(
        terms in prop::collection::vec(any_terms(), 0..20),
        bands in 0..5_usize,
    ) {
        let assigned = assign(&terms, bands);
        prop_assert_eq!(assigned.len(), terms.len());
        prop_assert_eq!(&assigned, &assign(&terms, bands), "twice the same");
        for (a, x) in terms.iter().zip(&assigned) {
            prop_assert!(*x < bands.max(1));
            for (b, y) in terms.iter().zip(&assigned) {
                if a.priority > b.priority || (a.priority == b.priority && a.deadline < b.deadline) {
                    prop_assert!(x <= y, "{:?} in {} below {:?} in {}", a, x, b, y);
                }
            }
        }
        let used = assigned.iter().max().map_or(0, |most| most + 1);
        prop_assert!((0..used).all(|band| assigned.contains(&band)), "no band is skipped");
    }
}

#[test]
fn a_thousand_sessions_are_quick() {
    let terms: Vec<Terms> = (0..1000)
        .map(|i| with_priority(session(1000 + i * 37 % 9000, 1 + i % 500), (i % 7) as i32))
        .collect();
    let begun = Instant::now();
    let bands = assign(&terms, 4);
    assert!(bands.contains(&3));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}
