#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's failure")]

use super::*;
use anira_traits::{Head, Windows};
use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};

const CONTEXT: usize = 3;
const HOP: usize = 2;

/// What a slot of the test carries: the window that the worker saw.
#[derive(Clone, Debug, Default)]
struct Seen(Vec<f32>);

type Claims = VecDeque<(u64, u64, Vec<f32>)>;

/// The ring as one thread would write it: samples since the last reset, hops submitted and not collected.
#[derive(Debug, Default)]
struct Plain {
    generation: u64,
    samples: Vec<f32>,
    hop: u64,
    /// Submitted and not collected, oldest first: hop and whether it was taken back.
    outstanding: VecDeque<(u64, bool)>,
    /// Submitted, not claimed: generation, hop, window.
    waiting: Claims,
    finished: BTreeMap<u64, bool>,
}

impl Plain {
    fn window(&self, hop: u64) -> Vec<f32> {
        let end = (hop as usize + 1) * HOP;
        let start = end as i64 - (CONTEXT + HOP) as i64;
        (start..end as i64).map(|i| if i < 0 { 0.0 } else { self.samples[i as usize] }).collect()
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Push(u8),
    Submit,
    /// Claim a slot, keep it in hand.
    Claim,
    /// Finish the oldest, or the newest, claim in hand; successfully or not.
    Finish(bool, bool),
    Collect,
    DropOldest,
    Reset,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1u8..6).prop_map(Step::Push),
        4 => Just(Step::Submit),
        3 => Just(Step::Claim),
        3 => (any::<bool>(), prop::bool::weighted(0.8)).prop_map(|(first, ok)| Step::Finish(first, ok)),
        3 => Just(Step::Collect),
        1 => Just(Step::DropOldest),
        1 => Just(Step::Reset),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_list_of_operations_behaves_as_the_plain_ring(
        steps in prop::collection::vec(step(), 1..120),
        slots in 1usize..5,
        executors in 1usize..3,
    ) {
        run(&steps, slots, executors)?;
    }
}

fn run(steps: &[Step], slots: usize, executors: usize) -> Result<(), TestCaseError> {
    let capacity = CONTEXT + (slots + executors + 2) * HOP + 6;
    let stream = StreamShape { channels: 1, hop: HOP, context: CONTEXT, capacity };
    let mut producer = Producer::new(&[stream], vec![Seen::default(); slots], vec![(); executors]);
    let ring = producer.ring().clone();
    let mut plain = Plain::default();
    let mut hands: VecDeque<(Claim<'_, Seen, ()>, u64, u64)> = VecDeque::new();
    let mut next = 1.0;
    for step in steps {
        match *step {
            Step::Push(len) => {
                let len = (len as usize).min(producer.room(0));
                let samples: Vec<f32> = (0..len).map(|i| next + i as f32).collect();
                next += len as f32;
                producer
                    .write(0, 0, len, |target, at| target.copy_from_slice(&samples[at..at + target.len()]));
                producer.advance(0, len);
                plain.samples.extend(samples);
            }
            Step::Submit => {
                let whole = plain.samples.len() >= (plain.hop as usize + 1) * HOP;
                prop_assert_eq!(producer.buffered(0) >= HOP as u64, whole);
                if !whole {
                    continue;
                }
                if producer.submit(Head::default(), |seen| seen.0.clear()) {
                    plain.waiting.push_back((plain.generation, plain.hop, plain.window(plain.hop)));
                    plain.outstanding.push_back((plain.hop, false));
                    plain.hop += 1;
                    prop_assert!(plain.outstanding.len() <= slots);
                } else {
                    // The promise: whatever a reset left running, all but one slot per executor are to be had.
                    prop_assert!(plain.outstanding.len() + executors >= slots, "a slot was free");
                }
            }
            Step::Claim => match ring.claim() {
                None => prop_assert!(plain.waiting.is_empty() || hands.len() == executors),
                Some(mut claim) => {
                    let right = plain.waiting.pop_front();
                    prop_assert!(right.is_some(), "claimed what was not waiting");
                    let (generation, hop, window) = right.unwrap();
                    let parts = claim.parts().unwrap();
                    prop_assert_eq!((parts.header.generation, parts.header.hop), (generation, hop));
                    let span: Vec<f32> = parts.input.span(0, 0).iter().collect();
                    prop_assert_eq!(&span, &window);
                    parts.payload.0 = span;
                    if hop % 2 == 0 {
                        parts.input.release();
                    }
                    hands.push_back((claim, generation, hop));
                }
            },
            Step::Finish(first, ok) => {
                let claim = if first { hands.pop_front() } else { hands.pop_back() };
                if let Some((claim, generation, hop)) = claim {
                    claim.finish(ok, false);
                    if generation == plain.generation {
                        plain.finished.insert(hop, ok);
                    }
                }
            }
            Step::Collect => collect(&mut producer, &mut plain)?,
            Step::DropOldest => {
                let waits = |hop: u64| plain.waiting.iter().any(|(_, h, _)| *h == hop);
                let right = plain.outstanding.iter().map(|(hop, _)| *hop).find(|hop| waits(*hop));
                prop_assert_eq!(producer.drop_oldest(u64::MAX), right);
                if let Some(hop) = right {
                    plain.waiting.retain(|(_, h, _)| *h != hop);
                    plain
                        .outstanding
                        .iter_mut()
                        .filter(|(h, _)| *h == hop)
                        .for_each(|(_, taken)| *taken = true);
                }
            }
            Step::Reset => {
                prop_assert_eq!(producer.reset(), plain.waiting.len() as u64);
                plain = Plain { generation: plain.generation + 1, ..Plain::default() };
            }
        }
    }
    Ok(())
}

fn collect(producer: &mut Producer<Seen, ()>, plain: &mut Plain) -> Result<(), TestCaseError> {
    let head = plain.outstanding.front().copied();
    let finished = head.and_then(|(hop, _)| plain.finished.get(&hop).copied());
    match producer.collect() {
        Collected::Empty => prop_assert_eq!(head, None),
        Collected::Pending => prop_assert!(matches!(head, Some((_, false))) && finished.is_none()),
        Collected::Lost(hop) => {
            let (right, taken) = head.unwrap();
            prop_assert_eq!(hop, right);
            prop_assert!(taken || finished == Some(false));
            plain.outstanding.pop_front();
        }
        Collected::Ready(mut ready) => {
            let (right, taken) = head.unwrap();
            prop_assert_eq!((ready.hop(), taken, finished), (right, false, Some(true)));
            let window = plain.window(right);
            prop_assert_eq!(&ready.payload().unwrap().0, &window);
            plain.outstanding.pop_front();
        }
    }
    Ok(())
}

#[test]
fn a_claim_that_is_dropped_counts_as_failed_and_its_executor_is_kept_back() {
    let stream = StreamShape { channels: 1, hop: 1, context: 0, capacity: 8 };
    let mut producer = Producer::new(&[stream], vec![(); 4], vec!["first", "second"]);
    let ring = producer.ring().clone();
    for _ in 0..3 {
        producer.write(0, 0, 1, |target, _| target.fill(1.0));
        producer.advance(0, 1);
        assert!(producer.submit(Head::default(), |()| ()));
    }
    drop(ring.claim().unwrap());
    let mut second = ring.claim().unwrap();
    assert_eq!(second.executor().copied(), Some("second"));
    assert!(ring.claim().is_none(), "the first is never given out again");
    assert!(matches!(producer.collect(), Collected::Lost(0)));
    drop(second);
    let mut last = ring.claim().unwrap();
    assert_eq!(
        last.executor().copied(),
        Some("second"),
        "the last executor goes on, so that slots come back"
    );
    last.finish(true, true);
    assert!(matches!(producer.collect(), Collected::Lost(1)));
    assert!(matches!(producer.collect(), Collected::Ready(_)));
}

#[test]
fn samples_that_found_no_room_are_silence_and_time_goes_on() {
    let stream = StreamShape { channels: 1, hop: 2, context: 2, capacity: 8 };
    let mut producer = Producer::new(&[stream], vec![(); 4], vec![()]);
    let ring = producer.ring().clone();
    let push = |producer: &mut Producer<(), ()>, value: f32| {
        producer.write(0, 0, 2, |target, _| target.fill(value));
        producer.advance(0, 2);
    };
    push(&mut producer, 1.0);
    producer.skip(0, 2);
    push(&mut producer, 3.0);
    for (right, has_gap) in [([0.0; 4], true), ([0.0; 4], true), ([0.0, 0.0, 3.0, 3.0], false)] {
        assert_eq!(producer.has_gap(), has_gap);
        assert!(producer.submit(Head::default(), |()| ()));
        let mut claim = ring.claim().unwrap();
        let window: Vec<f32> = claim.parts().unwrap().input.span(0, 0).iter().collect();
        assert_eq!(window, right);
        claim.finish(true, false);
    }
    producer.reset();
    push(&mut producer, 4.0);
    assert!(!producer.has_gap(), "a reset begins anew");
}

#[test]
fn reading_back_is_exact_where_the_history_reaches() {
    let stream = StreamShape { channels: 2, hop: 4, context: 0, capacity: 16 };
    let mut producer: Producer<(), ()> = Producer::new(&[stream], vec![(); 2], vec![()]);
    let mut written = 0;
    for len in [3usize, 8, 5, 7, 2] {
        for channel in 0..2 {
            producer.write(0, channel, len, |target, at| {
                (0..target.len()).for_each(|i| target[i] = (1 + 100 * channel + written + at + i) as f32);
            });
        }
        producer.advance(0, len);
        written += len;
        while producer.buffered(0) >= 4 {
            producer.forgo();
        }
        let mut target = [-1.0; 30];
        producer.read(0, 1, -2, &mut target);
        for (i, sample) in target.iter().enumerate() {
            let position = i as i64 - 2;
            let there = position >= (written as i64 - 16).max(0) && position < written as i64;
            assert_eq!(*sample, if there { (101 + position) as f32 } else { 0.0 }, "{position} of {written}");
        }
    }
}
