//! Figures of the admission test, and its manners with hostile terms.

use std::time::Instant;

use super::super::*;
use super::*;

fn responses(terms: &[Terms], system: &System) -> Vec<Option<u128>> {
    admission(terms, system).sessions.iter().map(|s| s.response.map(|r| r.as_micros())).collect()
}

#[test]
fn one_core_one_band_by_hand() {
    // Due within 100: 30 of the first, and 50 of the second may be running. Due within 200: 60 + 50.
    let terms = [session(100, 30), session(200, 50)];
    assert_eq!(responses(&terms, &System::new(1, 1, 1)), [Some(80), Some(110)]);
    // FIFO: every session may have submitted one slot and, by uneven blocks, one more.
    assert_eq!(responses(&terms, &System::new(1, 1, 1).order(Order::Fifo)), [Some(160), Some(160)]);
}

#[test]
fn two_bands_by_hand() {
    // 30 + 80 of its own, and 3 slots of 30 within that, of 100 each, and one for uneven blocks: 80 + 30 * (1 + 3) = 200.
    let terms = [session(100, 30), session(400, 80)];
    let system = System::new(1, 1, 2);
    assert_eq!(responses(&terms, &system), [Some(30), Some(170)]);
    // With a core for each band nothing is above the second.
    assert_eq!(responses(&terms, &System::new(2, 1, 2)), [Some(30), Some(80)]);
    // Without priorities two workers share a core: half speed each.
    let fair = admission(&terms, &system.preemption(Preemption::FairShare));
    let micros: Vec<u128> = fair.sessions.iter().filter_map(|s| s.response).map(|r| r.as_micros()).collect();
    assert_eq!(micros, [60, 160]);
}

#[test]
fn bursts_wait_for_themselves() {
    let mut terms = session(100, 20);
    terms.burst = 4;
    assert_eq!(responses(&[terms.clone()], &System::new(1, 1, 1)), [Some(80)]);
    // Two engines on two workers: 20, and up to eight slots of its own in the window, two by two.
    terms.engines = 2;
    assert_eq!(responses(&[terms], &System::new(2, 2, 1)), [Some(100)]);
}

#[test]
fn two_workers_share_what_stands_before() {
    // Three equal sessions on two workers: one waits for what the other two have due, shared out.
    let terms = vec![session(100, 30); 3];
    assert_eq!(responses(&terms, &System::new(2, 2, 1)), [Some(60); 3]);
    // Beside two long ones in the same band it waits for both at worst, and for half of the other short one.
    let terms = [session(100, 20), session(100, 20), session(1000, 30), session(1000, 30)];
    assert_eq!(responses(&terms, &System::new(2, 2, 1))[0], Some(20 + (20 + 30 + 30) / 2));
}

#[test]
fn every_start_of_a_session_in_order_may_find_a_long_slot_begun() {
    // Two slots of its own fall into the window of 200. Before the first both long ones may run, and before the second one of them.
    let terms = [with_deadline(session(100, 10), 200), session(10_000, 30), session(10_000, 30)];
    assert_eq!(responses(&terms, &System::new(2, 2, 1))[0], Some(2 * 10 + (30 + 30) / 2 + 30 / 2));
}

#[test]
fn too_much_has_no_bound() {
    let report = admission(&[session(100, 60), session(100, 60)], &System::new(1, 1, 1));
    assert!(report.sessions.iter().all(|s| s.response.is_none()));
    assert!((report.utilisation - 1.2).abs() < 1e-9);
    // The urgent band is not hurt by what is asked of the one below it.
    let report = admission(&[session(100, 60), session(1000, 700)], &System::new(1, 1, 2));
    assert_eq!(report.sessions[0].response, Some(Duration::from_micros(60)));
    assert_eq!(report.sessions[1].response, None);
    // One engine cannot keep up alone, however many workers there are.
    assert!(!admission(&[session(100, 110)], &System::new(4, 4, 1)).fits());
}

#[test]
fn the_report_is_in_the_order_of_urgency() {
    let named = |name: &str, mut terms: Terms| {
        terms.name = name.to_owned();
        terms
    };
    let terms = [
        named("long", session(42_667, 8000)),
        named("short", session(1333, 100)),
        named("chosen", with_priority(session(5000, 100), 1)),
    ];
    let report = admission(&terms, &System::new(1, 1, 3));
    let names: Vec<&str> = report.sessions.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["chosen", "short", "long"]);
    assert_eq!(report.workers, 1);
}

#[test]
fn hostile_terms_are_answered_soon() {
    let extremes = [0, 1, 999, 1 << 20, 1 << 50, u64::MAX];
    let mut terms = Vec::new();
    for period in extremes {
        for cost in extremes {
            let mut one = Terms::new("hostile", Duration::from_nanos(period));
            one.max_inference = Duration::from_nanos(cost);
            one.deadline = if cost % 2 == 0 { Duration::MAX } else { Duration::from_nanos(period / 2) };
            one.burst = period as usize;
            one.engines = cost as usize;
            one.priority = i32::MAX - (cost % 3) as i32;
            terms.push(one);
        }
    }
    let counts = [0, 2, usize::MAX];
    for order in [Order::EarliestDeadline, Order::Fifo] {
        for preemption in [Preemption::Priority, Preemption::FairShare] {
            for cores in counts {
                for workers in counts {
                    for bands in counts {
                        let mut system =
                            System::new(cores, workers, bands).order(order).preemption(preemption);
                        (system.cores, system.workers, system.bands) = (cores, workers, bands);
                        assert_eq!(admission(&terms, &system).sessions.len(), terms.len());
                        assert!(!admission(&terms, &system).fits());
                        assert!(
                            terms
                                .iter()
                                .all(|t| { admission(std::slice::from_ref(t), &system).sessions.len() == 1 })
                        );
                        let none = admission(&[], &system);
                        assert!(none.fits() && none.sessions.is_empty());
                    }
                }
            }
        }
    }
}

/// A thousand sessions that are all different and together take 99.9 % of a core.
fn thousand(priorities: i32) -> Vec<Terms> {
    (0..1000_u64)
        .map(|i| {
            let mut terms = Terms::new("one", Duration::from_nanos(1_000_003 + i * 7919));
            terms.max_inference = terms.period.mul_f64(0.999e-3);
            terms.priority = i as i32 % priorities;
            terms
        })
        .collect()
}

#[test]
fn a_thousand_sessions_are_answered_soon() {
    // Fifty milliseconds in an optimised build; without optimisation the same steps take many times as long. The best of a few
    // tries, since other programs run on this machine too.
    let limit = if cfg!(debug_assertions) { Duration::from_secs(5) } else { Duration::from_millis(50) };
    for priorities in [1, 3, 1000] {
        for (cores, workers) in [(1, 1), (2, 1), (2, 2), (4, 4)] {
            for order in [Order::EarliestDeadline, Order::Fifo] {
                for preemption in [Preemption::Priority, Preemption::FairShare] {
                    let terms = thousand(priorities);
                    let system = System::new(cores, workers, 4).order(order).preemption(preemption);
                    let attempt = || {
                        let begun = Instant::now();
                        assert_eq!(admission(&terms, &system).sessions.len(), 1000);
                        begun.elapsed()
                    };
                    let mut took = attempt();
                    for _ in 0..4 {
                        if took >= limit {
                            took = took.min(attempt());
                        }
                    }
                    assert!(took < limit, "{took:?} for {priorities} priorities, {system:?}");
                }
            }
        }
    }
}
