//! Schedules worked out with paper and pencil.

use super::super::*;
use super::*;

const US: u64 = 1000;

/// Slots in microseconds: session, submitted, due, work.
fn slots(list: &[(usize, u64, u64, u64)]) -> Vec<Arrival> {
    let arrival = |&(session, at, deadline, work): &(usize, u64, u64, u64)| Arrival {
        session,
        at: at * US,
        deadline: deadline * US,
        work: work * US,
    };
    list.iter().map(arrival).collect()
}

/// The slots as (session, started, finished) in microseconds, in the order in which they were finished.
fn schedule(terms: &[Terms], system: System, list: &[(usize, u64, u64, u64)]) -> Vec<(usize, u64, u64)> {
    let mut seen = Vec::new();
    let _ = Simulation::new(terms, &system).run_with(slots(list), |slot| {
        assert_eq!((slot.started % US, slot.finished % US), (0, 0), "{slot:?} is off the grid");
        seen.push((slot.arrival.session, slot.started / US, slot.finished / US));
    });
    seen
}

fn plain(count: usize) -> Vec<Terms> {
    vec![session(100, 1); count]
}

#[test]
fn earliest_deadline_runs_first_and_is_not_interrupted() {
    let list = [(0, 0, 90, 10), (1, 1, 80, 10), (2, 2, 50, 10), (3, 25, 40, 5)];
    let seen = schedule(&plain(4), System::new(1, 1, 1), &list);
    // 0 is alone at 0; at 10 both others wait and 2 is due first; 3 comes at 25, while 1 runs.
    assert_eq!(seen, [(0, 0, 10), (2, 10, 20), (1, 20, 30), (3, 30, 35)]);
}

#[test]
fn fifo_runs_in_the_order_of_submission() {
    let list = [(0, 0, 90, 10), (1, 1, 80, 10), (2, 2, 50, 10), (3, 25, 40, 5)];
    let seen = schedule(&plain(4), System::new(1, 1, 1).order(Order::Fifo), &list);
    assert_eq!(seen, [(0, 0, 10), (1, 10, 20), (2, 20, 30), (3, 30, 35)]);
}

#[test]
fn priority_stands_above_deadlines_and_order() {
    let mut terms = plain(3);
    terms[2].priority = 1;
    for order in [Order::EarliestDeadline, Order::Fifo] {
        let list = [(0, 0, 20, 10), (1, 1, 50, 10), (2, 2, 90, 10)];
        let seen = schedule(&terms, System::new(1, 1, 1).order(order), &list);
        assert_eq!(seen, [(0, 0, 10), (2, 10, 20), (1, 20, 30)], "{order:?}");
    }
}

#[test]
fn whoever_comes_is_blocked_by_the_longest_that_is_served_after_it() {
    let named = |name: &str, deadline: u64, time: u64| {
        let mut terms = Terms::new(name, Duration::from_millis(100));
        (terms.deadline, terms.max_inference) =
            (Duration::from_millis(deadline), Duration::from_millis(time));
        terms
    };
    // All of the same name, which does not matter.
    let others = [named("a", 30, 4), named("a", 20, 9), named("a", 40, 3), named("a", 10, 50)];
    let system = System::new(1, 1, 1);
    let blocking = |deadline| blocking(others.iter(), &named("a", deadline, 1), &system).as_millis();
    assert_eq!([5, 15, 20, 25, 35, 50].map(blocking), [50, 9, 4, 4, 3, 0]);
    assert_eq!(super::super::blocking([].iter(), &named("a", 5, 1), &system), Duration::ZERO);
}

/// One session with a long inference and a long deadline, one with short ones.
fn long_and_short() -> Vec<Terms> {
    vec![session(1000, 200), session(50, 5)]
}

#[test]
fn a_preempted_slot_keeps_its_worker_and_goes_on_where_it_was() {
    let list = [(0, 0, 1000, 100), (0, 1, 2000, 10), (1, 20, 70, 5), (1, 70, 120, 5)];
    let seen = schedule(&long_and_short(), System::new(1, 1, 2), &list);
    assert_eq!(seen, [(1, 20, 25), (1, 70, 75), (0, 0, 110), (0, 110, 120)]);
    // A second worker per band does not take the slot's turn while the slot has no core.
    let seen = schedule(&long_and_short(), System::new(1, 2, 2), &list);
    assert_eq!(seen, [(1, 20, 25), (1, 70, 75), (0, 0, 110), (0, 110, 120)]);
}

#[test]
fn one_band_does_not_interrupt() {
    let list = [(0, 0, 1000, 100), (1, 20, 70, 5)];
    assert_eq!(schedule(&long_and_short(), System::new(1, 2, 1), &list), [(0, 0, 100), (1, 100, 105)]);
}

#[test]
fn shared_cores_go_at_equal_speed() {
    let fair = |cores| System::new(cores, 1, 2).preemption(Preemption::FairShare);
    // Alone until 20; then half speed while the short one does 5 in 10; then alone for the last 75.
    let list = [(0, 0, 1000, 100), (1, 20, 70, 5)];
    assert_eq!(schedule(&long_and_short(), fair(1), &list), [(1, 20, 30), (0, 0, 105)]);
    // With a core each nobody is slowed down.
    assert_eq!(schedule(&long_and_short(), fair(2), &list), [(1, 20, 25), (0, 0, 100)]);
    // Three workers on two cores run at two thirds.
    let terms = vec![with_priority(session(100, 1), 2), session(100, 1), session(100, 1)];
    let three = System::new(2, 3, 1).preemption(Preemption::FairShare);
    let list = [(0, 0, 100, 20), (1, 0, 100, 20), (2, 0, 100, 20)];
    assert_eq!(schedule(&terms, three, &list), [(0, 0, 30), (1, 0, 30), (2, 0, 30)]);
}

#[test]
fn a_session_with_state_runs_one_slot_at_a_time() {
    let list = [(0, 0, 90, 10), (0, 0, 95, 10), (0, 0, 99, 10)];
    let two = System::new(2, 2, 1);
    assert_eq!(schedule(&plain(1), two, &list), [(0, 0, 10), (0, 10, 20), (0, 20, 30)]);
    let mut terms = plain(1);
    terms[0].engines = 2;
    assert_eq!(schedule(&terms, two, &list), [(0, 0, 10), (0, 0, 10), (0, 10, 20)]);
}

#[test]
fn two_cores_run_two_slots_and_the_bands_share_them() {
    // The short one takes the core of the slot that began last; that one goes on at 25 on a free core.
    let terms = vec![session(1000, 200), session(1000, 200), session(50, 5)];
    let list = [(0, 0, 1000, 100), (1, 10, 1000, 100), (2, 20, 70, 5)];
    let seen = schedule(&terms, System::new(2, 2, 2), &list);
    assert_eq!(seen, [(2, 20, 25), (0, 0, 100), (1, 10, 115)]);
}

#[test]
fn one_worker_leaves_the_other_core_idle() {
    let outcome = simulate(&plain(2), &System::new(2, 1, 1), slots(&[(0, 0, 90, 10), (1, 0, 90, 30)]));
    assert_eq!((outcome.end, outcome.late()), (40 * US, 0));
    assert_eq!(outcome.busy, [1.0, 0.0]);
}

#[test]
fn starting_costs_time_on_the_core() {
    let simulation = Simulation::new(&plain(1), &System::new(1, 1, 1)).start_cost(Duration::from_micros(3));
    let outcome = simulation.run(slots(&[(0, 0, 12, 10), (0, 20, 40, 10)]));
    let session = outcome.sessions[0];
    assert_eq!((session.slots, session.late, session.first_late), (2, 1, Some(12 * US)));
    assert_eq!((session.worst_response, session.worst_tardiness), (13 * US, US));
    assert_eq!(outcome.end, 33 * US);
    assert!((outcome.busy[0] - 26.0 / 33.0).abs() < 1e-12);
}

/// Arrivals of sessions with these periods (and deadlines) and costs, for a while.
fn periodic(terms: &[Terms], until: u64) -> Vec<Arrival> {
    let nanos = |time: Duration| time.as_nanos() as u64;
    let mut arrivals = Vec::new();
    for (session, terms) in terms.iter().enumerate() {
        for n in 0..until.div_ceil(nanos(terms.period)) {
            let (at, work) = (n * nanos(terms.period), nanos(terms.max_inference));
            arrivals.push(Arrival { session, at, deadline: at + nanos(terms.deadline), work });
        }
    }
    arrivals
}

#[test]
fn earliest_deadline_first_uses_a_core_up_where_slots_can_be_cut_small() {
    // Slots of a microsecond make a band as good as preemptive: 2/4 + 3/6 of a core, in pieces (Liu and Layland 1973).
    let terms = [vec![session(4, 1); 2], vec![session(6, 1); 3]].concat();
    let system = System::new(1, 1, 1);
    let outcome = simulate(&terms, &system, periodic(&terms, 1_200_000));
    assert_eq!(outcome.late(), 0);
    assert_eq!(outcome.busy, [1.0]);
    assert!(admission(&terms[..4], &system).fits(), "five sixths, with a bound");
    // Fixed priorities are worth less: 2/4 + 3/6 with the shorter period above.
    let terms = vec![with_priority(session(4, 2), 1), session(6, 3)];
    assert!(simulate(&terms, &System::new(1, 1, 2), periodic(&terms, 1_200_000)).late() > 0);
}

#[test]
fn a_long_inference_before_a_short_deadline_is_late_in_one_band_and_not_in_two() {
    let terms = [session(42_667, 20_000), session(1333, 200)];
    for order in [Order::EarliestDeadline, Order::Fifo] {
        let one = System::new(1, 1, 1).order(order);
        let outcome = simulate(&terms, &one, periodic(&terms, 200_000_000));
        assert!(outcome.sessions[1].late > 0, "{order:?}");
        let report = admission(&terms, &one);
        assert!(!report.fits(), "{order:?}");
        assert_eq!(report.worst().map(|s| s.blocking), Some(Duration::from_millis(20)));
    }
    let two = System::new(1, 1, 2);
    assert_eq!(simulate(&terms, &two, periodic(&terms, 200_000_000)).late(), 0);
    let report = admission(&terms, &two);
    assert!(report.fits(), "{report:?}");
    // The short one waits for nobody: its own inference, and nothing else.
    assert_eq!(report.sessions[0].response, Some(Duration::from_micros(200)));
    assert_eq!(report.sessions[0].blocking, Duration::ZERO);
    // The long one runs 20 ms and is interrupted by 18 slots within 23.6 ms, and by one more for uneven blocks.
    assert_eq!(report.sessions[1].response, Some(Duration::from_micros(20_000 + 19 * 200)));
}

#[test]
fn callbacks_make_slots_by_the_hop() {
    let at = |list: Vec<Arrival>| list.iter().map(|a| (a.at / US, a.deadline / US)).collect::<Vec<_>>();
    let all = |block, hop| at(Callbacks::new(0, 48_000, block, hop).arrivals(4_000_000, |_| 0).collect());
    // 48 samples are a millisecond.
    assert_eq!(all(48, 48), [(0, 1000), (1000, 2000), (2000, 3000), (3000, 4000)]);
    assert_eq!(all(48, 96), [(1000, 3000), (3000, 5000)], "two callbacks bring a hop");
    assert_eq!(all(96, 48), [(0, 1000), (0, 1000), (2000, 3000), (2000, 3000)], "a callback brings two hops");
    // Hops complete at 72, 144, 216 samples; callbacks are at 0, 48, 96...; needs are even, 72 samples apart.
    assert_eq!(all(48, 72), [(1000, 2500), (2000, 4000)]);
    let terms = Callbacks::new(0, 48_000, 200, 48).terms("uneven", Duration::ZERO);
    assert_eq!((terms.burst, terms.period), (5, Duration::from_millis(1)));
}

#[test]
fn the_same_seed_gives_the_same_durations() {
    let draw = |seed| {
        let mut spread = Spread::new(seed, 10, 20);
        (0..1000).map(|_| spread.next_work()).collect::<Vec<_>>()
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
    assert_eq!((draw(1).iter().min(), draw(1).iter().max()), (Some(&10), Some(&20)));
}
