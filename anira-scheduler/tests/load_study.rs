//! The figures of the load study that the documentation states, kept true.
#![cfg(not(loom))]
#![allow(clippy::expect_used, reason = "a test's failure")]

#[path = "../examples/load_study.rs"]
#[allow(dead_code, reason = "the table's printing is not needed here")]
mod load_study;

use anira_scheduler::schedule::{Order, Preemption, System};
use load_study::{MIXES, Mix};

fn mix(name: &str) -> &'static Mix {
    MIXES.iter().find(|mix| mix.name == name).expect("a mix of the study")
}

#[test]
fn bands_carry_nine_tenths_of_the_load_where_one_class_fails_early() {
    // On both cores 8 short sessions leave one long one too little time of its own: see below.
    let kept = [
        ("12 short", 1..=2),
        ("8 short, 1 long", 1..=1),
        ("4 short, 2 long", 1..=2),
        ("3 classes: 4 short, 3 of 512, 2 long", 1..=2),
        ("4 short, 2 in bursts of 4", 1..=2),
        ("uneven: 4 short, 1 of 480, 1 long", 1..=2),
    ];
    for (name, cores) in kept {
        for cores in cores {
            let bands = System::new(cores, cores, 3);
            for percent in [10, 25, 50, 75, 91, 95] {
                assert_eq!(mix(name).late(&bands, percent), 0, "{name} on {cores} at {percent} %");
            }
            if name == "12 short" {
                continue;
            }
            for order in [Order::Fifo, Order::EarliestDeadline] {
                let one_class = System::new(cores, cores, 1).order(order);
                assert!(mix(name).late(&one_class, 40) > 0, "{name} on {cores} in one class, {order:?}");
            }
        }
    }
}

#[test]
fn a_long_session_with_state_gets_one_core_and_what_the_short_ones_leave_of_it() {
    // The short ones keep both cores busy for 0.6 of their load at once; then one core stands idle beside the long one:
    // 0.8 of the load must fit into 1 - 0.6 of it, so 1 / 1.4 is the most.
    let bands = System::new(2, 2, 3);
    assert_eq!(mix("8 short, 1 long").late(&bands, 71), 0);
    assert!(mix("8 short, 1 long").late(&bands, 72) > 0);
}

#[test]
fn without_priorities_bands_still_help() {
    let fair = System::new(1, 1, 3).preemption(Preemption::FairShare);
    let fifo = System::new(1, 1, 1).order(Order::Fifo);
    for name in ["8 short, 1 long", "4 short, 2 long"] {
        assert_eq!(mix(name).late(&fair, 80), 0, "{name}");
        assert!(mix(name).late(&fifo, 20) > 0, "{name}");
    }
}

#[test]
fn what_is_admitted_is_in_time() {
    for mix in MIXES {
        for cores in 1..=2 {
            let bands = System::new(cores, cores, 3);
            for percent in [25, 50, 75, 90, 100] {
                let (terms, _) = mix.sessions(cores, percent);
                if anira_scheduler::schedule::admission(&terms, &bands).fits() {
                    assert_eq!(mix.late(&bands, percent), 0, "{} on {cores} at {percent} %", mix.name);
                }
            }
        }
    }
}
